//! Opening and closing: which pragmas, which schema, whose right to make or change it.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::time::{Instant, sleep};

use super::writer::{GROUP, Writer};
use super::{SqliteStore, migrate};
use crate::config::section::StoreAddress;
use crate::store::OpenMode;
use crate::store::error::StoreError;

/// How long a writer waits for another process's commit.
const BUSY: Duration = Duration::from_secs(5);
/// What the writer keeps of the file, in KiB, negated as the engine wants it: a group of commits touches several MB.
const CACHE: &str = "-16384";
/// Pages of the log that are taken over into the file at once. A page that many commits touch is then written there once.
const CHECKPOINT: &str = "4000";
/// Readers at once; a status document needs one.
const READERS: u32 = 4;

impl SqliteStore {
    /// As [`crate::store::open`].
    pub(in crate::store) async fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        match mode {
            OpenMode::Migrate | OpenMode::Beside => make(path)?,
            _ if !path.exists() => {
                return Err(StoreError::Missing {
                    address: address(path),
                });
            }
            _ => {}
        }
        let mut conn = connect(path, mode).await?;
        match mode {
            OpenMode::Migrate => migrate::apply_on(path, &mut conn).await?,
            OpenMode::Beside => match migrate::check_on(path, &mut conn).await {
                Err(StoreError::OlderSchema { found: 0, .. }) => migrate::apply_on(path, &mut conn).await?,
                checked => checked?,
            },
            OpenMode::Existing | OpenMode::ReadOnly => migrate::check_on(path, &mut conn).await?,
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(connect_options(path).read_only(true));
        Ok(Self {
            writer: Writer::start(conn),
            readers,
        })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// How errors name the database.
pub(super) fn address(path: &Path) -> StoreAddress {
    StoreAddress::Sqlite(path.to_owned())
}

/// What every connection has.
fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

/// Opens the writing connection. The engine does not wait by itself while another process turns a new database to its log mode,
/// so a busy database is asked again for as long as any write would wait.
pub(in crate::store) async fn connect(path: &Path, mode: OpenMode) -> Result<SqliteConnection, StoreError> {
    let options = writer_options(path, mode);
    let give_up = Instant::now() + BUSY;
    loop {
        let answer = SqliteConnection::connect_with(&options).await;
        match answer.map_err(|error| open_error(path, error)) {
            Err(StoreError::Busy) if Instant::now() < give_up => sleep(BUSY / 500).await,
            other => return other,
        }
    }
}

/// What a failure to open means.
fn open_error(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Engine(error) => StoreError::Open {
            address: address(path),
            reason: error.to_string(),
        },
        StoreError::Damaged { reason } => StoreError::Damaged {
            reason: format!("{}: {reason}", path.display()),
        },
        known => known,
    }
}

fn writer_options(path: &Path, mode: OpenMode) -> SqliteConnectOptions {
    match mode {
        OpenMode::ReadOnly => connect_options(path).read_only(true),
        OpenMode::Migrate | OpenMode::Beside | OpenMode::Existing => connect_options(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What a savepoint would be undone with; on disk it is most of what a commit writes.
            .pragma("temp_store", "memory")
            .pragma("cache_size", CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT)
            // The heads of a whole group, without a stop on the way.
            .row_buffer_size(GROUP),
    }
}

/// Makes the file, for its owner alone: it holds prompts and output of people's work. The log files follow its mode.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::Open {
        address: address(path),
        reason: error.to_string(),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}
