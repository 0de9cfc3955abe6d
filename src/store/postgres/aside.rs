//! Putting a whole store aside: everything that the migrations make moves into a schema of its own, and is made anew, empty.
//!
//! Invariants: nothing is deleted; what is not of the migrations stays where it is; nodes and leaders keep their terms, so
//! that whoever still writes under an old one is refused as before. All of it is one transaction, which is the caller's.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::migrate::{HISTORY, MIGRATIONS, sign};
use super::partitions;
use super::server::Server;
use crate::config::section::PostgresServer;
use crate::store::error::StoreError;

/// Where the migrations are run to learn what they make.
const SCRATCH: &str = "orchestrator_scratch";

/// What moves: tables, views, sequences of their own, functions. Indexes, triggers and owned sequences go with their tables.
const MOVES: &str = "SELECT format('ALTER TABLE %I.%I SET SCHEMA %I', n.nspname, c.relname, $2) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') \
    AND (c.relname = ANY($3) OR c.relname ~ '^[a-z_]+_[0-9]{8}$' AND EXISTS (SELECT FROM pg_inherits i \
    JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid AND p.relname = ANY($3))) \
    UNION ALL SELECT format('ALTER VIEW %I.%I SET SCHEMA %I', n.nspname, c.relname, $2) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'v' AND c.relname = ANY($3) \
    UNION ALL SELECT format('ALTER SEQUENCE %I.%I SET SCHEMA %I', n.nspname, c.relname, $2) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'S' AND c.relname = ANY($3) \
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')) \
    UNION ALL SELECT format('ALTER FUNCTION %s SET SCHEMA %I', p.oid::regprocedure, $2) FROM pg_proc p \
    JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = ANY($3)";
/// Whose lease holds.
const PRESENT: &str = "SELECT string_agg(name, ', ' ORDER BY name) FROM node \
    WHERE NOT is_gone AND lease_until > clock_timestamp()";
/// What the migrations make, by name.
const NAMES: &str = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace \
    AND c.relkind IN ('r', 'p', 'v', 'S') \
    UNION SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace";

/// The nodes that are at work on a store, by name; none where nobody is.
pub(in crate::store) async fn present(address: &PostgresServer) -> Result<Option<String>, StoreError> {
    let server = Server::of(address, true)?;
    let mut conn = server.first_connection().await?;
    let there = async {
        let made: bool = sqlx::query_scalar("SELECT to_regclass('node') IS NOT NULL")
            .fetch_one(&mut conn)
            .await?;
        match made {
            true => sqlx::query_scalar(PRESENT).fetch_one(&mut conn).await,
            false => Ok(None),
        }
    };
    there.await.map_err(|error| server.told(error))
}

/// How many tasks there are.
pub(in crate::store) async fn tasks(address: &PostgresServer) -> Result<u64, StoreError> {
    let server = Server::of(address, true)?;
    let mut conn = server.first_connection().await?;
    let count: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM task")
        .fetch_one(&mut conn)
        .await;
    Ok(count.map_err(|error| server.told(error))?.unsigned_abs())
}

/// Drops what was put aside and held no task.
pub(in crate::store) async fn forget(address: &PostgresServer, aside: &str) -> Result<(), StoreError> {
    let server = Server::of(address, false)?;
    let mut conn = server.first_connection().await?;
    let drop = format!("DROP SCHEMA \"{aside}\" CASCADE");
    let dropped = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut conn).await;
    dropped.map_err(|error| server.told(error))?;
    Ok(())
}

/// Moves the store of this connection into the new schema `aside`, and makes an empty one in its place.
pub(in crate::store) async fn put_aside(conn: &mut PgConnection, aside: &str) -> Result<(), StoreError> {
    move_away(conn, aside).await?;
    MIGRATIONS
        .run(&mut *conn)
        .await
        .map_err(|error| StoreError::Unreadable {
            what: "the new schema".to_owned(),
            reason: error.to_string(),
        })?;
    sign(conn).await?;
    partitions::ahead_on(conn).await?;
    for table in ["node", "leader"] {
        let keep = format!("INSERT INTO {table} SELECT * FROM \"{aside}\".{table}");
        sqlx::raw_sql(AssertSqlSafe(keep)).execute(&mut *conn).await?;
    }
    Ok(())
}

async fn move_away(conn: &mut PgConnection, aside: &str) -> Result<(), sqlx::Error> {
    let own: String = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(&mut *conn)
        .await?;
    let mut names = names(conn).await?;
    names.push(HISTORY.to_owned());
    let schema = format!("CREATE SCHEMA \"{aside}\"");
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(&mut *conn).await?;
    let moves: Vec<String> = sqlx::query_scalar(MOVES)
        .bind(&own)
        .bind(aside)
        .bind(&names)
        .fetch_all(&mut *conn)
        .await?;
    for step in moves {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// What the migrations make; nothing of it stays.
async fn names(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut savepoint = conn.begin().await?;
    let scratch = format!("CREATE SCHEMA {SCRATCH}; SET LOCAL search_path = {SCRATCH}");
    sqlx::raw_sql(AssertSqlSafe(scratch))
        .execute(&mut *savepoint)
        .await?;
    for migration in MIGRATIONS.iter() {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *savepoint)
            .await?;
    }
    let names = sqlx::query_scalar(NAMES)
        .bind(SCRATCH)
        .fetch_all(&mut *savepoint)
        .await?;
    savepoint.rollback().await?;
    Ok(names)
}
