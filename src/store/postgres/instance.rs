//! What belongs to the instance rather than to a task's path: flags, the memory of the queue file.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::PostgresStore;
use super::work::Work;
use crate::domain::id::TaskId;
use crate::store::error::StoreError;
use crate::store::record::{Flag, Mirrored};
use crate::store::row::{body, micros, nat, read, task_id, time};

const FLAG: &str = "SELECT value::text, set_at FROM flag WHERE name = $1";
const MIRRORED: &str = "SELECT task_id, version, body::text AS body FROM mirror WHERE task_id = $1";
const MIRRORED_LIVE: &str = "SELECT m.task_id, m.version, m.body::text AS body \
    FROM task t JOIN mirror m ON m.task_id = t.id WHERE t.live";

#[derive(sqlx::FromRow)]
struct MirrorRow {
    task_id: String,
    version: i64,
    body: String,
}

impl MirrorRow {
    fn into_pair(self) -> Result<(TaskId, Mirrored), StoreError> {
        let body = read(&format!("the mirror of task {}", self.task_id), &self.body)?;
        let told = Mirrored {
            version: nat(self.version),
            body,
        };
        Ok((task_id(&self.task_id)?, told))
    }
}

impl PostgresStore {
    pub(super) async fn flag(&self, name: &str) -> Result<Option<Flag>, StoreError> {
        let row: Option<(String, i64)> = self
            .read(|pool| async move { sqlx::query_as(FLAG).bind(name).fetch_optional(&pool).await })
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
        let value = value.map(|value| body(&value)).transpose()?;
        self.writer
            .done(Work::Flag {
                name: name.to_owned(),
                value,
                at: micros(at),
            })
            .await
    }

    pub(super) async fn set_mirrored_all(&self, told: Vec<(TaskId, Mirrored)>) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        self.writer.done(Work::Mirrored(told)).await
    }

    pub(super) async fn mirrored(&self, id: &TaskId) -> Result<Option<Mirrored>, StoreError> {
        let row: Option<MirrorRow> = self
            .read(|pool| async move {
                sqlx::query_as(MIRRORED)
                    .bind(id.as_str())
                    .fetch_optional(&pool)
                    .await
            })
            .await?;
        row.map(|row| Ok(row.into_pair()?.1)).transpose()
    }

    pub(super) async fn mirrored_live(&self) -> Result<HashMap<TaskId, Mirrored>, StoreError> {
        let rows: Vec<MirrorRow> = self
            .read(|pool| async move { sqlx::query_as(MIRRORED_LIVE).fetch_all(&pool).await })
            .await?;
        rows.into_iter().map(MirrorRow::into_pair).collect()
    }
}
