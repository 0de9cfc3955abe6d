//! Bare jobs through a store: admitted, then worked off by ten workers with a hundred jobs in hand each.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use orchestrator::domain::decide::Decision;
use orchestrator::domain::task::Task;
use orchestrator::store::Store;

use super::job::{beat, claimed, ended_at_once, entry, finished, judged, ready};

/// Jobs of a run.
pub const JOBS: usize = 20_000;
/// Workers at once.
pub const WORKERS: usize = 10;
/// Jobs that a worker takes at a time.
pub const HAND: usize = 100;

/// How a job ends.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    /// Its claim of done and its gate in one decision.
    AtOnce,
    /// First the claim, then the gate's verdict.
    ThroughTheGate,
}

/// So many jobs that wait.
pub fn jobs(n: usize) -> anyhow::Result<Vec<Task>> {
    (0..n).map(|n| ready(&format!("job-{n}"))).collect()
}

/// Takes all of them in, so many at a time.
pub async fn admit_all(store: &dyn Store, tasks: &[Task], flight: usize) -> anyhow::Result<()> {
    stream::iter(tasks)
        .map(|task| store.admit(task, entry("admitted", task), Vec::new()))
        .buffer_unordered(flight)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

/// Works off all of them.
pub async fn work_off(store: &dyn Store, tasks: Vec<Task>, way: Ending) -> anyhow::Result<()> {
    let queue = Mutex::new(VecDeque::from(tasks));
    try_join_all((0..WORKERS).map(|_| work(store, &queue, way))).await?;
    Ok(())
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
