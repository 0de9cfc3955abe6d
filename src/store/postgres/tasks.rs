//! Reading tasks and their log. What is asked often costs what is live or changed, not what was ever archived.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use super::PostgresStore;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::store::error::StoreError;
use crate::store::record::{Event, Filter, Page, Scope, Standing};
use crate::store::row::{EventRow, TaskRow, int, nat, task_id};

/// What every reading of tasks selects; a macro, because statements are literals.
macro_rules! select_tasks {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.version, t.epoch, t.seq, t.definition_hash, t.created_at, t.updated_at, t.body_version, ",
            "t.state::text AS state, t.history::text AS history, d.body_version AS definition_version, ",
            "d.body::text AS definition FROM task t ",
            "JOIN definition d ON d.task_id = t.id AND d.hash = t.definition_hash ",
            $rest
        )
    };
}

const LIVE: &str = select_tasks!("WHERE t.live ORDER BY t.id");
/// Those that transactions from a mark on have written about, found first: by their ids, whatever their number.
pub(super) const CHANGED: &str = select_tasks!(
    "WHERE t.id = ANY(ARRAY(SELECT DISTINCT task_id FROM event_log WHERE xact >= $1)) ORDER BY t.seq"
);
const STANDINGS: &str = "SELECT id, kind FROM task WHERE id = ANY($1)";
const ONE: &str = select_tasks!("WHERE t.id = $1");
const EVENTS: &str = "SELECT * FROM event_log WHERE task_id = $1 ORDER BY version DESC LIMIT $2";
/// The oldest transaction that still runs: whatever has a lower number is over, and seen by whoever looks from now on.
const MARK: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
const WRITTEN_BY_OTHERS: &str = "SELECT coalesce(sum(commits), 0)::bigint FROM writer WHERE id <> ALL($1)";

/// Live tasks are few, and found by their own index; ended ones lie in the order of their last change.
const LIVE_PAGE: &str = select_tasks!(
    "WHERE t.live AND t.seq < $1 AND ($3::text IS NULL OR t.project = $3) ORDER BY t.seq DESC LIMIT $2"
);
const ENDED_PAGE: &str =
    select_tasks!("WHERE t.ended_seq < $1 AND $3::text IS NULL ORDER BY t.ended_seq DESC LIMIT $2");
const ENDED_PROJECT_PAGE: &str =
    select_tasks!("WHERE t.project = $3 AND t.ended_seq < $1 ORDER BY t.ended_seq DESC LIMIT $2");
const PAGE: &str = select_tasks!(
    "WHERE t.id IN ((SELECT id FROM task WHERE live AND seq < $1 AND $3::text IS NULL ORDER BY seq DESC LIMIT $2) \
     UNION ALL (SELECT id FROM task WHERE ended_seq < $1 ORDER BY ended_seq DESC LIMIT $2)) \
     ORDER BY t.seq DESC LIMIT $2"
);
const PROJECT_PAGE: &str = select_tasks!(
    "WHERE t.id IN ((SELECT id FROM task WHERE live AND project = $3 AND seq < $1 ORDER BY seq DESC LIMIT $2) \
     UNION ALL (SELECT id FROM task WHERE project = $3 AND ended_seq < $1 ORDER BY ended_seq DESC LIMIT $2)) \
     ORDER BY t.seq DESC LIMIT $2"
);

impl PostgresStore {
    pub(super) async fn live(&self) -> Result<Vec<Task>, StoreError> {
        let rows = self
            .read(|pool| async move { sqlx::query_as(LIVE).fetch_all(&pool).await })
            .await?;
        tasks(rows)
    }

    pub(super) async fn live_ids(&self) -> Result<BTreeSet<TaskId>, StoreError> {
        let sql = "SELECT id FROM task WHERE live";
        let ids: Vec<String> = self
            .read(move |pool| async move { sqlx::query_scalar(sql).fetch_all(&pool).await })
            .await?;
        ids.iter().map(|id| task_id(id)).collect()
    }

    pub(super) async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let row: Option<TaskRow> = self
            .read(|pool| async move { sqlx::query_as(ONE).bind(id.as_str()).fetch_optional(&pool).await })
            .await?;
        row.map(TaskRow::into_task).transpose()
    }

    pub(super) async fn tasks(&self, filter: &Filter) -> Result<Page<Task>, StoreError> {
        let sql = match (filter.scope, filter.project.is_some()) {
            (Scope::Live, _) => LIVE_PAGE,
            (Scope::Ended, false) => ENDED_PAGE,
            (Scope::Ended, true) => ENDED_PROJECT_PAGE,
            (Scope::All, false) => PAGE,
            (Scope::All, true) => PROJECT_PAGE,
        };
        let rows: Vec<TaskRow> = self
            .read(|pool| async move {
                sqlx::query_as(sql)
                    .bind(filter.before.map_or(i64::MAX, int))
                    .bind(i64::from(filter.limit))
                    .bind(&filter.project)
                    .fetch_all(&pool)
                    .await
            })
            .await?;
        let full = rows.len() == filter.limit as usize;
        let next = rows.last().filter(|_| full).map(|row| nat(row.seq));
        Ok(Page {
            rows: tasks(rows)?,
            next,
        })
    }

    /// The mark is not a number of an event but of a transaction: events become visible in another order than that of their
    /// numbers. What was written by a transaction that was over when the mark was taken is told once; what was written beside
    /// one that still ran may be told again.
    pub(super) async fn changed_since(&self, mark: u64) -> Result<(Vec<Task>, u64), StoreError> {
        // Both readings are of one moment, or the mark is of an earlier one: what is over by then is seen.
        let (next, rows) = self
            .read(|pool| async move {
                let mut conn = pool.acquire().await?;
                let next: i64 = sqlx::query_scalar(MARK).fetch_one(&mut *conn).await?;
                // Planned for its mark: one plan for all marks would expect a third of the log behind each.
                let since = sqlx::query_as(CHANGED).persistent(false).bind(int(mark));
                Ok((next, since.fetch_all(&mut *conn).await?))
            })
            .await?;
        Ok((tasks(rows)?, nat(next)))
    }

    pub(super) async fn newest_seq(&self) -> Result<u64, StoreError> {
        let mark: i64 = self
            .read(move |pool| async move { sqlx::query_scalar(MARK).fetch_one(&pool).await })
            .await?;
        Ok(nat(mark))
    }

    pub(super) async fn data_version(&self) -> Result<i64, StoreError> {
        let count = self.count_of_others().await?;
        self.told.store(count, Ordering::Release);
        Ok(count)
    }

    /// How often other writers have committed.
    pub(super) async fn count_of_others(&self) -> Result<i64, StoreError> {
        let own = &self.writer.ids();
        self.read(move |pool| async move {
            sqlx::query_scalar(WRITTEN_BY_OTHERS)
                .bind(own)
                .fetch_one(&pool)
                .await
        })
        .await
    }

    pub(super) async fn dependency_states(
        &self,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Standing>, StoreError> {
        let ids = &names(ids);
        let rows: Vec<(String, String)> = self
            .read(|pool| async move { sqlx::query_as(STANDINGS).bind(ids).fetch_all(&pool).await })
            .await?;
        let standing = |kind: &str| match kind {
            "completed" => Standing::Completed,
            "cancelled" => Standing::Cancelled,
            _ => Standing::Live,
        };
        rows.iter()
            .map(|(id, kind)| Ok((task_id(id)?, standing(kind))))
            .collect()
    }

    pub(super) async fn events(&self, id: &TaskId, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<EventRow> = self
            .read(|pool| async move {
                sqlx::query_as(EVENTS)
                    .bind(id.as_str())
                    .bind(i64::from(limit))
                    .fetch_all(&pool)
                    .await
            })
            .await?;
        rows.into_iter().rev().map(EventRow::into_event).collect()
    }
}

/// The ids as the server is asked by them.
pub(super) fn names(ids: &[TaskId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn tasks(rows: Vec<TaskRow>) -> Result<Vec<Task>, StoreError> {
    rows.into_iter().map(TaskRow::into_task).collect()
}
