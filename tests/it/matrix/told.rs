//! What the bot tells, as an independent client reads it.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use orchestrator::chat::heard::{Heard, Person, What};
use orchestrator::chat::message::{Button, Card, Fact, Message, Place, Text, Verb};
use orchestrator::chat::{Chat, ChatError};
use serde_json::{Value, json};

use super::scene::Notebook;
use super::{Stage, words};

fn card(state: &str, pct: u8, buttons: &[Verb]) -> Message {
    Message::Card(Card {
        task: "fix-api".to_owned(),
        title: "Fix the API".to_owned(),
        icon: "🟢".to_owned(),
        state: state.to_owned(),
        pct: Some(pct),
        facts: vec![Fact {
            name: "tier".to_owned(),
            value: "haiku".to_owned(),
        }],
        buttons: { buttons.iter() }
            .map(|verb| Button {
                verb: *verb,
                nonce: "n".to_owned(),
            })
            .collect(),
    })
}

fn is_there(events: &[Value], id: &str) -> bool {
    events
        .iter()
        .any(|event| event["event_id"] == id && event["readable"] == true)
}

fn one<'a>(events: &'a [Value], id: &str) -> &'a Value {
    events.iter().find(|event| event["event_id"] == id).unwrap()
}

fn reactions<'a>(events: &'a [Value], on: &str) -> Vec<&'a str> {
    let of =
        |event: &&Value| event["type"] == "m.reaction" && event["content"]["m.relates_to"]["event_id"] == on;
    { events.iter().filter(of) }
        .filter_map(|event| event["content"]["m.relates_to"]["key"].as_str())
        .collect()
}

#[tokio::test]
async fn a_card_its_edits_and_its_thread_are_read_by_another_client() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (place, queued) = (stage.place(), card("queued", 0, &[Verb::Cancel]));
    let id = stage
        .bot
        .post(&place, &queued, "fix-api:card", None)
        .await
        .unwrap();
    let thread = Place {
        room: stage.room.clone(),
        thread: Some(id.clone()),
    };
    let line = Message::Text(Text::of("🚀 [fix-api] - spawning haiku agent @room <b>"));
    let reply = stage.bot.post(&thread, &line, "fix-api:1", None).await.unwrap();
    stage
        .bot
        .edit(
            &stage.room,
            &id,
            &card("waits for you", 100, &[Verb::Approve, Verb::Reject]),
        )
        .await
        .unwrap();
    let seen = {
        stage.jane.read_until(&stage.room, |seen| {
            is_there(seen, &reply) && reactions(seen, &id).len() == 2
        })
    }
    .await;
    let posted = one(&seen, &id);
    assert_eq!(
        (&posted["encrypted"], &posted["content"]["msgtype"]),
        (&json!(true), &json!("m.notice"))
    );
    assert_eq!(posted["content"]["m.mentions"], json!({}));
    let told = one(&seen, &reply);
    assert_eq!(told["content"]["m.relates_to"]["rel_type"], "m.thread");
    assert_eq!(told["content"]["m.relates_to"]["event_id"], id.as_str());
    assert_eq!(told["encrypted"], true);
    assert!(
        told["content"]["formatted_body"]
            .as_str()
            .unwrap()
            .contains("&lt;b&gt;")
    );
    let edit = { seen.iter() }
        .find(|event| event["content"]["m.relates_to"]["rel_type"] == "m.replace")
        .unwrap();
    assert_eq!(edit["content"]["m.relates_to"]["event_id"], id.as_str());
    assert_eq!(edit["encrypted"], true);
    assert!(
        edit["content"]["m.new_content"]["body"]
            .as_str()
            .unwrap()
            .contains("waits for you")
    );
    let mut put = reactions(&seen, &id);
    put.sort_unstable();
    assert_eq!(put, ["✅", "❌"]);
}

#[tokio::test]
async fn the_same_key_is_one_message_from_the_same_device_and_from_the_next() {
    let Some(stage) = Stage::new().await else { return };
    let first = stage.post("once", "k:1").await;
    assert_eq!(stage.post("once", "k:1").await, first);
    let message = Message::Text(Text::of("once"));
    let tried = Some(Utc::now() - TimeDelta::seconds(5));
    assert_eq!(
        stage
            .bot
            .post(&stage.place(), &message, "k:1", tried)
            .await
            .unwrap(),
        first
    );
    let stage = stage.restart();
    assert_eq!(
        stage
            .bot
            .post(&stage.place(), &message, "k:1", tried)
            .await
            .unwrap(),
        first
    );
    // The device is lost, its recovery key is not.
    let state = stage.folder.path().join("state");
    std::fs::remove_file(state.join("session.json")).unwrap();
    let mut stage = stage.restart();
    assert_eq!(
        stage
            .bot
            .post(&stage.place(), &message, "k:1", tried)
            .await
            .unwrap(),
        first
    );
    assert_ne!(stage.post("twice", "k:2").await, first);
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| words(seen).contains(&"twice"))
        .await;
    assert_eq!(words(&seen), ["once", "twice"]);
}

#[tokio::test]
async fn what_somebody_must_act_on_rings_in_the_room_once() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let id = stage.post("card", "card").await;
    let to = Place {
        room: stage.room.clone(),
        thread: Some(id.clone()),
    };
    let asks = Message::Text(Text {
        text: "🔴 [fix-api] - blocked, needs human: which port?".to_owned(),
        code: None,
        broadcast: true,
    });
    stage.bot.post(&to, &asks, "ask", None).await.unwrap();
    stage.bot.post(&to, &asks, "ask", Some(Utc::now())).await.unwrap();
    stage.post("end", "end").await;
    let seen = stage
        .jane
        .read_until(&stage.room, |seen| words(seen).contains(&"end"))
        .await;
    let kinds: Vec<&Value> = { seen.iter() }
        .filter(|event| {
            event["words"]
                .as_str()
                .is_some_and(|words| words.contains("which port"))
        })
        .map(|event| &event["content"]["msgtype"])
        .collect();
    assert_eq!(kinds, ["m.notice", "m.text"]);
}

#[tokio::test]
async fn what_is_not_there_is_gone() {
    let Some(stage) = Stage::new().await else { return };
    let id = stage.post("card", "card").await;
    let path = format!("/_matrix/client/v3/rooms/{}/redact/{id}/1", stage.room);
    let token = stage.bot.kept_token().unwrap().unwrap();
    use secrecy::ExposeSecret;
    let (status, _) = stage
        .scene
        .request(token.expose_secret(), "PUT", &path, json!({}))
        .await;
    assert_eq!(status, 200);
    stage.settled().await;
    let gone = |done: Result<(), ChatError>| assert!(matches!(done, Err(ChatError::Gone { .. })), "{done:?}");
    let edited = card("x", 1, &[]);
    gone(stage.bot.edit(&stage.room, &id, &edited).await);
    gone(stage.bot.edit(&stage.room, "$nothing", &edited).await);
    gone(stage.bot.edit("!nowhere:home.test", &id, &edited).await);
    let nowhere = Place {
        room: "!nowhere:home.test".to_owned(),
        thread: None,
    };
    gone(stage.bot.post(&nowhere, &edited, "k", None).await.map(drop));
    // The same after a restart, which has seen nothing.
    let stage = stage.restart();
    gone(stage.bot.edit(&stage.room, &id, &edited).await);
}

#[tokio::test]
async fn whoever_writes_sees_within_a_second_that_it_was_heard() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let asked = stage.jane.say(&stage.room, "@bot status").await;
    let heard = stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&asked).is_some())
        .await;
    let heard = heard.into_iter().find(|heard| heard.event == asked).unwrap();
    let before = std::time::Instant::now();
    stage.bot.acknowledge(&heard).await.unwrap();
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
    stage.bot.acknowledge(&heard).await.unwrap();
    stage.bot.whisper(&heard, "2 tasks are under way").await.unwrap();
    let seen = {
        stage
            .jane
            .read_until(&stage.room, |seen| words(seen).contains(&"2 tasks are under way"))
    }
    .await;
    assert_eq!(reactions(&seen, &asked), ["👀"]);
    let answer = { seen.iter() }
        .find(|event| event["words"] == "2 tasks are under way")
        .unwrap();
    assert_eq!(
        answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"],
        asked.as_str()
    );
}

#[tokio::test]
async fn files_go_both_ways_encrypted_and_within_a_limit() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let mut fetched = Vec::new();
    for encrypted in [true, false] {
        let put = json!({"do": "put_file", "room": stage.room, "name": "../log.txt", "text": "what broke", "encrypted": encrypted});
        let id = stage.jane.ask(put).await.as_str().unwrap().to_owned();
        let heard = stage
            .ear
            .listen_until(&stage.bot, |ear| ear.of(&id).is_some())
            .await;
        let What::Text { files, .. } = { heard.into_iter().find(|h| h.event == id) }.unwrap().what else {
            panic!("no text")
        };
        assert_eq!((files[0].name.as_str(), files[0].bytes), ("../log.txt", Some(10)));
        fetched.push(stage.bot.fetch(&files[0], 10).await.unwrap());
        let mut lying = files[0].clone();
        lying.bytes = Some(1);
        for file in [&files[0], &lying] {
            let refused = stage.bot.fetch(file, 9).await;
            assert!(matches!(refused, Err(ChatError::Refused { .. })), "{refused:?}");
        }
    }
    assert_eq!(fetched, [b"what broke", b"what broke"]);
    let root = stage.post("card", "card").await;
    let to = Place {
        room: stage.room.clone(),
        thread: Some(root.clone()),
    };
    stage
        .bot
        .upload(&to, "shot.txt", b"here it is".to_vec(), "file:1")
        .await
        .unwrap();
    stage
        .bot
        .upload(&to, "shot.txt", b"here it is".to_vec(), "file:1")
        .await
        .unwrap();
    let is_file = |event: &&Value| {
        event["content"]["msgtype"] == "m.file" && event["sender"] == stage.account.id.as_str()
    };
    let seen = {
        stage
            .jane
            .read_until(&stage.room, |seen| seen.iter().any(|e| is_file(&e)))
    }
    .await;
    let files: Vec<&Value> = seen.iter().filter(is_file).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["content"]["m.relates_to"]["event_id"], root.as_str());
    assert!(files[0]["content"].get("file").is_some(), "it was not encrypted");
    let get = json!({"do": "get_file", "room": stage.room, "event": files[0]["event_id"]});
    assert_eq!(stage.jane.ask(get).await, "here it is");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be() {
    let Some(stage) = Stage::new().await else { return };
    let mut config = stage.scene.config(&stage.account);
    config.homeserver = "http://127.0.0.1:9".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let bot = orchestrator::chat::matrix::Matrix::open(
        &config,
        &Default::default(),
        folder.path().to_owned(),
        Duration::from_secs(2),
    );
    let bot = bot.unwrap();
    let away = |why: &ChatError| assert!(matches!(why, ChatError::Away { .. }), "{why:?}");
    away(
        &bot.post(&stage.place(), &card("x", 1, &[]), "k", None)
            .await
            .unwrap_err(),
    );
    away(&bot.listen(&Notebook::default()).await);
    let heard = Heard {
        event: "$e".to_owned(),
        at: Utc::now(),
        who: Person {
            id: stage.owner.id.clone(),
            distrust: None,
        },
        room: stage.room.clone(),
        purpose: None,
        thread: None,
        message: Some("$e".to_owned()),
        what: What::Reaction {
            on: "$e".to_owned(),
            emoji: "✅".to_owned(),
        },
        answer_at: None,
    };
    away(&bot.acknowledge(&heard).await.unwrap_err());
}
