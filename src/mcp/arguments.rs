//! What the tools are called with: the schema that a model reads, and the check that a call must pass.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

use crate::format::request;

/// `heartbeat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// How much is done, in percent.
    #[schemars(range(min = 0, max = 100))]
    #[serde(default, deserialize_with = "percent")]
    pub pct: Option<u8>,
    /// What you are doing, in a few words.
    #[serde(default)]
    pub phase: Option<String>,
}

/// `log`, `ask`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The text.
    pub text: String,
}

/// `done`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Why, in one sentence.
    pub reason: String,
    /// The task's acceptance criteria that hold, each with what shows it.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
}

/// An acceptance criterion that holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its number in the task, from 1.
    #[schemars(range(min = 1))]
    pub number: usize,
    /// What shows it and can be looked up: `check NAME`, a file of your work with its line (`src/a.rs:12`), or a commit.
    pub evidence: String,
}

/// `blocked`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why, in one sentence.
    pub reason: String,
}

/// `continue`, `needs_stronger_model`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MayBeReason {
    /// Why, in one sentence.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `spawn`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spawn {
    /// A short name: letters, digits, '.', '_' and '-'. The task becomes PARENT.ID.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// What to do, complete: whoever does it knows nothing else.
    pub description: String,
    /// The lowest tier that may try it.
    #[serde(default)]
    pub tier: Option<String>,
    /// What must be completed before: other sub-tasks by their short names, or any task by its id.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Shell scripts that must succeed for it to count as done.
    #[serde(default)]
    pub validation: Vec<String>,
}

impl From<Spawn> for request::Spawn {
    fn from(spawn: Spawn) -> Self {
        Self {
            id: spawn.id,
            title: spawn.title,
            description: spawn.description,
            tier: spawn.tier,
            depends_on: spawn.depends_on,
            validation: spawn.validation,
        }
    }
}

fn percent<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    match Option::<u8>::deserialize(from)? {
        Some(pct) if pct > 100 => Err(serde::de::Error::custom("pct goes from 0 to 100")),
        pct => Ok(pct),
    }
}
