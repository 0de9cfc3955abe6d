//! The CLI's stream of events, as far as it is looked at.
//!
//! Every field may be missing and unknown ones are passed over: the vendor changes them with every version.

use serde::Deserialize;
use serde_json::Value;

/// One line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `thread.started`.
    pub(super) thread_id: Option<String>,
    /// `item.started`, `item.updated`, `item.completed`.
    pub(super) item: Option<Item>,
    /// `turn.completed`.
    pub(super) usage: Option<ThreadUsage>,
    /// `turn.failed`.
    pub(super) error: Option<Trouble>,
    /// `error`: of a try that is repeated, and of the one that was the last.
    pub(super) message: Option<String>,
}

/// Why a turn failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trouble {
    pub(super) message: String,
}

/// Tokens of the whole thread, resumed runs included.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct ThreadUsage {
    /// Cached ones included.
    pub(super) input_tokens: u64,
    /// Those of its reasoning included.
    pub(super) output_tokens: u64,
}

/// Something that the worker said or did.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `in_progress`, `completed`, `failed`, `declined`.
    pub(super) status: String,
    /// `agent_message`, `reasoning`.
    pub(super) text: String,
    /// `command_execution`.
    pub(super) command: String,
    /// `file_change`.
    pub(super) changes: Vec<Change>,
    /// `mcp_tool_call`.
    pub(super) server: String,
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) error: Option<Trouble>,
    /// `web_search`.
    pub(super) query: String,
    /// `todo_list`.
    pub(super) items: Vec<Todo>,
}

/// A file that was changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) kind: Value,
}

/// A step of the worker's plan.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Todo {
    pub(super) text: String,
    pub(super) completed: bool,
}
