//! Who is obeyed: by full id and role, never by name, never by an old or a forged button; and that all of it is recorded.

use chrono::{TimeDelta, Utc};
use orchestrator::chat::heard::{Distrust, What};
use orchestrator::chat::message::Purpose;

use super::scene::{OF_SITE, OPERATOR, OWNER, STRANGER, Scene, VIEWER};
use crate::main_job::world::section;

fn text(text: &str) -> What {
    What::Text {
        text: text.to_owned(),
        addressed: false,
        files: Vec::new(),
    }
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.world.worker("idle", "sleep 60");
    scene.world.save_tasks(&[&section("idle", "")]);
    scene.card("idle", "🔧");
    scene
}

#[test]
fn a_role_opens_what_it_opens_and_nothing_else() {
    let scene = scene();
    let rows = [
        (
            STRANGER,
            "!status",
            "You have no role here. Your id is T1:STRANGER",
        ),
        ("T1:OPERATORX", "!pause idle", "You have no role here"),
        ("T2:OPERATOR", "!pause idle", "You have no role here"),
        (OF_SITE, "!pause idle", "You have no role here"),
        (
            VIEWER,
            "!pause idle",
            "You are viewer here; this takes an operator.",
        ),
        (
            VIEWER,
            "!stop all",
            "You are viewer here; this takes an operator.",
        ),
        (
            OPERATOR,
            "!settings",
            "You are operator here; this takes an owner.",
        ),
        (OPERATOR, "!start", "You are operator here; this takes an owner."),
        (VIEWER, "!show idle", "idle: in progress"),
        (OWNER, "!settings", "What is set here"),
    ];
    for (who, said, wanted) in rows {
        let told = scene.say(who, None, said);
        assert!(told.starts_with(wanted), "{who} {said}: {told}");
    }
    assert_eq!(
        scene.world.task("idle")["state"],
        "in-progress",
        "nobody stopped it"
    );
}

#[test]
fn who_is_not_trusted_is_refused_whatever_the_role() {
    let scene = scene();
    let rows = [
        (Distrust::Guest, Some("Guests are not obeyed")),
        (Distrust::Foreign, Some("Accounts of other workspaces")),
        (
            Distrust::UnsignedDevice,
            Some("The device that this came from is not verified"),
        ),
        (Distrust::Unencrypted, Some("This came unencrypted")),
        (Distrust::Unknown, Some("It cannot be told who you are")),
        (Distrust::Bot, None),
        (Distrust::Deactivated, None),
    ];
    for (distrust, told) in rows {
        let mut heard = scene.room.event(OWNER, None, text("!stop all"));
        heard.who.distrust = Some(distrust);
        let event = heard.event.clone();
        scene.room.bring(heard);
        let outcome = scene.outcome(&event);
        match told {
            Some(begins) => {
                assert_eq!(outcome["verdict"], "refused", "{outcome}");
                assert!(scene.answer(&event).starts_with(begins));
            }
            None => assert_eq!(outcome["verdict"], "ignored", "{outcome}"),
        }
    }
    assert_eq!(scene.world.task("idle")["state"], "in-progress");
}

#[test]
fn a_button_counts_for_what_it_was_shown_for() {
    let scene = scene();
    let card = scene.room.card("idle").unwrap();
    let old = card.card().unwrap().buttons[0].nonce.clone();
    let press = |nonce: &str, on: &str| {
        let heard = scene.room.event(
            OPERATOR,
            None,
            What::Press {
                on: on.to_owned(),
                nonce: nonce.to_owned(),
            },
        );
        let event = heard.event.clone();
        scene.room.bring(heard);
        scene.answer(&event)
    };
    let changed = "That has changed meanwhile. Look at the card again.";
    assert_eq!(press("", &card.id), changed);
    assert_eq!(press("00000000000000000000000000000000", &card.id), changed);
    assert_eq!(press(&old, "m999"), "This button is of no task that is known.");
    assert_eq!(scene.world.task("idle")["state"], "in-progress");
    scene.world.done(&["pause", "idle"]);
    scene.card("idle", "⏸️");
    assert_eq!(press(&old, &card.id), changed, "it was for a task that worked");
}

#[test]
fn a_reaction_counts_when_it_is_newer_than_what_it_is_about() {
    let scene = scene();
    let card = scene.room.card("idle").unwrap();
    let react = |emoji: &str, age: TimeDelta| {
        let what = What::Reaction {
            on: card.id.clone(),
            emoji: emoji.to_owned(),
        };
        let mut heard = scene.room.event(OPERATOR, None, what);
        heard.at = Utc::now() - age;
        let event = heard.event.clone();
        scene.room.bring(heard);
        scene.outcome(&event)
    };
    let old = react("⏸️", TimeDelta::minutes(5));
    assert_eq!(old["verdict"], "refused", "{old}");
    assert_eq!(react("🎉", TimeDelta::zero())["verdict"], "ignored");
    let wrong = react("white_check_mark", TimeDelta::zero());
    assert_eq!(
        wrong["why"],
        "It is in-progress now: there is nothing to approve."
    );
    assert_eq!(react("⏸️", TimeDelta::zero())["verdict"], "done");
    scene.card("idle", "⏸️");
}

#[test]
fn an_event_counts_once_and_an_old_one_is_asked_about() {
    let scene = scene();
    let heard = scene.room.event(OPERATOR, None, text("!new twice: Do it once"));
    scene.room.bring(heard.clone());
    scene.room.bring(heard.clone());
    assert_eq!(
        scene.answer(&heard.event),
        "twice is in the queue. Its card comes when it starts."
    );
    scene.card("twice", "✅");
    assert_eq!(scene.room.answers(&heard.event).len(), 1);
    let mut old = scene.room.event(OPERATOR, None, text("!cancel idle"));
    old.at = Utc::now() - TimeDelta::hours(1);
    let event = old.event.clone();
    scene.room.bring(old);
    assert!(
        scene
            .answer(&event)
            .starts_with("You wrote this while nobody listened")
    );
    assert_eq!(scene.world.task("idle")["state"], "in-progress");
    let mut seen = scene.room.event(OPERATOR, None, text("!status"));
    seen.at = Utc::now() - TimeDelta::hours(1);
    let event = seen.event.clone();
    scene.room.bring(seen);
    assert!(
        scene.answer(&event).starts_with("1 in progress."),
        "to look does no harm"
    );
}

#[test]
fn what_was_written_before_a_restart_is_answered_after_it() {
    let mut scene = scene();
    scene.stop();
    let event = scene.room.write(VIEWER, None, "!why idle");
    scene.start();
    assert!(scene.answer(&event).starts_with("idle is in-progress"));
}

#[test]
fn who_steers_one_project_steers_no_other() {
    let scene = scene();
    let mut heard = scene
        .room
        .event(OF_SITE, None, text("!new site-one: For the site"));
    heard.purpose = Some(Purpose::Project("site".to_owned()));
    heard.room = "room:site".to_owned();
    let event = heard.event.clone();
    scene.room.bring(heard);
    assert!(scene.answer(&event).starts_with("site-one is in the queue"));
    let card = scene.card("site-one", "✅");
    assert_eq!(card.place.room, "room:site");
    // The task that is named decides, not the room in which it is named.
    let mut heard = scene.room.event(OF_SITE, None, text("!cancel idle"));
    heard.purpose = Some(Purpose::Project("site".to_owned()));
    heard.room = "room:site".to_owned();
    let event = heard.event.clone();
    scene.room.bring(heard);
    assert!(
        scene.answer(&event).starts_with("You have no role"),
        "{}",
        scene.answer(&event)
    );
    assert_eq!(scene.world.task("idle")["state"], "in-progress");
}
