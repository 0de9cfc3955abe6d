//! What can be said: every order, with forgiving spelling, from a room and from a thread.

use super::scene::{OPERATOR, OWNER, Scene, VIEWER};
use crate::main_job::world::section;

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_order_is_answered() {
    let scene = Scene::new();
    scene.world.worker("idle", "echo hello from the worker; sleep 60");
    scene
        .world
        .save_tasks(&[&section("idle", ""), &section("quick", "")]);
    scene.card("idle", "🔧");
    scene.card("quick", "✅");
    let rows = [
        (VIEWER, "!help", "What can be said here:!status"),
        (
            VIEWER,
            "!sttaus",
            "1 in progress. 1 of 4 slots in use.\nidle: in progress",
        ),
        (VIEWER, "!show idl", "idle: in progress"),
        (VIEWER, "!why idle", "idle is in-progress"),
        (VIEWER, "!usage", "$0.00 for 2 tasks."),
        (VIEWER, "!archive", "quick: completed"),
        (
            VIEWER,
            "!show idlee",
            "There is no task 'idlee'; did you mean 'idle'?",
        ),
        (
            VIEWER,
            "!show nothing-like-it",
            "There is no task 'nothing-like-it'; !status lists them.",
        ),
        (VIEWER, "!frobnicate", "there is no 'frobnicate'"),
        (
            OPERATOR,
            "!cancle idle",
            "there is no 'cancle'; did you mean !cancel?",
        ),
        (OPERATOR, "!approve idle", "cannot approve idle"),
        (OPERATOR, "!agent", "builder: "),
        (OPERATOR, "!context", "0 messages"),
        (OPERATOR, "!pause idle", "pause idle: its worker is being ended."),
    ];
    for (who, said, wanted) in rows {
        let told = scene.say(who, None, said);
        assert!(told.starts_with(wanted), "{said}: {told}");
    }
    scene.card("idle", "⏸️");
    assert_eq!(
        scene.say(OPERATOR, None, "!resume idle"),
        "resume idle: it is pending now."
    );
    scene.card("idle", "🔧");
    let logs = scene.until("the worker's words", || {
        let told = scene.say(VIEWER, None, "!logs idle 5");
        told.contains("hello from the worker").then_some(told)
    });
    assert!(logs.starts_with("The last of idle:"), "{logs}");
    let card = scene.room.card("idle").unwrap();
    assert!(scene.say(VIEWER, Some(&card.id), "!why").starts_with("idle is"));
    assert_eq!(
        scene.say(OWNER, None, "!stop all"),
        "Everything is stopped, also after a restart, until an owner says !start."
    );
    assert!(
        scene
            .say(VIEWER, None, "!status")
            .contains("Everything is stopped, by team:T1:OWNER.")
    );
    assert_eq!(scene.say(OWNER, None, "!start"), "The emergency stop is lifted.");
    assert_eq!(
        scene.say(OPERATOR, Some(&card.id), "cancel"),
        "cancel idle: its worker is being ended."
    );
    scene.card("idle", "🚫");
}

#[test]
fn talk_among_people_is_left_alone() {
    let scene = Scene::new();
    let talk = scene.room.write(OPERATOR, None, "shall we pause idle?");
    let in_thread = scene.room.write(OPERATOR, Some("m-of-theirs"), "yes");
    let last = scene.room.write(VIEWER, None, "!status");
    scene.answer(&last);
    assert_eq!(
        scene.room.answers(&talk).len() + scene.room.answers(&in_thread).len(),
        0
    );
    assert_eq!(
        scene.room.acknowledged(),
        [last],
        "nobody is told that talk was heard"
    );
}
