//! The schema of the embedded engine and its history. What is pending and its signature are one transaction.

use std::path::Path;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, SqliteConnection};

use super::open::{address, connect, make};
use crate::store::OpenMode;
use crate::store::error::StoreError;
use crate::store::migrate::{MigrationStep, WRITTEN_BY, edited, newest, steps};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The newest migration of this program.
pub(in crate::store) fn newest_schema() -> i64 {
    newest(&MIGRATIONS)
}

/// As [`crate::store::migrate::plan`].
pub(in crate::store) async fn plan(path: &Path) -> Result<Vec<MigrationStep>, StoreError> {
    let applied = if path.exists() {
        let mut conn = connect(path, OpenMode::ReadOnly).await?;
        let applied = sound_history(path, &mut conn).await?;
        conn.close().await?;
        applied
    } else {
        Vec::new()
    };
    Ok(steps(&MIGRATIONS, &applied))
}

/// As [`crate::store::migrate::check`].
pub(in crate::store) async fn check(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing {
            address: address(path),
        });
    }
    let mut conn = connect(path, OpenMode::ReadOnly).await?;
    let current = check_on(path, &mut conn).await;
    conn.close().await?;
    current
}

/// As [`crate::store::migrate::apply`].
pub(in crate::store) async fn apply(path: &Path) -> Result<Vec<MigrationStep>, StoreError> {
    let pending: Vec<_> = plan(path)
        .await?
        .into_iter()
        .filter(|step| !step.applied)
        .collect();
    make(path)?;
    let mut conn = connect(path, OpenMode::Migrate).await?;
    apply_on(path, &mut conn).await?;
    conn.close().await?;
    Ok(pending)
}

/// As [`check`], on an open connection.
pub(super) async fn check_on(path: &Path, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found = sound_history(path, conn)
        .await?
        .last()
        .copied()
        .unwrap_or_default();
    let known = newest(&MIGRATIONS);
    if found < known {
        return Err(StoreError::OlderSchema {
            address: address(path),
            found,
            known,
        });
    }
    Ok(())
}

/// As [`apply`], on an open connection; does nothing where nothing is to be done.
///
/// Everything that is pending and its signature are one transaction: a process that dies on the way leaves the schema as it was,
/// and one that comes at the same time waits and finds it done.
pub(super) async fn apply_on(path: &Path, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    match check_on(path, conn).await {
        Err(StoreError::OlderSchema { .. }) => {}
        other => return other,
    }
    // A table that is made anew is dropped while others refer to it; inside a transaction the switch does nothing.
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&mut *conn)
        .await?;
    let ran = run_pending(path, conn).await;
    sqlx::query("PRAGMA foreign_keys = ON").execute(conn).await?;
    ran
}

async fn run_pending(path: &Path, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
    sound_history(path, &mut transaction).await?;
    MIGRATIONS
        .run(&mut *transaction)
        .await
        .map_err(|error| failed_run(path, error))?;
    let broken = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&mut *transaction)
        .await?;
    if broken.is_some() {
        let reason = "a row refers to one that is not there".to_owned();
        return Err(StoreError::Damaged { reason });
    }
    sign(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

fn failed_run(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => {
            let (version, detail) = (newest(&MIGRATIONS), other.to_string());
            StoreError::EditedHistory {
                address: address(path),
                version,
                detail,
            }
        }
    }
}

/// The applied migrations, oldest first, after each was found to be one of this program's.
async fn sound_history(path: &Path, conn: &mut SqliteConnection) -> Result<Vec<i64>, StoreError> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *conn).await?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    let known = newest(&MIGRATIONS);
    let applied = conn
        .list_applied_migrations("_sqlx_migrations")
        .await
        .map_err(unlisted)?;
    if let Some(found) = applied.iter().map(|m| m.version).max().filter(|v| *v > known) {
        let written_by = written_by(conn).await;
        return Err(StoreError::NewerSchema {
            address: address(path),
            found,
            known,
            written_by,
        });
    }
    let fault = |(version, detail): (i64, &str)| StoreError::EditedHistory {
        address: address(path),
        version,
        detail: detail.to_owned(),
    };
    if let Some(version) = conn.dirty_version("_sqlx_migrations").await.map_err(unlisted)? {
        return Err(fault((version, "it was applied only in part")));
    }
    if let Some(found) = edited(&MIGRATIONS, &applied) {
        return Err(fault(found));
    }
    Ok(applied.into_iter().map(|m| m.version).collect())
}

fn unlisted(error: MigrateError) -> StoreError {
    StoreError::Unreadable {
        what: "the list of migrations".to_owned(),
        reason: error.to_string(),
    }
}

async fn written_by(conn: &mut SqliteConnection) -> Option<String> {
    let value: Result<Option<String>, _> =
        sqlx::query_scalar("SELECT value ->> '$' FROM flag WHERE name = $1")
            .bind(WRITTEN_BY)
            .fetch_optional(conn)
            .await;
    // A schema from the future may have no such table any more; the refusal matters more than the name.
    value.ok().flatten()
}

/// Leaves this program's version; without a time, because nothing here has a clock.
async fn sign(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO flag (name, value, set_at) VALUES ($1, json_quote($2), 0) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(WRITTEN_BY)
    .bind(env!("CARGO_PKG_VERSION"))
    .execute(conn)
    .await?;
    Ok(())
}
