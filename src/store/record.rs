//! What the verbs of the store take and give, beside the domain's own types. Knows no engine.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::decide::{GateRecord, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::id::TaskId;
use crate::domain::node::NodeName;
use crate::domain::outcome::{AttemptReport, Outcome};
use crate::domain::report::Surface;
use crate::domain::task::Attempt;

/// The acknowledgement of a change: it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Committed {
    /// The number of its event-log row; rises with every change of any task.
    pub seq: u64,
}

/// One row of the event log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number.
    pub seq: u64,
    /// The task's version that it led to.
    pub version: u64,
    /// What happened.
    pub entry: LogEntry,
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// As it was opened.
    pub attempt: Attempt,
    /// When it ended; absent while it is open.
    pub ended_at: Option<DateTime<Utc>>,
    /// The outcome in force: what the attempt reported, or `gate-failed` after the gate refused it.
    pub outcome: Option<Outcome>,
    /// Why, in one sentence.
    pub reason: Option<String>,
    /// What it reported when it ended.
    pub report: Option<AttemptReport>,
    /// What was last seen of it while it worked.
    pub facts: AttemptFacts,
}

/// What was last seen of a worker while it works; outside the task's version.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttemptFacts {
    /// The attempt's fencing number.
    pub epoch: u64,
    /// The last sign of life.
    pub beat_at: Option<DateTime<Utc>>,
    /// How far it says it is, 0 to 100.
    pub progress_pct: Option<u8>,
    /// What it says it is doing.
    pub phase: Option<String>,
    /// Bytes of its output that are already taken in.
    pub transcript_offset: u64,
    /// The session it works in, as its output told.
    pub session: Option<String>,
    /// What it cost so far, in US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens read so far.
    pub input_tokens: Option<u64>,
    /// Tokens written so far.
    pub output_tokens: Option<u64>,
}

/// A sign of life to record.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// Whose.
    pub task: TaskId,
    /// The attempt's fencing number.
    pub epoch: u64,
    /// When; an older one than recorded changes nothing.
    pub at: DateTime<Utc>,
    /// How far, 0 to 100; what is recorded stays where absent.
    pub pct: Option<u8>,
    /// Doing what; what is recorded stays where absent.
    pub phase: Option<String>,
}

/// How far a worker's output was taken in, to record. What is absent leaves what is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressMark {
    /// Whose.
    pub task: TaskId,
    /// The attempt's fencing number.
    pub epoch: u64,
    /// Bytes taken in; never falls.
    pub transcript_offset: u64,
    /// The session.
    pub session: Option<String>,
    /// Cost so far, in US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens read so far.
    pub input_tokens: Option<u64>,
    /// Tokens written so far.
    pub output_tokens: Option<u64>,
}

/// A recorded run of the gate, with its receipts.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRun {
    /// Its number; rises with every run of any task.
    pub seq: u64,
    /// What it was.
    pub record: GateRecord,
}

/// The channel of the outbox that a durable effect goes through: each is emptied by its own loop, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OutboxKind {
    /// Tell people.
    Report,
    /// Tell those of one surface; such rows are made from those of [`OutboxKind::Report`] ([`super::Store::hand_out`]).
    To(Surface),
    /// Bring the queue file up to date.
    Mirror,
    /// Append to the progress file.
    Progress,
}

const REPORT: &str = "report";
const MIRROR: &str = "mirror";
const PROGRESS: &str = "progress";
/// What the word of a surface's channel begins with.
pub(super) const TO: &str = "to:";

impl OutboxKind {
    /// The word in the store.
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Report => REPORT.into(),
            Self::To(surface) => format!("{TO}{surface}").into(),
            Self::Mirror => MIRROR.into(),
            Self::Progress => PROGRESS.into(),
        }
    }

    /// The word in the store of the channel of an effect.
    pub fn word_of(effect: &Durable) -> &'static str {
        match effect {
            Durable::Report(_) => REPORT,
            Durable::Mirror => MIRROR,
            Durable::Progress { .. } => PROGRESS,
        }
    }
}

/// A durable effect that is still to be performed.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Its number; the order within a task and kind.
    pub seq: u64,
    /// `<task>:<version>:<index>`; the same for every try, so that a receiver can recognise a double.
    pub key: String,
    /// The task.
    pub task: TaskId,
    /// What to do.
    pub effect: Durable,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// Failed tries so far.
    pub attempts: u32,
    /// What the last try failed with.
    pub error: Option<String>,
}

/// A report for a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The number of the report's row.
    pub seq: u64,
    /// Whom it is for.
    pub to: Surface,
}

/// What of a channel of the outbox is not performed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How many rows.
    pub count: u64,
    /// When the first of them was decided.
    pub since: DateTime<Utc>,
    /// What the first of them failed with.
    pub error: Option<String>,
}

/// What the queue file was last told of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirrored {
    /// The task's version at that time.
    pub version: u64,
    /// The values, as whoever writes the file keeps them.
    pub body: serde_json::Value,
}

/// Which tasks are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those that are not over.
    #[default]
    Live,
    /// Those that are over.
    Ended,
    /// All.
    All,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Live, ended or all.
    pub scope: Scope,
    /// Of this project alone.
    pub project: Option<String>,
    /// Only tasks whose last change is before this one (a [`Page::next`]).
    pub before: Option<u64>,
    /// The most tasks to give.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            project: None,
            before: None,
            limit: 100,
        }
    }
}

/// A part of a list, the last changed first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// [`Filter::before`] of the next part; absent at the end.
    pub next: Option<u64>,
}

/// Whether a task that others depend on is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not over.
    Live,
    /// Its work was accepted.
    Completed,
    /// Nobody wants it any more.
    Cancelled,
}

/// A fact of the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// What it says.
    pub value: serde_json::Value,
    /// Since when.
    pub set_at: DateTime<Utc>,
}

/// What retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Rows of the event log.
    pub events: u64,
    /// Rows of the outbox.
    pub outbox: u64,
}

/// What became of a node that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It is in, under this term.
    As(u64),
    /// Another home's node of that name is there, on this host.
    Taken(Option<String>),
}

/// A copy of a task's progress file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The fencing number of the attempt that it is of.
    pub epoch: u64,
    /// The node whose file it is.
    pub node: NodeName,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The file's text.
    pub text: String,
}

/// Which of its two outputs a worker wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputSource {
    /// Standard output.
    Said,
    /// Standard error.
    Complained,
}

impl OutputSource {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Said, Self::Complained];

    /// As the store has it.
    pub(in crate::store) fn number(self) -> i16 {
        match self {
            Self::Said => 1,
            Self::Complained => 2,
        }
    }
}

/// One output of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutputOf {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub epoch: u64,
    /// When that was claimed; with it an attempt of a store that was lost or restored is another one.
    pub claimed_at: DateTime<Utc>,
    /// Which of its outputs.
    pub source: OutputSource,
}

/// A line that a worker put out, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// Where it begins, in bytes of the worker's own file.
    pub starts: u64,
    /// Where the next one does.
    pub ends: u64,
    /// What it says, without its end; long ones are cut.
    pub text: String,
}

/// How much of what a store has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// Tasks that are not over, by the kind of their state.
    pub tasks: std::collections::BTreeMap<String, u64>,
    /// Rows of the outbox that are not performed.
    pub outbox: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<DateTime<Utc>>,
    /// The number of the newest event.
    pub seq: u64,
}
