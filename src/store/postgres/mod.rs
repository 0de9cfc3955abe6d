//! The engine of a fleet: a PostgreSQL server, one writer a process that groups commits, a pool of readers.
//!
//! Invariants beyond the port's:
//! - a group is one transaction of set-based statements; it locks the heads of its tasks in the order of their ids;
//! - a commit whose outcome is unknown is read back by the writer's own row, and never repeated before that is known;
//! - a reading is repeated when its connection was lost, for a bounded time;
//! - what processes must agree on (who leads) is judged by the server's clock;
//! - nothing that is told holds the password.
//!
//! Every file here adds the verbs of one concern to [`PostgresStore`].

mod apply;
mod aside;
mod attempts;
pub(in crate::store) mod baseline;
mod fault;
mod figures;
mod gates;
mod herald;
mod instance;
mod intake;
pub(in crate::store) mod migrate;
mod open;
mod outbox;
mod output;
mod partitions;
mod port;
mod roster;
mod server;
mod sides;
mod talk;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
mod turn;
mod work;
mod writer;

pub(in crate::store) use aside::{forget, present, put_aside, tasks};
pub use output::OutputLog;
pub use roster::Roster;
pub(in crate::store) use server::Target;
pub(in crate::store) use text::searchable;

use std::future::Future;
use std::sync::atomic::AtomicI64;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use self::fault::After;
use self::herald::Herald;
use self::partitions::Upkeep;
use self::server::{Patience, Server};
use self::writer::Writer;
use super::error::StoreError;

/// How long a reading is tried again after its connection was lost.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// The store of one instance on a server. Cheap to share behind an `Arc`; every verb takes `&self`.
#[derive(Debug)]
pub struct PostgresStore {
    server: Server,
    pool: RwLock<PgPool>,
    /// The count of others' commits that was last answered.
    told: AtomicI64,
    writer: Writer,
    herald: Herald,
    _upkeep: Upkeep,
}

impl PostgresStore {
    fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads, and reads again where the connection was lost.
    async fn read<T, F, R>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(PgPool) -> R + Send + Sync,
        R: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        let mut patience = Patience::of(READ_PATIENCE);
        loop {
            let error = match timeout(self.server.longest(), work(self.pool())).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    // Whoever does not answer at all keeps its place in the pool: all of it is made anew.
                    *self.pool.write().unwrap_or_else(PoisonError::into_inner) = self.server.pool();
                    sqlx::Error::PoolTimedOut
                }
            };
            if fault::after(&error) != After::Lost || !patience.once_more().await {
                return Err(self.server.told(error));
            }
        }
    }
}
