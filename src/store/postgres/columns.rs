//! From a group of changes and the heads of their tasks to the columns of set-based statements. Pure.
//!
//! Invariant: of a group that is refused in part, the columns hold the accepted changes alone.

use std::collections::HashMap;

use super::work::{Answer, Outcome, Work};
use crate::domain::decide::{AttemptChange, Decision, GateRecord, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::gate::Receipt;
use crate::domain::outcome::{AttemptReport, Outcome as AttemptOutcome};
use crate::domain::task::{Attempt, End, State, Task};
use crate::store::error::{CommitError, StoreError};
use crate::store::record::{Committed, OutboxKind};
use crate::store::row::{body, int, micros, nat, rank, word};

/// What a change must know of the row that it starts from.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Head {
    pub(super) id: String,
    version: i64,
    epoch: i64,
    definition_hash: String,
}

/// The heads of a group, by id.
pub(super) type Heads = HashMap<String, Head>;

/// Declares columns of equal length.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name { $(pub(super) $field: Vec<$type>),+ }
    };
}

columns! { /// Wordings.
Definitions { task_id: String, hash: String, body: String } }
columns! { /// Rows of the event log.
Events { seq: i64, task_id: String, version: i64, epoch: i64, at: i64, kind: String, from: String, to: String, why: String } }
columns! { /// Rows of tasks; `expected` and the proof matter where they change one.
Tasks {
    id: String, expected: i64, version: i64, epoch: i64, seq: i64, definition_hash: String, project: String, priority: i64,
    created_at: i64, updated_at: i64, state: String, history: String,
    proof_attempt: Option<i64>, proof_epoch: Option<i64>, proof_commit: Option<String>,
} }
columns! { /// Attempts that open; those of a person's hand end with it.
Opened {
    task_id: String, epoch: i64, n: i64, started_at: i64, opening: String, session: Option<String>,
    ended_at: Option<i64>, outcome: Option<String>, reason: Option<String>, report: Option<String>,
} }
columns! { /// Attempts that end.
Closed { task_id: String, epoch: i64, at: i64, outcome: String, reason: String, report: String } }
columns! { /// Attempts whose claim the gate refused.
Refused { task_id: String, epoch: i64, outcome: String, reason: String } }
columns! { /// Runs of the gate.
Gates {
    seq: i64, task_id: String, attempt: i64, epoch: i64, commit_id: String, tree: String, verdict: String,
    started_at: i64, ended_at: i64,
} }
columns! { /// Their receipts.
Receipts {
    gate_seq: i64, position: i64, name: String, category: String, source: String, directory: String, commit_id: String,
    command: String, exit_code: Option<i64>, verdict: String, started_at: i64, duration_us: i64, output_tail: String,
    output_sha256: String, tree: String, environment: String, sandbox: String, output_bytes: i64, files: String,
} }
columns! { /// Durable effects.
Outbox { key: String, task_id: String, kind: String, payload: String, at: i64 } }

/// All that the changes of a group write.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) definitions: Definitions,
    pub(super) events: Events,
    pub(super) admitted: Tasks,
    pub(super) changed: Tasks,
    pub(super) opened: Opened,
    pub(super) closed: Closed,
    pub(super) refused: Refused,
    pub(super) gates: Gates,
    pub(super) receipts: Receipts,
    pub(super) outbox: Outbox,
}

/// Numbers that were drawn for a group.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) events: Vec<i64>,
    pub(super) gates: Vec<i64>,
}

impl Columns {
    /// Takes a change in, or says why it is refused. Work that is no change of a task is none of its business.
    pub(super) fn take(&mut self, work: &Work, heads: &Heads, numbers: &mut Numbers) -> Option<Outcome> {
        let head = heads.get(work.task()?.as_str());
        Some(match work {
            Work::Admit { task, entry, durable } => self.admit(task, entry, durable, head, numbers),
            Work::Commit { decision, expected } => self.change(decision, *expected, head, numbers),
            _ => return None,
        })
    }

    fn admit(
        &mut self,
        task: &Task,
        entry: &LogEntry,
        durable: &[Durable],
        head: Option<&Head>,
        numbers: &mut Numbers,
    ) -> Outcome {
        if let Some(head) = head {
            return Err(CommitError::Conflict {
                actual: nat(head.version),
            });
        }
        let row = Row::of(task)?;
        let effects = effects(durable)?;
        let seq = numbers.events.pop().ok_or(StoreError::Closed)?;
        self.define(task, &row);
        self.log(task, entry, seq);
        self.admitted.push(task, row, 0, seq);
        self.owe(task, effects, entry);
        Ok(Answer::Committed(Committed { seq: nat(seq) }))
    }

    fn change(
        &mut self,
        decision: &Decision,
        expected: u64,
        head: Option<&Head>,
        numbers: &mut Numbers,
    ) -> Outcome {
        let Decision {
            task,
            entry,
            attempt,
            gate,
            durable,
            led: _,
        } = decision;
        let head = head.ok_or(CommitError::Unknown)?;
        if head.version != int(expected) {
            return Err(CommitError::Conflict {
                actual: nat(head.version),
            });
        }
        fence(task, attempt.as_ref(), gate.as_ref(), nat(head.epoch))?;
        // Everything that can fail comes before the first column is written.
        let row = Row::of(task)?;
        let effects = effects(durable)?;
        let step = attempt
            .as_ref()
            .map(|change| Step::of(change, entry))
            .transpose()?;
        let judged = gate.as_ref().map(|gate| judged(gate)).transpose()?;
        let seq = numbers.events.pop().ok_or(StoreError::Closed)?;
        if let (Some(gate), Some(receipts)) = (gate, judged) {
            let number = numbers.gates.pop().ok_or(StoreError::Closed)?;
            self.judge(task, gate, receipts, number);
        }
        if head.definition_hash != task.definition_hash {
            self.define(task, &row);
        }
        self.log(task, entry, seq);
        self.changed.push(task, row, expected, seq);
        match step {
            Some(Step::Open(attempt, ended)) => self.opened.push(task, attempt, ended),
            Some(Step::Close(epoch, ended)) => self.closed.push(task, epoch, ended),
            Some(Step::Refuse(epoch, outcome, reason)) => self.refused.push(task, epoch, outcome, reason),
            Some(Step::Nothing) | None => {}
        }
        self.owe(task, effects, entry);
        Ok(Answer::Committed(Committed { seq: nat(seq) }))
    }

    fn define(&mut self, task: &Task, row: &Row) {
        self.definitions.task_id.push(task.id.to_string());
        self.definitions.hash.push(text(&task.definition_hash));
        self.definitions.body.push(row.definition.clone());
    }

    fn log(&mut self, task: &Task, entry: &LogEntry, seq: i64) {
        let events = &mut self.events;
        events.seq.push(seq);
        events.task_id.push(task.id.to_string());
        events.version.push(int(task.version));
        events.epoch.push(int(entry.epoch));
        events.at.push(micros(entry.at));
        events.kind.push(text(&entry.kind));
        events.from.push(text(&entry.from));
        events.to.push(text(&entry.to));
        events.why.push(text(&entry.why));
    }

    fn owe(&mut self, task: &Task, effects: Vec<(&'static str, String)>, entry: &LogEntry) {
        for (index, (kind, payload)) in effects.into_iter().enumerate() {
            let outbox = &mut self.outbox;
            outbox.key.push(format!("{}:{}:{index}", task.id, task.version));
            outbox.task_id.push(task.id.to_string());
            outbox.kind.push(kind.to_owned());
            outbox.payload.push(payload);
            outbox.at.push(micros(entry.at));
        }
    }

    fn judge(&mut self, task: &Task, gate: &GateRecord, receipts: Vec<(String, String)>, seq: i64) {
        let GateRecord {
            attempt,
            epoch,
            verdict,
            report,
        } = gate;
        let gates = &mut self.gates;
        gates.seq.push(seq);
        gates.task_id.push(task.id.to_string());
        gates.attempt.push(i64::from(*attempt));
        gates.epoch.push(int(*epoch));
        gates.commit_id.push(text(&report.commit));
        gates.tree.push(text(&report.tree));
        gates.verdict.push(verdict.as_str().to_owned());
        gates.started_at.push(micros(report.started_at));
        gates.ended_at.push(micros(report.ended_at));
        for (position, (receipt, words)) in (0_i64..).zip(report.receipts.iter().zip(receipts)) {
            self.receipts.push(seq, position, receipt, words);
        }
    }
}

/// Whether an attempt's rows may be written by this change of a task at `epoch`.
fn fence(
    task: &Task,
    attempt: Option<&AttemptChange>,
    gate: Option<&GateRecord>,
    epoch: u64,
) -> Result<(), CommitError> {
    if epoch > task.epoch || gate.is_some_and(|gate| gate.epoch != epoch) {
        return Err(CommitError::Fenced { actual: epoch });
    }
    match attempt {
        Some(AttemptChange::Opened(attempt) | AttemptChange::ByHand { attempt, .. })
            if attempt.epoch != task.epoch =>
        {
            Err(CommitError::Fenced { actual: task.epoch })
        }
        _ => Ok(()),
    }
}

/// The JSON of a task's row.
struct Row {
    definition: String,
    state: String,
    history: String,
}

impl Row {
    fn of(task: &Task) -> Result<Self, StoreError> {
        Ok(Self {
            definition: body(&task.definition)?,
            state: searchable(body(&task.state)?)?,
            history: body(&task.history)?,
        })
    }
}

/// An attempt's end.
struct Ended {
    at: i64,
    outcome: String,
    reason: String,
    report: String,
}

impl Ended {
    fn of(report: &AttemptReport, entry: &LogEntry) -> Result<Self, StoreError> {
        Ok(Self {
            at: micros(entry.at),
            outcome: word(report.outcome)?,
            reason: text(&report.reason),
            report: body(report)?,
        })
    }
}

/// What a change does to an attempt's row.
enum Step<'a> {
    Open((&'a Attempt, String), Option<Ended>),
    Close(u64, Ended),
    Refuse(u64, String, String),
    Nothing,
}

impl<'a> Step<'a> {
    fn of(change: &'a AttemptChange, entry: &LogEntry) -> Result<Self, StoreError> {
        Ok(match change {
            AttemptChange::Opened(attempt) => Self::Open((attempt, body(attempt)?), None),
            AttemptChange::ByHand { attempt, report } => {
                Self::Open((attempt, body(attempt)?), Some(Ended::of(report, entry)?))
            }
            AttemptChange::Closed { epoch, report, .. } => Self::Close(*epoch, Ended::of(report, entry)?),
            // A person may claim a task that was never tried; then there is no attempt whose outcome could change.
            AttemptChange::Refused { epoch: 0, .. } => Self::Nothing,
            AttemptChange::Refused { epoch, reason, .. } => {
                Self::Refuse(*epoch, word(AttemptOutcome::GateFailed)?, text(reason))
            }
        })
    }
}

impl Tasks {
    fn push(&mut self, task: &Task, row: Row, expected: u64, seq: i64) {
        let proof = match &task.state {
            State::Ended {
                end:
                    End::Completed {
                        attempt,
                        epoch,
                        commit,
                        ..
                    },
                ..
            } => Some((*attempt, *epoch, commit)),
            _ => None,
        };
        self.id.push(task.id.to_string());
        self.expected.push(int(expected));
        self.version.push(int(task.version));
        self.epoch.push(int(task.epoch));
        self.seq.push(seq);
        self.definition_hash.push(text(&task.definition_hash));
        self.project.push(text(&task.definition.project));
        self.priority.push(rank(task.definition.priority));
        self.created_at.push(micros(task.created_at));
        self.updated_at.push(micros(task.updated_at));
        self.state.push(row.state);
        self.history.push(row.history);
        self.proof_attempt
            .push(proof.map(|(attempt, ..)| i64::from(attempt)));
        self.proof_epoch.push(proof.map(|(_, epoch, _)| int(epoch)));
        self.proof_commit.push(proof.map(|(.., commit)| text(commit)));
    }
}

impl Opened {
    fn push(&mut self, task: &Task, (attempt, opening): (&Attempt, String), ended: Option<Ended>) {
        self.task_id.push(task.id.to_string());
        self.epoch.push(int(attempt.epoch));
        self.n.push(i64::from(attempt.n));
        self.started_at.push(micros(attempt.started_at));
        self.opening.push(opening);
        self.session.push(attempt.session.as_deref().map(text));
        self.ended_at.push(ended.as_ref().map(|ended| ended.at));
        let (outcome, reason, report) = match ended {
            Some(ended) => (Some(ended.outcome), Some(ended.reason), Some(ended.report)),
            None => (None, None, None),
        };
        self.outcome.push(outcome);
        self.reason.push(reason);
        self.report.push(report);
    }
}

impl Closed {
    fn push(&mut self, task: &Task, epoch: u64, ended: Ended) {
        self.task_id.push(task.id.to_string());
        self.epoch.push(int(epoch));
        self.at.push(ended.at);
        self.outcome.push(ended.outcome);
        self.reason.push(ended.reason);
        self.report.push(ended.report);
    }
}

impl Refused {
    fn push(&mut self, task: &Task, epoch: u64, outcome: String, reason: String) {
        self.task_id.push(task.id.to_string());
        self.epoch.push(int(epoch));
        self.outcome.push(outcome);
        self.reason.push(reason);
    }
}

impl Receipts {
    fn push(&mut self, gate: i64, position: i64, receipt: &Receipt, (source, files): (String, String)) {
        self.gate_seq.push(gate);
        self.position.push(position);
        self.name.push(text(&receipt.name));
        self.category.push(receipt.category.as_str().to_owned());
        self.source.push(source);
        self.directory.push(text(&receipt.directory));
        self.commit_id.push(text(&receipt.commit));
        self.command.push(text(&receipt.command));
        self.exit_code.push(receipt.exit_code.map(i64::from));
        self.verdict.push(receipt.verdict.as_str().to_owned());
        self.started_at.push(micros(receipt.started_at));
        let duration = i64::try_from(receipt.duration.as_micros()).unwrap_or(i64::MAX);
        self.duration_us.push(duration);
        self.output_tail.push(text(&receipt.output_tail));
        self.output_sha256.push(text(&receipt.output_sha256));
        self.tree.push(text(&receipt.trace.tree));
        self.environment.push(text(&receipt.trace.environment));
        self.sandbox.push(text(&receipt.trace.sandbox));
        self.output_bytes.push(int(receipt.trace.output_bytes));
        self.files.push(files);
    }
}

/// The words and bodies of a gate's receipts.
fn judged(gate: &GateRecord) -> Result<Vec<(String, String)>, StoreError> {
    let receipts = gate.report.receipts.iter();
    receipts
        .map(|receipt| Ok((word(receipt.source)?, body(&receipt.trace.files)?)))
        .collect()
}

fn effects(durable: &[Durable]) -> Result<Vec<(&'static str, String)>, StoreError> {
    let effect = |effect| Ok((OutboxKind::of(effect).as_str(), body(effect)?));
    durable.iter().map(effect).collect()
}

/// Text as the server takes it: it refuses the character NUL, which the output of a program may hold.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// JSON that the server looks into: it refuses an escaped NUL there as well.
fn searchable(json: String) -> Result<String, StoreError> {
    if !json.contains("\\u0000") {
        return Ok(json);
    }
    let unreadable = |error: serde_json::Error| StoreError::Unreadable {
        what: "a state that is to be stored".to_owned(),
        reason: error.to_string(),
    };
    let mut value: serde_json::Value = serde_json::from_str(&json).map_err(unreadable)?;
    replace_nul(&mut value);
    serde_json::to_string(&value).map_err(unreadable)
}

fn replace_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(held) => *held = text(held),
        serde_json::Value::Array(items) => items.iter_mut().for_each(replace_nul),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(replace_nul),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
