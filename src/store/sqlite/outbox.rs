//! The outbox: durable effects, written with their decision, performed later, in order within a task and kind.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::domain::effect::Durable;
use crate::domain::task::Task;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::{OutboxKind, OutboxRow};
use crate::store::row::{OutboxLine, body, int, micros};

pub(super) const DUE: &str = "SELECT o.* FROM outbox o WHERE o.done_at IS NULL AND o.kind = $1 AND o.not_before <= $2 \
    AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.done_at IS NULL AND e.task_id = o.task_id AND e.kind = o.kind \
    AND e.seq < o.seq AND e.not_before > $2) ORDER BY o.seq LIMIT $3";

impl SqliteStore {
    pub(super) async fn outbox_due(
        &self,
        kind: OutboxKind,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows: Vec<OutboxLine> = sqlx::query_as(DUE)
            .bind(kind.as_str())
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
                    sqlx::query(
                        "UPDATE outbox SET done_at = $2, error = NULL \
                         WHERE seq IN (SELECT value FROM json_each($1)) AND done_at IS NULL",
                    )
                    .bind(body(&seqs)?)
                    .bind(micros(at))
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await
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

/// Writes the durable effects of a decision, keyed `<task>:<version>:<index>`.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    task: &Task,
    durable: &[Durable],
    at: DateTime<Utc>,
) -> Result<(), CommitError> {
    for (index, effect) in durable.iter().enumerate() {
        sqlx::query(
            "INSERT INTO outbox (key, task_id, kind, payload, created_at, not_before) VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(format!("{}:{}:{index}", task.id, task.version))
        .bind(task.id.as_str())
        .bind(OutboxKind::of(effect).as_str())
        .bind(body(effect)?)
        .bind(micros(at))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
