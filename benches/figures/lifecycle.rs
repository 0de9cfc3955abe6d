//! Whole lifecycles with the real program: file, workspace, worker, gate, archive.

use std::fs;
use std::time::Duration;

use super::figure::Figure;
use super::scene::{Scene, no_op_worker, repository, section};
use super::service::run;

/// Tasks in one run of `tick --wait`.
const TASKS: u32 = 20;
/// Runs a figure.
const RUNS: usize = 3;

/// With one slot a task, and for two at a time.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (slots, in_repository, words) in [
        (1, false, "one slot, a folder of the task's own"),
        (2, false, "two slots, a folder of the task's own"),
        (2, true, "two slots, a worktree of a repository"),
    ] {
        let mut samples = Vec::new();
        for _ in 0..RUNS {
            samples.push(lifecycles(slots, in_repository)? / TASKS);
        }
        figures.push(Figure::times(
            format!("`tick --wait`, time a task of {TASKS}: {words}"),
            &samples,
        ));
    }
    Ok(figures)
}

fn lifecycles(slots: usize, in_repository: bool) -> anyhow::Result<Duration> {
    let outside = tempfile::tempdir()?;
    let worker = no_op_worker(outside.path())?;
    let workspace = in_repository.then(|| repository(outside.path())).transpose()?;
    let sections: String = (0..TASKS)
        .map(|n| section(&format!("task-{n}"), workspace.as_deref()))
        .collect();
    let queue = format!("# Jobs\n\n## Active Tasks\n\n{sections}## Archived Tasks\n");
    let scene = Scene::make(slots, &worker.display().to_string(), &queue)?;
    let (_, took) = run(scene.root(), &["tick", "--wait"])?;
    let queue = fs::read_to_string(scene.queue())?;
    let done = queue.matches("- **Status:** completed").count();
    anyhow::ensure!(
        done == TASKS as usize,
        "{done} of {TASKS} tasks are completed:\n{queue}"
    );
    Ok(took)
}
