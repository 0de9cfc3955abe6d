//! The two tables that make a copy of a store a backup: what lies in it, and the files.
//!
//! Digests are of what is read back from the file. A digest of the list itself ends it, so that the list is whole too.

use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{BackupError, FORM, Kept, Manifest, Part};
use crate::store::OpenMode;
use crate::store::error::StoreError;
use crate::store::row::micros;
use crate::store::sqlite::{connect, newest_schema};

const TABLES: &str = "CREATE TABLE backup_file (path TEXT NOT NULL PRIMARY KEY, written_at INTEGER NOT NULL, \
    bytes BLOB NOT NULL) STRICT; \
    CREATE TABLE backup_manifest (body TEXT NOT NULL, digest TEXT NOT NULL) STRICT";
/// Takes them out again, and what a fleet's backup has besides; the rest is an embedded store.
pub(super) const UNSEAL: &str =
    "DROP TABLE backup_file; DROP TABLE backup_manifest; DROP TABLE IF EXISTS session_summary";
/// Of the manifest and the files, when the copies of a fleet's progress files are to stay.
pub(super) const UNSEAL_FOR_FLEET: &str = "DROP TABLE backup_file; DROP TABLE backup_manifest";
const NAMES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' \
    AND name NOT GLOB 'backup_*' ORDER BY name";

/// The newest migration of the database.
pub(super) async fn schema(conn: &mut SqliteConnection) -> Result<i64, BackupError> {
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// All tables, with what they hold.
pub(super) async fn tables(conn: &mut SqliteConnection) -> Result<Vec<Part>, BackupError> {
    let names: Vec<String> = sqlx::query_scalar(NAMES).fetch_all(&mut *conn).await?;
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        parts.push(table(conn, name).await?);
    }
    Ok(parts)
}

/// A sum of the digests of all rows, so that their order does not count.
async fn table(conn: &mut SqliteConnection, name: String) -> Result<Part, BackupError> {
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_xinfo($1) ORDER BY cid")
        .bind(&name)
        .fetch_all(&mut *conn)
        .await?;
    // Every value as the literal that it is: its type counts too.
    let values: Vec<String> = columns
        .iter()
        .map(|column| format!("quote(\"{column}\")"))
        .collect();
    let sql = format!("SELECT {} FROM \"{name}\"", values.join(", "));
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(conn);
    let (mut size, mut sum) = (0u64, [0u64; 4]);
    while let Some(row) = rows.try_next().await? {
        let mut digest = Sha256::new();
        for at in 0..columns.len() {
            let value: &str = row.try_get(at)?;
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value.as_bytes());
        }
        let digest: [u8; 32] = digest.finalize().into();
        let (words, _) = digest.as_chunks::<8>();
        for (sum, word) in sum.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
        size += 1;
    }
    let digest = sum.iter().map(|word| format!("{word:016x}")).collect();
    Ok(Part { name, size, digest })
}

/// A file, with what it holds.
pub(super) fn part(kept: &Kept) -> Part {
    Part {
        name: kept.path.clone(),
        size: kept.bytes.len() as u64,
        digest: hex(&kept.bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes both tables.
pub(super) async fn seal(
    conn: &mut SqliteConnection,
    manifest: &Manifest,
    files: &[Kept],
) -> Result<(), BackupError> {
    let body = serde_json::to_string(manifest).map_err(|error| StoreError::Unreadable {
        what: "the list of the backup".to_owned(),
        reason: error.to_string(),
    })?;
    let mut transaction = conn.begin().await?;
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
    for kept in files {
        sqlx::query("INSERT INTO backup_file (path, written_at, bytes) VALUES ($1, $2, $3)")
            .bind(&kept.path)
            .bind(micros(kept.written_at))
            .bind(&kept.bytes)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("INSERT INTO backup_manifest (body, digest) VALUES ($1, $2)")
        .bind(&body)
        .bind(hex(body.as_bytes()))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Reads all of a backup and compares it with its list.
pub(super) async fn verify(path: &Path) -> Result<Manifest, BackupError> {
    let mut conn = open(path).await?;
    let verified = verify_on(path, &mut conn)
        .await
        .map_err(|error| damaged(path, error));
    // It was only read.
    drop(conn.close().await);
    verified
}

async fn open(path: &Path) -> Result<SqliteConnection, BackupError> {
    if !path.is_file() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(BackupError::file(path)(missing));
    }
    connect(path, OpenMode::ReadOnly)
        .await
        .map_err(|error| match error {
            StoreError::Damaged { .. } => BackupError::Foreign(path.to_owned()),
            other => damaged(path, other.into()),
        })
}

async fn verify_on(path: &Path, conn: &mut SqliteConnection) -> Result<Manifest, BackupError> {
    let manifest = manifest(path, conn).await?;
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *conn)
        .await?;
    if check != "ok" {
        return Err(amiss(path, check));
    }
    let found = tables(conn).await?;
    if let Some(part) = differing(&manifest.tables, &found) {
        return Err(amiss(path, format!("the table {part} is not as it was written")));
    }
    let found: Vec<Part> = files_on(conn).await?.iter().map(part).collect();
    if let Some(part) = differing(&manifest.files, &found) {
        return Err(amiss(path, format!("the file {part} is not as it was written")));
    }
    Ok(manifest)
}

/// The first part that is not the same in both.
fn differing(listed: &[Part], found: &[Part]) -> Option<String> {
    let missing = listed.iter().find(|part| !found.contains(part));
    let foreign = || found.iter().find(|part| !listed.contains(part));
    missing.or_else(foreign).map(|part| part.name.clone())
}

async fn manifest(path: &Path, conn: &mut SqliteConnection) -> Result<Manifest, BackupError> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'backup_manifest'";
    let there: i64 = sqlx::query_scalar(there)
        .fetch_one(&mut *conn)
        .await
        .map_err(|error| match error.into() {
            StoreError::Damaged { .. } => BackupError::Foreign(path.to_owned()),
            other => other.into(),
        })?;
    if there == 0 {
        return Err(BackupError::Foreign(path.to_owned()));
    }
    let (body, digest): (String, String) = sqlx::query_as("SELECT body, digest FROM backup_manifest")
        .fetch_one(conn)
        .await?;
    if hex(body.as_bytes()) != digest {
        return Err(amiss(path, "its list is not as it was written".to_owned()));
    }
    let newer = |program: &str, what: String| BackupError::Newer {
        path: path.to_owned(),
        program: program.to_owned(),
        what,
    };
    // A newer form may have other fields; these two stay.
    let plain: serde_json::Value =
        serde_json::from_str(&body).map_err(|error| amiss(path, error.to_string()))?;
    let program = plain["program"].as_str().unwrap_or("of a later version");
    let form = plain["form"].as_u64().unwrap_or(u64::MAX);
    if form > u64::from(FORM) {
        return Err(newer(program, format!("form {form}, known up to {FORM}")));
    }
    let manifest: Manifest =
        serde_json::from_value(plain.clone()).map_err(|error| amiss(path, error.to_string()))?;
    let known = newest_schema();
    if manifest.schema > known {
        let what = format!("schema {}, known up to {known}", manifest.schema);
        return Err(newer(program, what));
    }
    Ok(manifest)
}

pub(super) async fn files(path: &Path) -> Result<Vec<Kept>, BackupError> {
    let mut conn = open(path).await?;
    let read = async {
        let mut files = files_on(&mut conn).await?;
        files.extend(summaries(&mut conn, &files).await?);
        Ok(files)
    };
    let files = read.await.map_err(|error| damaged(path, error));
    drop(conn.close().await);
    files
}

/// The copies of progress files that a fleet keeps in its store, where the file itself was on another node.
async fn summaries(conn: &mut SqliteConnection, files: &[Kept]) -> Result<Vec<Kept>, BackupError> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'session_summary'";
    let there: i64 = sqlx::query_scalar(there).fetch_one(&mut *conn).await?;
    if there == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT task_id, saved_at, progress FROM session_summary")
            .fetch_all(conn)
            .await?;
    let kept = rows.into_iter().map(|(task, saved_at, progress)| Kept {
        path: format!("progress/{task}.md"),
        written_at: saved_at.parse().unwrap_or_default(),
        bytes: progress.into_bytes(),
    });
    Ok(kept
        .filter(|kept| files.iter().all(|known| known.path != kept.path))
        .collect())
}

async fn files_on(conn: &mut SqliteConnection) -> Result<Vec<Kept>, BackupError> {
    let rows: Vec<(String, i64, Vec<u8>)> =
        sqlx::query_as("SELECT path, written_at, bytes FROM backup_file ORDER BY path")
            .fetch_all(conn)
            .await?;
    let kept = rows.into_iter().map(|(path, written_at, bytes)| Kept {
        path,
        written_at: DateTime::<Utc>::from_timestamp_micros(written_at).unwrap_or_default(),
        bytes,
    });
    Ok(kept.collect())
}

fn amiss(path: &Path, what: String) -> BackupError {
    BackupError::Damaged {
        path: path.to_owned(),
        what,
    }
}

/// What an engine says of a damaged file, said of the backup.
fn damaged(path: &Path, error: BackupError) -> BackupError {
    match error {
        BackupError::Store(StoreError::Damaged { reason }) => amiss(path, reason),
        BackupError::Store(error @ (StoreError::Engine(_) | StoreError::Unreadable { .. })) => {
            amiss(path, error.to_string())
        }
        other => other,
    }
}
