//! Talks with agents: bound rooms, contexts that are kept and forgotten, failures that are polite.

use orchestrator::chat::heard::What;
use orchestrator::chat::message::Purpose;

use super::scene::{OPERATOR, Scene, VIEWER};

/// Answers with how often it reads "hello", and fails where it is told to.
const AGENT: &str = "[runtimes.voice]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \
    'p=$(cat); case \"$p\" in *\"## Now\"*fail*) exit 1;; esac; echo \"hellos: $(printf %s \"$p\" | grep -o hello | wc -l)\"']\n";

fn scene() -> Scene {
    let scene = Scene::configured("agents = { echo = \"C9\" }\n", AGENT);
    let agent = "---\nname: echo\ndescription: Counts\nruntimes: [voice]\n---\nYou count.\n";
    std::fs::write(scene.world.root().join("agents/echo.md"), agent).unwrap();
    scene
}

fn said(scene: &Scene, by: &str, text: &str) -> String {
    let what = What::Text {
        text: text.to_owned(),
        addressed: false,
        files: Vec::new(),
    };
    let mut heard = scene.room.event(by, None, what);
    heard.room = "agent:echo".to_owned();
    heard.purpose = Some(Purpose::Agent("echo".to_owned()));
    let event = heard.event.clone();
    scene.room.bring(heard);
    scene.until(&format!("an answer to {text}"), || {
        let whispered = scene
            .room
            .whispers()
            .into_iter()
            .filter(|(of, _)| *of == event)
            .map(|(_, text)| text);
        let posted = scene
            .room
            .answers(&event)
            .into_iter()
            .filter(|text| !text.starts_with('…'));
        posted.chain(whispered).next()
    })
}

#[test]
fn a_room_of_an_agent_is_a_talk_with_a_context() {
    let scene = scene();
    assert_eq!(said(&scene, OPERATOR, "hello"), "hellos: 1");
    assert_eq!(
        said(&scene, OPERATOR, "hello again"),
        "hellos: 3",
        "it knows its own words, too"
    );
    assert_eq!(said(&scene, OPERATOR, "!save first"), "Kept as 'first'.");
    assert_eq!(said(&scene, OPERATOR, "!clear"), "A new context begins here.");
    assert_eq!(said(&scene, OPERATOR, "hello"), "hellos: 1");
    assert_eq!(said(&scene, OPERATOR, "!load first"), "'first' goes on here.");
    assert_eq!(said(&scene, OPERATOR, "hello"), "hellos: 5");
    assert!(said(&scene, OPERATOR, "!context").ends_with("Kept: first."));
    assert!(said(&scene, OPERATOR, "!reset").starts_with("Everything that was said here is forgotten"));
    assert_eq!(said(&scene, OPERATOR, "hello"), "hellos: 1");
    let place = scene
        .room
        .posted()
        .into_iter()
        .find(|posted| posted.text() == "hellos: 5")
        .unwrap()
        .place;
    assert_eq!((place.room.as_str(), place.thread), ("agent:echo", None));
}

#[test]
fn a_failure_is_polite_and_the_next_word_is_heard() {
    let scene = scene();
    let sorry = said(&scene, OPERATOR, "please fail");
    assert!(sorry.starts_with("I could not get an answer: "), "{sorry}");
    assert!(sorry.ends_with("Say it again a little later."), "{sorry}");
    assert_eq!(
        said(&scene, OPERATOR, "hello"),
        "hellos: 1",
        "what failed is not part of the talk"
    );
    assert!(said(&scene, VIEWER, "hello").starts_with("You are viewer here"));
}

#[test]
fn any_room_can_be_bound_and_an_agent_that_is_not_there_is_said() {
    let scene = scene();
    assert!(
        scene
            .say(OPERATOR, None, "!agent nobody")
            .starts_with("There is no agent 'nobody'")
    );
    assert_eq!(
        scene.say(OPERATOR, None, "!agent echo"),
        "From now on you talk to echo here. !clear begins a new context."
    );
    let what = What::Text {
        text: "hello".to_owned(),
        addressed: true,
        files: Vec::new(),
    };
    let heard = scene.room.event(OPERATOR, None, what);
    let event = heard.event.clone();
    scene.room.bring(heard);
    scene.until("its answer", || {
        scene
            .room
            .answers(&event)
            .into_iter()
            .find(|text| text == "hellos: 1")
    });
}
