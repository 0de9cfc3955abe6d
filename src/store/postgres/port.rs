//! The port's verbs, each where its concern is.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::work::Work;
use super::{OutputLog, PostgresStore, Roster};
use crate::domain::decide::{Decision, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::id::TaskId;
use crate::domain::report::Surface;
use crate::domain::task::Task;
use crate::store::Store;
use crate::store::batch::Change;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::{
    AttemptFacts, AttemptRecord, Beat, Committed, Event, Filter, Flag, GateRun, Handed, Mirrored, OutboxKind,
    OutboxRow, Page, ProgressMark, Standing, Stored, Trimmed, Waiting,
};

// An inherent verb goes before the trait's of the same name.
#[async_trait]
impl Store for PostgresStore {
    fn roster(&self) -> Option<Roster> {
        Some(Roster::new(self.server.clone()))
    }

    fn output_log(&self) -> Option<OutputLog> {
        Some(OutputLog::new(self.server.clone()))
    }

    async fn admit(
        &self,
        task: &Task,
        entry: LogEntry,
        durable: Vec<Durable>,
    ) -> Result<Committed, CommitError> {
        let decision = Decision {
            task: task.clone(),
            entry,
            attempt: None,
            gate: None,
            durable,
            led: None,
        };
        let change = Change::new(decision, None)?;
        self.writer.change(Work::Change(Box::new(change))).await
    }

    async fn commit(&self, decision: Decision, expected: u64) -> Result<Committed, CommitError> {
        let change = Change::new(decision, Some(expected))?;
        self.writer.change(Work::Change(Box::new(change))).await
    }

    async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<TaskId>, StoreError> {
        match beats.is_empty() {
            true => Ok(Vec::new()),
            false => self.writer.refused(Work::Beats(beats)).await,
        }
    }

    async fn progress(&self, marks: Vec<ProgressMark>) -> Result<Vec<TaskId>, StoreError> {
        match marks.is_empty() {
            true => Ok(Vec::new()),
            false => self.writer.refused(Work::Marks(marks)).await,
        }
    }

    async fn attempt_facts(&self, id: &TaskId) -> Result<Option<AttemptFacts>, StoreError> {
        Self::attempt_facts(self, id).await
    }

    async fn open_facts(&self) -> Result<HashMap<TaskId, AttemptFacts>, StoreError> {
        Self::open_facts(self).await
    }

    async fn attempts_of(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, Vec<AttemptRecord>>, StoreError> {
        Self::attempts_of(self, ids).await
    }

    async fn gates(&self, id: &TaskId) -> Result<Vec<GateRun>, StoreError> {
        Self::gates(self, id).await
    }

    async fn latest_gates(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, GateRun>, StoreError> {
        Self::latest_gates(self, ids).await
    }

    async fn flag(&self, name: &str) -> Result<Option<Flag>, StoreError> {
        Self::flag(self, name).await
    }

    async fn set_flag(&self, name: &str, value: Option<Value>, at: DateTime<Utc>) -> Result<(), StoreError> {
        Self::set_flag(self, name, value, at).await
    }

    async fn set_mirrored_all(&self, told: Vec<(TaskId, Mirrored)>) -> Result<(), StoreError> {
        Self::set_mirrored_all(self, told).await
    }

    async fn mirrored(&self, id: &TaskId) -> Result<Option<Mirrored>, StoreError> {
        Self::mirrored(self, id).await
    }

    async fn mirrored_live(&self) -> Result<HashMap<TaskId, Mirrored>, StoreError> {
        Self::mirrored_live(self).await
    }

    async fn trim(&self, now: DateTime<Utc>, keep: TimeDelta) -> Result<Trimmed, StoreError> {
        Self::trim(self, now, keep).await
    }

    async fn outbox_due(
        &self,
        kind: OutboxKind,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        Self::outbox_due(self, kind, now, limit).await
    }

    async fn outbox_done(&self, seqs: Vec<u64>, at: DateTime<Utc>) -> Result<(), StoreError> {
        Self::outbox_done(self, seqs, at).await
    }

    async fn outbox_failed(
        &self,
        seq: u64,
        error: String,
        not_before: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Self::outbox_failed(self, seq, error, not_before).await
    }

    async fn hand_out(&self, seqs: Vec<u64>, to: Vec<Handed>, at: DateTime<Utc>) -> Result<(), StoreError> {
        Self::hand_out(self, seqs, to, at).await
    }

    async fn outbox_waiting(&self, kind: OutboxKind) -> Result<Option<Waiting>, StoreError> {
        Self::outbox_waiting(self, kind).await
    }

    async fn outbox_surfaces(&self) -> Result<Vec<Surface>, StoreError> {
        Self::outbox_surfaces(self).await
    }

    async fn outbox_give_up(
        &self,
        surface: &Surface,
        before: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Self::outbox_give_up(self, surface, before, at).await
    }

    async fn live(&self) -> Result<Vec<Task>, StoreError> {
        Self::live(self).await
    }

    async fn live_ids(&self) -> Result<BTreeSet<TaskId>, StoreError> {
        Self::live_ids(self).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        Self::task(self, id).await
    }

    async fn tasks(&self, filter: &Filter) -> Result<Page<Task>, StoreError> {
        Self::tasks(self, filter).await
    }

    async fn changed_since(&self, seq: u64) -> Result<(Vec<Task>, u64), StoreError> {
        Self::changed_since(self, seq).await
    }

    async fn newest_seq(&self) -> Result<u64, StoreError> {
        Self::newest_seq(self).await
    }

    async fn data_version(&self) -> Result<i64, StoreError> {
        Self::data_version(self).await
    }

    async fn dependency_states(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, Standing>, StoreError> {
        Self::dependency_states(self, ids).await
    }

    async fn figures(&self) -> Result<Stored, StoreError> {
        Self::figures(self).await
    }

    async fn events(&self, id: &TaskId, limit: u32) -> Result<Vec<Event>, StoreError> {
        Self::events(self, id, limit).await
    }

    async fn another_wrote(&self) {
        Self::another_wrote(self).await
    }

    async fn announce(&self) {
        self.herald.announce().await
    }

    async fn close(&self) {
        Self::close(self).await
    }
}
