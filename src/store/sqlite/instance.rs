//! What belongs to the instance rather than to a task's path: flags, the memory of the queue file, retention.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::bulk::Bulk;
use crate::domain::id::TaskId;
use crate::store::error::StoreError;
use crate::store::record::{Flag, Mirrored, Trimmed};
use crate::store::row::{body, int, micros, nat, read, task_id, time};
use crate::store::talk::{TRIM_CARDS, TRIM_HEARD};

/// Rows that one trimming takes at most from a table, so that nobody waits long behind it.
const TRIM_AT_ONCE: i64 = 5_000;

pub(super) const MIRRORED_LIVE: &str =
    "SELECT m.* FROM task t JOIN mirror m ON m.task_id = t.id WHERE t.live = 1";

#[derive(sqlx::FromRow)]
struct MirrorRow {
    task_id: String,
    version: i64,
    body: String,
}

impl MirrorRow {
    fn into_pair(self) -> Result<(TaskId, Mirrored), StoreError> {
        let body = read(&format!("the mirror of task {}", self.task_id), &self.body)?;
        Ok((
            task_id(&self.task_id)?,
            Mirrored {
                version: nat(self.version),
                body,
            },
        ))
    }
}

impl SqliteStore {
    pub(super) async fn flag(&self, name: &str) -> Result<Option<Flag>, StoreError> {
        let row: Option<(String, i64)> = sqlx::query_as("SELECT value, set_at FROM flag WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        let what = format!("flag {name}");
        row.map(|(value, at)| {
            Ok(Flag {
                value: read(&what, &value)?,
                set_at: time(&what, at)?,
            })
        })
        .transpose()
    }

    pub(super) async fn set_flag(
        &self,
        name: &str,
        value: Option<Value>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.writer
            .run(move |conn| Box::pin(put_flag(conn, name, value, at)))
            .await
    }

    pub(super) async fn set_mirrored_all(&self, told: Vec<(TaskId, Mirrored)>) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        self.writer
            .run(move |conn| Box::pin(put_mirrored(conn, told)))
            .await
    }

    pub(super) async fn mirrored(&self, id: &TaskId) -> Result<Option<Mirrored>, StoreError> {
        let row: Option<MirrorRow> = sqlx::query_as("SELECT * FROM mirror WHERE task_id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(row.into_pair()?.1)).transpose()
    }

    pub(super) async fn mirrored_live(&self) -> Result<HashMap<TaskId, Mirrored>, StoreError> {
        let rows: Vec<MirrorRow> = sqlx::query_as(MIRRORED_LIVE).fetch_all(&self.readers).await?;
        rows.into_iter().map(MirrorRow::into_pair).collect()
    }

    pub(super) async fn trim(&self, now: DateTime<Utc>, keep: TimeDelta) -> Result<Trimmed, StoreError> {
        let before = micros(now - keep);
        self.writer.run(move |conn| Box::pin(trim(conn, before))).await
    }
}

async fn put_flag(
    conn: &mut SqliteConnection,
    name: String,
    value: Option<Value>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let query = match value {
        Some(value) => sqlx::query(
            "INSERT INTO flag (name, value, set_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at",
        )
        .bind(name)
        .bind(body(&value)?)
        .bind(micros(at)),
        None => sqlx::query("DELETE FROM flag WHERE name = $1").bind(name),
    };
    query.execute(conn).await?;
    Ok(())
}

static MIRROR: Bulk = Bulk::new(
    3,
    "INSERT INTO mirror (task_id, version, body) SELECT * FROM ({rows}) WHERE column1 IS NOT NULL \
     ON CONFLICT (task_id) DO UPDATE SET version = excluded.version, body = excluded.body \
     WHERE excluded.version >= mirror.version",
);

async fn put_mirrored(conn: &mut SqliteConnection, told: Vec<(TaskId, Mirrored)>) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(told.len());
    for (id, mirrored) in &told {
        rows.push((id.as_str(), int(mirrored.version), body(&mirrored.body)?));
    }
    MIRROR
        .run(conn, &rows, |query, (id, version, body)| {
            query.bind(*id).bind(version).bind(body)
        })
        .await?;
    Ok(())
}

async fn trim(conn: &mut SqliteConnection, before: i64) -> Result<Trimmed, StoreError> {
    let events = sqlx::query(
        "DELETE FROM event_log WHERE seq IN (SELECT e.seq FROM event_log e JOIN task t ON t.id = e.task_id \
         WHERE e.at < $1 AND t.live = 0 AND e.seq <> t.seq ORDER BY e.seq LIMIT $2)",
    )
    .bind(before)
    .bind(TRIM_AT_ONCE)
    .execute(&mut *conn)
    .await?;
    let outbox =
        sqlx::query("DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE done_at < $1 LIMIT $2)")
            .bind(before)
            .bind(TRIM_AT_ONCE)
            .execute(&mut *conn)
            .await?;
    for old in [TRIM_HEARD, TRIM_CARDS] {
        let query = sqlx::query(old).bind(before).bind(TRIM_AT_ONCE);
        query.execute(&mut *conn).await?;
    }
    Ok(Trimmed {
        events: events.rows_affected(),
        outbox: outbox.rows_affected(),
    })
}
