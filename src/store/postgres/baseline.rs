//! Adopting a schema that is there without its history: by a restore that left it out, or made by hand.
//!
//! Invariants: what is there is compared with what the migrations make, in a scratch schema of a transaction that is rolled back;
//! only an equal one is adopted, at the number of the last migration that it has; nothing of it is changed.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::migrate::{HISTORY, MIGRATIONS, sign, sound_history};
use super::partitions::DAILY;
use super::server::Server;
use crate::config::section::PostgresServer;
use crate::store::error::StoreError;
use crate::store::migrate::{MigrationStep, steps};

/// Where the migrations are run for comparison.
const SCRATCH: &str = "orchestrator_baseline";
/// The most differences that are told.
const TOLD: usize = 5;

/// Everything of a schema that matters, a line each. Partitions of single days come and go; the history is not part of it.
const DESCRIBE: &str = "\
    SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' ' || a.attgenerated::text || a.attidentity::text \
        || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
    WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p') \
    UNION ALL SELECT 'index ' || replace(pg_get_indexdef(i.indexrelid), $1::text || '.', '') \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = $1::text::regnamespace \
    UNION ALL SELECT 'constraint ' || c.relname || ' ' || o.conname || ' ' || replace(pg_get_constraintdef(o.oid), $1::text || '.', '') \
    FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid \
    WHERE c.relnamespace = $1::text::regnamespace AND o.contype <> 'n' \
    UNION ALL SELECT 'view ' || c.relname || ' ' || md5(replace(pg_get_viewdef(c.oid), $1::text || '.', '')) FROM pg_class c \
    WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'v' \
    UNION ALL SELECT 'trigger ' || c.relname || ' ' || replace(pg_get_triggerdef(t.oid), $1::text || '.', '') \
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = $1::text::regnamespace AND NOT t.tgisinternal \
    UNION ALL SELECT 'function ' || p.proname || ' ' || md5(p.prosrc) FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace \
    UNION ALL SELECT 'sequence ' || c.relname FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'S'";

/// Adopts the schema that is there, and tells the whole history with what is applied of it by now.
pub(in crate::store) async fn baseline(address: &PostgresServer) -> Result<Vec<MigrationStep>, StoreError> {
    let server = Server::of(address, false)?;
    let mut conn = server.first_connection().await?;
    if !sound_history(&server, &mut conn).await?.is_empty() {
        let already = "it has a history of migrations; `orchestrator migrate --check` looks at it".to_owned();
        return Err(differs(&server, vec![already]));
    }
    let told = |error: sqlx::Error| server.told(error);
    let own: String = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(&mut conn)
        .await
        .map_err(told)?;
    let there = describe(&mut conn, &own).await.map_err(told)?;
    let count = MIGRATIONS.iter().count();
    let mut nearest = None;
    for applied in (1..=count).rev() {
        let made = make(&mut conn, applied).await.map_err(told)?;
        if made == there {
            adopt(&mut conn, applied).await.map_err(told)?;
            let versions: Vec<i64> = MIGRATIONS.iter().take(applied).map(|m| m.version).collect();
            return Ok(steps(&MIGRATIONS, &versions));
        }
        nearest.get_or_insert(made);
    }
    let made = nearest.unwrap_or_default();
    let missing = made.difference(&there).map(|line| format!("missing: {line}"));
    let foreign = there.difference(&made).map(|line| format!("not known: {line}"));
    Err(differs(&server, missing.chain(foreign).collect()))
}

fn differs(server: &Server, mut differences: Vec<String>) -> StoreError {
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    StoreError::ForeignSchema {
        address: server.address(),
        differences: differences.join("; "),
    }
}

/// What the first migrations make, described; nothing of it stays.
async fn make(conn: &mut PgConnection, migrations: usize) -> Result<BTreeSet<String>, sqlx::Error> {
    let mut transaction = conn.begin().await?;
    let scratch = format!("CREATE SCHEMA {SCRATCH}; SET LOCAL search_path = {SCRATCH}");
    sqlx::raw_sql(AssertSqlSafe(scratch))
        .execute(&mut *transaction)
        .await?;
    for migration in MIGRATIONS.iter().take(migrations) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *transaction)
            .await?;
    }
    let made = describe(&mut transaction, SCRATCH).await?;
    transaction.rollback().await?;
    Ok(made)
}

async fn describe(conn: &mut PgConnection, schema: &str) -> Result<BTreeSet<String>, sqlx::Error> {
    let lines: Vec<String> = sqlx::query_scalar(DESCRIBE).bind(schema).fetch_all(conn).await?;
    let of_a_day = |line: &String| {
        let day = |parent: &str| {
            let (_, rest) = line.split_once(parent)?.1.split_once('_')?;
            Some(rest.len() >= 8 && rest.as_bytes()[..8].iter().all(u8::is_ascii_digit))
        };
        DAILY.into_iter().any(|parent| day(parent).unwrap_or_default())
    };
    Ok(lines
        .into_iter()
        .filter(|line| !of_a_day(line) && !line.contains(HISTORY))
        .collect())
}

/// Writes the history that the schema would have.
async fn adopt(conn: &mut PgConnection, migrations: usize) -> Result<(), sqlx::Error> {
    let mut transaction = conn.begin().await?;
    // As the migrator makes it.
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
         installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, \
         execution_time BIGINT NOT NULL)",
    )
    .execute(&mut *transaction)
    .await?;
    for migration in MIGRATIONS.iter().take(migrations) {
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ($1, $2, true, $3, 0)",
        )
        .bind(migration.version)
        .bind(migration.description.as_ref())
        .bind(migration.checksum.as_ref())
        .execute(&mut *transaction)
        .await?;
    }
    sign(&mut transaction).await?;
    transaction.commit().await
}
