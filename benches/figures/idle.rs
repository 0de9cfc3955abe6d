//! What the service costs while nothing happens.

use std::time::{Duration, Instant};

use super::crowd::Crowds;
use super::figure::{Figure, Unit};
use super::scene::Scene;
use super::service::Up;

/// How long it is left alone first.
const REST: Duration = Duration::from_secs(3);
/// How long it is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// Of one core.
const CPU_GOAL: f64 = 0.001;
/// Resident, in bytes.
const MEMORY_GOAL: f64 = 30e6;

/// With an empty queue, and with the large instance.
pub fn figures(crowds: &Crowds) -> anyhow::Result<Vec<Figure>> {
    let empty = Scene::make(2, "true", "# Jobs\n\n## Active Tasks\n\n## Archived Tasks\n")?;
    let mut figures = look(&empty, "`up`, no tasks")?;
    figures.extend(look(
        &crowds.large()?.scene,
        "`up`, 1,000 live beside 100,000 archived",
    )?);
    Ok(figures)
}

fn look(scene: &Scene, words: &str) -> anyhow::Result<Vec<Figure>> {
    let up = Up::start(scene)?;
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
