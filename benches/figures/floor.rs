//! What the server itself gives: batches claimed from a narrow table, single commits, round trips.

use std::time::Instant;

use futures_util::future::try_join_all;
use sqlx::PgConnection;

use super::server::{Database, Server, run};

/// Things a second.
pub struct Floor {
    pub claims: f64,
    pub round_trips: f64,
    pub commits: f64,
}

const CLAIM: &str = "UPDATE floor SET worker = 1, epoch = epoch + 1 WHERE id IN \
    (SELECT id FROM floor WHERE worker IS NULL ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id, epoch";

/// One run on a database of its own.
pub async fn floor(server: &Server) -> anyhow::Result<Floor> {
    let database = server.database().await?;
    let mut conn = database.raw().await?;
    run(
        &mut conn,
        "CREATE TABLE floor (id bigint PRIMARY KEY, epoch bigint NOT NULL, worker bigint) WITH (fillfactor = 70); \
         CREATE INDEX ON floor (id) WHERE worker IS NULL; \
         INSERT INTO floor SELECT i, 0, NULL FROM generate_series(1, 100000) i; \
         CREATE TABLE entry (id bigint, body text); ANALYZE; CHECKPOINT",
    )
    .await?;
    let floor = Floor {
        claims: claims(&database).await?,
        round_trips: round_trips(&mut conn).await?,
        commits: commits(&mut conn).await?,
    };
    drop(conn);
    database.remove().await?;
    Ok(floor)
}

/// By four connections, a hundred a transaction.
async fn claims(database: &Database) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let each = (0..4).map(|_| async {
        let mut conn = database.raw().await?;
        let mut claimed = 0;
        loop {
            let rows: Vec<(i64, i64)> = sqlx::query_as(CLAIM).fetch_all(&mut conn).await?;
            match rows.len() {
                0 => return anyhow::Ok(claimed),
                n => claimed += n,
            }
        }
    });
    let claimed: usize = try_join_all(each).await?.into_iter().sum();
    Ok(claimed as f64 / begun.elapsed().as_secs_f64())
}

async fn round_trips(conn: &mut PgConnection) -> anyhow::Result<f64> {
    let begun = Instant::now();
    for _ in 0..3_000 {
        sqlx::query("SELECT 1").execute(&mut *conn).await?;
    }
    Ok(3_000.0 / begun.elapsed().as_secs_f64())
}

async fn commits(conn: &mut PgConnection) -> anyhow::Result<f64> {
    let begun = Instant::now();
    for n in 0..2_000_i64 {
        sqlx::query("INSERT INTO entry VALUES ($1, 'nothing to do')")
            .bind(n)
            .execute(&mut *conn)
            .await?;
    }
    Ok(2_000.0 / begun.elapsed().as_secs_f64())
}
