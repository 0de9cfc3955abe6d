//! Opening: from an address to an engine.

use std::sync::Arc;

use super::Store;
use super::error::StoreError;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use crate::config::section::StoreAddress;

/// What opening may do to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Make it where there is none, and bring it to this program's schema: the service, a tick.
    Migrate,
    /// Make it where there is none, but never bring one forward that somebody else may be using: commands.
    Beside,
    /// It must be there with this program's schema; it can be read and written: commands beside a service.
    Existing,
    /// It must be there with this program's schema, and every writing verb is [`StoreError::ReadOnly`].
    ReadOnly,
}

/// Opens the store at an address.
///
/// # Errors
/// [`StoreError::Missing`], [`StoreError::OlderSchema`] (not with [`OpenMode::Migrate`]), [`StoreError::NewerSchema`],
/// [`StoreError::EditedHistory`], [`StoreError::Damaged`], [`StoreError::Open`].
pub async fn open(address: &StoreAddress, mode: OpenMode) -> Result<Arc<dyn Store>, StoreError> {
    match address {
        StoreAddress::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, mode).await?)),
        StoreAddress::Postgres(server) => Ok(Arc::new(PostgresStore::open(server, mode).await?)),
    }
}
