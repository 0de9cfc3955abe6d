//! Reading attempts and what was last seen of them.

use std::collections::HashMap;

use super::PostgresStore;
use super::tasks::names;
use crate::domain::id::TaskId;
use crate::store::error::StoreError;
use crate::store::record::{AttemptFacts, AttemptRecord};
use crate::store::row::{AttemptRow, FactsRow, task_id};

const OPEN_FACTS: &str =
    "SELECT l.* FROM attempt a JOIN attempt_live l USING (task_id, epoch) WHERE a.ended_at IS NULL";
const FACTS: &str = "SELECT * FROM attempt_live WHERE task_id = $1 ORDER BY epoch DESC LIMIT 1";
const ATTEMPTS: &str = "SELECT a.task_id, a.ended_at, a.outcome, a.reason, a.opening::text AS opening, \
    a.report::text AS report, l.epoch, l.beat_at, l.progress_pct, l.phase, l.transcript_offset, l.session, l.cost_usd, \
    l.input_tokens, l.output_tokens FROM attempt a JOIN attempt_live l USING (task_id, epoch) \
    WHERE a.task_id = ANY($1) ORDER BY a.task_id, a.epoch";

#[derive(sqlx::FromRow)]
struct OpenRow {
    task_id: String,
    #[sqlx(flatten)]
    facts: FactsRow,
}

impl PostgresStore {
    pub(super) async fn attempt_facts(&self, id: &TaskId) -> Result<Option<AttemptFacts>, StoreError> {
        let row: Option<FactsRow> = self
            .read(|pool| async move {
                sqlx::query_as(FACTS)
                    .bind(id.as_str())
                    .fetch_optional(&pool)
                    .await
            })
            .await?;
        row.map(|row| row.into_facts(id.as_str())).transpose()
    }

    pub(super) async fn open_facts(&self) -> Result<HashMap<TaskId, AttemptFacts>, StoreError> {
        let rows: Vec<OpenRow> = self
            .read(|pool| async move { sqlx::query_as(OPEN_FACTS).fetch_all(&pool).await })
            .await?;
        rows.into_iter()
            .map(|row| Ok((task_id(&row.task_id)?, row.facts.into_facts(&row.task_id)?)))
            .collect()
    }

    pub(super) async fn attempts_of(
        &self,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Vec<AttemptRecord>>, StoreError> {
        let ids = &names(ids);
        let rows: Vec<AttemptRow> = self
            .read(|pool| async move { sqlx::query_as(ATTEMPTS).bind(ids).fetch_all(&pool).await })
            .await?;
        let mut all: HashMap<TaskId, Vec<AttemptRecord>> = HashMap::new();
        for row in rows {
            all.entry(task_id(&row.task_id)?)
                .or_default()
                .push(row.into_record()?);
        }
        Ok(all)
    }
}
