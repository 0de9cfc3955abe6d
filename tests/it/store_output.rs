//! What workers put out, as a server keeps it: a line is one row however often it comes, gaps are seen, old days go.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::store::{self, OpenMode, OutputLine, OutputLog, OutputOf, OutputSource, Store};

use crate::postgres::{self, Database};

fn of(epoch: u64, claimed_at: DateTime<Utc>) -> OutputOf {
    OutputOf {
        task: "t".parse().unwrap(),
        epoch,
        claimed_at,
        source: OutputSource::Said,
    }
}

/// Lines of ten bytes each, from one number to before another.
fn lines(of: &OutputOf, numbers: std::ops::Range<u64>) -> Vec<(OutputOf, OutputLine)> {
    let line = |n: u64| OutputLine {
        starts: n * 10,
        ends: n * 10 + 10,
        text: format!("line\0 {n}"),
    };
    numbers.map(|n| (of.clone(), line(n))).collect()
}

async fn opened(database: &Database) -> (Arc<dyn Store>, OutputLog) {
    let store = store::open(&database.address(), OpenMode::Migrate).await.unwrap();
    let log = store.output_log().unwrap();
    (store, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_one_row_and_a_gap_is_seen_until_it_is_filled() {
    if !postgres::is_there() {
        return;
    }
    let database = Database::create().await;
    let (store, log) = opened(&database).await;
    let now = DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap();
    let (one, other) = (of(1, now), of(2, now));
    assert_eq!(log.whole_to(&one, 0).await.unwrap(), 0);
    log.keep(&lines(&one, 0..5), false).await.unwrap();
    log.keep(&lines(&one, 3..6), true).await.unwrap();
    log.keep(&lines(&other, 0..1), false).await.unwrap();
    log.keep(&[], true).await.unwrap();
    assert_eq!(log.whole_to(&one, 0).await.unwrap(), 60);
    assert_eq!(log.whole_to(&one, 60).await.unwrap(), 60);
    log.keep(&lines(&one, 8..9), false).await.unwrap();
    for from in [0, 20, 60] {
        assert_eq!(log.whole_to(&one, from).await.unwrap(), 60, "from {from}");
    }
    log.keep(&lines(&one, 6..8), false).await.unwrap();
    assert_eq!(log.whole_to(&one, 60).await.unwrap(), 90);
    let read = log.read(&one, 20, 100).await.unwrap();
    assert_eq!(read.len(), 7);
    assert_eq!(read[0].text, "line\u{fffd} 2");
    assert_eq!(log.read(&other, 0, 100).await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_days_go_as_a_whole_and_so_does_what_lies_in_the_rest() {
    if !postgres::is_there() {
        return;
    }
    let database = Database::create().await;
    let (store, log) = opened(&database).await;
    let now = DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap();
    let (fresh, old, older) = (
        of(1, now),
        of(2, now - TimeDelta::days(40)),
        of(3, now - TimeDelta::days(50)),
    );
    let day = older
        .claimed_at
        .date_naive()
        .and_time(chrono::NaiveTime::MIN)
        .and_utc();
    let (from, to) = (
        day.timestamp_micros(),
        (day + TimeDelta::days(1)).timestamp_micros(),
    );
    let partition = format!(
        "CREATE TABLE worker_output_{} PARTITION OF worker_output FOR VALUES FROM ({from}) TO ({to})",
        day.format("%Y%m%d")
    );
    let mut conn = database.raw().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(partition))
        .execute(&mut conn)
        .await
        .unwrap();
    for of in [&fresh, &old, &older] {
        log.keep(&lines(of, 0..3), false).await.unwrap();
    }
    let today = format!("worker_output_{}", now.format("%Y%m%d"));
    let place: String =
        sqlx::query_scalar("SELECT tableoid::regclass::text FROM worker_output WHERE epoch = 1 LIMIT 1")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(place, today, "made ahead");
    store.trim(now, TimeDelta::days(30)).await.unwrap();
    for (of, left) in [(&fresh, 3), (&old, 0), (&older, 0)] {
        assert_eq!(log.read(of, 0, 9).await.unwrap().len(), left, "{of:?}");
    }
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_inherits WHERE inhparent = 'worker_output'::regclass")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(tables, 9, "the rest, today and the coming week");
    store.close().await;
}
