//! What can go wrong in the store, by what the caller will do about it.

use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use crate::config::section::StoreAddress;

/// The store cannot be opened or used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no database, and the mode does not make one.
    #[error("there is no database at {address}; `orchestrator up` or `orchestrator tick` makes it")]
    Missing {
        /// Where it should be.
        address: StoreAddress,
    },
    /// The database cannot be opened at all.
    #[error(
        "the database {address} cannot be opened: {reason}; check that the folder exists and may be written"
    )]
    Open {
        /// Where it is.
        address: StoreAddress,
        /// What the system says.
        reason: String,
    },
    /// A newer program wrote the schema.
    #[error(
        "the database {address} has schema {found}, written by {}, and this program knows schemas up to {known}; \
         upgrade orchestrator", author(written_by.as_deref())
    )]
    NewerSchema {
        /// Where it is.
        address: StoreAddress,
        /// The newest migration in the database.
        found: i64,
        /// The newest migration of this program.
        known: i64,
        /// The version of the program that wrote it, where it says.
        written_by: Option<String>,
    },
    /// The schema is older than this program and the mode does not change it.
    #[error(
        "the database {address} has schema {found} and this program needs {known}; run `orchestrator migrate`"
    )]
    OlderSchema {
        /// Where it is.
        address: StoreAddress,
        /// The newest migration in the database; 0 for none.
        found: i64,
        /// The newest migration of this program.
        known: i64,
    },
    /// A migration in the database is not the one that this program would have run.
    #[error(
        "migration {version} of the database {address} is not the one of this program: {detail}; \
         restore the database from a backup, or use the program that wrote it"
    )]
    EditedHistory {
        /// Where it is.
        address: StoreAddress,
        /// The migration.
        version: i64,
        /// How they differ.
        detail: String,
    },
    /// The server does not answer, or the connection to it was lost on the way. What was not acknowledged is read back before it
    /// is said to be lost.
    #[error("the database at {host} is not reachable: {reason}; trying again")]
    Unavailable {
        /// Where it is; never its password.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The server answers, and will not have us.
    #[error("the database {address} cannot be used: {reason}; check `store.url`")]
    Unusable {
        /// Which one.
        address: StoreAddress,
        /// What it says.
        reason: String,
    },
    /// What is to be adopted is not what this program makes.
    #[error(
        "the schema of {address} is not one that this program makes ({differences}); nothing was changed. Bring it in line, \
         or carry the rows over into an empty database"
    )]
    ForeignSchema {
        /// Where it is.
        address: StoreAddress,
        /// The first differences.
        differences: String,
    },
    /// The disk (or the quota) is full. What was not acknowledged is not there; everything else is.
    #[error("the disk of the database is full; free some space, the change was not made and can be repeated")]
    Full,
    /// Another process holds the write lock for too long.
    #[error("another process keeps the database locked; wait for it, or end it, and try again")]
    Busy,
    /// It was opened for reading only, or the file may not be written.
    #[error("the database is read-only here; check the owner and the mode of the file and its folder")]
    ReadOnly,
    /// The store was closed, or its process is shutting down.
    #[error("the store is closed; nothing was written")]
    Closed,
    /// A row cannot be read by this program.
    #[error(
        "{what} in the database cannot be read: {reason}; restore it from a backup or upgrade orchestrator"
    )]
    Unreadable {
        /// Which row.
        what: String,
        /// Why.
        reason: String,
    },
    /// The file is damaged or no database.
    #[error("the database is damaged: {reason}; restore it from a backup")]
    Damaged {
        /// What the engine says.
        reason: String,
    },
    /// A rule of the schema refused the change.
    #[error("the database refused the change: {rule}; nothing was written")]
    Refused {
        /// The rule, in the engine's words.
        rule: String,
    },
    /// Anything else that the engine reports.
    #[error("the database failed: {0}")]
    Engine(Arc<sqlx::Error>),
}

fn author(version: Option<&str>) -> String {
    version.map_or("a newer orchestrator".to_owned(), |version| {
        format!("orchestrator {version}")
    })
}

impl StoreError {
    /// Whether it is about the one task that was to be written or read, and trying again would end the same way.
    pub fn is_of_one_task(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unreadable { .. })
    }

    /// Whether the whole transaction is lost with it, and not the one change alone.
    pub(super) fn ends_transaction(&self) -> bool {
        !self.is_of_one_task()
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(db) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed,
                sqlx::Error::PoolTimedOut => Self::Busy,
                other => Self::Engine(Arc::new(other)),
            };
        };
        match db.try_downcast_ref::<SqliteError>() {
            Some(sqlite) => of_sqlite(sqlite).unwrap_or_else(|| Self::Engine(Arc::new(error))),
            None => Self::Engine(Arc::new(error)),
        }
    }
}

/// What a code of SQLite means; none where it means nothing that a caller could act on.
fn of_sqlite(error: &SqliteError) -> Option<StoreError> {
    let code: i32 = error.code().and_then(|c| c.parse().ok()).unwrap_or_default();
    let reason = error.message().to_owned();
    // The low byte is the primary code (https://www.sqlite.org/rescode.html).
    match (code & 0xff, code) {
        // SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: the shared index of the log could not grow.
        (13, _) | (_, 4874) => Some(StoreError::Full),
        (5 | 6, _) => Some(StoreError::Busy),
        (8, _) => Some(StoreError::ReadOnly),
        (11 | 26, _) => Some(StoreError::Damaged { reason }),
        (19, _) => Some(StoreError::Refused { rule: reason }),
        _ => None,
    }
}

/// Why a decision was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the task meanwhile: load it and decide again.
    #[error("the task is at version {actual} meanwhile; load it and decide again")]
    Conflict {
        /// The version it has.
        actual: u64,
    },
    /// A later attempt has the task, or the attempt has ended: the writer is stale and must stop its worker.
    #[error("the attempt is fenced off (the task is at epoch {actual}); stop its worker")]
    Fenced {
        /// The epoch that the task has.
        actual: u64,
    },
    /// Another node leads the fleet by now: what was decided is that one's to decide.
    #[error("another node of the fleet leads by now")]
    Deposed,
    /// There is no such task.
    #[error("the task is not in the store; admit it first")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
