//! What Slack sends, as far as it matters here.
//!
//! Only what is used is named, and everything may be absent: Slack adds fields and kinds as it pleases, and one message that
//! a strict model does not know must not make the bot deaf.
//! Source: <https://docs.slack.dev/reference/events>, <https://docs.slack.dev/reference/interaction-payloads>.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An event as the Events API wraps it.
#[derive(Debug, Deserialize)]
pub(super) struct Callback {
    /// `event_callback`, `url_verification`, `app_rate_limited`.
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    /// What is to be sent back at `url_verification`.
    pub(super) challenge: Option<String>,
    /// The event itself.
    #[serde(default)]
    pub(super) event: Value,
}

/// A message, or what has the form of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) subtype: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) channel_type: Option<String>,
    pub(super) user: Option<String>,
    pub(super) bot_id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) ts: Option<String>,
    pub(super) thread_ts: Option<String>,
    pub(super) team: Option<String>,
    pub(super) user_team: Option<String>,
    pub(super) source_team: Option<String>,
    pub(super) hidden: bool,
    pub(super) edited: Option<Value>,
    pub(super) files: Vec<File>,
    pub(super) metadata: Option<Metadata>,
    pub(super) blocks: Vec<Block>,
    /// Of `message_changed`: the message as it is now.
    pub(super) message: Option<Box<Event>>,
}

/// What a program put beside a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) event_type: String,
    pub(super) event_payload: Value,
}

impl Metadata {
    /// One of its values, where it is text.
    pub(super) fn value(&self, kind: &str, key: &str) -> Option<&str> {
        let ours = self.event_type == kind;
        ours.then(|| self.event_payload.get(key)?.as_str()).flatten()
    }
}

/// A block: its name alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Block {
    pub(super) block_id: Option<String>,
}

/// A file of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) url_private: Option<String>,
    pub(super) url_private_download: Option<String>,
}

/// Something that was done at a message of ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interaction {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) trigger_id: Option<String>,
    pub(super) user: Actor,
    pub(super) team: Option<Named>,
    pub(super) channel: Option<Named>,
    pub(super) container: Container,
    pub(super) message: Option<Event>,
    pub(super) actions: Vec<Action>,
    pub(super) response_url: Option<String>,
}

/// Who did it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Actor {
    pub(super) id: String,
    pub(super) team_id: Option<String>,
}

/// Something with an id.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) id: String,
}

/// Where it was done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) message_ts: Option<String>,
    pub(super) channel_id: Option<String>,
    pub(super) thread_ts: Option<String>,
}

/// A button that was pressed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Action {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) action_id: String,
    pub(super) value: Option<String>,
    pub(super) action_ts: Option<String>,
}

/// A slash command.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Command {
    pub(super) team_id: Option<String>,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    pub(super) text: String,
    pub(super) trigger_id: Option<String>,
    pub(super) response_url: Option<String>,
}

/// A list of which each item is read for itself: one that cannot be read is left out.
pub(super) fn each<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Event>, D::Error> {
    let all = Vec::<Value>::deserialize(deserializer)?;
    Ok(all
        .into_iter()
        .filter_map(|one| serde_json::from_value(one).ok())
        .collect())
}
