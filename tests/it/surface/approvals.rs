//! Decisions from a chat: each counts for what its author saw, once, and for as long as it may; whatever else comes is refused,
//! told to its author alone, and recorded.

use chrono::{TimeDelta, Utc};
use orchestrator::chat::heard::What;
use orchestrator::chat::message::Verb;

use super::scene::{OPERATOR, OWNER, Scene};
use crate::main_job::world::section;

const CHANGED: &str = "That has changed meanwhile. Look at the card again.";

/// Work that waits to be approved.
fn waiting(more: &str) -> Scene {
    let scene = Scene::configured("", more);
    scene.world.worker("t", "date +%s%N > done.txt");
    scene.world.save_tasks(&[&section("t", "- **Approval:** yes\n")]);
    scene.card("t", "🔴");
    scene
}

/// What the button of a verb carries now.
fn nonce(scene: &Scene, verb: Verb) -> String {
    let card = scene.card("t", "🔴");
    let buttons = &card.card().unwrap().buttons;
    let button = buttons.iter().find(|button| button.verb == verb);
    button.unwrap().nonce.clone()
}

/// Presses what carried this, and answers what its author alone was told; it is recorded as refused.
fn refused(scene: &Scene, by: &str, nonce: &str) -> String {
    let on = scene.room.card("t").unwrap().id;
    let what = What::Press {
        on,
        nonce: nonce.to_owned(),
    };
    let heard = scene.room.event(by, None, what);
    let event = heard.event.clone();
    scene.room.bring(heard);
    let outcome = scene.outcome(&event);
    assert_eq!(outcome["verdict"], "refused", "{outcome}");
    scene.until("a private word", || {
        let told = scene.room.whispers().into_iter();
        { told }.find(|(of, _)| *of == event).map(|(_, text)| text)
    })
}

#[test]
fn an_approval_is_bound_to_the_work_that_was_shown() {
    let scene = waiting("");
    let first = nonce(&scene, Verb::Approve);
    scene.world.done(&["reject", "t", "--comment", "again, please"]);
    let second = scene.until("other work", || {
        let card = scene.room.card("t")?;
        let buttons = &card.card()?.buttons;
        let button = buttons.iter().find(|button| button.verb == Verb::Approve)?;
        (button.nonce != first).then(|| button.nonce.clone())
    });
    assert_eq!(refused(&scene, OPERATOR, &first), CHANGED);
    let mut said = scene.room.event(
        OPERATOR,
        None,
        What::Text {
            text: "!approve t".to_owned(),
            addressed: false,
            files: Vec::new(),
        },
    );
    // It was written while the first work was shown, and came late.
    said.at = Utc::now() - TimeDelta::minutes(5);
    let event = said.event.clone();
    scene.room.bring(said);
    assert_eq!(scene.answer(&event), CHANGED);
    assert_eq!(scene.outcome(&event)["verdict"], "refused");
    assert_eq!(scene.world.task("t")["state"], "blocked");
    assert_eq!(nonce(&scene, Verb::Approve), second);
    scene.room.press(OPERATOR, "t", Verb::Approve);
    scene.card("t", "✅");
    // Decided already.
    assert_eq!(refused(&scene, OPERATOR, &second), CHANGED);
}

#[test]
fn what_was_decided_elsewhere_is_decided() {
    let scene = waiting("");
    let shown = nonce(&scene, Verb::Approve);
    scene.world.done(&["approve", "t"]);
    assert_eq!(refused(&scene, OPERATOR, &shown), CHANGED);
    let card = scene.card("t", "✅");
    assert!(
        card.card().unwrap().buttons.is_empty(),
        "nothing is left to press"
    );
}

#[test]
fn whoever_lost_their_role_after_it_was_posted_decides_nothing() {
    let mut scene = waiting("");
    let shown = nonce(&scene, Verb::Approve);
    scene.stop();
    let file = scene.world.root().join("orchestrator.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("operators = [\"T1:OPERATOR\"]\n", "")).unwrap();
    scene.start();
    let told = refused(&scene, OPERATOR, &shown);
    assert!(told.starts_with("You have no role here."), "{told}");
    assert_eq!(scene.world.task("t")["state"], "blocked");
    scene.room.press(OWNER, "t", Verb::Approve);
    scene.card("t", "✅");
}

#[test]
fn what_expired_is_not_approved() {
    let scene = waiting("[approvals]\nexpires = \"2s\"\n");
    let shown = nonce(&scene, Verb::Approve);
    scene.until("it expires", || {
        let until = scene.world.task("t")["waiting"]["until"].as_str()?.to_owned();
        let until = chrono::DateTime::parse_from_rfc3339(&until).unwrap();
        (until < Utc::now()).then_some(())
    });
    let told = refused(&scene, OPERATOR, &shown);
    assert!(told.contains("what was shown could be approved until"), "{told}");
    assert_eq!(scene.world.task("t")["state"], "blocked");
}

#[test]
fn two_people_are_two_and_only_those_whose_word_counts() {
    let scene = waiting("[approvals]\npeople = [\"team:T1:OPERATOR\", \"T1:OWNER\"]\neyes = 2\n");
    let of_site = "T1:SECOND";
    let told = refused(&scene, of_site, &nonce(&scene, Verb::Approve));
    assert!(told.starts_with("You have no role here."), "{told}");
    scene.room.press(OPERATOR, "t", Verb::Approve);
    scene.until("one of two", || {
        let why = scene.world.task("t")["waiting"]["why"].to_string();
        why.contains("approved by team:T1:OPERATOR so far").then_some(())
    });
    // Its card shows that soon.
    let told = scene.until("a second word of the same", || {
        let told = refused(&scene, OPERATOR, &nonce(&scene, Verb::Approve));
        (told != CHANGED).then_some(told)
    });
    assert!(told.contains("somebody else"), "{told}");
    assert_eq!(scene.world.task("t")["state"], "blocked");
    scene.room.press(OWNER, "t", Verb::Approve);
    scene.card("t", "✅");
}
