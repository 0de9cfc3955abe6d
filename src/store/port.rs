//! The port: the verbs that every engine has, with what each promises.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::Value;

use super::error::{CommitError, StoreError};
use super::postgres::{OutputLog, Roster};
use super::record::{
    AttemptFacts, AttemptRecord, Beat, Committed, Event, Filter, Flag, GateRun, Handed, Mirrored, OutboxKind,
    OutboxRow, Page, ProgressMark, Standing, Stored, Trimmed, Waiting,
};
use super::talk::Talk;
use crate::domain::decide::{Decision, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::id::TaskId;
use crate::domain::report::Surface;
use crate::domain::task::Task;

/// The store of one instance, whatever its engine. Held as `Arc<dyn Store>`; every verb takes `&self`.
#[async_trait]
pub trait Store: Talk + Send + Sync + fmt::Debug {
    /// Who else works on it, where several may.
    fn roster(&self) -> Option<Roster> {
        None
    }

    /// What workers put out on any of its nodes, where several may work on it.
    fn output_log(&self) -> Option<OutputLog> {
        None
    }

    /// Takes a new task in.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] where it is there already, with the version that it has.
    async fn admit(
        &self,
        task: &Task,
        entry: LogEntry,
        durable: Vec<Durable>,
    ) -> Result<Committed, CommitError>;

    /// Commits a decision that was made from version `expected` of its task.
    ///
    /// # Errors
    /// [`CommitError`]: decide again after a conflict; a fenced writer stops its worker; [`StoreError::Refused`] where a
    /// rule of the schema is broken, for example a completed task without a passed gate.
    async fn commit(&self, decision: Decision, expected: u64) -> Result<Committed, CommitError>;

    /// Commits decisions, each as [`Store::commit`] would, in as few transactions as possible.
    /// One that is refused does not hold up the others; the answers have the order of the decisions.
    async fn commit_all(&self, decisions: Vec<(Decision, u64)>) -> Vec<Result<Committed, CommitError>> {
        join_all(
            decisions
                .into_iter()
                .map(|(decision, expected)| self.commit(decision, expected)),
        )
        .await
    }

    /// Records signs of life, all in one commit. Answers whose were refused because their attempt is not the open one.
    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<TaskId>, StoreError>;

    /// Records how far the output of workers was taken in, all in one commit. Answers whose were refused because their
    /// attempt is not the open one.
    async fn progress(&self, marks: Vec<ProgressMark>) -> Result<Vec<TaskId>, StoreError>;

    /// What was last seen of the newest attempt of a task; none where it was never tried.
    async fn attempt_facts(&self, id: &TaskId) -> Result<Option<AttemptFacts>, StoreError>;

    /// What was last seen of every open attempt.
    async fn open_facts(&self) -> Result<HashMap<TaskId, AttemptFacts>, StoreError>;

    /// All attempts of a task, the oldest first.
    async fn attempts(&self, id: &TaskId) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut all = self.attempts_of(std::slice::from_ref(id)).await?;
        Ok(all.remove(id).unwrap_or_default())
    }

    /// All attempts of many tasks, the oldest first; tasks that were never tried are absent.
    async fn attempts_of(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, Vec<AttemptRecord>>, StoreError>;

    /// All runs of the gate over a task, the oldest first.
    async fn gates(&self, id: &TaskId) -> Result<Vec<GateRun>, StoreError>;

    /// The newest run of the gate over a task.
    async fn latest_gate(&self, id: &TaskId) -> Result<Option<GateRun>, StoreError> {
        Ok(self.latest_gates(std::slice::from_ref(id)).await?.remove(id))
    }

    /// The newest run of the gate over each of many tasks; tasks that were never judged are absent.
    async fn latest_gates(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, GateRun>, StoreError>;

    /// A fact of the instance.
    async fn flag(&self, name: &str) -> Result<Option<Flag>, StoreError>;

    /// Sets a fact of the instance; no value removes it.
    async fn set_flag(&self, name: &str, value: Option<Value>, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Remembers what the queue file was told of a task. An older version than remembered changes nothing.
    async fn set_mirrored(&self, id: &TaskId, told: Mirrored) -> Result<(), StoreError> {
        self.set_mirrored_all(vec![(id.clone(), told)]).await
    }

    /// As [`Store::set_mirrored`], for many tasks in one commit.
    async fn set_mirrored_all(&self, told: Vec<(TaskId, Mirrored)>) -> Result<(), StoreError>;

    /// What the queue file was last told of a task.
    async fn mirrored(&self, id: &TaskId) -> Result<Option<Mirrored>, StoreError>;

    /// What the queue file was last told of every live task.
    async fn mirrored_live(&self) -> Result<HashMap<TaskId, Mirrored>, StoreError>;

    /// Removes what is older than `keep`: performed outbox rows, and events of ended tasks but for the last of each.
    /// Takes a bounded number of rows; call again while it finds any.
    async fn trim(&self, now: DateTime<Utc>, keep: TimeDelta) -> Result<Trimmed, StoreError>;

    /// What is to be performed now, in order. A row that waits after a failure holds back the later ones of its task and
    /// kind; so whoever performs them stops at the first failure of a task and goes on with the next task.
    async fn outbox_due(
        &self,
        kind: OutboxKind,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// Records that rows were performed. Rows that are done already stay as they are.
    async fn outbox_done(&self, seqs: Vec<u64>, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Records that a row could not be performed, and when to try it again.
    async fn outbox_failed(
        &self,
        seq: u64,
        error: String,
        not_before: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Hands reports on to surfaces, each as a row of its channel, and records that the reports `seqs` were performed, in
    /// one commit. The key of a row is its report's, `@`, and the surface; one that is there already stays as it is.
    async fn hand_out(&self, seqs: Vec<u64>, to: Vec<Handed>, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// What waits in a channel; none where nothing does.
    async fn outbox_waiting(&self, kind: OutboxKind) -> Result<Option<Waiting>, StoreError>;

    /// The surfaces for which reports wait, whether or not the configuration still has them, by name.
    async fn outbox_surfaces(&self) -> Result<Vec<Surface>, StoreError>;

    /// Gives up what waits for a surface and was decided before a time: it counts as performed, with why. Answers how many
    /// rows it was.
    async fn outbox_give_up(
        &self,
        surface: &Surface,
        before: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Every task that is not over, by id.
    async fn live(&self) -> Result<Vec<Task>, StoreError>;

    /// The ids of every task that is not over.
    async fn live_ids(&self) -> Result<BTreeSet<TaskId>, StoreError>;

    /// One task, live or over.
    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError>;

    /// A part of the tasks that the filter finds, the last changed first.
    async fn tasks(&self, filter: &Filter) -> Result<Page<Task>, StoreError>;

    /// Every task that changed after event `seq`, in the order of the changes, and the number to ask with next time.
    async fn changed_since(&self, seq: u64) -> Result<(Vec<Task>, u64), StoreError>;

    /// The number of the newest change of any task; 0 where there is none.
    async fn newest_seq(&self) -> Result<u64, StoreError>;

    /// A number that changes when another process has committed; so cheap that it may be asked every second.
    /// What this store itself commits does not change it.
    async fn data_version(&self) -> Result<i64, StoreError>;

    /// How the named tasks stand; those that are not in the store are absent.
    async fn dependency_states(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, Standing>, StoreError>;

    /// How much of what there is, for monitoring.
    async fn figures(&self) -> Result<Stored, StoreError>;

    /// The newest `limit` events of a task, the oldest of them first.
    async fn events(&self, id: &TaskId, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Waits until another process has written since [`Store::data_version`] was last asked; for ever where the engine cannot tell.
    /// A wake-up may be early or come twice.
    async fn another_wrote(&self) {
        std::future::pending().await
    }

    /// Tells other processes at once that this one wrote, where the engine can; they are told anyway a moment later, unless this
    /// process ends before.
    async fn announce(&self) {}

    /// Writes what waits and closes every connection. Dropping the store does the same, without waiting for it.
    async fn close(&self);
}
