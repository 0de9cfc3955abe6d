//! The store under work that does nothing: how fast jobs go through it when nothing else takes time.
//!
//! The lifecycle is a claim under a new epoch, a sign of life, and an end that is fenced by that epoch, all durable, by ten
//! workers at once, each with a hundred jobs in hand. It ends in one of two ways: in one step (claim of done and passed gate
//! together; with the admission three events a job), or in the product's own two (three events beside the admission).

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use orchestrator::domain::decide::{AttemptChange, Decision, GateRecord, LogEntry};
use orchestrator::domain::definition::Definition;
use orchestrator::domain::gate::{GateReport, Verdict};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{AttemptReport, Evidence, Outcome};
use orchestrator::domain::stage::Stage;
use orchestrator::domain::task::{Attempt, Claim, End, History, Next, StartKind, State, Task};
use orchestrator::domain::tier::{Route, TierName};
use orchestrator::store::{self, Beat, OpenMode, Store, StoreAddress};

use super::figure::{Figure, Unit};
use super::scene::runtime;

/// Jobs of a run.
const JOBS: usize = 20_000;
/// Workers at once.
const WORKERS: usize = 10;
/// Jobs that a worker takes at a time.
const HAND: usize = 100;
/// Runs of each way.
const RUNS: usize = 5;

/// How a job ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// Its claim of done and its gate in one decision.
    AtOnce,
    /// First the claim, then the gate's verdict.
    ThroughTheGate,
}

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
    let tasks: Vec<Task> = (0..JOBS)
        .map(|n| ready(&format!("job-{n}")))
        .collect::<Result<_, _>>()?;
    let begun = Instant::now();
    admit_all(&*store, &tasks, WORKERS * HAND).await?;
    let admissions = JOBS as f64 / begun.elapsed().as_secs_f64();

    let queue = Mutex::new(VecDeque::from(tasks));
    let (written, begun) = (written()?, Instant::now());
    try_join_all((0..WORKERS).map(|_| work(&*store, &queue, way))).await?;
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

async fn admit_all(store: &dyn Store, tasks: &[Task], flight: usize) -> anyhow::Result<()> {
    stream::iter(tasks)
        .map(|task| store.admit(task, entry("admitted", task), Vec::new()))
        .buffer_unordered(flight)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

async fn enqueue(flight: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let store = open(&folder.path().join("orchestrator.db")).await?;
    let tasks: Vec<Task> = (0..2_000)
        .map(|n| ready(&format!("job-{n}")))
        .collect::<Result<_, _>>()?;
    let begun = Instant::now();
    admit_all(&*store, &tasks, flight).await?;
    let rate = tasks.len() as f64 / begun.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

/// A worker: takes as many jobs as it has hands, and does nothing with them, durably.
async fn work(store: &dyn Store, queue: &Mutex<VecDeque<Task>>, way: Ending) -> anyhow::Result<()> {
    loop {
        let hand: Vec<Task> = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = queue.len().min(HAND);
            queue.drain(..taken).collect()
        };
        if hand.is_empty() {
            return Ok(());
        }
        let hand = step(store, &hand, claimed).await?;
        let fenced = store.beat(hand.iter().map(beat).collect()).await?;
        anyhow::ensure!(fenced.is_empty(), "{fenced:?} lost its lease");
        match way {
            Ending::AtOnce => step(store, &hand, ended_at_once).await?,
            Ending::ThroughTheGate => {
                let hand = step(store, &hand, finished).await?;
                step(store, &hand, judged).await?
            }
        };
    }
}

/// Makes the same decision on all of them; the tasks as they are then.
async fn step(store: &dyn Store, hand: &[Task], decide: fn(&Task) -> Decision) -> anyhow::Result<Vec<Task>> {
    let decisions: Vec<(Decision, u64)> = hand.iter().map(|task| (decide(task), task.version)).collect();
    let next = decisions
        .iter()
        .map(|(decision, _)| decision.task.clone())
        .collect();
    for answer in store.commit_all(decisions).await {
        answer?;
    }
    Ok(next)
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

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn ready(id: &str) -> anyhow::Result<Task> {
    let next = Next {
        tier: TierName::new("haiku"),
        not_before: None,
        why: "the lowest tier".to_owned(),
        session: None,
        runtime: None,
        start: StartKind::First,
    };
    Ok(Task {
        id: TaskId::parse(id)?,
        version: 1,
        epoch: 0,
        definition: Definition {
            title: format!("Job {id}"),
            description: "Do nothing.".to_owned(),
            project: "bench".to_owned(),
            ..Definition::default()
        },
        definition_hash: "hash".to_owned(),
        state: State::Ready { since: at(), next },
        history: History::default(),
        created_at: at(),
        updated_at: at(),
    })
}

fn entry(kind: &str, task: &Task) -> LogEntry {
    LogEntry {
        at: at(),
        kind: kind.to_owned(),
        from: "before".to_owned(),
        to: task.state.name().to_owned(),
        epoch: task.epoch,
        why: "the bench says so".to_owned(),
    }
}

fn decision(kind: &str, from: &Task, epoch: u64, state: State) -> Decision {
    let task = Task {
        version: from.version + 1,
        epoch,
        state,
        ..from.clone()
    };
    Decision {
        entry: entry(kind, &task),
        task,
        attempt: None,
        gate: None,
        durable: Vec::new(),
        led: None,
    }
}

fn claimed(from: &Task) -> Decision {
    let epoch = from.epoch + 1;
    let attempt = Attempt {
        n: 1,
        epoch,
        route: Route {
            tier: TierName::new("haiku"),
            runtime: "none".to_owned(),
            model: "none".to_owned(),
            why: "the lowest tier".to_owned(),
            node: None,
        },
        started_at: at(),
        session: None,
        start: StartKind::First,
    };
    let state = State::Claimed {
        since: at(),
        attempt: attempt.clone(),
    };
    Decision {
        attempt: Some(AttemptChange::Opened(attempt)),
        ..decision("claimed", from, epoch, state)
    }
}

fn beat(task: &Task) -> Beat {
    Beat {
        task: task.id.clone(),
        epoch: task.epoch,
        at: at(),
        pct: Some(50),
        phase: None,
    }
}

fn closed(epoch: u64) -> AttemptChange {
    let report = AttemptReport {
        outcome: Outcome::Done,
        reason: "nothing to do".to_owned(),
        evidence: Evidence {
            commit: Some(COMMIT.to_owned()),
            ..Evidence::default()
        },
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        session: None,
        retry_at: None,
        touched: Vec::new(),
    };
    AttemptChange::Closed {
        n: 1,
        epoch,
        report: Box::new(report),
    }
}

fn finished(from: &Task) -> Decision {
    let claim = Claim {
        attempt: 1,
        epoch: from.epoch,
        by_hand: None,
        commit: Some(COMMIT.to_owned()),
        no_change: None,
    };
    let stage = Stage::Checks;
    let state = State::Validating {
        since: at(),
        claim,
        stage,
    };
    Decision {
        attempt: Some(closed(from.epoch)),
        ..decision("finished", from, from.epoch, state)
    }
}

fn judged(from: &Task) -> Decision {
    let end = End::Completed {
        attempt: 1,
        epoch: from.epoch,
        commit: COMMIT.to_owned(),
        landed: None,
    };
    let report = GateReport {
        commit: COMMIT.to_owned(),
        tree: COMMIT.to_owned(),
        receipts: Vec::new(),
        started_at: at(),
        ended_at: at(),
    };
    let gate = GateRecord {
        attempt: 1,
        epoch: from.epoch,
        verdict: Verdict::Passed,
        report,
    };
    Decision {
        gate: Some(gate),
        ..decision("judged", from, from.epoch, State::Ended { since: at(), end })
    }
}

fn ended_at_once(from: &Task) -> Decision {
    Decision {
        attempt: Some(closed(from.epoch)),
        ..judged(from)
    }
}
