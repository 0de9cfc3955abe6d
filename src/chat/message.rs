//! What is put into a chat, as data: each surface renders it in its own markup, within its own limits.
//!
//! Invariant: nothing in a text is markup, a mention or a link to a person, whatever it looks like; a surface escapes all
//! of it.

use serde::{Deserialize, Serialize};

/// What a room is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "for", content = "name", rename_all = "kebab-case")]
pub enum Purpose {
    /// The instance as a whole: digests, and what concerns no project.
    Instance,
    /// A project: the cards of its tasks.
    Project(String),
    /// A named agent: what it does is seen there, and one can talk to it.
    Agent(String),
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The room, as the service names it.
    pub room: String,
    /// The message whose thread it is part of.
    pub thread: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Message {
    /// Words.
    Text(Text),
    /// A task, as it stands.
    Card(Card),
}

/// Words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Text {
    /// One or more lines.
    pub text: String,
    /// What is shown as it is, in a block of fixed width, below it.
    pub code: Option<String>,
    /// Whether it is shown in the room as well where it is in a thread: somebody must act.
    pub broadcast: bool,
}

impl Text {
    /// Words alone.
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// A task, as it stands: one message a task, kept current by edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// The emoji of its state.
    pub icon: String,
    /// Its state in words, with why it waits.
    pub state: String,
    /// How far, 0 to 100, where it is known.
    pub pct: Option<u8>,
    /// Further facts in the order in which they are shown: tier and model, attempt, phase, elapsed, cost, gate.
    pub facts: Vec<Fact>,
    /// What can be done with it now; empty once it is over.
    pub buttons: Vec<Button>,
}

/// One fact of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is of.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// Something that can be done at a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Button {
    /// What.
    pub verb: Verb,
    /// What it carries: without any meaning to whoever reads it.
    pub nonce: String,
}

/// What can be done at a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Accept what is shown.
    Approve,
    /// Send it back.
    Reject,
    /// Hold it back.
    Pause,
    /// Let it go on.
    Resume,
    /// Run it again.
    Retry,
    /// Give it up.
    Cancel,
}

impl Verb {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::Approve,
        Self::Reject,
        Self::Pause,
        Self::Resume,
        Self::Retry,
        Self::Cancel,
    ];

    /// The word, as in commands.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }

    /// The emoji that stands for it where there are no buttons.
    pub fn emoji(self) -> &'static str {
        match self {
            Self::Approve => "✅",
            Self::Reject => "❌",
            Self::Pause => "⏸",
            Self::Resume => "▶",
            Self::Retry => "🔁",
            Self::Cancel => "🛑",
        }
    }

    /// Whether it is asked back before it is done: it cannot be taken back.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancel)
    }
}
