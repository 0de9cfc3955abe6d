//! What workers put out, a line a row: a copy of their files that every node of the fleet can read.
//!
//! Invariants: a line that is written twice is one row (its place in its attempt's file is the key), so whoever is not sure
//! writes again; a crash of the server may lose the last rows (`synchronous_commit = off`), and whoever has the file finds
//! that out by [`OutputLog::whole_to`]. Deliberately absent: files, secrets (what comes in has none any more), the bus.

use std::sync::{PoisonError, RwLock};

use sqlx::{PgConnection, PgPool};

use super::server::Server;
use super::text::text;
use crate::store::error::StoreError;
use crate::store::record::{OutputLine, OutputOf};
use crate::store::row::{int, micros, nat};

const KEEP: &str = "INSERT INTO worker_output (task_id, epoch, source, starts, ends, at, body) \
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[]) \
    ON CONFLICT DO NOTHING";
/// The end of the first line from a place on that no other one goes on from.
const WHOLE: &str = "SELECT min(o.ends) FROM worker_output o WHERE o.task_id = $1 AND o.epoch = $2 AND o.source = $3 AND o.at = $5 \
    AND o.starts >= $4 AND NOT EXISTS (SELECT FROM worker_output n WHERE n.task_id = o.task_id AND n.epoch = o.epoch \
    AND n.source = o.source AND n.starts = o.ends AND n.at = o.at) \
    AND EXISTS (SELECT FROM worker_output f WHERE f.task_id = $1 AND f.epoch = $2 AND f.source = $3 AND f.starts = $4 AND f.at = $5)";
const READ: &str = "SELECT starts, ends, body FROM worker_output \
    WHERE task_id = $1 AND epoch = $2 AND source = $3 AND starts >= $4 AND at = $5 ORDER BY starts LIMIT $6";

/// The output of workers, over connections of its own.
#[derive(Debug)]
pub struct OutputLog {
    server: Server,
    pool: RwLock<PgPool>,
}

impl OutputLog {
    pub(super) fn new(server: Server) -> Self {
        Self {
            pool: RwLock::new(server.side_pool()),
            server,
        }
    }

    fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins with new connections: one that never answers would be taken again and again.
    pub fn reconnect(&self) {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = self.server.side_pool();
    }

    /// Keeps lines; those that are there already stay as they are. `durably`: they, and all that was kept before, are on disk.
    pub async fn keep(&self, lines: &[(OutputOf, OutputLine)], durably: bool) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let kept = async {
            let mut transaction = self.pool().begin().await?;
            if !durably {
                sqlx::query("SET LOCAL synchronous_commit = off")
                    .execute(&mut *transaction)
                    .await?;
            }
            insert(&mut transaction, lines).await?;
            transaction.commit().await
        };
        kept.await.map_err(|error| self.server.told(error))
    }

    /// Up to where an output is kept without a gap, from a place on up to which it is known to be.
    pub async fn whole_to(&self, of: &OutputOf, from: u64) -> Result<u64, StoreError> {
        let end: Option<i64> = sqlx::query_scalar(WHOLE)
            .bind(of.task.as_str())
            .bind(int(of.epoch))
            .bind(of.source.number())
            .bind(int(from))
            .bind(micros(of.claimed_at))
            .fetch_one(&self.pool())
            .await
            .map_err(|error| self.server.told(error))?;
        Ok(end.map_or(from, nat))
    }

    /// The lines that begin at a place or behind it, in their order.
    pub async fn read(&self, of: &OutputOf, from: u64, most: u32) -> Result<Vec<OutputLine>, StoreError> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(READ)
            .bind(of.task.as_str())
            .bind(int(of.epoch))
            .bind(of.source.number())
            .bind(int(from))
            .bind(micros(of.claimed_at))
            .bind(i64::from(most))
            .fetch_all(&self.pool())
            .await
            .map_err(|error| self.server.told(error))?;
        let line = |(starts, ends, text)| OutputLine {
            starts: nat(starts),
            ends: nat(ends),
            text,
        };
        Ok(rows.into_iter().map(line).collect())
    }
}

async fn insert(conn: &mut PgConnection, lines: &[(OutputOf, OutputLine)]) -> Result<(), sqlx::Error> {
    let column = |of: fn(&(OutputOf, OutputLine)) -> i64| lines.iter().map(of).collect::<Vec<i64>>();
    sqlx::query(KEEP)
        .bind(lines.iter().map(|(of, _)| of.task.as_str()).collect::<Vec<_>>())
        .bind(column(|(of, _)| int(of.epoch)))
        .bind(lines.iter().map(|(of, _)| of.source.number()).collect::<Vec<_>>())
        .bind(column(|(_, line)| int(line.starts)))
        .bind(column(|(_, line)| int(line.ends)))
        .bind(column(|(of, _)| micros(of.claimed_at)))
        .bind(lines.iter().map(|(_, line)| text(&line.text)).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}
