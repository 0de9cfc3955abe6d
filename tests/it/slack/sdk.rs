//! The official Python SDK beside the adapter and its stand-in: signatures both ways, blocks by its models, its client and
//! its socket against the stand-in, so that the stand-in is not made to fit the adapter alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use orchestrator::chat::Chat;
use orchestrator::chat::message::{Message, Text, Verb};
use orchestrator::chat::port::Request;
use serde_json::{Value, json};

use super::stand_in::acts::{signed, signed_with};
use super::stand_in::{APP_TOKEN, BOT_TOKEN, JANE, MAIN, ME, SHOP, SIGNING_SECRET, Stage};
use super::{Notebook, card, main};

/// The Python that `./test` made, where the SDK is in it; without it nothing is compared, which CI does not accept.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("ORCHESTRATOR_TEST_PYTHON").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let python = given
        .or_else(|| Some(cache?.join("orchestrator/python")))?
        .join("bin/python");
    let imported = Command::new(&python)
        .args(["-c", "import slack_sdk"])
        .stderr(Stdio::null())
        .status();
    imported.is_ok_and(|status| status.success()).then_some(python)
}

/// Runs the SDK's side.
async fn ask(python: PathBuf, asked: Value) -> Value {
    let run = move || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/slack/sdk.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        serde_json::to_writer(child.stdin.take().unwrap(), &asked).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "the SDK's side failed");
        serde_json::from_slice(&out.stdout).unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The Python with the SDK; says so where there is none.
fn found() -> Option<PathBuf> {
    let python = python();
    if python.is_none() {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "Slack's SDK is not on this machine; run ./test");
        println!("skipped: Slack's SDK is not on this machine");
    }
    python
}

/// Every block of what the adapter writes.
async fn blocks_of(stage: &Stage) -> Vec<Value> {
    let slack = stage.slack();
    let text = Text {
        text: "🔴 <!channel> & words\n".repeat(400),
        code: Some("fn main() {}\n".repeat(500)),
        broadcast: false,
    };
    let card = card("waiting", &Verb::ALL);
    for (message, key) in [(Message::Text(text), "text"), (Message::Card(card), "card")] {
        slack.post(&main(), &message, key, None).await.unwrap();
    }
    slack.canary("nonce").await.unwrap();
    let world = stage.world();
    let blocks = |message: &Value| message["blocks"].as_array().cloned().unwrap();
    world.ours(MAIN).into_iter().flat_map(blocks).collect()
}

const BODY: &str = "payload=%7B%22type%22%3A%22block_actions%22%7D&x=ä";

/// One request that is good, one of another secret, one too old.
fn signed_bodies(now: DateTime<Utc>) -> Vec<Value> {
    let (body, seconds) = (BODY.as_bytes(), now.timestamp());
    let told_of = |request: Request| json!({ "body": BODY, "timestamp": request.headers[1].1, "signature": request.headers[2].1 });
    [
        signed(body, now),
        signed_with("guess", body, &seconds.to_string(), now),
        signed_with(SIGNING_SECRET, body, &(seconds - 301).to_string(), now),
    ]
    .map(told_of)
    .to_vec()
}

#[tokio::test]
async fn the_sdk_agrees() {
    let Some(python) = found() else { return };
    let stage = Stage::set().await;
    let blocks = blocks_of(&stage).await;
    stage.world().pending.clear();
    stage.say(JANE, MAIN, "to the SDK");
    let now = Utc::now();
    let asked = json!({
        "signatures": {
            "secret": SIGNING_SECRET, "now": now.timestamp(), "bodies": [BODY, ""], "signed": signed_bodies(now),
        },
        "blocks": blocks,
        "api": { "api": stage.api, "token": BOT_TOKEN, "app_token": APP_TOKEN, "channel": SHOP, "user": JANE },
    });
    let told = ask(python, asked).await;
    assert_eq!(told["signatures"]["valid"], json!([true, false, false]));
    takes_its_signatures(&stage, &told["signatures"]["made"], now).await;
    let parsed = told["blocks"].as_array().unwrap();
    assert_eq!(parsed.len(), blocks.len());
    for (ours, theirs) in blocks.iter().zip(parsed) {
        assert_eq!(ours["type"], theirs["type"]);
        assert_eq!(ours["text"]["text"], theirs["again"]["text"]["text"]);
    }
    assert_eq!(
        told["socket"],
        json!([{ "type": "events_api", "text": "to the SDK" }])
    );
    knows_the_stand_in(&told["api"]);
}

async fn takes_its_signatures(stage: &Stage, made: &Value, now: DateTime<Utc>) {
    let slack = stage.slack_by_requests();
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), 2);
    for (body, signature) in [BODY, ""].iter().zip(made) {
        let mut request = signed(body.as_bytes(), now);
        signature.as_str().unwrap().clone_into(&mut request.headers[2].1);
        assert_eq!(slack.request(&request, &Notebook::default()).await.status, 200);
    }
}

/// What the SDK's own client did and met there.
fn knows_the_stand_in(api: &Value) {
    assert_eq!(api["text"], "changed by the SDK");
    assert_eq!((&api["me"], &api["is_bot"]), (&json!(ME), &json!(false)));
    assert_eq!(
        api["metadata"],
        json!({ "event_type": "sdk", "event_payload": { "n": 1 } })
    );
    for (call, code) in [
        ("reacted", "already_reacted"),
        ("missing", "message_not_found"),
        ("nowhere", "channel_not_found"),
        ("empty", "no_text"),
        ("no_token", "invalid_auth"),
    ] {
        assert_eq!(api[call], code, "{call}");
    }
}
