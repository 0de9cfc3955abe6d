//! The whole path by Slack: the real service as its own process, Socket Mode, and a stand-in that holds it to Slack's rules.

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::main_job::world::{World, section};
use crate::slack::stand_in::{APP_TOKEN, JANE, MAIN, Stage, TEAM};

struct Scene {
    world: World,
    stage: Stage,
    _runtime: Runtime,
}

fn scene() -> Scene {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::set());
    let more = format!("app_token = \"{APP_TOKEN}\"\noperators = [\"{TEAM}:{JANE}\"]\nper_minute = 6000\n");
    let world = World::configured("max_concurrent = 4\n", &stage.section(&more));
    Scene {
        world,
        stage,
        _runtime: runtime,
    }
}

impl Scene {
    fn ours(&self) -> Vec<Value> {
        self.stage.world().ours(MAIN).into_iter().cloned().collect()
    }

    /// Waits for a message of ours that is so.
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.world
            .until(what, || self.ours().into_iter().find(|message| is_so(message)))
    }
}

fn has(message: &Value, words: &str) -> bool {
    message.to_string().contains(words)
}

#[test]
fn a_task_is_shown_asks_is_answered_and_is_done() {
    let scene = scene();
    let asks = "if grep -q 'the blue one' \"$ORCHESTRATOR_PROMPT_FILE\"; then echo b > done.txt; else \
                orchestrator agent ask 'Red or blue?'; exit 77; fi";
    scene.world.worker("paint", asks);
    let _up = scene.world.up();
    scene.world.save_tasks(&[&section("paint", "")]);
    let question = scene.until("the question", |message| {
        has(message, "asks: Red or blue?") && has(message, "thread_ts")
    });
    let thread = question["thread_ts"].as_str().unwrap().to_owned();
    let card = scene
        .ours()
        .into_iter()
        .find(|message| message["ts"] == thread.as_str())
        .unwrap();
    assert!(has(&card, "paint"), "{card}");
    let said = scene.stage.reply(JANE, MAIN, &thread, "the blue one");
    scene.until("the answer", |message| has(message, "answer paint: it is "));
    let heard = scene.world.until("an acknowledgement", || {
        let message = scene.stage.world().message(MAIN, &said).cloned()?;
        has(&message["reactions"], "eyes").then_some(message)
    });
    assert_eq!(heard["thread_ts"], thread.as_str());
    scene.until("the completion", |message| has(message, "completed! Validation:"));
    let over = scene.until("the card's end", |message| {
        message["ts"] == thread.as_str() && has(message, "completed")
    });
    assert!(
        !has(&over, "\"button\""),
        "nothing can be pressed any more: {over}"
    );
    let world = scene.stage.world();
    assert!(world.pings.is_empty(), "{:?}", world.pings);
    let in_room = |message: &&&Value| message["thread_ts"].is_null() || message["thread_ts"] == message["ts"];
    let ours = world.ours(MAIN);
    let cards = ours
        .iter()
        .filter(in_room)
        .filter(|message| has(message, "paint"))
        .count();
    assert_eq!(cards, 1, "{ours:#?}");
}

#[test]
fn a_button_pauses_and_a_stranger_cannot() {
    let scene = scene();
    scene.world.worker("idle", "sleep 60");
    scene.stage.world().account("U0EVE", serde_json::json!({}));
    let _up = scene.world.up();
    scene.world.save_tasks(&[&section("idle", "")]);
    let card = scene.until("its card", |message| {
        has(message, "in progress") && has(message, "\"button\"")
    });
    let ts = card["ts"].as_str().unwrap();
    let nonce = |word: &str| {
        let blocks = card["blocks"].as_array().unwrap().iter();
        let buttons = blocks.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default());
        let button = buttons.into_iter().find(|button| has(button, word)).unwrap();
        button["value"].as_str().unwrap().to_owned()
    };
    scene.stage.press("U0EVE", MAIN, ts, &nonce("Pause"));
    scene.world.until("a refusal", || {
        let world = scene.stage.world();
        world
            .whispers
            .iter()
            .any(|whisper| format!("{whisper:?}").contains("You have no role here"))
            .then_some(())
    });
    assert_eq!(scene.world.task("idle")["state"], "in-progress");
    scene.stage.press(JANE, MAIN, ts, &nonce("Pause"));
    scene.world.until_state("idle", "paused");
    scene.until("its card", |message| {
        message["ts"] == ts && has(message, "paused")
    });
    scene.world.done(&["cancel", "idle"]);
}
