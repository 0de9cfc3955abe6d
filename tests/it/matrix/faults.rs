//! What the homeserver and the device go through (F18): pauses that are asked for, answers that are lost, a server that
//! stumbles, keys that are gone. Nothing is told twice, nothing that was said is lost, and nothing goes in the clear.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use orchestrator::chat::message::{Message, Text};
use orchestrator::chat::{Chat, ChatError};
use serde_json::{Value, json};

use super::between::Fate;
use super::{Stage, words};

const SAYING: &str = "/send/m.room.encrypted/";
const ASKING: &str = "GET /_matrix/client/v3/sync";

fn limit(after: Option<&'static str>, body: Value) -> Fate {
    let mut said = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests" });
    said.as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    Fate::Answer(429, after, said)
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_told_and_the_message_comes_once() {
    let Some((mut stage, between)) = Stage::behind().await else {
        return;
    };
    let message = Message::Text(Text::of("limited"));
    let rows = [
        (limit(Some("7"), json!({})), 7_000),
        (limit(None, json!({ "retry_after_ms": 2_500 })), 2_500),
        (limit(Some("7"), json!({ "retry_after_ms": 2_500 })), 7_000),
        (limit(None, json!({})), 5_000),
        (limit(Some("86400"), json!({})), 3_600_000),
    ];
    for (fate, wanted) in rows {
        between.strike(SAYING, 0, 1, fate);
        let limited = stage.bot.post(&stage.place(), &message, "limited", None).await;
        let after = Duration::from_millis(wanted);
        assert_eq!(limited, Err(ChatError::Limited { after }));
        between.struck().await;
    }
    let id = stage.post("limited", "limited").await;
    between.strike(SAYING, 0, 1, limit(Some("3"), json!({})));
    let edited = stage.bot.edit(&stage.room, &id, &message).await;
    assert_eq!(
        edited,
        Err(ChatError::Limited {
            after: Duration::from_secs(3)
        })
    );
    stage.post("end", "end").await;
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| words(seen).contains(&"end"))
        .await;
    assert_eq!(words(&seen), ["limited", "end"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_message() {
    let Some((mut stage, between)) = Stage::behind().await else {
        return;
    };
    let message = |number: usize| Message::Text(Text::of(format!("lost {number}")));
    let mut wanted = Vec::new();
    for number in 0..5 {
        let (key, to) = (format!("lost:{number}"), stage.place());
        between.strike(SAYING, 0, 1, Fate::Lose);
        let lost = stage.bot.post(&to, &message(number), &key, None).await;
        assert!(matches!(lost, Err(ChatError::Away { .. })), "{lost:?}");
        // Whether or not whoever tells knows that it was tried, and as the next process, too.
        let tried = (number % 2 == 0).then(|| Utc::now() - TimeDelta::seconds(1));
        if number > 2 {
            stage = stage.restart();
        }
        stage.bot.post(&to, &message(number), &key, tried).await.unwrap();
        wanted.push(format!("lost {number}"));
    }
    stage.post("end", "end").await;
    wanted.push("end".to_owned());
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| words(seen).contains(&"end"))
        .await;
    assert_eq!(words(&seen), wanted);
    assert!(seen.iter().all(|event| event["readable"] == true), "{seen:#?}");
}

#[tokio::test]
async fn a_server_that_stumbles_loses_nothing_that_was_said() {
    let Some((mut stage, between)) = Stage::behind().await else {
        return;
    };
    let mut wanted = Vec::new();
    for (number, fate) in [
        Fate::bad_gateway(),
        Fate::Answer(503, None, json!({})),
        Fate::Lose,
        limit(Some("1"), json!({})),
        Fate::Answer(
            500,
            None,
            json!({ "errcode": "M_UNKNOWN", "error": "Internal server error" }),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        between.strike(ASKING, number % 2, 3, fate);
        let said = format!("said {number}");
        let id = stage.jane.say(&stage.room, &said).await;
        wanted.push(said);
        stage
            .ear
            .listen_until(&stage.bot, |ear| ear.of(&id).is_some())
            .await;
        between.calm();
    }
    assert_eq!(stage.ear.words(), wanted);
    let all = stage.ear.all();
    assert!(all.iter().all(|heard| heard.who.distrust.is_none()), "{all:#?}");
}

/// The device's keys are gone, and nothing else: it is not the same device any more, whatever its name.
#[tokio::test]
async fn a_device_without_its_keys_is_replaced_and_nothing_goes_in_the_clear() {
    let Some(stage) = Stage::new().await else { return };
    stage.post("before", "before").await;
    // Its room key is in the account's backup soon.
    stage.settled().await;
    stage.settled().await;
    let device = stage.bot.log_in(false).await.unwrap().device;
    let state = stage.folder.path().join("state");
    std::fs::remove_dir_all(state.join("store")).unwrap();
    let mut stage = stage.restart();
    let keys = stage.bot.log_in(false).await.unwrap();
    assert!(keys.are_good() && keys.device != device, "{keys:?}");
    let message = Message::Text(Text::of("before"));
    let tried = Some(Utc::now() - TimeDelta::seconds(30));
    stage
        .bot
        .post(&stage.place(), &message, "before", tried)
        .await
        .unwrap();
    stage.post("after", "after").await;
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| words(seen).contains(&"after"))
        .await;
    assert_eq!(words(&seen), ["before", "after"]);
    let ours = |event: &&Value| event["sender"] == stage.account.id.as_str() && event["words"].is_string();
    let clear = seen
        .iter()
        .filter(ours)
        .filter(|event| event["encrypted"] != true)
        .count();
    assert_eq!(clear, 0, "{seen:#?}");
    let asked = stage.jane.say(&stage.room, "are you there?").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&asked).is_some())
        .await;
}

/// Where its keys cannot be had it says so, and tells nothing, least of all in the clear.
#[tokio::test]
async fn without_any_keys_nothing_is_told() {
    let Some(stage) = Stage::new().await else { return };
    let state = stage.folder.path().join("state");
    std::fs::remove_dir_all(state.join("store")).unwrap();
    std::fs::remove_file(state.join("recovery-key.txt")).unwrap();
    let mut stage = stage.restart();
    let message = Message::Text(Text::of("secret"));
    for _ in 0..2 {
        let refused = stage.bot.post(&stage.place(), &message, "secret", None).await;
        assert!(
            matches!(&refused, Err(ChatError::Refused { why }) if why.contains("--reset-identity")),
            "{refused:?}"
        );
    }
    let end = stage.jane.say(&stage.room, "end").await;
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| {
            seen.iter().any(|event| event["event_id"] == end.as_str())
        })
        .await;
    assert!(!words(&seen).contains(&"secret"), "{seen:#?}");
}
