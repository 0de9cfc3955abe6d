//! The outbox: what is to be performed now, and what became of it.

use chrono::{DateTime, Utc};

use super::PostgresStore;
use super::work::Work;
use crate::domain::report::Surface;
use crate::store::error::StoreError;
use crate::store::record::{Handed, OutboxKind, OutboxRow, Waiting};
use crate::store::row::{OutboxLine, int, micros, surfaces, waiting};

/// What never failed is due whatever time it bears: the clock of whoever decided it may be ahead of this one.
const DUE: &str = "SELECT o.seq, o.key, o.task_id, o.payload::text AS payload, o.created_at, o.attempts, o.error FROM outbox o \
    WHERE o.done_at IS NULL AND o.kind = $1 AND (o.attempts = 0 OR o.not_before <= $2) \
    AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.done_at IS NULL AND e.task_id = o.task_id AND e.kind = o.kind \
    AND e.seq < o.seq AND e.attempts > 0 AND e.not_before > $2) ORDER BY o.seq LIMIT $3";

const WAITING: &str = "SELECT count(*), min(created_at), \
    (SELECT e.error FROM outbox e WHERE e.done_at IS NULL AND e.kind = $1 ORDER BY e.seq LIMIT 1) \
    FROM outbox WHERE done_at IS NULL AND kind = $1";

/// From `to:` to what comes behind all that begins so.
const SURFACES: &str = "SELECT DISTINCT kind FROM outbox WHERE done_at IS NULL AND kind COLLATE \"C\" > 'to:' AND kind COLLATE \"C\" < 'to;'";
const GIVE_UP: &str = "UPDATE outbox SET done_at = $3, error = 'no such surface is configured' \
    WHERE done_at IS NULL AND kind = $1 AND created_at < $2";

impl PostgresStore {
    pub(super) async fn outbox_surfaces(&self) -> Result<Vec<Surface>, StoreError> {
        let look = |pool| async move { sqlx::query_as(SURFACES).fetch_all(&pool).await };
        let kinds: Vec<(String,)> = self.read(look).await?;
        Ok(surfaces(kinds))
    }

    pub(super) async fn outbox_give_up(
        &self,
        surface: &Surface,
        before: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let channel = OutboxKind::To(surface.clone()).word();
        // Said twice it does the same.
        let give_up = |pool| {
            let query = sqlx::query(GIVE_UP).bind(channel.clone());
            let query = query.bind(micros(before)).bind(micros(at));
            async move { query.execute(&pool).await }
        };
        Ok(self.read(give_up).await?.rows_affected())
    }

    pub(super) async fn outbox_due(
        &self,
        kind: OutboxKind,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let channel = kind.word();
        let due = |pool| {
            let query = sqlx::query_as(DUE).bind(channel.clone());
            let query = query.bind(micros(now)).bind(i64::from(limit));
            async move { query.fetch_all(&pool).await }
        };
        let rows: Vec<OutboxLine> = self.read(due).await?;
        rows.into_iter().map(OutboxLine::into_row).collect()
    }

    pub(super) async fn outbox_done(&self, seqs: Vec<u64>, at: DateTime<Utc>) -> Result<(), StoreError> {
        let seqs = seqs.into_iter().map(int).collect();
        self.writer.done(Work::Performed { seqs, at: micros(at) }).await
    }

    pub(super) async fn hand_out(
        &self,
        seqs: Vec<u64>,
        to: Vec<Handed>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let to = to.into_iter().map(|one| (int(one.seq), one.to)).collect();
        let seqs = seqs.into_iter().map(int).collect();
        let at = micros(at);
        self.writer.done(Work::HandedOut { seqs, to, at }).await
    }

    pub(super) async fn outbox_waiting(&self, kind: OutboxKind) -> Result<Option<Waiting>, StoreError> {
        let channel = kind.word();
        let count = |pool| {
            let query = sqlx::query_as(WAITING).bind(channel.clone());
            async move { query.fetch_one(&pool).await }
        };
        waiting(self.read(count).await?)
    }

    pub(super) async fn outbox_failed(
        &self,
        seq: u64,
        error: String,
        not_before: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer
            .done(Work::NotPerformed {
                seq: int(seq),
                error,
                not_before: micros(not_before),
            })
            .await
    }
}
