//! What a room itself allows, and what is taken back (row S16): a role is nothing to whoever may not write in the room, nobody
//! but the account says what a room is for, and what was taken back before it was heard is not heard.

use serde_json::{Value, json};

use super::Stage;

impl Stage {
    /// A request in the owner's name.
    async fn as_owner(&self, method: &str, path: &str, body: Value) -> u16 {
        let path = format!("/_matrix/client/v3/rooms/{}/{path}", self.room);
        let (status, _) = self.scene.request(&self.owner.token, method, &path, body).await;
        status
    }

    async fn take_back(&self, event: &str) {
        let path = format!("redact/{event}/{}", uuid::Uuid::new_v4().simple());
        assert_eq!(self.as_owner("PUT", &path, json!({})).await, 200);
    }
}

#[tokio::test]
async fn whoever_may_not_write_in_the_room_is_not_heard_whatever_the_role() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let card = stage.post("card", "card").await;
    let mut levels = stage.state(&stage.room, "m.room.power_levels", "").await;
    levels["users"][&stage.owner.id] = json!(-1);
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.room.power_levels",
        stage.room
    );
    assert_eq!(stage.as_bot("PUT", &path, levels.clone()).await.0, 200);
    let order = json!({"msgtype": "m.text", "body": "!approve x"});
    assert_eq!(stage.as_owner("PUT", "send/m.room.message/1", order).await, 403);
    let tap = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": card, "key": "✅"}});
    assert_eq!(stage.as_owner("PUT", "send/m.reaction/2", tap).await, 403);
    stage.settled().await;
    assert_eq!(stage.ear.all(), []);
    levels["users"][&stage.owner.id] = json!(0);
    assert_eq!(stage.as_bot("PUT", &path, levels).await.0, 200);
    let said = stage.jane.say(&stage.room, "!status").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&said).is_some())
        .await;
    assert_eq!(stage.ear.words(), ["!status"]);
}

#[tokio::test]
async fn an_owner_of_tasks_is_none_of_the_room() {
    let Some(stage) = Stage::new().await else { return };
    let mark = stage.state(&stage.room, "org.orchestrator.room", "").await;
    for (kind, content) in [
        (
            "org.orchestrator.room",
            json!({"for": "project", "name": "other", "schema": 1}),
        ),
        ("m.room.encryption", json!({})),
        ("m.room.power_levels", json!({"users_default": 100})),
        ("m.room.retention", json!({"max_lifetime": 1_000})),
        ("m.room.tombstone", json!({"replacement_room": "!evil:home.test"})),
    ] {
        let path = format!("state/{kind}/");
        assert_eq!(stage.as_owner("PUT", &path, content).await, 403, "{kind}");
    }
    assert_eq!(stage.state(&stage.room, "org.orchestrator.room", "").await, mark);
}

#[tokio::test]
async fn what_was_taken_back_before_it_was_heard_is_not_heard() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let card = stage.post("card", "card").await;
    let heard = stage.jane.say(&stage.room, "!approve one").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&heard).is_some())
        .await;
    // What was heard counted; taking it back is no order of its own.
    stage.take_back(&heard).await;
    stage.settled().await;
    assert_eq!(stage.ear.words(), ["!approve one"]);
    let said = stage.jane.say(&stage.room, "!approve two").await;
    let tapped = stage.jane.react(&stage.room, &card, "✅").await;
    for event in [&said, &tapped] {
        stage.take_back(event).await;
    }
    let mut stage = stage.restart();
    let last = stage.jane.say(&stage.room, "!status").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&last).is_some())
        .await;
    assert_eq!(stage.ear.words(), ["!approve one", "!status"]);
    assert_eq!(stage.ear.of(&tapped), None);
}
