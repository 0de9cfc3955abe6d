//! Opening and closing: what the mode allows to make, and what runs for as long as the store is open.

use std::sync::RwLock;
use std::sync::atomic::AtomicI64;

use sqlx::{Connection, PgConnection};

use super::partitions::Upkeep;
use super::server::Server;
use super::writer::Writer;
use super::{PostgresStore, migrate, partitions};
use crate::config::section::PostgresServer;
use crate::store::OpenMode;
use crate::store::error::StoreError;

impl PostgresStore {
    /// Opens the store on a server. The database itself must be there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unusable`], and what the schema's history may be, as for every engine.
    pub async fn open(address: &PostgresServer, mode: OpenMode) -> Result<Self, StoreError> {
        let server = Server::of(address, mode == OpenMode::ReadOnly)?;
        let mut conn = server.first_connection().await?;
        match mode {
            OpenMode::Migrate => migrate::apply_on(&server, &mut conn).await?,
            OpenMode::Beside => match migrate::check_on(&server, &mut conn).await {
                Err(StoreError::OlderSchema { found: 0, .. }) => {
                    migrate::apply_on(&server, &mut conn).await?
                }
                checked => checked?,
            },
            OpenMode::Existing | OpenMode::ReadOnly => migrate::check_on(&server, &mut conn).await?,
        }
        if mode == OpenMode::Migrate {
            let prepared = async {
                partitions::ahead_on(&mut conn).await?;
                warn_of_careless_settings(&mut conn).await
            };
            prepared.await.map_err(|error| server.told(error))?;
        }
        // It has done what it was for; the server is not asked whether it agrees.
        drop(conn.close().await);
        let (writer, herald) = Writer::start(server.clone());
        Ok(Self {
            pool: RwLock::new(server.pool()),
            told: AtomicI64::new(0),
            _upkeep: Upkeep::start(mode, &server),
            server,
            writer,
            herald,
        })
    }

    /// Writes what waits, tells the others, and closes every connection.
    pub(super) async fn close(&self) {
        self.writer.close().await;
        self.herald.close().await;
        self.pool().close().await;
    }
}

/// What is acknowledged must be on disk: that is the server's to keep, and its administrator's to set.
async fn warn_of_careless_settings(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let off: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'",
    )
    .fetch_all(conn)
    .await?;
    if !off.is_empty() {
        let settings = off.join(", ");
        tracing::warn!(
            settings,
            "the database's server has these off: a crash of it may lose what was acknowledged"
        );
    }
    Ok(())
}
