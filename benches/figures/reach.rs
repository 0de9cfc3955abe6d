//! How long a task that may start waits for its start on an idle fleet: from the call of the commit that lets it, in one process,
//! until the commit of its claim by the leading node, another process, can be seen. The claim's own pass begins the start.

use std::time::{Duration, Instant};

use chrono::Utc;
use orchestrator::domain::event::{Command, Event};
use orchestrator::domain::id::TaskId;
use orchestrator::store::{self, OpenMode, Store};
use sqlx::PgConnection;

use super::figure::{Figure, Unit};
use super::peers::Peers;
use super::scene::{Scene, no_op_worker, runtime, section};
use super::server::Server;
use super::service::Up;
use super::way::Way;

/// Tasks, one after the other.
const TASKS: usize = 100;
/// How long one may take before the figure is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Times to the claim, beside what graphile-worker takes from `addJob` to its handler.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let Some(server) = Server::find() else {
        return Ok(Vec::new());
    };
    let runtime = runtime()?;
    let mut ours = runtime.block_on(claims(&server))?;
    ours.sort();
    let at =
        |times: &[Duration], part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let what = "a task may start, to its claim by the leader";
    let mut all = vec![
        Figure::times(what, &ours),
        Figure::times(format!("{what}, 99th percentile"), &[at(&ours, 99)]).below(0.005),
    ];
    let Some(peers) = Peers::find() else {
        return Ok(all);
    };
    let peer = runtime.block_on(peers.run(&server, "graphile.mjs", Some("default")))?;
    let theirs = Figure::new(
        "graphile-worker: `addJob` to its handler",
        Unit::Time,
        peer.latencies,
    );
    let ratio = theirs.median() / at(&ours, 50).as_secs_f64();
    all.push(theirs);
    all.push(Figure::new("graphile-worker's median: times ours", Unit::Ratio, vec![ratio]).above(1.0));
    Ok(all)
}

async fn claims(server: &Server) -> anyhow::Result<Vec<Duration>> {
    let database = server.database().await?;
    let outside = tempfile::tempdir()?;
    let worker = no_op_worker(outside.path())?;
    let paused: String = (0..TASKS)
        .map(|n| section(&format!("task-{n}"), None).replace("pending", "paused"))
        .collect();
    let queue = format!("# Jobs\n\n## Active Tasks\n\n{paused}## Archived Tasks\n");
    let scene = Scene::make(4, &worker.display().to_string(), &queue)?;
    scene.add_to_configuration(&format!(
        "\n[store]\nurl = \"{}\"\n[fleet]\nnode = \"figures\"\n",
        database.url
    ))?;
    let up = Up::start(&scene)?;
    let store = store::open(&database.address(), OpenMode::Beside).await?;
    let mut conn = database.raw().await?;
    let mut samples = Vec::new();
    for n in 0..TASKS {
        let id = format!("task-{n}");
        samples.push(one(&*store, &mut conn, &id).await?);
        reached(&mut conn, &id, &["completed", "paused", "blocked", "ready"]).await?;
        // What follows the end is not to be part of the next sample.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    store.close().await;
    drop((conn, up));
    database.remove().await?;
    Ok(samples)
}

/// Lets a task start, as a command beside the service does, and waits for its claim.
async fn one(store: &dyn Store, conn: &mut PgConnection, id: &str) -> anyhow::Result<Duration> {
    reached(conn, id, &["paused"]).await?;
    let task = store.task(&TaskId::parse(id)?).await?;
    let task = task.ok_or_else(|| anyhow::anyhow!("no {id}"))?;
    let resume = Event::Person {
        by: "figures".to_owned(),
        command: Command::Resume,
    };
    let mut decision = Way::new().decide(&task, resume)?;
    decision.entry.at = orchestrator::clock::truncate(Utc::now());
    let begun = Instant::now();
    store.commit(decision, task.version).await?;
    reached(conn, id, &["claimed", "running", "validating", "completed"]).await?;
    Ok(begun.elapsed())
}

/// Asks again and again until a task is in one of some states.
async fn reached(conn: &mut PgConnection, id: &str, states: &[&str]) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let kind: Option<String> = sqlx::query_scalar("SELECT kind FROM task WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *conn)
            .await?;
        if kind.as_deref().is_some_and(|kind| states.contains(&kind)) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < give_up,
            "{id} is {kind:?}, not one of {states:?}"
        );
    }
}
