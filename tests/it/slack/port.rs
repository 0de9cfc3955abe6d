//! The whole port in one go, and what it took of the workspace's leave: exactly what the manifest asks for.

use std::collections::BTreeSet;

use chrono::Utc;
use orchestrator::chat::Chat;
use orchestrator::chat::heard::Attached;
use orchestrator::chat::message::{Message, Place, Purpose, Verb};
use orchestrator::chat::slack::Slack;
use orchestrator::chat::slack::manifest::{Way, manifest};

use super::stand_in::{DIRECT, JANE, MAIN, MEDIC, SHOP, Stage};
use super::{Notebook, card, is_refused, words};

/// All that is written in one channel, each twice where it can be.
async fn write_all(stage: &Stage, slack: &Slack, room: &str) {
    let now = Some(Utc::now());
    let place = |thread| Place {
        room: room.to_owned(),
        thread,
    };
    let running = Message::Card(card("running", &[Verb::Approve]));
    let id = slack.post(&place(None), &running, room, None).await.unwrap();
    let again = slack.post(&place(None), &running, room, now).await.unwrap();
    assert_eq!(again, id);
    let thread = place(Some(id.clone()));
    let reply = slack.post(&thread, &words("told"), "r", None).await.unwrap();
    let again = slack.post(&thread, &words("told"), "r", now).await.unwrap();
    assert_eq!(again, reply);
    let over = Message::Card(card("completed", &[]));
    slack.edit(room, &id, &over).await.unwrap();
    slack
        .upload(&thread, "a.log", b"log".to_vec(), "u")
        .await
        .unwrap();
    stage.say(JANE, room, "status <@U0BOT>");
    stage.press(JANE, room, &id, "n");
    stage.command(JANE, room, "status");
    slack.canary(room).await.unwrap();
}

#[tokio::test]
async fn everything_once_needs_every_scope_and_no_other() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.world().pace.off = true;
    for room in [MAIN, MEDIC, DIRECT] {
        write_all(&stage, &slack, room).await;
    }
    let file = Attached {
        name: "a".to_owned(),
        bytes: None,
        handle: format!("{}/files/none", stage.world().root),
    };
    slack.fetch(&file, 9).await.unwrap_err();
    ear.until(&slack, |ear| ear.heard().len() == 12 && ear.echoes().len() == 3)
        .await;
    for heard in ear.heard() {
        slack.acknowledge(&heard).await.unwrap();
        slack.whisper(&heard, "seen").await.unwrap();
    }
    let world = stage.world();
    // The mentions came twice, so they were acknowledged twice.
    let others = world.errors.iter().filter(|(_, code)| code != "already_reacted");
    assert_eq!(others.count(), 0, "{:?}", world.errors);
    let mut used = world.used.clone();
    // What no call shows: the command itself and the mentions were delivered, so the app had the leave for them.
    used.extend(["commands", "app_mentions:read"].map(str::to_owned));
    let made = manifest("x", Way::Socket);
    let asked = made.pointer("/oauth_config/scopes/bot").unwrap();
    let asked: BTreeSet<String> = serde_json::from_value(asked.clone()).unwrap();
    assert_eq!(used, asked);
}

/// Without any one of them something does not work, so none is asked for in vain.
#[tokio::test]
async fn a_missing_scope_is_named() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    stage.world().granted.remove("chat:write");
    let place = Place {
        room: MAIN.to_owned(),
        thread: None,
    };
    let said = slack
        .post(&place, &words("x"), "k", None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("chat:write") && said.contains("slack manifest"),
        "{said}"
    );
}

#[tokio::test]
async fn rooms_are_those_of_the_configuration() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    for (purpose, room) in [
        (Purpose::Instance, MAIN),
        (Purpose::Project("shop".to_owned()), SHOP),
        (Purpose::Project("docs".to_owned()), MAIN),
        (Purpose::Agent("medic".to_owned()), MEDIC),
    ] {
        assert_eq!(slack.room(&purpose).await.unwrap(), room);
    }
    assert!(is_refused(
        &slack.room(&Purpose::Agent("nobody".to_owned())).await
    ));
    assert!(stage.world().calls.is_empty());
}
