//! Which rooms there are: made once, found again, followed.

use std::collections::BTreeSet;

use orchestrator::chat::message::Purpose;
use orchestrator::chat::{Chat, ChatError};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Stage;

impl Stage {
    pub(super) async fn as_bot(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let token = self.bot.kept_token().unwrap().unwrap();
        self.scene
            .request(token.expose_secret(), method, path, body)
            .await
    }

    /// The rooms that the bot's account is in.
    async fn rooms(&self) -> BTreeSet<String> {
        let (_, said) = self
            .as_bot("GET", "/_matrix/client/v3/joined_rooms", Value::Null)
            .await;
        let rooms = said["joined_rooms"].as_array().unwrap().iter();
        rooms.map(|room| room.as_str().unwrap().to_owned()).collect()
    }

    pub(super) async fn state(&self, room: &str, kind: &str, key: &str) -> Value {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/{kind}/{key}");
        self.as_bot("GET", &path, Value::Null).await.1
    }
}

fn purposes() -> [Purpose; 3] {
    [
        Purpose::Instance,
        Purpose::Project("site".to_owned()),
        Purpose::Agent("kevin".to_owned()),
    ]
}

#[tokio::test]
async fn a_space_with_encrypted_rooms_that_say_what_they_are_for() {
    let Some(stage) = Stage::new().await else { return };
    let rooms = stage.bot.bootstrap(&["site".to_owned()]).await.unwrap();
    assert_eq!(rooms.len(), 4);
    let space = &rooms[0].id;
    assert_eq!(stage.state(space, "m.room.create", "").await["type"], "m.space");
    for room in &rooms[1..] {
        assert_eq!(
            stage.state(&room.id, "m.room.encryption", "").await["algorithm"],
            "m.megolm.v1.aes-sha2"
        );
        assert!(stage.state(&room.id, "m.space.parent", space).await["via"].is_array());
        assert!(stage.state(space, "m.space.child", &room.id).await["via"].is_array());
        let invited = stage.state(&room.id, "m.room.member", &stage.owner.id).await;
        assert!(
            invited["membership"] == "invite" || room.id == stage.room,
            "{invited}"
        );
    }
    let mark = stage.state(&stage.room, "org.orchestrator.room", "").await;
    assert_eq!(
        (&mark["for"], &mark["name"], &mark["schema"]),
        (&json!("project"), &json!("site"), &json!(1))
    );
    assert_eq!(stage.bot.bootstrap(&["site".to_owned()]).await.unwrap(), rooms);
    assert_eq!(stage.rooms().await.len(), 4);
}

#[tokio::test]
async fn rooms_are_found_again_after_everything_here_is_gone() {
    let Some(stage) = Stage::new().await else { return };
    let mut before = Vec::new();
    for purpose in purposes() {
        before.push(stage.bot.room(&purpose).await.unwrap());
    }
    let all = stage.rooms().await;
    let state = stage.folder.path().join("state");
    for gone in ["heard.json", "session.json"] {
        std::fs::remove_file(state.join(gone)).unwrap();
    }
    std::fs::remove_dir_all(state.join("store")).unwrap();
    let stage = stage.restart();
    let mut after = Vec::new();
    for purpose in purposes() {
        after.push(stage.bot.room(&purpose).await.unwrap());
    }
    assert_eq!(before, after);
    assert_eq!(stage.rooms().await, all);
}

#[tokio::test]
async fn two_that_make_a_room_at_once_end_up_in_one() {
    let Some(stage) = Stage::new().await else { return };
    let folder = tempfile::tempdir().unwrap();
    // Another node of a fleet has the recovery key by its configuration.
    let mut config = stage.scene.config(&stage.account);
    let key = std::fs::read_to_string(stage.folder.path().join("state/recovery-key.txt")).unwrap();
    config.recovery_key = Some(super::scene::secret(key.trim()));
    let patience = std::time::Duration::from_secs(20);
    let roles = Default::default();
    let other =
        orchestrator::chat::matrix::Matrix::open(&config, &roles, folder.path().join("other"), patience)
            .unwrap();
    other.log_in(false).await.unwrap();
    let before = stage.rooms().await.len();
    for name in ["one", "two", "three"] {
        let purpose = Purpose::Project(name.to_owned());
        let (a, b) = tokio::join!(stage.bot.room(&purpose), other.room(&purpose));
        assert_eq!(a.unwrap(), b.unwrap());
    }
    assert_eq!(stage.rooms().await.len(), before + 3);
}

#[tokio::test]
async fn a_room_that_it_was_removed_from_is_not_made_again() {
    let Some(stage) = Stage::new().await else { return };
    let purpose = Purpose::Project("site".to_owned());
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.room.power_levels",
        stage.room
    );
    let mut levels = stage.state(&stage.room, "m.room.power_levels", "").await;
    levels["users"][&stage.owner.id] = json!(99);
    assert_eq!(stage.as_bot("PUT", &path, levels).await.0, 200);
    // The account itself is above everybody else, so it goes by itself: as being removed looks from here.
    let path = format!("/_matrix/client/v3/rooms/{}/leave", stage.room);
    assert_eq!(stage.as_bot("POST", &path, json!({})).await.0, 200);
    stage.settled().await;
    let before = stage.rooms().await;
    for stage in [stage] {
        let lost = stage.bot.room(&purpose).await;
        assert!(
            matches!(&lost, Err(ChatError::Gone { what }) if what.contains("invite")),
            "{lost:?}"
        );
        let stage = stage.restart();
        let lost = stage.bot.room(&purpose).await;
        assert!(matches!(lost, Err(ChatError::Gone { .. })), "{lost:?}");
        assert_eq!(stage.rooms().await, before);
        // Somebody with a role invites it again.
        let path = format!("/_matrix/client/v3/rooms/{}/invite", stage.room);
        let invited = {
            stage.scene.request(
                &stage.owner.token,
                "POST",
                &path,
                json!({"user_id": stage.account.id}),
            )
        }
        .await;
        assert_eq!(invited.0, 200, "{}", invited.1);
        stage.settled().await;
        stage.settled().await;
        assert_eq!(stage.bot.room(&purpose).await, Ok(stage.room.clone()));
    }
}

#[tokio::test]
async fn an_upgraded_room_is_followed() {
    let Some(stage) = Stage::new().await else { return };
    let purpose = Purpose::Project("site".to_owned());
    let path = format!("/_matrix/client/v3/rooms/{}/upgrade", stage.room);
    let (status, made) = stage.as_bot("POST", &path, json!({"new_version": "12"})).await;
    assert_eq!(status, 200, "{made}");
    let new = made["replacement_room"].as_str().unwrap();
    stage.settled().await;
    assert_eq!(stage.bot.room(&purpose).await.as_deref(), Ok(new));
    let before = stage.rooms().await;
    let stage = stage.restart();
    assert_eq!(stage.bot.room(&purpose).await.as_deref(), Ok(new));
    assert_eq!(stage.rooms().await, before);
    assert_eq!(
        stage.state(new, "org.orchestrator.room", "").await["name"],
        "site"
    );
}

#[tokio::test]
async fn nobody_is_invited_twice() {
    let Some(stage) = Stage::new().await else { return };
    let path = format!("/_matrix/client/v3/rooms/{}/leave", stage.room);
    let (status, _) = stage
        .scene
        .request(&stage.owner.token, "POST", &path, json!({}))
        .await;
    assert_eq!(status, 200);
    let stage = stage.restart();
    stage
        .bot
        .room(&Purpose::Project("site".to_owned()))
        .await
        .unwrap();
    assert_eq!(
        stage.state(&stage.room, "m.room.member", &stage.owner.id).await["membership"],
        "leave"
    );
}
