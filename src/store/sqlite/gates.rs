//! Runs of the gate and their receipts. They are written once, with the decision that follows from them, and never change.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::domain::decide::GateRecord;
use crate::domain::gate::Receipt;
use crate::domain::id::TaskId;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::GateRun;
use crate::store::row::{GateRow, ReceiptRow, body, int, micros, task_id, word};

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

/// The newest passed gate of exactly this attempt and commit.
pub(super) async fn proof(
    conn: &mut SqliteConnection,
    id: &TaskId,
    attempt: u32,
    epoch: u64,
    commit: &str,
) -> Result<Option<i64>, CommitError> {
    let seq: Option<i64> = sqlx::query_scalar(
        "SELECT max(seq) FROM gate WHERE task_id = $1 AND attempt = $2 AND epoch = $3 AND commit_id = $4 \
         AND verdict = 'passed'",
    )
    .bind(id.as_str())
    .bind(i64::from(attempt))
    .bind(int(epoch))
    .bind(commit)
    .fetch_one(conn)
    .await?;
    Ok(seq)
}

/// Records a run of the gate; it must be of the task's epoch.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    id: &TaskId,
    gate: GateRecord,
    task_epoch: u64,
) -> Result<(), CommitError> {
    let GateRecord {
        attempt,
        epoch,
        verdict,
        report,
    } = gate;
    let done = sqlx::query(
        "INSERT INTO gate (task_id, attempt, epoch, commit_id, tree, verdict, started_at, ended_at) \
         SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM task WHERE id = $1 AND epoch = $3",
    )
    .bind(id.as_str())
    .bind(i64::from(attempt))
    .bind(int(epoch))
    .bind(&report.commit)
    .bind(&report.tree)
    .bind(verdict.as_str())
    .bind(micros(report.started_at))
    .bind(micros(report.ended_at))
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Err(CommitError::Fenced { actual: task_epoch });
    }
    let seq = done.last_insert_rowid();
    for (position, receipt) in (0_i64..).zip(&report.receipts) {
        put_receipt(conn, seq, position, receipt).await?;
    }
    Ok(())
}

async fn put_receipt(
    conn: &mut SqliteConnection,
    gate: i64,
    position: i64,
    receipt: &Receipt,
) -> Result<(), CommitError> {
    let duration = i64::try_from(receipt.duration.as_micros()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO receipt (gate_seq, position, name, category, source, directory, commit_id, command, exit_code, \
         verdict, started_at, duration_us, output_tail, output_sha256, tree, environment, sandbox, output_bytes, files) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(gate)
    .bind(position)
    .bind(&receipt.name)
    .bind(receipt.category.as_str())
    .bind(word(receipt.source)?)
    .bind(&receipt.directory)
    .bind(&receipt.commit)
    .bind(&receipt.command)
    .bind(receipt.exit_code.map(i64::from))
    .bind(receipt.verdict.as_str())
    .bind(micros(receipt.started_at))
    .bind(duration)
    .bind(&receipt.output_tail)
    .bind(&receipt.output_sha256)
    .bind(&receipt.trace.tree)
    .bind(&receipt.trace.environment)
    .bind(&receipt.trace.sandbox)
    .bind(int(receipt.trace.output_bytes))
    .bind(body(&receipt.trace.files)?)
    .execute(conn)
    .await?;
    Ok(())
}
