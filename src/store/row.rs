//! Rows as they lie in the tables, and their way to the domain's types and back.
//!
//! Invariant: a body says which version of its shape it has ([`BODY_VERSION`]); a later one is refused, not guessed.
//! Times are whole microseconds since 1970 in UTC; numbers of the domain are never above 2^63.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;

use super::error::StoreError;
use super::record::{AttemptFacts, AttemptRecord, Event, GateRun, OutboxRow, TO, Waiting};
use crate::domain::decide::{GateRecord, LogEntry};
use crate::domain::definition::Priority;
use crate::domain::gate::{GateReport, Receipt, Trace};
use crate::domain::id::TaskId;
use crate::domain::report::Surface;
use crate::domain::task::Task;

/// The shape of the JSON bodies that this program writes.
pub(super) const BODY_VERSION: i64 = 1;

/// A row of `task` with its definition.
#[derive(Debug, FromRow)]
pub(super) struct TaskRow {
    id: String,
    version: i64,
    epoch: i64,
    pub(super) seq: i64,
    definition_hash: String,
    created_at: i64,
    updated_at: i64,
    body_version: i64,
    state: String,
    history: String,
    definition_version: i64,
    definition: String,
}

impl TaskRow {
    pub(super) fn into_task(self) -> Result<Task, StoreError> {
        let what = format!("task {}", self.id);
        let newest = self.body_version.max(self.definition_version);
        if newest > BODY_VERSION {
            let reason = format!("its shape {newest} is newer than this program's {BODY_VERSION}");
            return Err(StoreError::Unreadable { what, reason });
        }
        Ok(Task {
            id: task_id(&self.id)?,
            version: nat(self.version),
            epoch: nat(self.epoch),
            definition: read(&what, &self.definition)?,
            definition_hash: self.definition_hash,
            state: read(&what, &self.state)?,
            history: read(&what, &self.history)?,
            created_at: time(&what, self.created_at)?,
            updated_at: time(&what, self.updated_at)?,
        })
    }
}

/// A row of `attempt`.
#[derive(Debug, FromRow)]
pub(super) struct AttemptRow {
    pub(super) task_id: String,
    ended_at: Option<i64>,
    outcome: Option<String>,
    reason: Option<String>,
    opening: String,
    report: Option<String>,
    #[sqlx(flatten)]
    facts: FactsRow,
}

impl AttemptRow {
    pub(super) fn into_record(self) -> Result<AttemptRecord, StoreError> {
        let what = format!("an attempt of task {}", self.task_id);
        Ok(AttemptRecord {
            attempt: read(&what, &self.opening)?,
            ended_at: self.ended_at.map(|at| time(&what, at)).transpose()?,
            outcome: self.outcome.map(|word| read_word(&what, word)).transpose()?,
            reason: self.reason,
            report: self.report.map(|body| read(&what, &body)).transpose()?,
            facts: self.facts.into_facts(&what)?,
        })
    }
}

/// What was last seen of an attempt, in its row.
#[derive(Debug, FromRow)]
pub(super) struct FactsRow {
    epoch: i64,
    beat_at: Option<i64>,
    progress_pct: Option<i64>,
    phase: Option<String>,
    transcript_offset: i64,
    session: Option<String>,
    cost_usd: Option<f64>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
}

impl FactsRow {
    pub(super) fn into_facts(self, what: &str) -> Result<AttemptFacts, StoreError> {
        Ok(AttemptFacts {
            epoch: nat(self.epoch),
            beat_at: self.beat_at.map(|at| time(what, at)).transpose()?,
            progress_pct: self.progress_pct.and_then(|pct| u8::try_from(pct).ok()),
            phase: self.phase,
            transcript_offset: nat(self.transcript_offset),
            session: self.session,
            cost_usd: self.cost_usd,
            input_tokens: self.input_tokens.map(nat),
            output_tokens: self.output_tokens.map(nat),
        })
    }
}

/// A row of `gate`.
#[derive(Debug, FromRow)]
pub(super) struct GateRow {
    pub(super) seq: i64,
    pub(super) task_id: String,
    attempt: i64,
    epoch: i64,
    commit_id: String,
    tree: String,
    verdict: String,
    started_at: i64,
    ended_at: i64,
}

impl GateRow {
    pub(super) fn into_run(self, receipts: Vec<Receipt>) -> Result<GateRun, StoreError> {
        let what = format!("gate {} of task {}", self.seq, self.task_id);
        let report = GateReport {
            commit: self.commit_id,
            tree: self.tree,
            receipts,
            started_at: time(&what, self.started_at)?,
            ended_at: time(&what, self.ended_at)?,
        };
        let record = GateRecord {
            attempt: small(self.attempt),
            epoch: nat(self.epoch),
            verdict: read_word(&what, self.verdict)?,
            report,
        };
        Ok(GateRun {
            seq: nat(self.seq),
            record,
        })
    }
}

/// A row of `receipt`.
#[derive(Debug, FromRow)]
pub(super) struct ReceiptRow {
    pub(super) gate_seq: i64,
    name: String,
    category: String,
    source: String,
    directory: String,
    commit_id: String,
    command: String,
    exit_code: Option<i64>,
    verdict: String,
    started_at: i64,
    duration_us: i64,
    output_tail: String,
    output_sha256: String,
    tree: String,
    environment: String,
    sandbox: String,
    output_bytes: i64,
    files: String,
}

impl ReceiptRow {
    pub(super) fn into_receipt(self) -> Result<Receipt, StoreError> {
        let what = format!("receipt {} of gate {}", self.name, self.gate_seq);
        Ok(Receipt {
            category: read_word(&what, self.category)?,
            source: read_word(&what, self.source)?,
            directory: self.directory,
            commit: self.commit_id,
            command: self.command,
            exit_code: self.exit_code.and_then(|code| i32::try_from(code).ok()),
            verdict: read_word(&what, self.verdict)?,
            started_at: time(&what, self.started_at)?,
            duration: std::time::Duration::from_micros(nat(self.duration_us)),
            output_tail: self.output_tail,
            output_sha256: self.output_sha256,
            trace: Trace {
                tree: self.tree,
                environment: self.environment,
                sandbox: self.sandbox,
                output_bytes: nat(self.output_bytes),
                files: read(&what, &self.files)?,
                refused: Vec::new(),
            },
            name: self.name,
        })
    }
}

/// A row of `event_log`.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    seq: i64,
    task_id: String,
    version: i64,
    epoch: i64,
    at: i64,
    kind: String,
    from_state: String,
    to_state: String,
    why: String,
}

impl EventRow {
    pub(super) fn into_event(self) -> Result<Event, StoreError> {
        let entry = LogEntry {
            at: time(&format!("event {} of task {}", self.seq, self.task_id), self.at)?,
            kind: self.kind,
            from: self.from_state,
            to: self.to_state,
            epoch: nat(self.epoch),
            why: self.why,
        };
        Ok(Event {
            seq: nat(self.seq),
            version: nat(self.version),
            entry,
        })
    }
}

/// A row of `outbox`.
#[derive(Debug, FromRow)]
pub(super) struct OutboxLine {
    seq: i64,
    key: String,
    task_id: String,
    payload: String,
    created_at: i64,
    attempts: i64,
    error: Option<String>,
}

impl OutboxLine {
    pub(super) fn into_row(self) -> Result<OutboxRow, StoreError> {
        let what = format!("outbox row {}", self.key);
        Ok(OutboxRow {
            seq: nat(self.seq),
            task: task_id(&self.task_id)?,
            effect: read(&what, &self.payload)?,
            created_at: time(&what, self.created_at)?,
            attempts: small(self.attempts),
            error: self.error,
            key: self.key,
        })
    }
}

/// What waits in a channel of the outbox: how many rows, since when, and the first one's error.
pub(super) type WaitingLine = (i64, Option<i64>, Option<String>);

pub(super) fn waiting((count, since, error): WaitingLine) -> Result<Option<Waiting>, StoreError> {
    let since = since.map(|at| time("an outbox row", at)).transpose()?;
    Ok(since.map(|since| Waiting {
        count: nat(count),
        since,
        error,
    }))
}

/// The surfaces of channels, by name.
pub(super) fn surfaces(kinds: Vec<(String,)>) -> Vec<Surface> {
    let named = |(kind,): (String,)| Surface::parse(kind.strip_prefix(TO)?);
    let mut surfaces: Vec<Surface> = kinds.into_iter().filter_map(named).collect();
    surfaces.sort();
    surfaces
}

/// A task's name from its column.
pub(super) fn task_id(text: &str) -> Result<TaskId, StoreError> {
    TaskId::parse(text).map_err(|e| unreadable("a task's id", &e))
}

/// Microseconds since 1970.
pub(super) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// A time from its column.
pub(super) fn time(what: &str, micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| unreadable(what, &format!("{micros} is no time")))
}

/// A number of the domain for its column; the schema refuses what does not fit.
pub(super) fn int(n: u64) -> i64 {
    n.cast_signed()
}

/// A number of the domain from its column; the schema keeps it from being negative.
pub(super) fn nat(n: i64) -> u64 {
    n.cast_unsigned()
}

fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The rank of a priority; 0 is the most urgent.
pub(super) fn rank(priority: Priority) -> i64 {
    priority as i64
}

/// JSON of a body.
pub(super) fn body<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unreadable("a value that is to be stored", &e))
}

/// The word of an enum without fields.
pub(super) fn word<T: Serialize>(value: T) -> Result<String, StoreError> {
    let text = body(&value)?;
    Ok(text.trim_matches('"').to_owned())
}

/// A body from its column.
pub(super) fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| unreadable(what, &e))
}

fn read_word<T: DeserializeOwned>(what: &str, text: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|e| unreadable(what, &e))
}

pub(super) fn unreadable(what: &str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable {
        what: what.to_owned(),
        reason: reason.to_string(),
    }
}
