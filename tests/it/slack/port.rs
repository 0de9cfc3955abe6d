//! The whole port in one go, and what it took of the workspace's leave: exactly what the manifest asks for.

use std::collections::BTreeSet;

use orchestrator::chat::Chat;
use orchestrator::chat::heard::Attached;
use orchestrator::chat::message::{Message, Place, Purpose, Verb};
use orchestrator::chat::slack::manifest::{Way, manifest};

use super::stand_in::{DIRECT, JANE, MAIN, MEDIC, SHOP, Stage};
use super::{Notebook, card, is_refused, words};

#[tokio::test]
async fn everything_once_needs_every_scope_and_no_other() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.world().pace.off = true;
    let now = chrono::Utc::now();
    for room in [MAIN, MEDIC, DIRECT] {
        let place = |thread| Place {
            room: room.to_owned(),
            thread,
        };
        let running = Message::Card(card("running", &[Verb::Approve]));
        let id = slack.post(&place(None), &running, room, None).await.unwrap();
        assert_eq!(
            slack.post(&place(None), &running, room, Some(now)).await.unwrap(),
            id
        );
        let reply = slack
            .post(&place(Some(id.clone())), &words("told"), "r", None)
            .await
            .unwrap();
        assert_eq!(
            slack
                .post(&place(Some(id.clone())), &words("told"), "r", Some(now))
                .await
                .unwrap(),
            reply
        );
        slack
            .edit(room, &id, &Message::Card(card("completed", &[])))
            .await
            .unwrap();
        slack
            .upload(&place(Some(id.clone())), "a.log", b"log".to_vec(), "u")
            .await
            .unwrap();
        stage.say(JANE, room, "status <@U0BOT>");
        stage.press(JANE, room, &id, "n");
        stage.command(JANE, room, "status");
        slack.canary(room).await.unwrap();
    }
    let file = format!("{}/files/none", stage.world().root);
    let file = Attached {
        name: "a".to_owned(),
        bytes: None,
        handle: file,
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
    assert!(
        world.errors.iter().all(|(_, code)| code == "already_reacted"),
        "{:?}",
        world.errors
    );
    let mut used = world.used.clone();
    // What no call shows: the command itself and the mentions were delivered, so the app had the leave for them.
    used.extend(["commands", "app_mentions:read"].map(str::to_owned));
    let made = manifest("x", Way::Socket);
    let asked = made
        .pointer("/oauth_config/scopes/bot")
        .unwrap()
        .as_array()
        .unwrap();
    let asked: BTreeSet<String> = asked
        .iter()
        .map(|scope| scope.as_str().unwrap().to_owned())
        .collect();
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
