//! A copy of the whole file at one moment, also while others write.

use std::path::Path;

use sqlx::Connection;

use super::open::{address, connect, make};
use crate::store::OpenMode;
use crate::store::error::StoreError;

/// Copies the database at `from` into the new file `to`, for its owner alone.
///
/// # Errors
/// [`StoreError::Missing`] where there is none.
pub(in crate::store) async fn copy_into(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.exists() {
        return Err(StoreError::Missing {
            address: address(from),
        });
    }
    make(to)?;
    let mut conn = connect(from, OpenMode::ReadOnly).await?;
    // One reading of the engine: what is committed meanwhile is not in it.
    sqlx::query("VACUUM INTO $1")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut conn)
        .await?;
    conn.close().await?;
    Ok(())
}
