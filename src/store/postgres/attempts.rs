//! Reading attempts and what was last seen of them.

use std::collections::HashMap;

use super::PostgresStore;
use super::tasks::names;
use crate::domain::id::TaskId;
use crate::store::error::StoreError;
use crate::store::record::{AttemptFacts, AttemptRecord};
use crate::store::row::{AttemptRow, FactsRow, task_id};

/// An attempt is open only under its task's own epoch.
const OPEN_FACTS: &str = "SELECT a.task_id, a.epoch, a.beat_at, a.progress_pct, a.phase, a.transcript_offset, a.session, \
    a.cost_usd, a.input_tokens, a.output_tokens FROM task t JOIN attempt a ON a.task_id = t.id AND a.epoch = t.epoch \
    WHERE t.live AND t.epoch > 0 AND a.ended_at IS NULL";
const FACTS: &str = "SELECT epoch, beat_at, progress_pct, phase, transcript_offset, session, cost_usd, input_tokens, \
    output_tokens FROM attempt WHERE task_id = $1 ORDER BY epoch DESC LIMIT 1";
const ATTEMPTS: &str = "SELECT task_id, ended_at, outcome, reason, opening::text AS opening, report::text AS report, epoch, \
    beat_at, progress_pct, phase, transcript_offset, session, cost_usd, input_tokens, output_tokens FROM attempt \
    WHERE task_id = ANY($1) ORDER BY task_id, epoch";

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
