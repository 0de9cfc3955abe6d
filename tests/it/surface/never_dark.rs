//! Nobody waits in the dark: acknowledgements, signs of life and answers, whatever is slow.

use std::time::Duration;

use orchestrator::chat::heard::What;
use orchestrator::chat::message::Purpose;
use tokio::runtime::Runtime;

use super::room::Mood;
use super::scene::{OPERATOR, Scene, VIEWER};
use crate::bus::server::Private;
use crate::chaos::wire::{Passes, Wire};
use crate::main_job::world::section;
use crate::postgres::{self, Database};

/// A fleet's database behind a wire that can be held, and the lines that say so.
struct Held {
    database: Database,
    wire: Wire,
    runtime: Runtime,
}

impl Held {
    fn new() -> Option<Self> {
        if !postgres::is_there() {
            return None;
        }
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(Database::create());
        let wire = runtime.block_on(Wire::before(port(database.url())));
        Some(Self {
            database,
            wire,
            runtime,
        })
    }

    fn lines(&self) -> String {
        let url = self.database.url();
        let held = url.replace(&format!(":{}/", port(url)), &format!(":{}/", self.wire.port));
        format!("[store]\nurl = \"{held}\"\n[fleet]\nnode = \"one\"\nlease = \"3s\"\n")
    }
}

/// Lets everything pass again, also where a story fails: a service ends only when its store does.
struct Released<'a>(&'a Wire);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        self.0.let_pass(Passes::Everything);
    }
}

fn port(url: &str) -> u16 {
    let (_, address) = url.rsplit_once('@').unwrap();
    let (address, _) = address.split_once('/').unwrap();
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn all_acknowledged(scene: &Scene, events: &[String]) {
    scene.until("all acknowledged", || {
        let acknowledged = scene.room.acknowledged();
        events
            .iter()
            .all(|event| acknowledged.contains(event))
            .then_some(())
    });
}

fn write(scene: &Scene, times: usize) -> Vec<String> {
    (0..times)
        .map(|_| scene.room.write(VIEWER, None, "!status"))
        .collect()
}

fn acknowledged_soon(scene: &Scene) {
    let told = scene.instance().surfaces.told(scene.instance().clock.now());
    assert!(told[0].1.ack_p99_s.unwrap() < 1.0, "{told:?}");
}

#[test]
fn people_are_acknowledged_though_the_chat_takes_posts_slowly() {
    let scene = Scene::new();
    scene.world.worker("idle", "sleep 60");
    scene.world.save_tasks(&[&section("idle", "")]);
    scene.card("idle", "🔧");
    scene.room.set(Mood::Slow(Duration::from_secs(10)));
    let events = write(&scene, 50);
    all_acknowledged(&scene, &events);
    assert!(
        scene.room.answers(&events[49]).is_empty(),
        "none of it waited for an answer"
    );
    scene.room.set(Mood::Good);
    scene.answer(&events[49]);
    acknowledged_soon(&scene);
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

#[test]
fn people_are_acknowledged_while_the_database_does_not_answer_and_answered_once_when_it_does() {
    let Some(held) = Held::new() else { return };
    let scene = Scene::configured("", &held.lines());
    scene.world.worker("idle", "sleep 60");
    scene.world.save_tasks(&[&section("idle", "")]);
    let card = scene.card("idle", "🔧");

    let released = Released(&held.wire);
    held.wire.let_pass(Passes::Nothing);
    let mut events = write(&scene, 20);
    events.push(scene.room.write(OPERATOR, Some(&card.id), "mind the tests"));
    all_acknowledged(&scene, &events);
    let member = scene.instance().member.clone().unwrap();
    scene.until("its leadership has run out", || {
        member.leads().is_none().then_some(())
    });
    events.extend(write(&scene, 5));
    all_acknowledged(&scene, &events);
    assert!(events.iter().all(|event| scene.room.answers(event).is_empty()));
    acknowledged_soon(&scene);

    drop(released);
    for event in &events {
        scene.answer(event);
    }
    let twice = events.iter().find(|event| scene.room.answers(event).len() > 1);
    assert_eq!(twice, None);
    let acknowledged = scene.room.acknowledged();
    let times = |event: &String| acknowledged.iter().filter(|e| *e == event).count();
    assert!(events.iter().all(|event| times(event) == 1), "{acknowledged:?}");
    drop(scene);
    held.runtime.block_on(async { drop(held.wire) });
}

#[test]
fn a_bus_that_stands_still_is_not_noticed_in_a_chat() {
    let Some(bus) = Private::start(&[]) else { return };
    let lines = format!("[bus]\nurl = \"{}\"\n", bus.url());
    let scene = Scene::configured("", &lines);
    scene.world.save_tasks(&[&section("swift", "")]);
    bus.freeze();
    let events = write(&scene, 20);
    all_acknowledged(&scene, &events);
    scene.answer(&events[19]);
    scene.card("swift", "✅");
    acknowledged_soon(&scene);
    bus.thaw();
}

#[test]
fn an_agent_that_thinks_for_long_keeps_nobody_else_waiting() {
    let slow = "[runtimes.voice]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", 'cat >/dev/null; sleep 60; echo late']\n";
    let scene = Scene::configured("agents = { slow = \"C9\" }\n", slow);
    let agent = "---\nname: slow\ndescription: Thinks\nruntimes: [voice]\n---\nYou think.\n";
    std::fs::write(scene.world.root().join("agents/slow.md"), agent).unwrap();
    let to_the_agent = |text: &str| {
        let what = What::Text {
            text: text.to_owned(),
            addressed: false,
            files: Vec::new(),
        };
        let mut heard = scene.room.event(OPERATOR, None, what);
        heard.room = "agent:slow".to_owned();
        heard.purpose = Some(Purpose::Agent("slow".to_owned()));
        let event = heard.event.clone();
        scene.room.bring(heard);
        event
    };
    let asked = to_the_agent("what is the meaning of it all?");
    scene.until("it shows that it thinks", || {
        scene
            .room
            .answers(&asked)
            .first()
            .filter(|text| text.starts_with('…'))
            .map(drop)
    });
    let behind = to_the_agent("and of this?");
    let events = write(&scene, 20);
    all_acknowledged(&scene, &events);
    all_acknowledged(&scene, &[asked.clone(), behind]);
    scene.answer(&events[19]);
    assert!(scene.room.answers(&asked)[0].starts_with('…'), "it still thinks");
    acknowledged_soon(&scene);
}
