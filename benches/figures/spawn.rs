//! From the rename of the queue file to the first line of the worker's program, with the real service.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::figure::Figure;
use super::scene::{Scene, no_op_worker, repository, section};
use super::service::{Up, until};

/// Edits a figure.
const EDITS: usize = 40;
/// How long a task may take before the figure is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a person notices as "at once", in seconds.
const GOAL: f64 = 0.3;

/// For a folder of the task's own, and for a worktree of a repository.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    Ok(vec![
        Figure::times("edit to exec, a folder of the task's own", &edits(false)?).below(GOAL),
        Figure::times("edit to exec, a worktree of a repository", &edits(true)?).below(GOAL),
    ])
}

fn edits(in_repository: bool) -> anyhow::Result<Vec<Duration>> {
    let outside = tempfile::tempdir()?;
    let worker = no_op_worker(outside.path())?;
    let workspace = in_repository.then(|| repository(outside.path())).transpose()?;
    let queue = "# Jobs\n\n## Active Tasks\n\n## Archived Tasks\n";
    let scene = Scene::make(2, &worker.display().to_string(), queue)?;
    let _up = Up::start(&scene)?;
    let mut samples = Vec::new();
    for n in 0..EDITS {
        let id = format!("edit-{n}");
        let queue = fs::read_to_string(scene.queue())?;
        let new = section(&id, workspace.as_deref()) + "## Archived Tasks";
        let queue = queue.replacen("## Archived Tasks", &new, 1);
        let before = SystemTime::now().duration_since(UNIX_EPOCH)?;
        scene.replace_queue(&queue)?;
        samples.push(started_at(&outside.path().join(format!("{id}.started")))?.saturating_sub(before));
        until(&format!("{id} is archived"), PATIENCE, || {
            is_archived(&scene, &id)
        })?;
        // What follows the archiving (the checkout goes, reports are told) is not to be part of the next sample.
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(samples)
}

fn started_at(note: &Path) -> anyhow::Result<Duration> {
    until("a worker runs", PATIENCE, || note.exists())?;
    Ok(Duration::from_nanos(fs::read_to_string(note)?.trim().parse()?))
}

/// Whether the task's section lies below the archive's heading.
fn is_archived(scene: &Scene, id: &str) -> bool {
    let text = fs::read_to_string(scene.queue()).unwrap_or_default();
    let archive = text.split_once("## Archived Tasks").map(|(_, archive)| archive);
    archive.is_some_and(|a| a.contains(&format!("### {id}:")))
}
