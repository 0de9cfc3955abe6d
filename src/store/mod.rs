//! The store: the truth about every task, in verbs of a task's path rather than tables.
//!
//! Invariants:
//! - a decision (state, event-log row, attempt, gate with receipts, outbox rows) is one transaction, or nothing;
//! - a change names the version it starts from; another version is a [`CommitError::Conflict`], never an overwrite;
//! - rows of an attempt are written under its epoch; a stale writer is [`CommitError::Fenced`];
//! - the database itself refuses a completed task without a passed gate of the same attempt and commit;
//! - nothing is acknowledged before it is on disk.
//!
//! [`Store`] is the port; whatever speaks an engine's SQL is below that engine's folder (`sqlite/`, `postgres/`), one file a concern.
//! The types that the verbs take and give ([`record`], [`error`]) know no engine. Deliberately absent: decisions, the clock
//! (times come in), retries (only the caller knows whether its decision still holds).

pub mod backup;
mod batch;
pub mod carry;
pub mod error;
pub mod migrate;
mod open;
mod port;
mod postgres;
pub mod record;
mod row;
mod sqlite;
mod talk;

pub use crate::config::section::StoreAddress;
pub use error::{CommitError, StoreError};
pub use open::{OpenMode, open};
pub use port::Store;
pub use postgres::{OutputLog, Roster};
pub use record::{
    AttemptFacts, AttemptRecord, Beat, Committed, Copied, Event, Filter, Flag, GateRun, Handed, Joined,
    Mirrored, OutboxKind, OutboxRow, OutputLine, OutputOf, OutputSource, Page, ProgressMark, Scope, Standing,
    Stored, Trimmed, Waiting,
};
pub use talk::{CardRow, HeardRow, Talk};
