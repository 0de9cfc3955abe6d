//! The store under work that does nothing: how fast jobs go through it when nothing else takes time.
//!
//! The lifecycle is a claim under a new epoch, a sign of life, and an end that is fenced by that epoch, all durable, by ten
//! workers at once, each with a hundred jobs in hand. It ends in one of two ways: in one step (claim of done and passed gate
//! together; with the admission three events a job), or in the product's own two (three events beside the admission).

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use orchestrator::store::{self, OpenMode, Store, StoreAddress};

use super::figure::{Figure, Unit};
use super::lanes::{Ending, HAND, JOBS, WORKERS, admit_all, jobs, work_off};
use super::scene::runtime;

/// Runs of each way.
const RUNS: usize = 5;

/// Jobs a second, and what they cost on disk.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut all = Vec::new();
    for (way, what) in [
        (Ending::AtOnce, "claim, beat, fenced end"),
        (Ending::ThroughTheGate, "claim, beat, fenced claim of done, gate"),
    ] {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(runtime()?.block_on(run(way))?);
        }
        let column = |pick: fn(&Run) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
        let rate = Figure::new(
            format!("{what}: jobs, {WORKERS} workers with {HAND} each"),
            Unit::Rate,
            column(|run| run.jobs),
        );
        all.push(rate.above(20_000.0));
        all.push(Figure::new(
            format!("{what}: rows that stay of a job, admission included"),
            Unit::Count,
            column(|run| run.rows),
        ));
        all.push(Figure::new(
            format!("{what}: written to disk for a job, admission left out"),
            Unit::Memory,
            column(|run| run.written),
        ));
        all.push(Figure::new(
            format!("{what}: admissions before it, {HAND} times {WORKERS} in flight"),
            Unit::Rate,
            column(|run| run.admissions),
        ));
    }
    for flight in [1, 10] {
        let mut rates = Vec::new();
        for _ in 0..RUNS {
            rates.push(runtime()?.block_on(enqueue(flight))?);
        }
        let what = format!("single admissions, {flight} in flight");
        all.push(Figure::new(what, Unit::Rate, rates).above(2_000.0));
    }
    Ok(all)
}

/// What one run found.
struct Run {
    jobs: f64,
    rows: f64,
    written: f64,
    admissions: f64,
}

async fn run(way: Ending) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orchestrator.db");
    let store = open(&path).await?;
    let tasks = jobs(JOBS)?;
    let begun = Instant::now();
    admit_all(&*store, &tasks, WORKERS * HAND).await?;
    let admissions = JOBS as f64 / begun.elapsed().as_secs_f64();

    let (written, begun) = (written()?, Instant::now());
    work_off(&*store, tasks, way).await?;
    let took = begun.elapsed().as_secs_f64();
    let written = (self::written()? - written) as f64;
    anyhow::ensure!(store.live_ids().await?.is_empty(), "jobs are left");
    store.close().await;
    Ok(Run {
        jobs: JOBS as f64 / took,
        rows: rows(&path).await? as f64 / JOBS as f64,
        written: written / JOBS as f64,
        admissions,
    })
}

async fn open(path: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Ok(store::open(&StoreAddress::Sqlite(path.to_owned()), OpenMode::Migrate).await?)
}

async fn enqueue(flight: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let store = open(&folder.path().join("orchestrator.db")).await?;
    let tasks = jobs(2_000)?;
    let begun = Instant::now();
    admit_all(&*store, &tasks, flight).await?;
    let rate = tasks.len() as f64 / begun.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

/// Bytes that this process has caused to be written to disk so far.
fn written() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("no write_bytes")?.parse()?)
}

/// Rows of all tables of a task's path.
async fn rows(path: &Path) -> anyhow::Result<i64> {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut conn = sqlx::SqliteConnection::connect_with(&options).await?;
    let sql = "SELECT (SELECT count(*) FROM definition) + (SELECT count(*) FROM task) + (SELECT count(*) FROM attempt) \
        + (SELECT count(*) FROM gate) + (SELECT count(*) FROM receipt) + (SELECT count(*) FROM event_log) \
        + (SELECT count(*) FROM outbox)";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut conn).await?)
}
