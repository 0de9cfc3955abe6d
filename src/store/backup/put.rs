//! Putting a backup back: into an empty store, or in the place of one that is put aside.
//!
//! The flag that holds everything back is in the store before anybody can open it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use sqlx::Connection;

use super::{BackupError, Draft, plain, seal, sync_folder, with_logs};
use crate::config::section::PostgresServer;
use crate::store::carry;
use crate::store::error::StoreError;
use crate::store::row::micros;
use crate::store::sqlite::connect;
use crate::store::{OpenMode, StoreAddress, migrate, postgres};

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// Where what the store held before is now: a file, or a schema of the database.
    pub aside: Option<String>,
}

/// An embedded store of its own, made from a backup; removed with its handle.
pub struct Unpacked(Draft);

impl Unpacked {
    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0.0
    }
}

/// Makes an embedded store from a verified backup, at this program's schema, in a folder for what is in the making.
///
/// # Errors
/// [`BackupError`].
pub async fn unpack(backup: &Path, work: &Path) -> Result<Unpacked, BackupError> {
    fs::create_dir_all(work).map_err(BackupError::file(work))?;
    let draft = Draft::beside(&work.join("checked.db"))?;
    copy(backup, &draft.0)?;
    opened_up(&draft.0, seal::UNSEAL).await?;
    Ok(Unpacked(draft))
}

async fn opened_up(path: &Path, unseal: &str) -> Result<(), BackupError> {
    let mut conn = plain(path).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(unseal.to_owned()))
        .execute(&mut conn)
        .await?;
    conn.close().await?;
    migrate::apply(&StoreAddress::Sqlite(path.to_owned())).await?;
    Ok(())
}

/// What is put back, and what is to hold from the first moment.
#[derive(Debug, Clone, Copy)]
pub struct Restore<'a> {
    /// The verified backup.
    pub backup: &'a Path,
    /// A folder for what is in the making.
    pub work: &'a Path,
    /// Whether what the store holds already is put aside.
    pub replace: bool,
    /// A flag that the store has before anybody can open it, by name and value.
    pub hold: (&'a str, &'a serde_json::Value),
    /// The time.
    pub now: DateTime<Utc>,
}

/// Puts a backup back where an instance keeps its truth. Whoever calls sees to it that no service of this instance runs.
///
/// # Errors
/// [`BackupError::Occupied`] where there are tasks and they are not to be put aside; [`BackupError::InUse`]. The store is then
/// as it was.
pub async fn put_back(restore: &Restore<'_>, address: &StoreAddress) -> Result<PutBack, BackupError> {
    let stamp = restore.now.format("%Y%m%dt%H%M%S").to_string();
    match address {
        StoreAddress::Sqlite(path) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(BackupError::file(folder))?;
            }
            let draft = made(restore, path, seal::UNSEAL).await?;
            into_file(&draft, path, restore.replace, &stamp).await
        }
        StoreAddress::Postgres(server) => {
            if let Some(nodes) = postgres::present(server).await? {
                let address = address.clone();
                return Err(BackupError::InUse { address, nodes });
            }
            let draft = made(restore, &restore.work.join("restored.db"), seal::UNSEAL_FOR_FLEET).await?;
            into_server(&draft, server, restore.replace, &stamp).await
        }
    }
}

/// The store as it will be, beside its place.
async fn made(restore: &Restore<'_>, place: &Path, unseal: &str) -> Result<Draft, BackupError> {
    let draft = Draft::beside(place)?;
    copy(restore.backup, &draft.0)?;
    opened_up(&draft.0, unseal).await?;
    let (name, value) = restore.hold;
    let mut conn = plain(&draft.0).await?;
    sqlx::query(
        "INSERT INTO flag (name, value, set_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at",
    )
    .bind(name)
    .bind(value.to_string())
    .bind(micros(restore.now))
    .execute(&mut conn)
    .await?;
    conn.close().await?;
    Ok(draft)
}

async fn into_file(draft: &Draft, path: &Path, replace: bool, stamp: &str) -> Result<PutBack, BackupError> {
    let mut aside = None;
    if path.exists() {
        let tasks = count(path).await;
        if tasks != Ok(0) && !replace {
            let (address, tasks) = (StoreAddress::Sqlite(path.to_owned()), tasks.unwrap_or_default());
            return Err(BackupError::Occupied { address, tasks });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let there = path.with_file_name(format!("{name}.before-{stamp}"));
        for (from, to) in with_logs(path).iter().zip(with_logs(&there)) {
            match fs::rename(from, to) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BackupError::file(from)(error));
                }
                _ => {}
            }
        }
        aside = Some(there.display().to_string()).filter(|_| tasks != Ok(0));
    }
    let synced = fs::File::open(&draft.0).and_then(|file| file.sync_all());
    synced.map_err(BackupError::file(&draft.0))?;
    fs::rename(&draft.0, path).map_err(BackupError::file(path))?;
    sync_folder(path)?;
    Ok(PutBack { aside })
}

/// The tasks of an embedded store; that one cannot be read is no reason to leave it in the way, where it may be replaced.
async fn count(path: &Path) -> Result<u64, ()> {
    let counted = async {
        let mut conn = connect(path, OpenMode::ReadOnly).await?;
        let made = "SELECT count(*) FROM sqlite_schema WHERE name = 'task'";
        let made: i64 = sqlx::query_scalar(made).fetch_one(&mut conn).await?;
        let tasks: i64 = match made {
            0 => 0,
            _ => {
                sqlx::query_scalar("SELECT count(*) FROM task")
                    .fetch_one(&mut conn)
                    .await?
            }
        };
        conn.close().await?;
        Ok::<_, StoreError>(tasks.unsigned_abs())
    };
    counted.await.map_err(drop)
}

async fn into_server(
    draft: &Draft,
    server: &PostgresServer,
    replace: bool,
    stamp: &str,
) -> Result<PutBack, BackupError> {
    let address = StoreAddress::Postgres(server.clone());
    migrate::apply(&address).await?;
    let tasks = postgres::tasks(server).await?;
    if tasks > 0 && !replace {
        return Err(BackupError::Occupied { address, tasks });
    }
    // Flags and nodes of a service that was there before its first task would be in the way as well.
    let aside = format!("before_restore_{stamp}");
    carry::carry_over(&draft.0, server, Some(&aside)).await?;
    if tasks == 0 {
        postgres::forget(server, &aside).await?;
        return Ok(PutBack { aside: None });
    }
    let aside = Some(format!("the schema {aside}"));
    Ok(PutBack { aside })
}

/// A copy for its owner alone.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = fs::File::open(from).map_err(BackupError::file(from))?;
    let target = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let mut target = target.map_err(BackupError::file(to))?;
    std::io::copy(&mut source, &mut target).map_err(BackupError::file(to))?;
    Ok(())
}
