//! Reading tasks and their log. What is asked often costs what is live or changed, not what was ever archived.

use std::collections::{BTreeSet, HashMap};

use super::SqliteStore;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::store::error::StoreError;
use crate::store::record::{Event, Filter, Page, Scope, Standing};
use crate::store::row::{EventRow, TaskRow, body, int, nat, task_id};

/// What every reading of tasks selects; a macro, because statements are literals. The tables before the definition are
/// named by whoever reads, and `CROSS JOIN` keeps them in their order whatever the engine believes about their sizes.
macro_rules! select_tasks {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT t.id, t.version, t.epoch, t.seq, t.definition_hash, t.created_at, t.updated_at, t.body_version, ",
            "t.state, t.history, d.body_version AS definition_version, d.body AS definition FROM ",
            $from,
            " CROSS JOIN definition d ON d.task_id = t.id AND d.hash = t.definition_hash ",
            $rest
        )
    };
}

/// A page of the ids of one half of the tasks; the halves have an index each.
macro_rules! half {
    ($live:literal) => {
        concat!(
            "SELECT id, seq FROM task WHERE live = ",
            $live,
            " AND seq < $1 AND ($3 IS NULL OR project = $3) ORDER BY seq DESC LIMIT $2"
        )
    };
}

/// The tasks of a page.
macro_rules! page {
    ($ids:expr) => {
        concat!(
            "WITH page (id, seq) AS (",
            $ids,
            ") ",
            select_tasks!(
                "page p CROSS JOIN task t ON t.id = p.id",
                "ORDER BY p.seq DESC LIMIT $2"
            )
        )
    };
}

pub(super) const LIVE: &str = select_tasks!("task t", "WHERE t.live = 1");
pub(super) const CHANGED: &str = select_tasks!(
    "event_log e CROSS JOIN task t ON t.id = e.task_id AND t.seq = e.seq",
    "WHERE e.seq > $1 ORDER BY e.seq"
);
pub(super) const STANDINGS: &str = "SELECT t.id, t.kind FROM json_each($1) j JOIN task t ON t.id = j.value";
const ONE: &str = select_tasks!("task t", "WHERE t.id = $1");
pub(super) const LIVE_PAGE: &str = page!(half!("1"));
pub(super) const ENDED_PAGE: &str = page!(half!("0"));
const PAGE: &str = page!(concat!(
    "SELECT * FROM (",
    half!("1"),
    ") UNION ALL SELECT * FROM (",
    half!("0"),
    ")"
));

impl SqliteStore {
    pub(super) async fn live(&self) -> Result<Vec<Task>, StoreError> {
        let rows: Vec<TaskRow> = sqlx::query_as(LIVE).fetch_all(&self.readers).await?;
        let mut tasks = rows
            .into_iter()
            .map(TaskRow::into_task)
            .collect::<Result<Vec<_>, _>>()?;
        tasks.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(tasks)
    }

    pub(super) async fn live_ids(&self) -> Result<BTreeSet<TaskId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM task WHERE live = 1")
            .fetch_all(&self.readers)
            .await?;
        ids.iter().map(|id| task_id(id)).collect()
    }

    pub(super) async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let row: Option<TaskRow> = sqlx::query_as(ONE)
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(TaskRow::into_task).transpose()
    }

    pub(super) async fn tasks(&self, filter: &Filter) -> Result<Page<Task>, StoreError> {
        let sql = match filter.scope {
            Scope::Live => LIVE_PAGE,
            Scope::Ended => ENDED_PAGE,
            Scope::All => PAGE,
        };
        let rows: Vec<TaskRow> = sqlx::query_as(sql)
            .bind(filter.before.map_or(i64::MAX, int))
            .bind(i64::from(filter.limit))
            .bind(&filter.project)
            .fetch_all(&self.readers)
            .await?;
        let full = rows.len() == filter.limit as usize;
        let next = rows.last().filter(|_| full).map(|row| nat(row.seq));
        let rows = rows
            .into_iter()
            .map(TaskRow::into_task)
            .collect::<Result<_, _>>()?;
        Ok(Page { rows, next })
    }

    pub(super) async fn changed_since(&self, seq: u64) -> Result<(Vec<Task>, u64), StoreError> {
        let rows: Vec<TaskRow> = sqlx::query_as(CHANGED)
            .bind(int(seq))
            .fetch_all(&self.readers)
            .await?;
        let newest = rows.last().map_or(seq, |row| nat(row.seq));
        let tasks = rows
            .into_iter()
            .map(TaskRow::into_task)
            .collect::<Result<_, _>>()?;
        Ok((tasks, newest))
    }

    pub(super) async fn newest_seq(&self) -> Result<u64, StoreError> {
        let seq: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM event_log")
            .fetch_one(&self.readers)
            .await?;
        Ok(seq.map_or(0, nat))
    }

    pub(super) async fn data_version(&self) -> Result<i64, StoreError> {
        self.writer.data_version().await
    }

    pub(super) async fn dependency_states(
        &self,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Standing>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(STANDINGS)
            .bind(body(&ids)?)
            .fetch_all(&self.readers)
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
        let rows: Vec<EventRow> =
            sqlx::query_as("SELECT * FROM event_log WHERE task_id = $1 ORDER BY seq DESC LIMIT $2")
                .bind(id.as_str())
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await?;
        rows.into_iter().rev().map(EventRow::into_event).collect()
    }
}
