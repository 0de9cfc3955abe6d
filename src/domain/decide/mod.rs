//! `decide`: what a task becomes, and what the world is asked to do. The heart of the product, and pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::effect::Durable;
use super::gate::{GateReport, Verdict};
use super::outcome::AttemptReport;
use super::policy::Policy;
use super::task::{Attempt, Task};

/// What comes in from outside with every event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time, truncated to microseconds.
    pub now: DateTime<Utc>,
    /// A random number in `0.0..1.0`, for jitter.
    pub roll: f64,
    /// The policy in force.
    pub policy: &'a Policy,
}

/// What a task becomes and what is to be recorded with it, in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The task as it is from now on (its version already raised).
    pub task: Task,
    /// The row of the event log.
    pub entry: LogEntry,
    /// The row of the attempt that opened or closed.
    pub attempt: Option<AttemptChange>,
    /// The run of the gate that ended.
    pub gate: Option<GateRecord>,
    /// Durable effects, in order.
    pub durable: Vec<Durable>,
}

/// One line of the event log: what happened, and what it led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of event, for example `finished`.
    pub kind: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// The fencing number at that time.
    pub epoch: u64,
    /// Why, in one sentence for people.
    pub why: String,
}

/// A change of an attempt's row.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptChange {
    /// A new one.
    Opened(Attempt),
    /// It ended. `n` and `epoch` name it.
    Closed {
        /// Its number.
        n: u32,
        /// Its fencing number.
        epoch: u64,
        /// How it ended.
        report: Box<AttemptReport>,
    },
    /// The gate refused what it claimed: its outcome becomes `gate-failed`.
    Refused {
        /// Its number.
        n: u32,
        /// Its fencing number.
        epoch: u64,
        /// What is red.
        reason: String,
    },
}

/// A run of the gate as it is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRecord {
    /// The attempt that was judged.
    pub attempt: u32,
    /// Its fencing number.
    pub epoch: u64,
    /// The verdict in force (a person's approval turns `NeedsPerson` into `Passed`).
    pub verdict: Verdict,
    /// Its receipts.
    pub report: GateReport,
}
