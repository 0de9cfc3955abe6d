//! Runs of the gate and their receipts. They are written once, with the decision that follows from them, and never change.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::SqliteStore;
use super::bulk::{Bulk, text};
use crate::domain::gate::Receipt;
use crate::domain::id::TaskId;
use crate::store::batch;
use crate::store::error::StoreError;
use crate::store::record::GateRun;
use crate::store::row::{GateRow, ReceiptRow, body, int, micros, task_id};

impl SqliteStore {
    pub(super) async fn gates(&self, id: &TaskId) -> Result<Vec<GateRun>, StoreError> {
        let rows: Vec<GateRow> = sqlx::query_as("SELECT * FROM gate WHERE task_id = $1 ORDER BY seq")
            .bind(id.as_str())
            .fetch_all(&self.readers)
            .await?;
        Ok(self
            .with_receipts(rows)
            .await?
            .into_iter()
            .map(|(_, run)| run)
            .collect())
    }

    pub(super) async fn latest_gates(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, GateRun>, StoreError> {
        let rows: Vec<GateRow> = sqlx::query_as(
            "SELECT g.* FROM json_each($1) j JOIN gate g \
             ON g.seq = (SELECT max(seq) FROM gate WHERE task_id = j.value)",
        )
        .bind(body(&ids)?)
        .fetch_all(&self.readers)
        .await?;
        Ok(self.with_receipts(rows).await?.into_iter().collect())
    }

    async fn with_receipts(&self, rows: Vec<GateRow>) -> Result<Vec<(TaskId, GateRun)>, StoreError> {
        let wanted: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let receipts: Vec<ReceiptRow> = sqlx::query_as(
            "SELECT r.* FROM json_each($1) j JOIN receipt r ON r.gate_seq = j.value ORDER BY r.gate_seq, r.position",
        )
        .bind(body(&wanted)?)
        .fetch_all(&self.readers)
        .await?;
        let mut by_gate: HashMap<i64, Vec<Receipt>> = HashMap::new();
        for row in receipts {
            by_gate.entry(row.gate_seq).or_default().push(row.into_receipt()?);
        }
        rows.into_iter()
            .map(|row| {
                let id = task_id(&row.task_id)?;
                let receipts = by_gate.remove(&row.seq).unwrap_or_default();
                Ok((id, row.into_run(receipts)?))
            })
            .collect()
    }
}

static JUDGE: Bulk = Bulk::new(
    9,
    "INSERT INTO gate (seq, task_id, attempt, epoch, commit_id, tree, verdict, started_at, ended_at) \
     SELECT * FROM ({rows}) WHERE column1 IS NOT NULL",
);

pub(super) async fn put(conn: &mut SqliteConnection, rows: &[batch::GateRow<'_>]) -> Result<u64, StoreError> {
    JUDGE
        .run(conn, rows, |query, row| {
            query
                .bind(row.seq)
                .bind(row.task.clone())
                .bind(row.attempt)
                .bind(row.epoch)
                .bind(text(row.commit))
                .bind(text(row.tree))
                .bind(text(row.verdict))
                .bind(row.started_at)
                .bind(row.ended_at)
        })
        .await
}

static RECEIVE: Bulk = Bulk::new(
    19,
    "INSERT INTO receipt (gate_seq, position, name, category, source, directory, commit_id, command, exit_code, \
     verdict, started_at, duration_us, output_tail, output_sha256, tree, environment, sandbox, output_bytes, files) \
     SELECT * FROM ({rows}) WHERE column1 IS NOT NULL",
);

pub(super) async fn put_receipts(
    conn: &mut SqliteConnection,
    rows: &[batch::ReceiptRow<'_>],
) -> Result<u64, StoreError> {
    RECEIVE
        .run(conn, rows, |query, row| {
            let receipt = row.receipt;
            query
                .bind(row.gate)
                .bind(row.position)
                .bind(text(&receipt.name))
                .bind(text(receipt.category.as_str()))
                .bind(text(&row.source))
                .bind(text(&receipt.directory))
                .bind(text(&receipt.commit))
                .bind(text(&receipt.command))
                .bind(receipt.exit_code.map(i64::from))
                .bind(text(receipt.verdict.as_str()))
                .bind(micros(receipt.started_at))
                .bind(row.duration_us)
                .bind(text(&receipt.output_tail))
                .bind(text(&receipt.output_sha256))
                .bind(text(&receipt.trace.tree))
                .bind(text(&receipt.trace.environment))
                .bind(text(&receipt.trace.sandbox))
                .bind(int(receipt.trace.output_bytes))
                .bind(text(&row.files))
        })
        .await
}
