//! What processes of one store tell each other.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bus::Message;
use crate::domain::decide::LogEntry;
use crate::domain::id::TaskId;

/// An entry of the event log that was committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Its number.
    pub seq: u64,
    /// The task.
    pub task: String,
    /// The task's version that it led to.
    pub version: u64,
    /// What happened.
    #[serde(flatten)]
    pub entry: LogEntry,
}

impl Message for Logged {
    const KIND: &'static str = "logged";
    const VERSION: u32 = 1;
}

/// Something was committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The process that did it.
    pub origin: Uuid,
    /// The newest entry of the event log with it; none for a change that has none, such as the emergency stop.
    pub seq: Option<u64>,
}

impl Message for Changed {
    const KIND: &'static str = "changed";
    const VERSION: u32 = 1;
}

/// Something that one node is to look at. A hint: the store knew it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The task; none where all are meant.
    pub task: Option<TaskId>,
    /// The version that it has at least.
    pub version: u64,
    /// The number of its newest attempt.
    pub epoch: u64,
    /// What happened, in the words of the event log; for people.
    pub kind: String,
}

impl Message for Errand {
    const KIND: &'static str = "errand";
    const VERSION: u32 = 1;
}

/// A service that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Here {
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its program's version.
    pub version: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Message for Here {
    const KIND: &'static str = "service";
    const VERSION: u32 = 1;
}
