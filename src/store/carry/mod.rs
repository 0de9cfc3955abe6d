//! Moving house: everything of an embedded store into an empty one on a server, in one transaction there.
//!
//! The one place that speaks both engines' SQL. Invariants: the source is only read, in one snapshot; the target is empty before
//! and either has everything afterwards or nothing; every row is read back from the target and compared by a digest before
//! anything is committed. The way back is for backups of a server. Deliberately absent: merging, and copies of files (see [`super::backup`]).

mod back;
mod source;
mod tables;
mod target;

use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::Connection;

use self::tables::{SUMMARIES, Value, tables};
use super::error::StoreError;
use super::postgres::{Target, put_aside};
use super::sqlite::connect;
use super::{OpenMode, migrate};
use crate::config::section::{PostgresServer, StoreAddress};

/// What was carried over of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
}

/// Why nothing was carried over.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target has something already.
    #[error("the table {table} of {address} is not empty; name an empty database")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
        /// The target.
        address: StoreAddress,
    },
    /// What was read back is not what was written.
    #[error(
        "{table} has {found} rows in the new store where the old one has {expected}, or their values differ; nothing was kept"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows in the source.
        expected: u64,
        /// Rows in the target.
        found: u64,
    },
}

impl From<sqlx::Error> for CarryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How many rows there are, and a sum over all of their values in which their order does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    rows: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, row: &[Value]) {
        let mut digest = Sha256::new();
        for value in row {
            match value {
                Some(text) => {
                    digest.update([1]);
                    digest.update((text.len() as u64).to_le_bytes());
                    digest.update(text.as_bytes());
                }
                None => digest.update([0]),
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        self.rows += 1;
        self.sum = self
            .sum
            .wrapping_add(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Carries everything from the embedded store at `from` into the empty database `to`, whose schema is made where it is not there.
/// Whoever calls sees to it that no service runs on either.
///
/// # Errors
/// [`CarryError`]; then the target is as empty as it was.
pub async fn carry(from: &Path, to: &PostgresServer) -> Result<Vec<Carried>, CarryError> {
    carry_over(from, to, None).await
}

/// As [`carry`]; what the database holds already is first put aside into a schema of this name, in the same transaction.
///
/// # Errors
/// As [`carry`].
pub(super) async fn carry_over(
    from: &Path,
    to: &PostgresServer,
    aside: Option<&str>,
) -> Result<Vec<Carried>, CarryError> {
    let address = StoreAddress::Postgres(to.clone());
    migrate::check(&StoreAddress::Sqlite(from.to_owned())).await?;
    migrate::apply(&address).await?;
    let mut source = connect(from, OpenMode::ReadOnly).await?;
    sqlx::raw_sql("BEGIN").execute(&mut source).await?;
    let mut target = Target::connect(to).await?;
    let mut transaction = target.begin().await?;
    if let Some(schema) = aside {
        put_aside(&mut transaction, schema).await?;
    }
    if let Some(table) = target::not_empty(&mut transaction, tables()).await? {
        return Err(CarryError::NotEmpty { table, address });
    }
    let mut carried = Vec::new();
    let summaries = source::has(&mut source, &SUMMARIES).await?;
    for table in tables().chain(summaries.then_some(&SUMMARIES)) {
        let written = source::pour(&mut source, table, &mut transaction).await?;
        let found = target::tally(&mut transaction, table).await?;
        carried.push(same(table.name, written, found)?);
    }
    target::go_on_counting(&mut transaction).await?;
    transaction.commit().await?;
    Ok(carried)
}

/// Carries everything from a server into an embedded store that was just made, and is nobody else's.
///
/// # Errors
/// [`CarryError`].
pub(super) async fn carry_back(from: &PostgresServer, to: &Path) -> Result<Vec<Carried>, CarryError> {
    migrate::check(&StoreAddress::Postgres(from.clone())).await?;
    let mut source = Target::connect(from).await?;
    let mut source = source.begin().await?;
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0",
    )
    .execute(&mut *source)
    .await?;
    let mut target = connect(to, OpenMode::Existing).await?;
    let carried = back::pour_all(&mut source, &mut target).await?;
    target.close().await?;
    Ok(carried)
}

fn same(table: &'static str, written: Tally, found: Tally) -> Result<Carried, CarryError> {
    let rows = written.rows;
    if found == written {
        return Ok(Carried { table, rows });
    }
    Err(CarryError::Differs {
        table,
        expected: rows,
        found: found.rows,
    })
}
