//! A large ledger on PostgreSQL: what a claim, a pass of the engine and signs of life cost there, and what an old snapshot does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use orchestrator::domain::node::{Announcement, NodeName, Role};
use orchestrator::domain::task::Task;
use orchestrator::service::engine::Engine;
use orchestrator::store::{self, Joined, OpenMode, Store};
use sqlx::PgConnection;

use super::figure::{Figure, Unit};
use super::job::{claimed, ended_at_once};
use super::lanes::{Ending, JOBS, admit_all, jobs, work_off};
use super::scene::{Scene, runtime};
use super::server::{Database, Server, run, server_time};

/// Tasks of each kind.
const ARCHIVED: usize = 1_000_000;
const PENDING: usize = 100_000;
const RUNNING: usize = 2_000;
/// Workers of a node, for what the signs of life of all workers cost.
const WORKERS_OF_A_NODE: f64 = 10.0;
/// Renewals of a node's lease each second: five in 12 s.
const RENEWALS: f64 = 5.0 / 12.0;

/// Times of a claim and of a pass, parts of a core, and the rate beside an old snapshot.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let Some(server) = Server::find() else {
        return Ok(Vec::new());
    };
    let mut all = runtime()?.block_on(large(&server))?;
    let runtime = runtime()?;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(runtime.block_on(pinned(&server, true))? / runtime.block_on(pinned(&server, false))?);
    }
    all.push(
        Figure::new(
            "bare jobs beside an old snapshot with 50,000 dead entries: times those without",
            Unit::Ratio,
            kept,
        )
        .above(0.5),
    );
    Ok(all)
}

async fn large(server: &Server) -> anyhow::Result<Vec<Figure>> {
    let database = server.database().await?;
    let store = store::open(&database.address(), OpenMode::Migrate).await?;
    let mut conn = database.raw().await?;
    fill(&*store, &mut conn).await?;
    let what = format!("{ARCHIVED} archived, {PENDING} pending, {RUNNING} running");
    let mut all = Vec::new();
    let claims = claims(&*store).await?;
    all.push(Figure::times(format!("{what}: a claim"), &claims));
    all.push(Figure::times(format!("{what}: a claim, 99th percentile"), &[p99(&claims)]).below(0.005));
    all.push(
        Figure::new(
            format!("signs of life of {RUNNING} workers, ten a node: share of a core of the server"),
            Unit::Share,
            vec![renewals(&*store, &mut conn).await?],
        )
        .below(0.05),
    );
    store.close().await;
    drop(conn);
    let (load, passes) = passes(&database).await?;
    all.push(Figure::times(format!("{what}: load the engine"), &[load]));
    all.push(
        Figure::times(
            format!("{what}: a pass of the engine with nothing to do"),
            &passes,
        )
        .below(0.05),
    );
    database.remove().await?;
    Ok(all)
}

/// One task of each kind by the store's own verbs, and the others as copies of their rows.
async fn fill(store: &dyn Store, conn: &mut PgConnection) -> anyhow::Result<()> {
    let [archived, pending, running] = [JOBS, JOBS + 1, JOBS + 2];
    let made = jobs(JOBS + 3)?.split_off(JOBS);
    admit_all(store, &made, 1).await?;
    for (task, ends) in [(&made[0], true), (&made[2], false)] {
        let claim = claimed(task);
        let next = claim.task.clone();
        store.commit(claim, task.version).await?;
        if ends {
            store.commit(ended_at_once(&next), next.version).await?;
        }
    }
    run(conn, "SET session_replication_role = replica").await?;
    for (model, n) in [(archived, ARCHIVED), (pending, PENDING), (running, RUNNING)] {
        copy(conn, &format!("job-{model}"), &format!("of-{model}"), n).await?;
    }
    // Each by itself: the server cleans up in no transaction, and several statements at once are one.
    for sql in [
        "SET session_replication_role = DEFAULT",
        "VACUUM ANALYZE",
        "CHECKPOINT",
    ] {
        run(conn, sql).await?;
    }
    Ok(())
}

/// Copies of the rows of a task; the columns that are generated are left to the server.
async fn copy(conn: &mut PgConnection, model: &str, name: &str, n: usize) -> anyhow::Result<()> {
    let series = format!("generate_series(0, {})", n - 1);
    let of = |table: &str, columns: &str, values: &str| {
        let key = if table == "task" { "id" } else { "task_id" };
        format!(
            "INSERT INTO {table} ({key}, {columns}) SELECT '{name}-' || i, {values} FROM {table}, {series} i WHERE {key} = '{model}';"
        )
    };
    let same = |table: &str, columns: &str| of(table, columns, columns);
    let task = "version, epoch, seq, definition_hash, project, priority, created_at, updated_at, body_version, done_gate, state, history";
    let attempt = "epoch, n, started_at, ended_at, outcome, reason, opening, report, beat_at, progress_pct";
    let gate = "attempt, epoch, commit_id, tree, verdict, started_at, ended_at";
    let event = "version, epoch, at, kind, from_state, to_state, why";
    for sql in [
        same("definition", "hash, body_version, body"),
        of(
            "event_log",
            &format!("seq, {event}"),
            &format!("nextval('event_seq'), {event}"),
        ),
        of(
            "gate",
            &format!("seq, {gate}"),
            &format!("nextval('event_seq'), {gate}"),
        ),
        same("task", task),
        same("attempt", attempt),
    ] {
        run(conn, &sql).await?;
    }
    Ok(())
}

/// Claims of pending tasks, one after the other.
async fn claims(store: &dyn Store) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for n in 0..1_000 {
        let id = orchestrator::domain::id::TaskId::parse(&format!("of-{}-{n}", JOBS + 1))?;
        let task: Task = store.task(&id).await?.ok_or_else(|| anyhow::anyhow!("no {id}"))?;
        let begun = Instant::now();
        store.commit(claimed(&task), task.version).await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Renewals of a node's lease, by what each costs the server.
async fn renewals(store: &dyn Store, conn: &mut PgConnection) -> anyhow::Result<f64> {
    let roster = store.roster().ok_or_else(|| anyhow::anyhow!("no roster"))?;
    let node = Announcement {
        name: NodeName::unnamed(),
        role: Role::All,
        labels: BTreeSet::new(),
        slots: 10,
        runtimes: BTreeMap::new(),
        version: "1".to_owned(),
        host: "figures".to_owned(),
        pid: 1,
        bus: None,
    };
    let lease = Duration::from_secs(60);
    let Joined::As(term) = roster.join(&node, "figures", lease, Utc::now()).await? else {
        anyhow::bail!("the name is taken");
    };
    let (before, n) = (server_time(conn).await?, 3_000);
    for _ in 0..n {
        anyhow::ensure!(roster.renew(&node, term, lease).await?, "the lease is lost");
    }
    let of_one = (server_time(conn).await? - before) / f64::from(n);
    Ok(of_one * RUNNING as f64 / WORKERS_OF_A_NODE * RENEWALS)
}

/// The engine's own look at all of it.
async fn passes(database: &Database) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let scene = Scene::make(
        2,
        "no-such-program-for-the-figures",
        "# Jobs\n\n## Active Tasks\n",
    )?;
    scene.add_to_configuration(&format!("[store]\nurl = \"{}\"\n", database.url))?;
    let instance = scene.open().await?;
    let begun = Instant::now();
    let mut engine = Engine::load(instance.clone()).await?;
    let load = begun.elapsed();
    for _ in 0..3 {
        engine.pass().await?;
    }
    let mut passes = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        engine.pass().await?;
        passes.push(begun.elapsed());
    }
    engine.leave().await?;
    instance.store.close().await;
    Ok((load, passes))
}

/// Bare jobs a second, with or without somebody who looks at the database as it was before 50,000 rows changed.
async fn pinned(server: &Server, is_pinned: bool) -> anyhow::Result<f64> {
    let database = server.database().await?;
    let store = store::open(&database.address(), OpenMode::Migrate).await?;
    let tasks = jobs(2 * JOBS)?;
    admit_all(&*store, &tasks, 1_000).await?;
    let mut looker = database.raw().await?;
    if is_pinned {
        run(
            &mut looker,
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM task",
        )
        .await?;
    }
    let mut tasks = tasks;
    // Each of them leaves more than three dead entries.
    work_off(&*store, tasks.split_off(JOBS), Ending::AtOnce).await?;
    let begun = Instant::now();
    work_off(&*store, tasks, Ending::AtOnce).await?;
    let rate = JOBS as f64 / begun.elapsed().as_secs_f64();
    drop(looker);
    store.close().await;
    database.remove().await?;
    Ok(rate)
}
