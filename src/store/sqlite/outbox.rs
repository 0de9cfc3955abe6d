//! The outbox: durable effects, written with their decision, performed later, in order within a task and kind.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::bulk::{Bulk, text};
use crate::domain::report::Surface;
use crate::store::batch::EffectRow;
use crate::store::error::StoreError;
use crate::store::record::{Handed, OutboxKind, OutboxRow, TO, Waiting};
use crate::store::row::{OutboxLine, body, int, micros, surfaces, waiting};

/// What never failed is due whatever time it bears: the clock of whoever decided it may be ahead of this one.
pub(super) const DUE: &str = "SELECT o.* FROM outbox o WHERE o.done_at IS NULL AND o.kind = $1 AND (o.attempts = 0 OR o.not_before <= $2) \
    AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.done_at IS NULL AND e.task_id = o.task_id AND e.kind = o.kind \
    AND e.seq < o.seq AND e.attempts > 0 AND e.not_before > $2) ORDER BY o.seq LIMIT $3";

const DONE: &str = "UPDATE outbox SET done_at = $2, error = NULL \
    WHERE seq IN (SELECT value FROM json_each($1)) AND done_at IS NULL";
const HAND_OUT: &str = "INSERT INTO outbox (key, task_id, kind, payload, created_at, not_before) \
    SELECT o.key || '@' || (p.value ->> 1), o.task_id, $2 || (p.value ->> 1), o.payload, o.created_at, o.created_at \
    FROM json_each($1) p JOIN outbox o ON o.seq = (p.value ->> 0) WHERE o.done_at IS NULL ORDER BY o.seq \
    ON CONFLICT (key) DO NOTHING";
pub(super) const WAITING: &str = "SELECT count(*), min(created_at), \
    (SELECT e.error FROM outbox e WHERE e.done_at IS NULL AND e.kind = $1 ORDER BY e.seq LIMIT 1) \
    FROM outbox WHERE done_at IS NULL AND kind = $1";

/// From `to:` to what comes behind all that begins so.
const SURFACES: &str =
    "SELECT DISTINCT kind FROM outbox WHERE done_at IS NULL AND kind > 'to:' AND kind < 'to;'";
const GIVE_UP: &str = "UPDATE outbox SET done_at = $3, error = 'no such surface is configured' \
    WHERE done_at IS NULL AND kind = $1 AND created_at < $2";

impl SqliteStore {
    pub(super) async fn outbox_surfaces(&self) -> Result<Vec<Surface>, StoreError> {
        let kinds: Vec<(String,)> = sqlx::query_as(SURFACES).fetch_all(&self.readers).await?;
        Ok(surfaces(kinds))
    }

    pub(super) async fn outbox_give_up(
        &self,
        surface: &Surface,
        before: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let channel = OutboxKind::To(surface.clone()).word().into_owned();
        self.writer
            .run(move |conn| {
                Box::pin(async move {
                    let given_up = sqlx::query(GIVE_UP)
                        .bind(channel)
                        .bind(micros(before))
                        .bind(micros(at))
                        .execute(conn)
                        .await?;
                    Ok(given_up.rows_affected())
                })
            })
            .await
    }

    pub(super) async fn outbox_due(
        &self,
        kind: OutboxKind,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows: Vec<OutboxLine> = sqlx::query_as(DUE)
            .bind(kind.word())
            .bind(micros(now))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.into_iter().map(OutboxLine::into_row).collect()
    }

    pub(super) async fn outbox_done(&self, seqs: Vec<u64>, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(DONE)
                        .bind(body(&seqs)?)
                        .bind(micros(at))
                        .execute(conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    pub(super) async fn hand_out(
        &self,
        seqs: Vec<u64>,
        to: Vec<Handed>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                Box::pin(async move {
                    let pairs: Vec<(u64, &str)> = to.iter().map(|one| (one.seq, one.to.as_str())).collect();
                    sqlx::query(HAND_OUT)
                        .bind(body(&pairs)?)
                        .bind(TO)
                        .execute(&mut *conn)
                        .await?;
                    sqlx::query(DONE)
                        .bind(body(&seqs)?)
                        .bind(micros(at))
                        .execute(conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    pub(super) async fn outbox_waiting(&self, kind: OutboxKind) -> Result<Option<Waiting>, StoreError> {
        waiting(
            sqlx::query_as(WAITING)
                .bind(kind.word())
                .fetch_one(&self.readers)
                .await?,
        )
    }

    pub(super) async fn outbox_failed(
        &self,
        seq: u64,
        error: String,
        not_before: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE outbox SET attempts = attempts + 1, error = $2, not_before = $3 \
                         WHERE seq = $1 AND done_at IS NULL",
                    )
                    .bind(int(seq))
                    .bind(error)
                    .bind(micros(not_before))
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

static PROMISE: Bulk = Bulk::new(
    5,
    "INSERT INTO outbox (key, task_id, kind, payload, created_at, not_before) \
     SELECT *, column5 FROM ({rows}) WHERE column1 IS NOT NULL",
);

pub(super) async fn put(conn: &mut SqliteConnection, rows: &[EffectRow<'_>]) -> Result<u64, StoreError> {
    PROMISE
        .run(conn, rows, |query, row| {
            query
                .bind(text(&row.key))
                .bind(row.task.clone())
                .bind(text(row.kind))
                .bind(text(&row.payload))
                .bind(row.created_at)
        })
        .await
}
