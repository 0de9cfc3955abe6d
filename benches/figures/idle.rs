//! What the service costs while nothing happens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::crowd::Crowds;
use super::figure::{Figure, Unit};
use super::scene::{Scene, section};
use super::service::{Up, run, until};

/// How long it is left alone first.
const REST: Duration = Duration::from_secs(3);
/// How long it is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// How long starting and stopping workers may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of one core.
const CPU_GOAL: f64 = 0.001;
/// Resident, in bytes.
const MEMORY_GOAL: f64 = 30e6;

/// With an empty queue, with silent workers, and with the large instance.
pub fn figures(crowds: &Crowds) -> anyhow::Result<Vec<Figure>> {
    let empty = "# Jobs\n\n## Active Tasks\n\n## Archived Tasks\n";
    let empty = Scene::make(2, "true", empty)?;
    let mut figures = look(&Up::start(&empty)?, "`up`, no tasks")?;
    figures.extend(beside_workers()?);
    let large = &crowds.large()?.scene;
    figures.extend(look(
        &Up::start(large)?,
        "`up`, 1,000 live beside 100,000 archived",
    )?);
    Ok(figures)
}

/// Two workers that said one word and think.
fn beside_workers() -> anyhow::Result<Vec<Figure>> {
    let outside = tempfile::tempdir()?;
    let worker = outside.path().join("worker.sh");
    let pids = outside.path().display();
    let script = format!("#!/bin/sh\necho $$ | tee -a '{pids}/pids'\nexec sleep 600\n");
    fs::write(&worker, script)?;
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755))?;
    let sections = section("one", None) + section("two", None).as_str();
    let queue = format!("# Jobs\n\n## Active Tasks\n\n{sections}## Archived Tasks\n");
    let scene = Scene::make(2, &worker.display().to_string(), &queue)?;
    let up = Up::start(&scene)?;
    let pids = || fs::read_to_string(outside.path().join("pids")).unwrap_or_default();
    until("two workers run", PATIENCE, || pids().lines().count() == 2)?;
    let figures = look(&up, "`up`, two silent workers")?;
    run(scene.root(), &["stop", "--all"])?;
    let is_alive = |pid: &str| Path::new("/proc").join(pid).exists();
    until("the workers are stopped", PATIENCE, || {
        !pids().lines().any(is_alive)
    })?;
    Ok(figures)
}

fn look(up: &Up, words: &str) -> anyhow::Result<Vec<Figure>> {
    std::thread::sleep(REST);
    let (begun, before) = (Instant::now(), up.cpu()?);
    std::thread::sleep(LOOK);
    let share = (up.cpu()? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(vec![
        Figure::new(format!("{words}: share of a core"), Unit::Share, vec![share]).below(CPU_GOAL),
        Figure::new(
            format!("{words}: resident memory"),
            Unit::Memory,
            vec![up.memory()?],
        )
        .below(MEMORY_GOAL),
    ])
}
