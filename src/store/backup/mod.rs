//! Backups: a whole store, and the files for people beside it, in one file that can be looked at, verified, and put back into
//! either engine.
//!
//! A backup is an embedded database at the schema of the program that made it, with two tables more (`seal`): what lies in
//! it with counts and digests, and the files. Invariants: what is copied is one moment's, also while services write; a backup
//! is there whole or not at all, and never written over another; nothing is put back that is damaged or newer than this
//! program; what a store held before is put aside, not deleted. Deliberately absent: what the world makes of a restored store
//! (`domain::restore`), schedules (cron), and encryption (the file is its owner's alone; what stores it may encrypt it).

mod put;
mod seal;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};

pub use put::{PutBack, Restore, Unpacked, put_back, unpack};

use super::carry::{self, CarryError};
use super::error::StoreError;
use super::migrate;
use super::sqlite::{connect, copy_into};
use super::{OpenMode, StoreAddress};

/// The form of backups that this program writes, and the newest that it reads.
pub const FORM: u32 = 1;

/// What lies in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORM`]
    pub form: u32,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The version of the program that made it.
    pub program: String,
    /// The newest migration of its database.
    pub schema: i64,
    /// `sqlite` or `postgres`: the engine that it was made of.
    pub engine: String,
    /// What it was made of; never with a password.
    pub of: String,
    /// The tables.
    pub tables: Vec<Part>,
    /// The files.
    pub files: Vec<Part>,
}

/// A table or a file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The table's name, or the file's path from the instance's folder.
    pub name: String,
    /// Rows of a table, bytes of a file.
    pub size: u64,
    /// A digest of what it holds, in hex.
    pub digest: String,
}

/// A file for people, as it is kept in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its path from the instance's folder.
    pub path: String,
    /// When it was written.
    pub written_at: DateTime<Utc>,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why there is no backup, or it is not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file already.
    #[error("{0} is there already; name another file, or a folder")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is something else.
    #[error("{0} is no backup of orchestrator (`orchestrator backup` makes one)")]
    Foreign(PathBuf),
    /// It is not what was written.
    #[error("the backup {path} is damaged: {what}; nothing was changed. Take an older one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is amiss.
        what: String,
    },
    /// A newer program made it.
    #[error(
        "the backup {path} was made by orchestrator {program}, and this program cannot read it ({what}); upgrade orchestrator"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the program that made it.
        program: String,
        /// What is newer.
        what: String,
    },
    /// There is something already where it is to be put.
    #[error("{address} holds {tasks} tasks; `--replace` puts them aside first, and deletes nothing")]
    Occupied {
        /// The store.
        address: StoreAddress,
        /// Its tasks.
        tasks: u64,
    },
    /// Somebody is at work on the store.
    #[error("node {nodes} works on {address}; end its service first")]
    InUse {
        /// The store.
        address: StoreAddress,
        /// Their names.
        nodes: String,
    },
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Between the engines.
    #[error(transparent)]
    Carry(#[from] CarryError),
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File {
            path,
            reason: error.to_string(),
        }
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Makes a backup of the store at an address, with these files, as the new file `to`. Services may go on meanwhile.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub async fn take(
    address: &StoreAddress,
    files: &[Kept],
    to: &Path,
    made_at: DateTime<Utc>,
) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let draft = Draft::beside(to)?;
    let engine = match address {
        StoreAddress::Sqlite(path) => {
            copy_into(path, &draft.0).await?;
            "sqlite"
        }
        StoreAddress::Postgres(server) => {
            migrate::apply(&StoreAddress::Sqlite(draft.0.clone())).await?;
            carry::carry_back(server, &draft.0).await?;
            "postgres"
        }
    };
    let mut conn = plain(&draft.0).await?;
    let manifest = Manifest {
        form: FORM,
        made_at,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: seal::schema(&mut conn).await?,
        engine: engine.to_owned(),
        of: address.to_string(),
        tables: seal::tables(&mut conn).await?,
        files: files.iter().map(seal::part).collect(),
    };
    seal::seal(&mut conn, &manifest, files).await?;
    conn.close().await?;
    draft.publish(to)?;
    Ok(manifest)
}

/// What lies in a backup, after all of it was read and compared.
///
/// # Errors
/// [`BackupError::Foreign`], [`BackupError::Damaged`] or [`BackupError::Newer`].
pub async fn verify(path: &Path) -> Result<Manifest, BackupError> {
    seal::verify(path).await
}

/// The files in a verified backup.
///
/// # Errors
/// [`BackupError::Damaged`].
pub async fn files(path: &Path) -> Result<Vec<Kept>, BackupError> {
    seal::files(path).await
}

/// The writing connection to a file that is all of its database: without a log beside it.
async fn plain(path: &Path) -> Result<SqliteConnection, BackupError> {
    let mut conn = connect(path, OpenMode::Existing).await?;
    sqlx::raw_sql("PRAGMA journal_mode = DELETE")
        .execute(&mut conn)
        .await?;
    Ok(conn)
}

/// A file that is being made; removed with what belongs to it, unless it was given its name.
struct Draft(PathBuf);

impl Draft {
    fn beside(path: &Path) -> Result<Self, BackupError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let this = Self(draft);
        this.remove();
        Ok(this)
    }

    /// Gives it its name, durably.
    fn publish(self, to: &Path) -> Result<(), BackupError> {
        let synced = fs::File::open(&self.0).and_then(|file| file.sync_all());
        synced.map_err(BackupError::file(&self.0))?;
        // A link, unlike a renaming, refuses to take another file's place.
        fs::hard_link(&self.0, to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => BackupError::file(to)(error),
        })?;
        sync_folder(to)
    }

    fn remove(&self) {
        for path in with_logs(&self.0) {
            // What is not there need not be removed; what cannot be is in the way of nobody.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A database's file and the logs that may lie beside it.
fn with_logs(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(BackupError::file(folder))
}
