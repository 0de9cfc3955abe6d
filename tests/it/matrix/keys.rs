//! Encryption over time: rotations, restarts, lost devices. `ORCHESTRATOR_NIGHTLY=1` makes it 1,000 messages, 10 rotations
//! and 20 restarts.

use orchestrator::chat::message::Purpose;
use orchestrator::chat::{Chat, ChatError};
use serde_json::json;

use super::{Stage, words};

#[tokio::test]
async fn every_message_is_read_over_rotations_and_restarts() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let nightly = std::env::var_os("ORCHESTRATOR_NIGHTLY").is_some();
    let (messages, rotations, restarts) = if nightly { (1_000, 10, 20) } else { (100, 5, 4) };
    let (mut told, mut said) = (Vec::new(), Vec::new());
    for number in 0..messages {
        let line = format!("told {number}");
        stage.post(&line, &line).await;
        told.push(line);
        let line = format!("said {number}");
        let room = stage.room.clone();
        stage.jane.say(&room, &line).await;
        said.push(line);
        if number % 20 == 0 {
            // One answer of the server has a hundred events at most.
            stage.jane.sync().await;
        }
        if number % (messages / rotations) == 7 {
            // Both sides change their keys: hers by command, the bot's by somebody who comes and goes.
            stage.jane.ask(json!({"do": "rotate", "room": room})).await;
            stage.somebody_passes().await;
        }
        if number % (messages / restarts) == 11 {
            stage = stage.restart();
        }
    }
    let room = stage.room.clone();
    let heard = stage
        .ear
        .listen_until(&stage.bot, |ear| ear.words().len() >= said.len())
        .await;
    assert_eq!(stage.ear.words(), said);
    assert!(
        heard.iter().all(|heard| heard.who.distrust.is_none()),
        "somebody was not believed"
    );
    let last = told.last().unwrap().clone();
    let seen = stage
        .jane
        .read_until(&room, |seen| words(seen).contains(&last.as_str()))
        .await;
    let from_bot: Vec<_> = seen
        .iter()
        .filter(|event| event["sender"] == stage.account.id.as_str())
        .collect();
    let unread = from_bot.iter().filter(|event| event["readable"] == false).count();
    assert_eq!(unread, 0, "she cannot read {unread} messages");
    let read: Vec<&str> = from_bot
        .iter()
        .filter_map(|event| event["words"].as_str())
        .collect();
    assert_eq!(read, told);
}

impl Stage {
    /// A member who leaves makes the next room key a new one.
    async fn somebody_passes(&self) {
        use secrecy::ExposeSecret;
        let somebody = self.scene.account("passer").await;
        let token = self.bot.kept_token().unwrap().unwrap();
        let invite = format!("/_matrix/client/v3/rooms/{}/invite", self.room);
        {
            self.scene.request(
                token.expose_secret(),
                "POST",
                &invite,
                json!({"user_id": somebody.id}),
            )
        }
        .await;
        for what in ["join", "leave"] {
            let path = format!("/_matrix/client/v3/rooms/{}/{what}", self.room);
            let (status, said) = self
                .scene
                .request(&somebody.token, "POST", &path, json!({}))
                .await;
            assert_eq!(status, 200, "{said}");
        }
        self.settled().await;
    }
}

#[tokio::test]
async fn the_device_is_signed_and_its_recovery_key_is_kept_from_others() {
    use std::os::unix::fs::PermissionsExt;
    let Some(stage) = Stage::new().await else { return };
    let keys = stage.bot.log_in(false).await.unwrap();
    assert!(keys.are_good(), "{keys:?}");
    let state = stage.folder.path().join("state");
    assert_eq!(
        keys.recovery_key,
        state.join("recovery-key.txt").display().to_string()
    );
    for entry in std::fs::read_dir(&state)
        .unwrap()
        .chain(std::fs::read_dir(state.join("store")).unwrap())
    {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert!(
            mode == 0 || entry.path().ends_with("store"),
            "{}",
            entry.path().display()
        );
    }
    assert_eq!(state.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let device = keys.device;
    let stage = stage.restart();
    let keys = stage.bot.log_in(false).await.unwrap();
    assert_eq!(keys.device, device, "a restart is no new device");
    assert!(keys.are_good(), "{keys:?}");
}

#[tokio::test]
async fn a_lost_device_is_replaced_and_reads_what_was_said_meanwhile() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let first = stage.jane.say(&stage.room, "first").await;
    let heard = stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&first).is_some())
        .await;
    stage.bot.acknowledge(heard.last().unwrap()).await.unwrap();
    stage.settled().await;
    let device = stage.bot.log_in(false).await.unwrap().device;
    let state = stage.folder.path().join("state");
    for gone in ["heard.json", "session.json"] {
        std::fs::remove_file(state.join(gone)).unwrap();
    }
    std::fs::remove_dir_all(state.join("store")).unwrap();
    let mut stage = stage.restart();
    let keys = stage.bot.log_in(false).await.unwrap();
    assert!(keys.are_good() && keys.device != device, "{keys:?}");
    stage.post("I am back", "back").await;
    let room = stage.room.clone();
    stage
        .jane
        .read_until(&room, |seen| words(seen).contains(&"I am back"))
        .await;
    let after = stage.jane.say(&room, "after").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&after).is_some())
        .await;
    assert_eq!(stage.ear.of(&after).unwrap().who.distrust, None);
    assert_eq!(stage.ear.words(), ["first", "after"]);
}

#[tokio::test]
async fn a_device_that_the_server_forgot_is_logged_in_anew() {
    use secrecy::ExposeSecret;
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let token = stage.bot.kept_token().unwrap().unwrap();
    let done = stage
        .scene
        .request(
            token.expose_secret(),
            "POST",
            "/_matrix/client/v3/logout",
            json!({}),
        )
        .await;
    assert_eq!(done.0, 200);
    let room = stage.room.clone();
    let said = stage.jane.say(&room, "are you there?").await;
    let after = {
        // The first call finds out; those after it have a new device.
        let _ = stage.bot.canary("x").await;
        stage.settled().await;
        stage.jane.sync().await;
        stage.jane.say(&room, "and now?").await
    };
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&after).is_some())
        .await;
    assert!(stage.bot.log_in(false).await.unwrap().are_good());
    // Nobody had the first one's key for the new device: whoever wrote it is told so, if it was not read by chance.
    let heard = stage.ear.of(&said).is_some();
    let told = |seen: &[serde_json::Value]| words(seen).iter().any(|words| words.contains("cannot read"));
    if !heard {
        let never = stage.ear.listen_until(&stage.bot, |_| false);
        tokio::select! {
            _ = never => {}
            _ = stage.jane.read_until(&room, told) => {}
        }
    }
}

#[tokio::test]
async fn without_the_recovery_key_it_says_what_to_do_and_a_person_can_replace_the_identity() {
    let Some(stage) = Stage::new().await else { return };
    std::fs::rename(
        stage.folder.path().join("state"),
        stage.folder.path().join("lost"),
    )
    .unwrap();
    let stage = stage.restart();
    let why = stage.bot.log_in(false).await.unwrap_err();
    assert!(
        matches!(&why, ChatError::Refused { why } if why.contains("--reset-identity")),
        "{why}"
    );
    let stage = stage.restart();
    let keys = stage.bot.log_in(true).await.unwrap();
    assert!(keys.are_good(), "{keys:?}");
    assert_eq!(
        stage.bot.room(&Purpose::Project("site".to_owned())).await,
        Ok(stage.room.clone())
    );
}

#[tokio::test]
async fn one_process_alone_uses_a_device() {
    let Some(stage) = Stage::new().await else { return };
    let other = stage
        .scene
        .bot(&stage.account, &[], &stage.folder.path().join("state"));
    let why = other.room(&Purpose::Instance).await.unwrap_err();
    assert!(
        matches!(&why, ChatError::Away { why } if why.contains("another process")),
        "{why}"
    );
}
