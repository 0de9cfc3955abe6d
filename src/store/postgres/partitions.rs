//! The partitions of the event log and of the workers' output, one a day: made ahead, and given up as a whole when they are old.
//!
//! What must stay of an old day (the events of tasks that still live, and the last of each that is over) moves to the rest. A day
//! that has no partition is no fault: the rest takes what belongs to none.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::PostgresStore;
use super::server::Server;
use crate::store::OpenMode;
use crate::store::error::StoreError;
use crate::store::record::Trimmed;
use crate::store::row::micros;
use crate::store::talk::{TRIM_CARDS, TRIM_HEARD};

/// Rows that one trimming takes at most from a table, so that nobody waits long behind it.
const TRIM_AT_ONCE: i64 = 5_000;
/// Held by whoever changes the partitions.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('orchestrator partitions', 0))";

/// Today and the coming week, by the server's clock, where they have no partition yet.
const MISSING: &str = "SELECT to_char(day, 'YYYYMMDD') FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC'), \
    date_trunc('day', now() AT TIME ZONE 'UTC') + interval '7 days', interval '1 day') AS day \
    WHERE to_regclass($1 || '_' || to_char(day, 'YYYYMMDD')) IS NULL";
const DAYS: &str = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
    WHERE i.inhparent = $1::text::regclass AND c.relname ~ ('^' || $1 || '_[0-9]{8}$') ORDER BY c.relname";
const EVENTS: &str = "event_log";
const OUTPUT: &str = "worker_output";
/// What has a partition a day.
pub(super) const DAILY: [&str; 2] = [EVENTS, OUTPUT];
const TRIM_OUTPUT_REST: &str = "DELETE FROM worker_output_rest WHERE (task_id, epoch, source, starts, at) IN \
    (SELECT task_id, epoch, source, starts, at FROM worker_output_rest WHERE at < $1 LIMIT $2)";
const TRIM_REST: &str = "DELETE FROM event_log_rest WHERE (task_id, version, at) IN (SELECT e.task_id, e.version, e.at \
    FROM event_log_rest e JOIN task t ON t.id = e.task_id \
    WHERE e.at < $1 AND NOT t.live AND e.version <> t.version LIMIT $2)";
const TRIM_OUTBOX: &str =
    "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE done_at < $1 LIMIT $2)";

/// Between two looks at what partitions the coming days need.
const LOOK: Duration = Duration::from_secs(3600);

/// A writer that is only idle finds its row gone with its next commit, and introduces itself anew.
const FORGET: &str = "DELETE FROM writer WHERE seen_at < clock_timestamp() - interval '1 day'";

/// Makes partitions ahead for as long as the store of a service is open.
#[derive(Debug)]
pub(super) struct Upkeep {
    _task: JoinSet<()>,
}

impl Upkeep {
    /// For a service; whoever comes for a moment leaves it to that.
    pub(super) fn start(mode: OpenMode, server: &Server) -> Self {
        let mut task = JoinSet::new();
        if mode == OpenMode::Migrate {
            task.spawn(keep_ahead(server.side_pool()));
        }
        Self { _task: task }
    }
}

async fn keep_ahead(pool: PgPool) {
    loop {
        sleep(LOOK).await;
        if let Err(error) = ahead(&pool).await {
            tracing::warn!(%error, "there are no partitions for the coming days yet; the rest takes what comes");
        }
        if let Err(error) = sqlx::query(FORGET).execute(&pool).await {
            tracing::debug!(%error, "writers that are gone are not forgotten yet");
        }
    }
}

/// Makes the partitions of today and of the coming days.
pub(super) async fn ahead(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut conn = pool.acquire().await?;
    ahead_on(&mut conn).await
}

/// As [`ahead`], on a connection.
pub(super) async fn ahead_on(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    for parent in DAILY {
        let missing: Vec<String> = sqlx::query_scalar(MISSING)
            .bind(parent)
            .fetch_all(&mut *conn)
            .await?;
        if missing.is_empty() {
            continue;
        }
        let mut transaction = conn.begin().await?;
        sqlx::query(LOCK).execute(&mut *transaction).await?;
        for day in missing.iter().filter_map(|day| day_of(day)) {
            let made = make(&mut transaction, parent, day).await;
            if let Err(error) = made {
                // Rows of that day lie in the rest already: they stay there.
                tracing::debug!(parent, %day, %error, "there is no partition for that day");
            }
        }
        transaction.commit().await?;
    }
    Ok(())
}

async fn make(conn: &mut PgConnection, parent: &str, day: NaiveDate) -> Result<(), sqlx::Error> {
    let mut savepoint = conn.begin().await?;
    let (from, to) = (start(day), start(day + TimeDelta::days(1)));
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {} PARTITION OF {parent} FOR VALUES FROM ({from}) TO ({to})",
        table(parent, day)
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *savepoint).await?;
    savepoint.commit().await
}

fn table(parent: &str, day: NaiveDate) -> String {
    format!("{parent}_{}", day.format("%Y%m%d"))
}

fn day_of(digits: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(digits, "%Y%m%d").ok()
}

/// The first microsecond of a day.
fn start(day: NaiveDate) -> i64 {
    micros(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

impl PostgresStore {
    pub(super) async fn trim(&self, now: DateTime<Utc>, keep: TimeDelta) -> Result<Trimmed, StoreError> {
        let before = micros(now - keep);
        let trimmed = async {
            let mut conn = self.pool().acquire().await?;
            let mut events = 0;
            if let Some(day) = oldest(&mut conn, EVENTS, before).await? {
                events += fold(&mut conn, day).await?;
            }
            if let Some(day) = oldest(&mut conn, OUTPUT, before).await? {
                give_up(&mut conn, &table(OUTPUT, day)).await?;
            }
            let output = sqlx::query(TRIM_OUTPUT_REST).bind(before).bind(TRIM_AT_ONCE);
            output.execute(&mut *conn).await?;
            let rest = sqlx::query(TRIM_REST).bind(before).bind(TRIM_AT_ONCE);
            events += rest.execute(&mut *conn).await?.rows_affected();
            let outbox = sqlx::query(TRIM_OUTBOX).bind(before).bind(TRIM_AT_ONCE);
            let outbox = outbox.execute(&mut *conn).await?.rows_affected();
            for old in [TRIM_HEARD, TRIM_CARDS] {
                let query = sqlx::query(old).bind(before).bind(TRIM_AT_ONCE);
                query.execute(&mut *conn).await?;
            }
            Ok(Trimmed { events, outbox })
        };
        trimmed.await.map_err(|error| self.server.told(error))
    }
}

/// The oldest day that is over altogether before a time.
async fn oldest(
    conn: &mut PgConnection,
    parent: &str,
    before: i64,
) -> Result<Option<NaiveDate>, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(DAYS).bind(parent).fetch_all(conn).await?;
    let mut days = tables
        .iter()
        .filter_map(|name| day_of(name.strip_prefix(parent)?.strip_prefix('_')?));
    Ok(days.find(|day| start(*day + TimeDelta::days(1)) <= before))
}

/// Gives up a partition of which nothing must stay.
async fn give_up(conn: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
    let mut transaction = conn.begin().await?;
    sqlx::query(LOCK).execute(&mut *transaction).await?;
    let drop = format!("DROP TABLE IF EXISTS {table}");
    sqlx::query(AssertSqlSafe(drop))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Gives up a day's partition of the event log. What must stay moves to the rest; answers how many rows did not.
async fn fold(conn: &mut PgConnection, day: NaiveDate) -> Result<u64, sqlx::Error> {
    let table = table(EVENTS, day);
    let mut transaction = conn.begin().await?;
    sqlx::query(LOCK).execute(&mut *transaction).await?;
    let detach = format!("ALTER TABLE event_log DETACH PARTITION {table}");
    sqlx::query(AssertSqlSafe(detach))
        .execute(&mut *transaction)
        .await?;
    let count = format!("SELECT count(*) FROM {table}");
    let all: i64 = sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(&mut *transaction)
        .await?;
    let keep = format!(
        "INSERT INTO event_log SELECT e.* FROM {table} e JOIN task t ON t.id = e.task_id \
         WHERE t.live OR t.version = e.version"
    );
    let kept = sqlx::query(AssertSqlSafe(keep))
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    let drop = format!("DROP TABLE {table}");
    sqlx::query(AssertSqlSafe(drop))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(all.cast_unsigned().saturating_sub(kept))
}
