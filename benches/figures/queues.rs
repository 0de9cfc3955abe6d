//! Bare jobs on a PostgreSQL store, beside what other queues and the server itself do in the same run.
//!
//! A run is: the floor, each peer, and the store, one after the other, each on a new database; ratios are of one run.

use std::time::Instant;

use futures_util::future::try_join;
use orchestrator::store::{self, OpenMode};

use super::figure::{Figure, Unit};
use super::floor::{Floor, floor};
use super::lanes::{Ending, HAND, JOBS, WORKERS, admit_all, jobs, work_off};
use super::peers::{Peer, Peers};
use super::scene::runtime;
use super::server::{Server, log_written, number, own_time, run, server_time};

/// Runs of everything.
const RUNS: usize = 3;

/// What the store did in one run.
struct Ours {
    bulk: f64,
    single: f64,
    bare: f64,
    gated: f64,
    sustained: f64,
    rows: f64,
    log: f64,
    admission_log: f64,
    server: f64,
    own: f64,
}

/// One run of everything.
struct Round {
    ours: Ours,
    floor: Floor,
    /// Default, batched, pg-boss.
    peers: Option<[Peer; 3]>,
}

/// Rates of all, and how many times the others' ours are.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let Some(server) = Server::find() else {
        return Ok(Vec::new());
    };
    let peers = Peers::find();
    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        rounds.push(runtime()?.block_on(round(&server, peers.as_ref()))?);
    }
    let column = |pick: &dyn Fn(&Round) -> f64| rounds.iter().map(pick).collect::<Vec<_>>();
    let mut all = own_figures(&column);
    if peers.is_some() {
        all.extend(beside_peers(&column));
    }
    Ok(all)
}

type Column<'c> = &'c dyn Fn(&dyn Fn(&Round) -> f64) -> Vec<f64>;

fn own_figures(column: Column<'_>) -> Vec<Figure> {
    let rate = |what: String, pick: &dyn Fn(&Round) -> f64| Figure::new(what, Unit::Rate, column(pick));
    let bare = "claim, beat, fenced end";
    vec![
        rate("the server: claims, 100 a transaction".to_owned(), &|r| {
            r.floor.claims
        }),
        rate("the server: `SELECT 1`, one after the other".to_owned(), &|r| {
            r.floor.round_trips
        }),
        rate("the server: inserts, each its own commit".to_owned(), &|r| {
            r.floor.commits
        }),
        rate(
            format!("{bare}: jobs, {WORKERS} workers with {HAND} each"),
            &|r| r.ours.bare,
        ),
        rate(format!("{bare} in two steps with its gate: jobs"), &|r| {
            r.ours.gated
        }),
        rate(format!("{bare}: jobs that are admitted meanwhile"), &|r| {
            r.ours.sustained
        }),
        rate(format!("admissions, {HAND} times {WORKERS} in flight"), &|r| {
            r.ours.bulk
        }),
        rate("single admissions, 10 in flight".to_owned(), &|r| r.ours.single),
        Figure::new(
            format!("{bare}: rows that stay of a job, admission included"),
            Unit::Count,
            column(&|r| r.ours.rows),
        ),
        Figure::new(
            format!("{bare}: server's log for a job, admission left out"),
            Unit::Memory,
            column(&|r| r.ours.log),
        ),
        Figure::new(
            "server's log for an admission",
            Unit::Memory,
            column(&|r| r.ours.admission_log),
        ),
        Figure::new(
            format!("{bare}: processor time of the server for a job"),
            Unit::Time,
            column(&|r| r.ours.server),
        ),
        Figure::new(
            format!("{bare}: processor time of this program for a job"),
            Unit::Time,
            column(&|r| r.ours.own),
        ),
        Figure::new(
            format!("{bare}: times the server's claims"),
            Unit::Ratio,
            column(&|r| r.ours.bare / r.floor.claims),
        )
        .above(0.35),
    ]
}

/// One of a peer's rates.
type OfPeer = fn(&Peer) -> f64;
/// One of ours, its goal as a multiple of a peer's, the peer's place, and the peer's rate.
type Goal = (&'static str, f64, fn(&Ours) -> f64, usize, OfPeer);

const PEERS: [&str; 3] = ["graphile-worker", "graphile-worker, batched", "pg-boss"];
const RATES: [(&str, OfPeer); 3] = [
    ("jobs", |peer| peer.process),
    ("enqueued in bulk", |peer| peer.bulk),
    ("enqueued singly, 10 in flight", |peer| peer.single),
];
const GOALS: [Goal; 6] = [
    (
        "bare jobs: times graphile-worker's, batched",
        1.0,
        |o| o.bare,
        1,
        |p| p.process,
    ),
    (
        "bare jobs: times graphile-worker's",
        8.0,
        |o| o.bare,
        0,
        |p| p.process,
    ),
    (
        "bare jobs that are admitted meanwhile: times graphile-worker's, batched",
        0.7,
        |o| o.sustained,
        1,
        |p| p.process,
    ),
    (
        "admissions: times graphile-worker's `add_jobs`",
        1.0,
        |o| o.bulk,
        0,
        |p| p.bulk,
    ),
    (
        "single admissions: times graphile-worker's `addJob`",
        2.5,
        |o| o.single,
        0,
        |p| p.single,
    ),
    ("bare jobs: times pg-boss's", 1.0, |o| o.bare, 2, |p| p.process),
];

fn beside_peers(column: Column<'_>) -> Vec<Figure> {
    let of = |at: usize, pick: &dyn Fn(&Ours, &Peer) -> f64| {
        column(&|round| {
            let peer = round.peers.as_ref().map(|peers| &peers[at]);
            peer.map_or(f64::NAN, |peer| pick(&round.ours, peer))
        })
    };
    let rates = PEERS.iter().enumerate().flat_map(|(at, name)| {
        RATES.map(|(what, pick)| {
            let samples = of(at, &|_, peer| pick(peer));
            Figure::new(format!("{name}: {what}"), Unit::Rate, samples)
        })
    });
    let ratios = GOALS.into_iter().map(|(what, goal, ours, at, theirs)| {
        let samples = of(at, &|own, peer| ours(own) / theirs(peer));
        Figure::new(what, Unit::Ratio, samples).above(goal)
    });
    rates.chain(ratios).collect()
}

async fn round(server: &Server, peers: Option<&Peers>) -> anyhow::Result<Round> {
    let floor = floor(server).await?;
    let ours = ours(server).await?;
    let peers = match peers {
        None => None,
        Some(peers) => Some([
            peers.run(server, "graphile.mjs", Some("default")).await?,
            peers.run(server, "graphile.mjs", Some("batched")).await?,
            peers.run(server, "pgboss.mjs", None).await?,
        ]),
    };
    Ok(Round { ours, floor, peers })
}

async fn ours(server: &Server) -> anyhow::Result<Ours> {
    let first = lifecycle(server, Ending::AtOnce).await?;
    Ok(Ours {
        gated: lifecycle(server, Ending::ThroughTheGate).await?.bare,
        single: single(server).await?,
        sustained: sustained(server).await?,
        ..first
    })
}

/// All jobs admitted, then all worked off.
async fn lifecycle(server: &Server, way: Ending) -> anyhow::Result<Ours> {
    let database = server.database().await?;
    let store = store::open(&database.address(), OpenMode::Migrate).await?;
    let mut conn = database.raw().await?;
    let tasks = jobs(JOBS)?;
    let (log, begun) = (log_written(&mut conn).await?, Instant::now());
    admit_all(&*store, &tasks, WORKERS * HAND).await?;
    let bulk = JOBS as f64 / begun.elapsed().as_secs_f64();
    let admitted = log_written(&mut conn).await?;
    run(&mut conn, "ANALYZE").await?;

    let before = (
        log_written(&mut conn).await?,
        server_time(&mut conn).await?,
        own_time(),
    );
    let begun = Instant::now();
    work_off(&*store, tasks, way).await?;
    let took = begun.elapsed().as_secs_f64();
    let after = (
        log_written(&mut conn).await?,
        server_time(&mut conn).await?,
        own_time(),
    );
    anyhow::ensure!(store.live_ids().await?.is_empty(), "jobs are left");
    let of_a_job = |total: f64| total / JOBS as f64;
    let ours = Ours {
        bulk,
        bare: JOBS as f64 / took,
        rows: of_a_job(number(&mut conn, ROWS).await?),
        log: of_a_job(after.0 - before.0),
        admission_log: of_a_job(admitted - log),
        server: of_a_job(after.1 - before.1),
        own: of_a_job(after.2 - before.2),
        single: f64::NAN,
        gated: f64::NAN,
        sustained: f64::NAN,
    };
    store.close().await;
    drop(conn);
    database.remove().await?;
    Ok(ours)
}

/// Rows of all tables of a task's path.
const ROWS: &str = "SELECT ((SELECT count(*) FROM definition) + (SELECT count(*) FROM task) + (SELECT count(*) FROM attempt) \
    + (SELECT count(*) FROM gate) + (SELECT count(*) FROM receipt) \
    + (SELECT count(*) FROM event_log) + (SELECT count(*) FROM outbox))::float8";

async fn single(server: &Server) -> anyhow::Result<f64> {
    let database = server.database().await?;
    let store = store::open(&database.address(), OpenMode::Migrate).await?;
    let tasks = jobs(3_000)?;
    let begun = Instant::now();
    admit_all(&*store, &tasks, 10).await?;
    let rate = tasks.len() as f64 / begun.elapsed().as_secs_f64();
    store.close().await;
    database.remove().await?;
    Ok(rate)
}

/// Two halves: while one is worked off the other is admitted, and then that is worked off; the time of both from the first
/// admission on.
async fn sustained(server: &Server) -> anyhow::Result<f64> {
    let database = server.database().await?;
    let store = store::open(&database.address(), OpenMode::Migrate).await?;
    let mut waves = jobs(JOBS)?;
    let begun = Instant::now();
    let mut before: Vec<_> = Vec::new();
    while !waves.is_empty() || !before.is_empty() {
        let next: Vec<_> = waves.drain(..waves.len().min(WORKERS * HAND)).collect();
        let worked = work_off(&*store, std::mem::take(&mut before), Ending::AtOnce);
        try_join(worked, admit_all(&*store, &next, WORKERS * HAND)).await?;
        before = next;
    }
    let rate = JOBS as f64 / begun.elapsed().as_secs_f64();
    store.close().await;
    database.remove().await?;
    Ok(rate)
}
