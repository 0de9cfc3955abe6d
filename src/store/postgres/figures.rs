//! How much of what there is.

use super::PostgresStore;
use crate::store::error::StoreError;
use crate::store::record::Stored;
use crate::store::row::{nat, time};

const TASKS: &str = "SELECT kind, count(*) FROM task WHERE live GROUP BY kind";
const OUTBOX: &str = "SELECT count(*), min(created_at) FROM outbox WHERE done_at IS NULL";

impl PostgresStore {
    pub(super) async fn figures(&self) -> Result<Stored, StoreError> {
        let (tasks, (outbox, oldest)) = self
            .read(|pool| async move {
                let tasks: Vec<(String, i64)> = sqlx::query_as(TASKS).fetch_all(&pool).await?;
                let outbox: (i64, Option<i64>) = sqlx::query_as(OUTBOX).fetch_one(&pool).await?;
                Ok((tasks, outbox))
            })
            .await?;
        Ok(Stored {
            tasks: tasks.into_iter().map(|(kind, n)| (kind, nat(n))).collect(),
            outbox: nat(outbox),
            oldest: oldest.map(|at| time("outbox.created_at", at)).transpose()?,
            seq: self.newest_seq().await?,
        })
    }
}
