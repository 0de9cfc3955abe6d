//! Reading runs of the gate and their receipts.

use std::collections::HashMap;

use super::PostgresStore;
use super::tasks::names;
use crate::domain::gate::Receipt;
use crate::domain::id::TaskId;
use crate::store::error::StoreError;
use crate::store::record::GateRun;
use crate::store::row::{GateRow, ReceiptRow, task_id};

const GATES: &str = "SELECT * FROM gate WHERE task_id = $1 ORDER BY seq";
const LATEST: &str = "SELECT g.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL \
    (SELECT * FROM gate WHERE task_id = wanted.id ORDER BY seq DESC LIMIT 1) g";
const RECEIPTS: &str = "SELECT gate_seq, name, category, source, directory, commit_id, command, exit_code, verdict, started_at, \
    duration_us, output_tail, output_sha256, tree, environment, sandbox, output_bytes, files::text AS files FROM receipt \
    WHERE gate_seq = ANY($1) ORDER BY gate_seq, position";

impl PostgresStore {
    pub(super) async fn gates(&self, id: &TaskId) -> Result<Vec<GateRun>, StoreError> {
        let rows: Vec<GateRow> = self
            .read(|pool| async move { sqlx::query_as(GATES).bind(id.as_str()).fetch_all(&pool).await })
            .await?;
        let runs = self.with_receipts(rows).await?;
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    pub(super) async fn latest_gates(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, GateRun>, StoreError> {
        let ids = &names(ids);
        let rows: Vec<GateRow> = self
            .read(|pool| async move { sqlx::query_as(LATEST).bind(ids).fetch_all(&pool).await })
            .await?;
        Ok(self.with_receipts(rows).await?.into_iter().collect())
    }

    async fn with_receipts(&self, rows: Vec<GateRow>) -> Result<Vec<(TaskId, GateRun)>, StoreError> {
        let wanted: &Vec<i64> = &rows.iter().map(|row| row.seq).collect();
        let receipts: Vec<ReceiptRow> = self
            .read(|pool| async move { sqlx::query_as(RECEIPTS).bind(wanted).fetch_all(&pool).await })
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
