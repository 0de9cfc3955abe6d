//! The outbox: durable effects are performed at least once, in order, and marked done.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::instance::Instance;
use super::queue_sync::{MirrorError, QueueSync};
use crate::chat::console;
use crate::domain::effect::Durable;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::format::progress;
use crate::store::{Handed, OutboxKind, OutboxRow, StoreError};

/// Rows taken in one go.
const BATCH: u32 = 200;
/// The first wait after a failure; it grows with each one.
const PAUSE: TimeDelta = TimeDelta::seconds(5);

/// What of the outbox is this node's to perform.
#[derive(Debug)]
pub struct Share {
    /// Telling people.
    pub reports: bool,
    /// The queue file.
    pub queue: bool,
    /// The progress files.
    pub progress: Files,
}

/// Whose progress files.
#[derive(Debug)]
pub enum Files {
    /// Those of these tasks.
    Of(BTreeSet<TaskId>),
    /// Those of all but these.
    AllBut(BTreeSet<TaskId>),
}

impl Share {
    /// All of it, where there is no fleet.
    pub fn all() -> Self {
        Self {
            reports: true,
            queue: true,
            progress: Files::AllBut(BTreeSet::new()),
        }
    }
}

impl Files {
    fn has(&self, id: &TaskId) -> bool {
        match self {
            Self::Of(ids) => ids.contains(id),
            Self::AllBut(ids) => !ids.contains(id),
        }
    }
}

/// Performs durable effects.
pub struct Outbox {
    instance: Arc<Instance>,
    retry_at: Option<DateTime<Utc>>,
    /// Reports that were told, and could not be marked as done.
    told: BTreeSet<u64>,
    /// Before this time the queue file is not corrected again.
    correct_at: Option<DateTime<Utc>>,
    /// What is on its way to the queue's repository.
    sending: (Vec<OutboxRow>, Vec<Task>),
    /// Whether something waits for that, or is on its way.
    gathers: bool,
}

impl Outbox {
    /// For an instance.
    pub fn new(instance: Arc<Instance>) -> Self {
        Self {
            instance,
            retry_at: None,
            told: BTreeSet::new(),
            correct_at: None,
            sending: Default::default(),
            gathers: false,
        }
    }

    /// When something that failed is due again.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.retry_at
    }

    /// Performs all that is due and this node's.
    pub async fn flush(&mut self, queue: &mut QueueSync, share: &Share) -> Result<(), StoreError> {
        let now = self.instance.clock.now();
        self.retry_at = self.retry_at.filter(|t| *t > now);
        if share.reports {
            self.tell_people().await?;
        }
        self.log_progress(&share.progress).await?;
        match share.queue {
            true => self.mirror(queue).await,
            false => Ok(()),
        }
    }

    async fn due(&self, kind: OutboxKind) -> Result<Vec<OutboxRow>, StoreError> {
        self.instance
            .store
            .outbox_due(kind, self.instance.clock.now(), BATCH)
            .await
    }

    async fn done(&self, rows: &[OutboxRow]) -> Result<(), StoreError> {
        let seqs = rows.iter().map(|r| r.seq).collect();
        self.instance
            .store
            .outbox_done(seqs, self.instance.clock.now())
            .await
    }

    async fn failed(&mut self, row: &OutboxRow, error: String) -> Result<(), StoreError> {
        tracing::error!(task = %row.task, %error, "not done now, tried again later");
        let wait = PAUSE * i32::try_from(row.attempts + 1).unwrap_or(i32::MAX).min(12);
        let at = self.instance.clock.now() + wait;
        self.retry_at = Some(self.retry_at.map_or(at, |t| t.min(at)));
        self.instance.store.outbox_failed(row.seq, error, at).await
    }

    /// Prints what is to be told, and hands it to the surfaces, whose couriers bring it.
    async fn tell_people(&mut self) -> Result<(), StoreError> {
        loop {
            let rows = self.due(OutboxKind::Report).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                if let Durable::Report(report) = &row.effect
                    && self.told.insert(row.seq)
                    && self.instance.reports_on_console
                    && let Err(error) = console::post(&row.task, report, row.created_at)
                {
                    // Nobody reads our output any more: the report is in the log, and repeating would not help.
                    tracing::debug!(task = %row.task, %error, "the console is gone");
                }
            }
            let to = self.addressed(&rows).await?;
            if to.is_empty() {
                self.done(&rows).await?;
                self.told.clear();
                continue;
            }
            let (seqs, now) = (
                rows.iter().map(|row| row.seq).collect(),
                self.instance.clock.now(),
            );
            self.instance.store.hand_out(seqs, to, now).await?;
            self.told.clear();
            self.instance.handed.send_replace(());
        }
    }

    /// Which surfaces want which of these reports.
    async fn addressed(&self, rows: &[OutboxRow]) -> Result<Vec<Handed>, StoreError> {
        let chats = &self.instance.config.chat;
        let mut to = Vec::new();
        if chats.is_empty() {
            return Ok(to);
        }
        for row in rows {
            let Durable::Report(report) = &row.effect else {
                continue;
            };
            let task = self.instance.store.task(&row.task).await?;
            let project = task.map(|task| task.definition.project).unwrap_or_default();
            let wanted = chats.iter().filter(|(_, chat)| chat.wants(&project, report));
            to.extend(wanted.map(|(surface, _)| Handed {
                seq: row.seq,
                to: surface.clone(),
            }));
        }
        Ok(to)
    }

    async fn log_progress(&mut self, files: &Files) -> Result<(), StoreError> {
        let mut rows = self.due(OutboxKind::Progress).await?;
        rows.retain(|row| files.has(&row.task));
        for row in rows {
            let Durable::Progress { line } = &row.effect else {
                continue;
            };
            match self
                .instance
                .files
                .log(&row.task, |text| progress::append_log(text, row.created_at, line))
            {
                Ok(()) => self.done(std::slice::from_ref(&row)).await?,
                Err(error) => self.failed(&row, error.to_string()).await?,
            }
        }
        Ok(())
    }

    /// By commit and push, beside the loop: the rows are done once their edits have arrived.
    async fn send(&mut self, queue: &mut QueueSync) -> Result<(), StoreError> {
        if let Some(arrived) = queue.take_arrived() {
            let (rows, tasks) = std::mem::take(&mut self.sending);
            if arrived {
                self.done(&rows).await?;
                self.put_away(&tasks).await;
            }
        }
        if queue.is_sending() {
            return Ok(());
        }
        let rows = self.due(OutboxKind::Mirror).await?;
        self.gathers = !(rows.is_empty() && queue.corrections().is_empty());
        if !self.gathers {
            queue.rest();
        } else if queue.may_send(self.instance.clock.now()) {
            let tasks = self.tasks(&rows, queue).await?;
            queue.send(tasks.clone());
            self.sending = (rows, tasks);
        }
        Ok(())
    }

    /// Whether something for the queue's repository waits, or is on its way.
    pub fn gathers(&self) -> bool {
        self.gathers
    }

    /// The tasks of these rows, and those whose values in the file are wrong.
    async fn tasks(&self, rows: &[OutboxRow], queue: &QueueSync) -> Result<Vec<Task>, StoreError> {
        let mut ids: BTreeSet<&TaskId> = rows.iter().map(|row| &row.task).collect();
        ids.extend(queue.corrections());
        let mut tasks = Vec::with_capacity(ids.len());
        for id in ids {
            tasks.extend(self.instance.store.task(id).await?);
        }
        Ok(tasks)
    }

    async fn mirror(&mut self, queue: &mut QueueSync) -> Result<(), StoreError> {
        if queue.is_repository() {
            return self.send(queue).await;
        }
        let rows = self.due(OutboxKind::Mirror).await?;
        if rows.len() == BATCH as usize {
            self.retry_at = Some(self.instance.clock.now());
        }
        let mut ids: BTreeSet<TaskId> = rows.iter().map(|r| r.task.clone()).collect();
        let now = self.instance.clock.now();
        if self.correct_at.is_none_or(|at| at <= now) {
            ids.extend(queue.corrections().iter().cloned());
        }
        let mut tasks: Vec<Task> = Vec::with_capacity(ids.len());
        for id in &ids {
            tasks.extend(self.instance.store.task(id).await?);
        }
        match queue.mirror(&self.instance, &tasks).await {
            Ok(()) => {
                self.done(&rows).await?;
                self.put_away(&tasks).await;
                Ok(())
            }
            Err(MirrorError::Store(error)) => Err(error),
            Err(error) => {
                for row in &rows {
                    self.failed(row, error.to_string()).await?;
                }
                if rows.is_empty() {
                    tracing::error!(%error, "the queue file is not corrected now, tried again later");
                }
                self.correct_at = Some(now + PAUSE);
                self.retry_at = self.retry_at.max(self.correct_at);
                Ok(())
            }
        }
    }

    /// What a task that is over no longer needs: its heartbeat file and its checkout (the branch stays).
    async fn put_away(&self, tasks: &[Task]) {
        for task in tasks.iter().filter(|t| t.state.is_ended()) {
            if let Err(error) = self.instance.files.heartbeats.remove(&task.id) {
                tracing::warn!(task = %task.id, %error, "its heartbeat file stays");
            }
            if let Err(error) = self.instance.workspaces.remove_worktree(&task.id).await {
                tracing::warn!(task = %task.id, %error, "its checkout stays");
            }
        }
        self.put_spares_away();
    }

    /// Of repositories that no task works on any more.
    fn put_spares_away(&self) {
        if self.instance.spares.is_empty() {
            return;
        }
        match self.instance.workspaces.in_use() {
            Ok(used) => self.instance.spares.retain(&used),
            Err(error) => tracing::warn!(%error, "spare checkouts stay"),
        }
    }
}
