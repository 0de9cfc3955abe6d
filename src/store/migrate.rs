//! The schema and its history: what would run, whether it is sound, and running it, whatever the engine.
//!
//! Migrations are embedded in the program; what is pending runs in one transaction. A history that this program
//! does not know (newer, or edited) is refused before anything is read or written.

use sqlx::migrate::{AppliedMigration, Migrator};

use super::error::StoreError;
use super::{postgres, sqlite};
use crate::config::section::StoreAddress;

/// The flag that says which program wrote the schema.
pub(super) const WRITTEN_BY: &str = "schema_written_by";

/// One step of the schema's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStep {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// What is applied and what would run on the database; all would run where there is none.
///
/// # Errors
/// [`StoreError::NewerSchema`] or [`StoreError::EditedHistory`] where this program must not touch it.
pub async fn plan(address: &StoreAddress) -> Result<Vec<MigrationStep>, StoreError> {
    match address {
        StoreAddress::Sqlite(path) => sqlite::migrate::plan(path).await,
        StoreAddress::Postgres(server) => postgres::migrate::plan(server).await,
    }
}

/// Whether the database is exactly at this program's schema.
///
/// # Errors
/// As [`plan`], and [`StoreError::OlderSchema`] where something would run.
pub async fn check(address: &StoreAddress) -> Result<(), StoreError> {
    match address {
        StoreAddress::Sqlite(path) => sqlite::migrate::check(path).await,
        StoreAddress::Postgres(server) => postgres::migrate::check(server).await,
    }
}

/// Brings the database to this program's schema and tells what ran. Makes the database where there is none and the engine
/// can.
///
/// # Errors
/// As [`plan`].
pub async fn apply(address: &StoreAddress) -> Result<Vec<MigrationStep>, StoreError> {
    match address {
        StoreAddress::Sqlite(path) => sqlite::migrate::apply(path).await,
        StoreAddress::Postgres(server) => postgres::migrate::apply(server).await,
    }
}

/// Adopts a schema that is there without its history, after comparing it with what the migrations make; tells the history with
/// what is applied of it by now.
///
/// # Errors
/// [`StoreError::ForeignSchema`] where it is another one, or has a history; nothing is changed then.
pub async fn baseline(address: &StoreAddress) -> Result<Vec<MigrationStep>, StoreError> {
    match address {
        StoreAddress::Sqlite(_) => Err(StoreError::ForeignSchema {
            address: address.clone(),
            differences: "an embedded database always comes with its history".to_owned(),
        }),
        StoreAddress::Postgres(server) => postgres::baseline::baseline(server).await,
    }
}

/// The steps of a program's migrations, each with whether it is among the applied ones.
pub(super) fn steps(known: &Migrator, applied: &[i64]) -> Vec<MigrationStep> {
    known
        .iter()
        .map(|m| MigrationStep {
            version: m.version,
            name: m.description.to_string(),
            applied: applied.contains(&m.version),
        })
        .collect()
}

/// The newest migration of a program.
pub(super) fn newest(known: &Migrator) -> i64 {
    known.iter().map(|m| m.version).max().unwrap_or_default()
}

/// The first applied migration that is not the program's own at its place, with how it differs.
pub(super) fn edited(known: &Migrator, applied: &[AppliedMigration]) -> Option<(i64, &'static str)> {
    applied
        .iter()
        .enumerate()
        .find_map(|(at, done)| match known.iter().nth(at) {
            Some(own) if own.version != done.version => Some((done.version, "it is out of its order")),
            Some(own) if own.checksum != done.checksum => {
                Some((done.version, "its text was changed after it was applied"))
            }
            Some(_) => None,
            None => Some((done.version, "it is not known here")),
        })
}
