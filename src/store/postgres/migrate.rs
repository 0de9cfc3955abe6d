//! The schema's history on a server.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

use super::server::Server;
use crate::config::section::PostgresServer;
use crate::store::error::StoreError;
use crate::store::migrate::{MigrationStep, WRITTEN_BY, edited, newest, steps};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
pub(super) const HISTORY: &str = "_sqlx_migrations";
/// Whoever changes the schema comes one after the other; and a large index may take its time.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('orchestrator schema', 0))";

pub(in crate::store) async fn plan(address: &PostgresServer) -> Result<Vec<MigrationStep>, StoreError> {
    let server = Server::of(address, true)?;
    let mut conn = server.first_connection().await?;
    let applied = history(&server, &mut conn).await?;
    Ok(steps(&MIGRATIONS, &applied))
}

pub(in crate::store) async fn check(address: &PostgresServer) -> Result<(), StoreError> {
    let server = Server::of(address, true)?;
    let mut conn = server.first_connection().await?;
    check_on(&server, &mut conn).await
}

pub(in crate::store) async fn apply(address: &PostgresServer) -> Result<Vec<MigrationStep>, StoreError> {
    let server = Server::of(address, false)?;
    let mut conn = server.first_connection().await?;
    let applied = history(&server, &mut conn).await?;
    apply_on(&server, &mut conn).await?;
    let pending = steps(&MIGRATIONS, &applied);
    Ok(pending.into_iter().filter(|step| !step.applied).collect())
}

/// As [`check`], on an open connection.
pub(super) async fn check_on(server: &Server, conn: &mut PgConnection) -> Result<(), StoreError> {
    let applied = history(server, conn).await?;
    let (found, known) = (applied.last().copied().unwrap_or_default(), newest(&MIGRATIONS));
    if found < known {
        return Err(StoreError::OlderSchema {
            address: server.address(),
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
pub(super) async fn apply_on(server: &Server, conn: &mut PgConnection) -> Result<(), StoreError> {
    match check_on(server, conn).await {
        Err(StoreError::OlderSchema { .. }) => {}
        other => return other,
    }
    let told = |error: sqlx::Error| server.told(error);
    let mut transaction = conn.begin().await.map_err(told)?;
    sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .execute(&mut *transaction)
        .await
        .map_err(told)?;
    sqlx::query(ALONE)
        .execute(&mut *transaction)
        .await
        .map_err(told)?;
    sound_history(server, &mut transaction).await?;
    MIGRATIONS
        .run(&mut *transaction)
        .await
        .map_err(|error| failed_run(server, error))?;
    sign(&mut transaction).await.map_err(told)?;
    transaction.commit().await.map_err(told)
}

fn failed_run(server: &Server, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => server.told(error),
        other => StoreError::EditedHistory {
            address: server.address(),
            version: newest(&MIGRATIONS),
            detail: other.to_string(),
        },
    }
}

/// As [`sound_history`]; tables without any history are not taken for an empty database.
async fn history(server: &Server, conn: &mut PgConnection) -> Result<Vec<i64>, StoreError> {
    let applied = sound_history(server, conn).await?;
    if !applied.is_empty() {
        return Ok(applied);
    }
    let there = "SELECT to_regclass('task') IS NOT NULL AND to_regclass('event_log') IS NOT NULL";
    let there: Result<bool, _> = sqlx::query_scalar(there).fetch_one(conn).await;
    match there.map_err(|error| server.told(error))? {
        false => Ok(applied),
        true => Err(StoreError::ForeignSchema {
            address: server.address(),
            differences: "it has tables, and no history of migrations; `orchestrator migrate --baseline` compares and adopts it"
                .to_owned(),
        }),
    }
}

/// The applied migrations, oldest first, after each was found to be one of this program's.
pub(super) async fn sound_history(server: &Server, conn: &mut PgConnection) -> Result<Vec<i64>, StoreError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(HISTORY)
        .fetch_one(&mut *conn)
        .await
        .map_err(|error| server.told(error))?;
    if !there {
        return Ok(Vec::new());
    }
    let unlisted = |error: MigrateError| match error {
        MigrateError::Execute(error) => server.told(error),
        other => StoreError::Unreadable {
            what: "the list of migrations".to_owned(),
            reason: other.to_string(),
        },
    };
    let known = newest(&MIGRATIONS);
    let applied = conn.list_applied_migrations(HISTORY).await.map_err(unlisted)?;
    if let Some(found) = applied.iter().map(|m| m.version).max().filter(|v| *v > known) {
        let written_by = written_by(conn).await;
        return Err(StoreError::NewerSchema {
            address: server.address(),
            found,
            known,
            written_by,
        });
    }
    let half = conn.dirty_version(HISTORY).await.map_err(unlisted)?;
    let half = half.map(|version| (version, "it was applied only in part"));
    if let Some((version, detail)) = half.or_else(|| edited(&MIGRATIONS, &applied)) {
        return Err(StoreError::EditedHistory {
            address: server.address(),
            version,
            detail: detail.to_owned(),
        });
    }
    Ok(applied.into_iter().map(|m| m.version).collect())
}

async fn written_by(conn: &mut PgConnection) -> Option<String> {
    let value: Result<Option<String>, _> =
        sqlx::query_scalar("SELECT value #>> '{}' FROM flag WHERE name = $1")
            .bind(WRITTEN_BY)
            .fetch_optional(conn)
            .await;
    // A schema from the future may have no such table any more; the refusal matters more than the name.
    value.ok().flatten()
}

/// Leaves this program's version; without a time, because nothing here has a clock.
pub(super) async fn sign(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO flag (name, value, set_at) VALUES ($1, to_json($2::text), 0) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(WRITTEN_BY)
    .bind(env!("CARGO_PKG_VERSION"))
    .execute(conn)
    .await?;
    Ok(())
}
