//! The pure decision, event by event along a task's way.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::figure::Figure;
use super::way::Way;

/// Decisions in one sample: one alone is too short for the clock.
const BATCH: u32 = 1000;
/// Samples an event.
const SAMPLES: usize = 50;

/// One figure an event.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let way = Way::new();
    let mut task = way.admission("decide")?.task;
    let mut figures = Vec::new();
    for (name, event) in way.events() {
        let mut samples: Vec<Duration> = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let begun = Instant::now();
            for _ in 0..BATCH {
                black_box(way.decide(black_box(&task), event.clone())?);
            }
            samples.push(begun.elapsed() / BATCH);
        }
        task = way.decide(&task, event)?.task;
        figures.push(Figure::times(format!("`decide` on {name}"), &samples));
    }
    anyhow::ensure!(task.state.is_completed(), "the way ends in {}", task.state.name());
    Ok(figures)
}
