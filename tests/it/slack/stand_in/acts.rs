//! What people do in the workspace, and requests as Slack signs them.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use orchestrator::chat::port::Request;
use serde_json::{Value, json};
use sha2::Sha256;

use super::socket::Order;
use super::{ME, SIGNING_SECRET, Stage, TEAM};

impl Stage {
    /// Somebody writes in a channel; answers the message's time.
    pub fn say(&self, user: &str, channel: &str, text: &str) -> String {
        self.write(channel, json!({ "user": user, "text": text }))
    }

    /// Somebody writes in a thread.
    pub fn reply(&self, user: &str, channel: &str, thread: &str, text: &str) -> String {
        self.write(
            channel,
            json!({ "user": user, "text": text, "thread_ts": thread }),
        )
    }

    /// Somebody writes a message of this form. One that mentions the app is told twice, as Slack does.
    pub fn write(&self, channel: &str, message: Value) -> String {
        let mut world = self.world();
        let ts = world.add(channel, message.clone());
        let text = message["text"].as_str().unwrap_or_default();
        if text.contains(&format!("<@{ME}>")) {
            let mut event = world.message(channel, &ts).unwrap().clone();
            event["type"] = json!("app_mention");
            event["channel"] = json!(channel);
            world.tell(channel, event);
        }
        ts
    }

    /// Somebody changes what they wrote.
    pub fn rewrite(&self, channel: &str, ts: &str, text: &str) {
        let mut world = self.world();
        let message = world.message_mut(channel, ts).unwrap();
        message["text"] = json!(text);
        message["edited"] = json!({ "user": message["user"], "ts": ts });
        let message = message.clone();
        let event = json!({
            "type": "message", "subtype": "message_changed", "hidden": true, "channel": channel,
            "ts": world.time(), "message": message,
        });
        world.tell(channel, event);
    }

    /// Somebody presses the button of a message that carries `nonce`.
    pub fn press(&self, user: &str, channel: &str, ts: &str, nonce: &str) {
        let payload = self.pressed(user, channel, ts, nonce);
        self.world().envelope("interactive", payload);
    }

    /// The payload of a press.
    pub fn pressed(&self, user: &str, channel: &str, ts: &str, nonce: &str) -> Value {
        let mut world = self.world();
        let message = world.message(channel, ts).cloned().unwrap_or_default();
        let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
        let elements = blocks
            .iter()
            .flat_map(|b| b["elements"].as_array().cloned().unwrap_or_default());
        let button = elements.into_iter().find(|element| element["value"] == nonce);
        let action_id = button.map_or(json!("forged"), |button| button["action_id"].clone());
        let team = world
            .users
            .get(user)
            .map_or(json!(TEAM), |user| user["team_id"].clone());
        let action_ts = world.time();
        json!({
            "type": "block_actions", "team": { "id": TEAM, "domain": "example" }, "api_app_id": "A0APP",
            "user": { "id": user, "username": "jane", "name": "jane", "team_id": team },
            "container": { "type": "message", "message_ts": ts, "channel_id": channel, "thread_ts": message["thread_ts"] },
            "trigger_id": world.fresh("trigger."), "channel": { "id": channel, "name": "main" }, "message": message,
            "response_url": world.address(channel, user),
            "actions": [{ "type": "button", "action_id": action_id, "block_id": "b", "value": nonce, "action_ts": action_ts }],
        })
    }

    /// Somebody types the slash command.
    pub fn command(&self, user: &str, channel: &str, text: &str) {
        let payload = self.commanded(user, channel, text);
        self.world().envelope("slash_commands", payload);
    }

    /// The payload of a slash command.
    pub fn commanded(&self, user: &str, channel: &str, text: &str) -> Value {
        let mut world = self.world();
        json!({
            "token": "old", "team_id": TEAM, "team_domain": "example", "channel_id": channel, "channel_name": "main",
            "user_id": user, "user_name": "jane", "command": "/orchestrator", "text": text, "api_app_id": "A0APP",
            "response_url": world.address(channel, user), "trigger_id": world.fresh("trigger."),
        })
    }

    /// Tells every socket.
    pub fn order(&self, order: impl Fn() -> Order) {
        for socket in &self.world().sockets {
            let _ = socket.send(order());
        }
    }

    /// Slack closes every socket soon, and says why.
    pub fn disconnect(&self, reason: &str) {
        let frame =
            json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "wss-1" } }).to_string();
        self.order(|| Order::Send(frame.clone()));
    }
}

/// A request as Slack makes and signs it.
pub fn signed(body: &[u8], at: DateTime<Utc>) -> Request {
    signed_with(SIGNING_SECRET, body, &at.timestamp().to_string(), at)
}

/// A request with this secret and this word for its time, that comes at `at`.
pub fn signed_with(secret: &str, body: &[u8], stamp: &str, at: DateTime<Utc>) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{stamp}:").as_bytes());
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Request {
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-slack-request-timestamp".to_owned(), stamp.to_owned()),
            ("x-slack-signature".to_owned(), format!("v0={hex}")),
        ],
        body: body.to_vec(),
        at,
    }
}

/// The body of an interaction, as Slack sends it over HTTP.
pub fn form(fields: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().unwrap() {
        form.append_pair(name, &text(value));
    }
    form.finish().into_bytes()
}
