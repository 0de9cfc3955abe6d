//! How long a report takes: from the commit of the change that it tells of until somebody else has it, with the real service.
//! On Matrix somebody is an independent client in an encrypted room of a real homeserver; on Slack a server that takes what
//! is posted, and does nothing else of what Slack does.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

use super::figure::Figure;
use super::scene::{Scene, no_op_worker, runtime, section};
use super::service::{Up, until};

mod slack;

#[cfg(feature = "matrix")]
mod matrix;

/// Tasks, one after the other: each is told of twice.
const TASKS: usize = 25;
/// How long one may take before the figure is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// In seconds.
const GOAL: f64 = 0.3;
/// The name of the surface.
const SURFACE: &str = "chat";

/// When each report was there, by its key, in microseconds of the wall clock.
type Arrivals = HashMap<String, i64>;

/// Both services.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let runtime = runtime()?;
    let mut all = Vec::new();
    #[cfg(feature = "matrix")]
    if let Some(homeserver) = matrix::Homeserver::find() {
        let times = runtime.block_on(matrix::times(&homeserver))?;
        all.push(Figure::times("commit to visible, Matrix, encrypted", &times).below(GOAL));
    }
    let times = runtime.block_on(slack::times())?;
    all.push(Figure::times("commit to posted, Slack's API without Slack", &times).below(GOAL));
    Ok(all)
}

/// An instance that tells of its tasks on a surface.
fn scene(folder: &std::path::Path, chat: &str) -> anyhow::Result<Scene> {
    let worker = no_op_worker(folder)?;
    let queue = "# Jobs\n\n## Active Tasks\n\n## Archived Tasks\n";
    let scene = Scene::make(2, &worker.display().to_string(), queue)?;
    scene.add_to_configuration(&format!(
        "\n[chat.{SURFACE}]\nper_minute = 6000\ndigest_at = \"never\"\n{chat}"
    ))?;
    Ok(scene)
}

/// Has one task after the other done.
fn work(scene: &Scene) -> anyhow::Result<()> {
    let _up = Up::start(scene)?;
    for n in 0..TASKS {
        let id = format!("told-{n}");
        let queue = fs::read_to_string(scene.queue())?;
        let new = section(&id, None) + "## Archived Tasks";
        scene.replace_queue(&queue.replacen("## Archived Tasks", &new, 1))?;
        until(&format!("{id} is archived"), PATIENCE, || {
            let text = fs::read_to_string(scene.queue()).unwrap_or_default();
            text.split_once("## Archived Tasks")
                .is_some_and(|(_, archive)| archive.contains(&format!("### {id}:")))
        })?;
        // What follows the end is not to be part of the next sample.
        std::thread::sleep(Duration::from_millis(400));
    }
    Ok(())
}

/// From the commit of each report to its arrival.
async fn held_against(scene: &Scene, arrivals: &Arrivals) -> anyhow::Result<Vec<Duration>> {
    let path = scene.root().join(".orchestrator/orchestrator.db");
    let mut store = SqliteConnectOptions::new().filename(path).connect().await?;
    let rows = sqlx::query("SELECT key, created_at FROM outbox WHERE kind = $1 ORDER BY seq")
        .bind(format!("to:{SURFACE}"))
        .fetch_all(&mut store)
        .await?;
    anyhow::ensure!(rows.len() >= 2 * TASKS, "only {} reports", rows.len());
    let mut samples = Vec::new();
    for row in rows {
        let (key, at): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        let there = arrivals.get(&key);
        let there = there.ok_or_else(|| anyhow::anyhow!("{key} was never seen"))?;
        samples.push(Duration::from_micros((there - at).max(0).unsigned_abs()));
    }
    Ok(samples)
}
