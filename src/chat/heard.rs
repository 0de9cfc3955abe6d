//! What comes in from a chat: who said or pressed what, where. Plain values; what they mean is `command`'s to say.
//!
//! Invariants: `event` is the service's own id of the event, so that a repetition is known as one; `who.id` is the full
//! id of the account, never a name that people choose for themselves.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::Purpose;

/// One event that a person (or a bot) caused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The service's id of the event; the same whenever it is delivered again.
    pub event: String,
    /// When it happened, by the service's clock.
    pub at: DateTime<Utc>,
    /// Who caused it.
    pub who: Person,
    /// In which room.
    pub room: String,
    /// What that room is for, where it is known.
    pub purpose: Option<Purpose>,
    /// The message that the thread hangs on, where it was said in a thread.
    pub thread: Option<String>,
    /// The message that it is, where it is one: reactions go there.
    pub message: Option<String>,
    /// What it is.
    pub what: What,
    /// What the surface needs to answer its author alone, where the service gave something for that: a secret that is good for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_at: Option<String>,
}

/// The account behind an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The full id: `@jane:example.org`, or `T012:U034` (workspace and user) on Slack.
    pub id: String,
    /// Why nothing that it says is obeyed, whatever role is written down for it.
    pub distrust: Option<Distrust>,
}

/// Why an account is not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distrust {
    /// A program.
    Bot,
    /// A guest of the workspace.
    Guest,
    /// Of another workspace or server that is not ours.
    Foreign,
    /// Deactivated.
    Deactivated,
    /// Its device is not signed by its owner.
    UnsignedDevice,
    /// It was sent in the clear in a room where everything is encrypted.
    Unencrypted,
    /// The service does not say enough of it to be sure.
    Unknown,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// Something was written. Edits of it are never handed on.
    Text {
        /// As it was written, without the mention of the bot.
        text: String,
        /// Whether the bot is meant beyond doubt: mentioned, a slash command, or in a room of two.
        addressed: bool,
        /// Files that came with it.
        files: Vec<Attached>,
    },
    /// A button was pressed.
    Press {
        /// The message that it is on.
        on: String,
        /// What the button carries.
        nonce: String,
    },
    /// A reaction was put on a message.
    Reaction {
        /// The message.
        on: String,
        /// The emoji, without variation selectors, or its name where the service names it (`white_check_mark`).
        emoji: String,
    },
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The name that its sender gave it: not to be trusted.
    pub name: String,
    /// Its size in bytes, where the service says so: not to be trusted.
    pub bytes: Option<u64>,
    /// What the surface needs to fetch it.
    pub handle: String,
}
