//! A group of changes as a set: which of them may be made, and the rows that they become, table by table.
//!
//! Pure, and knows no engine. An engine reads the [`Head`]s of a group's tasks, asks [`Change::check`] of each, and binds the
//! rows of a [`Batch`] to one statement a table. Invariants: a group holds at most one change a task ([`one_a_key`]); what
//! the heads already rule out never reaches a statement; the number of rows that a statement must touch is the number of
//! rows in its list, so that a lower one tells of a fenced writer.
//! Deliberately absent: numbers (the engine gives each change its event's), statements, and what the schema itself refuses.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use serde::Serialize;

pub(super) use rows::{
    AdmittedRow, ClosedRow, DefinitionRow, EffectRow, EventRow, GateRow, MovedRow, OpenedRow, Proof,
    ReceiptRow, RefusedRow, RewrittenRow, Step, Wording,
};

use super::error::{CommitError, StoreError};
use super::record::OutboxKind;
use super::row::{body, int, micros, rank, word};
use crate::domain::decide::{AttemptChange, Decision, GateRecord};
use crate::domain::gate::Verdict;
use crate::domain::id::TaskId;
use crate::domain::outcome::AttemptReport;
use crate::domain::task::{Attempt, End, State};

/// What a change must know of the row that it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The task's version.
    pub(super) version: u64,
    /// Its fencing number.
    pub(super) epoch: u64,
    /// Its wording.
    pub(super) definition_hash: String,
    /// Whether its row refers to a gate: it is completed.
    pub(super) proven: bool,
}

/// The heads of those tasks of a group that are in the store, by id.
pub(super) type Heads = HashMap<String, Head>;

/// The head that a change is made on: as it was read, or as the change supposes it.
#[derive(Debug, Clone, Copy)]
struct Base<'h> {
    version: u64,
    epoch: u64,
    definition_hash: &'h str,
    proven: bool,
}

impl<'h> From<&'h Head> for Base<'h> {
    fn from(head: &'h Head) -> Self {
        Self {
            version: head.version,
            epoch: head.epoch,
            definition_hash: &head.definition_hash,
            proven: head.proven,
        }
    }
}

/// A decision on its way to the disk, its bodies in JSON already: that is done by whoever commits, not by the one writer.
#[derive(Debug)]
pub(super) struct Change {
    decision: Decision,
    /// The version that it was made from; none for an admission.
    expected: Option<u64>,
    id: Arc<str>,
    state: Arc<str>,
    history: Arc<str>,
    attempt: AttemptBodies,
}

/// What an attempt's row is given as JSON or as a word.
#[derive(Debug, Default)]
struct AttemptBodies {
    opening: Arc<str>,
    outcome: String,
    report: Arc<str>,
}

fn shared<T: Serialize>(value: &T) -> Result<Arc<str>, StoreError> {
    Ok(body(value)?.into())
}

impl AttemptBodies {
    fn of(change: Option<&AttemptChange>) -> Result<Self, StoreError> {
        let (opened, closed) = match change {
            Some(AttemptChange::Opened(attempt)) => (Some(attempt), None),
            Some(AttemptChange::ByHand { attempt, report }) => (Some(attempt), Some(&**report)),
            Some(AttemptChange::Closed { report, .. }) => (None, Some(&**report)),
            Some(AttemptChange::Refused { .. }) | None => (None, None),
        };
        Ok(Self {
            opening: opened.map(shared).transpose()?.unwrap_or_default(),
            outcome: closed
                .map(|report| word(report.outcome))
                .transpose()?
                .unwrap_or_default(),
            report: closed.map(shared).transpose()?.unwrap_or_default(),
        })
    }
}

impl Change {
    /// A decision that was made from version `expected`; an admission where there is none.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where a value has no JSON.
    pub(super) fn new(decision: Decision, expected: Option<u64>) -> Result<Self, StoreError> {
        Ok(Self {
            id: decision.task.id.as_str().into(),
            state: shared(&decision.task.state)?,
            history: shared(&decision.task.history)?,
            attempt: AttemptBodies::of(decision.attempt.as_ref())?,
            decision,
            expected,
        })
    }

    /// The task.
    pub(super) fn id(&self) -> &TaskId {
        &self.decision.task.id
    }

    /// Whether its task is new.
    pub(super) fn is_admission(&self) -> bool {
        self.expected.is_none()
    }

    /// The leadership that it was decided under, where it is a leader's to decide.
    pub(super) fn led(&self) -> Option<u64> {
        self.decision.led
    }

    /// Whether the change may be made on what is there.
    ///
    /// # Errors
    /// [`CommitError::Unknown`], [`CommitError::Conflict`] or [`CommitError::Fenced`].
    pub(super) fn check(&self, heads: &Heads) -> Result<(), CommitError> {
        self.fits(heads.get(self.id().as_str()).map(Base::from))
    }

    /// As [`Change::check`], on what the change supposes: only what contradicts itself is refused.
    ///
    /// # Errors
    /// [`CommitError::Fenced`].
    pub(super) fn check_supposed(&self) -> Result<(), CommitError> {
        self.fits(self.supposed())
    }

    fn fits(&self, head: Option<Base<'_>>) -> Result<(), CommitError> {
        let head = match (head, self.expected) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(CommitError::Unknown),
            (Some(head), Some(expected)) if head.version == expected => head,
            (Some(head), _) => return Err(CommitError::Conflict { actual: head.version }),
        };
        let Decision {
            task, attempt, gate, ..
        } = &self.decision;
        let opened = match attempt {
            Some(AttemptChange::Opened(attempt) | AttemptChange::ByHand { attempt, .. }) => {
                Some(attempt.epoch)
            }
            _ => None,
        };
        if head.epoch > task.epoch || gate.as_ref().is_some_and(|gate| gate.epoch != head.epoch) {
            return Err(CommitError::Fenced { actual: head.epoch });
        }
        if opened.is_some_and(|epoch| epoch != task.epoch) {
            return Err(self.fenced());
        }
        Ok(())
    }

    /// The head that most changes are made on: the version that it names, the wording that it has, an epoch that it may follow.
    fn supposed(&self) -> Option<Base<'_>> {
        let Decision { task, gate, .. } = &self.decision;
        self.expected.map(|version| Base {
            version,
            epoch: gate.as_ref().map_or(task.epoch, |gate| gate.epoch),
            definition_hash: &task.definition_hash,
            proven: false,
        })
    }

    /// What it means that the attempt's row was not as the change supposes.
    pub(super) fn fenced(&self) -> CommitError {
        CommitError::Fenced {
            actual: self.decision.task.epoch,
        }
    }
}

/// The rows of a group, in the order in which the tables refer to each other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch<'a> {
    pub(super) definitions: Vec<DefinitionRow<'a>>,
    pub(super) events: Vec<EventRow<'a>>,
    pub(super) admitted: Vec<AdmittedRow<'a>>,
    pub(super) gates: Vec<GateRow<'a>>,
    pub(super) receipts: Vec<ReceiptRow<'a>>,
    pub(super) moved: Vec<MovedRow<'a>>,
    pub(super) rewritten: Vec<RewrittenRow<'a>>,
    pub(super) opened: Vec<OpenedRow<'a>>,
    pub(super) closed: Vec<ClosedRow<'a>>,
    pub(super) refused: Vec<RefusedRow<'a>>,
    pub(super) effects: Vec<EffectRow<'a>>,
}

impl<'a> Batch<'a> {
    /// The rows of changes that [`Change::check`] let pass, each with the number of its event.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where a value has no JSON.
    pub(super) fn of(
        changes: impl IntoIterator<Item = (&'a Change, i64)>,
        heads: &Heads,
    ) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for (change, seq) in changes {
            batch.add(change, seq, heads.get(change.id().as_str()).map(Base::from))?;
        }
        Ok(batch)
    }

    /// As [`Batch::of`], for changes whose heads nobody read: each is taken to start from what it supposes. The statements that
    /// write must find version, wording and epoch so, and a number of rows that is lower tells that one of them is not.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where a value has no JSON.
    pub(super) fn supposing(
        changes: impl IntoIterator<Item = (&'a Change, i64)>,
    ) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for (change, seq) in changes {
            batch.add(change, seq, change.supposed())?;
        }
        Ok(batch)
    }

    fn add(&mut self, change: &'a Change, seq: i64, head: Option<Base<'_>>) -> Result<(), StoreError> {
        let Decision {
            task,
            entry,
            attempt,
            gate,
            ..
        } = &change.decision;
        let id = &change.id;
        let at = micros(entry.at);
        if head.is_none_or(|head| head.definition_hash != task.definition_hash) {
            self.definitions.push(DefinitionRow {
                is_first: head.is_none(),
                task: id,
                hash: &task.definition_hash,
                body: body(&task.definition)?,
            });
        }
        self.events.push(EventRow {
            seq,
            task: id,
            version: int(task.version),
            epoch: int(entry.epoch),
            at,
            kind: &entry.kind,
            from: &entry.from,
            to: &entry.to,
            why: &entry.why,
        });
        if let Some(gate) = gate {
            self.judge(id, gate, seq)?;
        }
        self.write(change, seq, head);
        if let Some(attempt) = attempt {
            self.attempt(id, attempt, &change.attempt, at);
        }
        self.promise(change, at)
    }

    /// The task's row.
    fn write(&mut self, change: &'a Change, seq: i64, head: Option<Base<'_>>) {
        let task = &change.decision.task;
        let step = Step {
            id: &change.id,
            version: int(task.version),
            epoch: int(task.epoch),
            seq,
            updated_at: micros(task.updated_at),
            state: &change.state,
            history: &change.history,
        };
        let wording = Wording {
            hash: &task.definition_hash,
            project: &task.definition.project,
            priority: rank(task.definition.priority),
        };
        let (Some(head), Some(expected)) = (head, change.expected.map(int)) else {
            let created_at = micros(task.created_at);
            self.admitted.push(AdmittedRow {
                step,
                wording,
                created_at,
            });
            return;
        };
        let gate = change.decision.gate.as_ref();
        let proof = proof(&task.state, gate.map(|gate| (gate, seq)));
        let held = gate.map(|gate| int(gate.epoch));
        if proof.is_none() && !head.proven && head.definition_hash == task.definition_hash {
            let hash = &task.definition_hash;
            self.moved.push(MovedRow {
                step,
                expected,
                held,
                hash,
            });
        } else {
            self.rewritten.push(RewrittenRow {
                step,
                expected,
                held,
                wording,
                proof,
            });
        }
    }

    fn judge(&mut self, id: &'a Arc<str>, gate: &'a GateRecord, seq: i64) -> Result<(), StoreError> {
        let report = &gate.report;
        self.gates.push(GateRow {
            seq,
            task: id,
            attempt: i64::from(gate.attempt),
            epoch: int(gate.epoch),
            commit: &report.commit,
            tree: &report.tree,
            verdict: gate.verdict.as_str(),
            started_at: micros(report.started_at),
            ended_at: micros(report.ended_at),
        });
        for (position, receipt) in (0..).zip(&report.receipts) {
            self.receipts.push(ReceiptRow {
                gate: seq,
                position,
                receipt,
                duration_us: i64::try_from(receipt.duration.as_micros()).unwrap_or(i64::MAX),
                source: word(receipt.source)?,
                files: body(&receipt.trace.files)?,
            });
        }
        Ok(())
    }

    fn attempt(&mut self, id: &'a Arc<str>, change: &'a AttemptChange, bodies: &'a AttemptBodies, at: i64) {
        match change {
            AttemptChange::Opened(attempt) => self.open(id, attempt, bodies),
            AttemptChange::ByHand { attempt, report } => {
                self.open(id, attempt, bodies);
                self.close(id, attempt.epoch, report, bodies, at);
            }
            AttemptChange::Closed { epoch, report, .. } => self.close(id, *epoch, report, bodies, at),
            // A person may claim a task that was never tried; then there is no attempt whose outcome could change.
            AttemptChange::Refused { epoch: 0, .. } => {}
            AttemptChange::Refused { epoch, reason, .. } => self.refused.push(RefusedRow {
                task: id,
                epoch: int(*epoch),
                reason,
            }),
        }
    }

    fn open(&mut self, id: &'a Arc<str>, attempt: &'a Attempt, bodies: &'a AttemptBodies) {
        self.opened.push(OpenedRow {
            task: id,
            epoch: int(attempt.epoch),
            n: i64::from(attempt.n),
            started_at: micros(attempt.started_at),
            opening: &bodies.opening,
            session: attempt.session.as_deref(),
        });
    }

    fn close(
        &mut self,
        id: &'a Arc<str>,
        epoch: u64,
        report: &'a AttemptReport,
        bodies: &'a AttemptBodies,
        at: i64,
    ) {
        self.closed.push(ClosedRow {
            task: id,
            epoch: int(epoch),
            ended_at: at,
            outcome: &bodies.outcome,
            reason: &report.reason,
            report: &bodies.report,
        });
    }

    /// The durable effects, keyed `<task>:<version>:<index>`.
    fn promise(&mut self, change: &'a Change, at: i64) -> Result<(), StoreError> {
        let task = &change.decision.task;
        for (index, effect) in change.decision.durable.iter().enumerate() {
            self.effects.push(EffectRow {
                key: format!("{}:{}:{index}", task.id, task.version),
                task: &change.id,
                kind: OutboxKind::word_of(effect),
                payload: body(effect)?,
                created_at: at,
            });
        }
        Ok(())
    }
}

/// What the end of a task must be proven by; none where it is not completed. A run of the gate that comes with it may be the proof.
fn proof<'a>(state: &'a State, run: Option<(&GateRecord, i64)>) -> Option<Proof<'a>> {
    match state {
        State::Ended {
            end:
                End::Completed {
                    attempt,
                    epoch,
                    commit,
                    ..
                },
            ..
        } => Some(Proof {
            attempt: i64::from(*attempt),
            epoch: int(*epoch),
            commit,
            gate: run
                .filter(|(gate, _)| {
                    gate.verdict == Verdict::Passed
                        && (gate.attempt, gate.epoch) == (*attempt, *epoch)
                        && gate.report.commit == *commit
                })
                .map(|(_, seq)| seq),
        }),
        _ => None,
    }
}

/// Parts a queue into what may go together, at most one a key, and what must wait for the next time, in its order.
pub(super) fn one_a_key<T, K: Eq + Hash>(queue: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, Vec<T>) {
    let mut seen = HashSet::new();
    queue.into_iter().partition(|item| seen.insert(key(item)))
}

/// Parts a list into parts, in its order, in each of which a key comes once: what a set-based change can take at one time.
pub(super) fn rounds<'t, T, K: Eq + Hash + ?Sized + 't>(
    items: &'t [T],
    key: impl Fn(&'t T) -> &'t K,
) -> Vec<Vec<&'t T>> {
    let mut rounds: Vec<Vec<&T>> = Vec::new();
    let mut met: HashMap<&K, usize> = HashMap::new();
    for item in items {
        let times = met.entry(key(item)).or_default();
        match rounds.get_mut(*times) {
            Some(round) => round.push(item),
            None => rounds.push(vec![item]),
        }
        *times += 1;
    }
    rounds
}
