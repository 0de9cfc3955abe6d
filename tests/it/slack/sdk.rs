//! The official Python SDK beside the adapter and its stand-in: signatures both ways, blocks by its models, its client and
//! its socket against the stand-in, so that the stand-in is not made to fit the adapter alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use chrono::Utc;
use orchestrator::chat::Chat;
use orchestrator::chat::message::{Message, Text, Verb};
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

#[tokio::test]
async fn the_sdk_agrees() {
    let Some(python) = python() else {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "Slack's SDK is not on this machine; run ./test");
        println!("skipped: Slack's SDK is not on this machine");
        return;
    };
    let stage = Stage::set().await;
    let slack = stage.slack();
    let text = Text {
        text: "🔴 <!channel> & words\n".repeat(400),
        code: Some("fn main() {}\n".repeat(500)),
        broadcast: false,
    };
    for (message, key) in [
        (Message::Text(text), "text"),
        (Message::Card(card("waiting", &Verb::ALL)), "card"),
    ] {
        slack.post(&main(), &message, key, None).await.unwrap();
    }
    slack.canary("nonce").await.unwrap();
    let blocks: Vec<Value> = {
        let world = stage.world();
        let all = world
            .ours(MAIN)
            .into_iter()
            .flat_map(|m| m["blocks"].as_array().cloned().unwrap());
        all.collect()
    };
    stage.world().pending.clear();
    stage.say(JANE, MAIN, "to the SDK");
    let now = Utc::now();
    let body = "payload=%7B%22type%22%3A%22block_actions%22%7D&x=ä";
    let good = signed(body.as_bytes(), now);
    let bad = signed_with("guess", body.as_bytes(), &now.timestamp().to_string(), now);
    let old = signed_with(
        SIGNING_SECRET,
        body.as_bytes(),
        &(now.timestamp() - 301).to_string(),
        now,
    );
    let told_of = |request: &orchestrator::chat::port::Request| json!({ "body": body, "timestamp": request.headers[1].1, "signature": request.headers[2].1 });
    let told = ask(
        python,
        json!({
            "signatures": {
                "secret": SIGNING_SECRET, "now": now.timestamp(), "bodies": [body, ""],
                "signed": [told_of(&good), told_of(&bad), told_of(&old)],
            },
            "blocks": blocks,
            "api": { "api": stage.api, "token": BOT_TOKEN, "app_token": APP_TOKEN, "channel": SHOP, "user": JANE },
        }),
    )
    .await;
    assert_eq!(told["signatures"]["valid"], json!([true, false, false]));
    let by_requests = stage.slack_by_requests();
    for (body, made) in [body, ""]
        .iter()
        .zip(told["signatures"]["made"].as_array().unwrap())
    {
        let mut request = signed(body.as_bytes(), now);
        request.headers[2].1 = made.as_str().unwrap().to_owned();
        assert_eq!(
            by_requests.request(&request, &Notebook::default()).await.status,
            200
        );
    }
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
    let api = &told["api"];
    assert_eq!(
        (&api["text"], &api["me"], &api["is_bot"]),
        (&json!("changed by the SDK"), &json!(ME), &json!(false))
    );
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
