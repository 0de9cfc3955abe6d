//! Nobody waits in the dark: acknowledgements, signs of life and answers, whatever is slow.

use std::time::Duration;

use super::room::Mood;
use super::scene::{OPERATOR, Scene, VIEWER};
use crate::main_job::world::section;

#[test]
fn people_are_acknowledged_though_the_chat_takes_posts_slowly() {
    let scene = Scene::new();
    scene.world.worker("idle", "sleep 60");
    scene.world.save_tasks(&[&section("idle", "")]);
    scene.card("idle", "🔧");
    scene.room.set(Mood::Slow(Duration::from_secs(10)));
    let events: Vec<String> = (0..50)
        .map(|_| scene.room.write(VIEWER, None, "!status"))
        .collect();
    scene.until("all acknowledged", || {
        let acknowledged = scene.room.acknowledged();
        events
            .iter()
            .all(|event| acknowledged.contains(event))
            .then_some(())
    });
    assert!(
        scene.room.answers(&events[49]).is_empty(),
        "none of it waited for an answer"
    );
    scene.room.set(Mood::Good);
    scene.answer(&events[49]);
    let told = scene.instance().surfaces.told(scene.instance().clock.now());
    assert!(told[0].1.ack_p99_s.unwrap() < 1.0, "{told:?}");
}

#[test]
fn a_slow_chat_slows_no_task() {
    let scene = Scene::new();
    scene.room.set(Mood::Slow(Duration::from_secs(30)));
    scene.world.save_tasks(&[&section("swift", "")]);
    scene.world.until_archived("swift");
    assert!(
        scene.room.posted().is_empty(),
        "it was done before anybody could be told"
    );
}

#[test]
fn a_chat_that_wants_to_be_left_alone_is() {
    let scene = Scene::new();
    scene.room.set(Mood::Limited(Duration::from_secs(300)));
    scene
        .world
        .save_tasks(&[&section("one", ""), &section("two", "")]);
    scene.world.until_archived("one");
    scene.world.until_archived("two");
    assert_eq!(scene.room.calls(), 1, "it is not asked again before its time");
}

#[test]
fn a_working_task_shows_life_and_status_knows_how_the_chat_stands() {
    let scene = Scene::new();
    scene.world.worker("busy", "for n in 1 2 3 4 5 6; do orchestrator agent heartbeat --pct ${n}0 --phase step-$n; sleep 0.3; done; sleep 60");
    scene.world.save_tasks(&[&section("busy", "")]);
    scene.card("busy", "🔧");
    let seen = scene.until("its phase", || {
        let card = scene.room.card("busy")?;
        let phase = card
            .card()?
            .facts
            .iter()
            .find(|fact| fact.name == "Phase")?
            .value
            .clone();
        (phase == "step-6").then_some(card)
    });
    assert_eq!(seen.card().unwrap().pct, Some(60));
    let status = scene.until("the standing", || {
        let status = scene.world.run(&["status", "--json"]).json();
        (status["surfaces"][0]["standing"] == "up").then_some(status)
    });
    let chat = &status["surfaces"][0];
    assert_eq!(chat["name"], "team");
    assert!(chat["longest_silence_s"].as_f64().unwrap() < 30.0, "{chat}");
    assert!(scene.world.run(&["status"]).out.contains("team up"));
    scene.say(OPERATOR, None, "!cancel busy");
}

#[test]
fn a_message_is_not_lost_where_the_store_is_slow() {
    let scene = Scene::new();
    let event = scene.room.write(VIEWER, None, "!status");
    assert!(scene.answer(&event).starts_with("Nothing is to be done."));
    assert_eq!(scene.room.refused(), 0);
}
