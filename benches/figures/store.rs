//! The store alone: whole lifecycles without a process, each step durable.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use orchestrator::store::{self, OpenMode, Store, StoreAddress};

use super::figure::{Figure, Unit};
use super::scene::runtime;
use super::way::{STEPS, Way};

/// Tasks that are under way at one time.
pub const WAVE: usize = 1000;

/// Tasks a second, and the time of one lifecycle alone.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let store = open(folder.path()).await?;
        let mut waves = Vec::new();
        for wave in 0..10 {
            waves.push(archive(&*store, wave).await?);
        }
        let mut alone = Vec::new();
        for n in 0..100 {
            let begun = Instant::now();
            lifecycle(&*store, &Way::new(), &format!("alone-{n}")).await?;
            alone.push(begun.elapsed());
        }
        store.close().await;
        Ok(vec![
            Figure::new(
                format!("lifecycles of {STEPS} durable steps, {WAVE} tasks at a time"),
                Unit::Rate,
                waves,
            ),
            Figure::times(
                format!("one lifecycle of {STEPS} durable steps, nothing beside it"),
                &alone,
            ),
        ])
    })
}

async fn open(folder: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Ok(store::open(
        &StoreAddress::Sqlite(folder.join("orchestrator.db")),
        OpenMode::Migrate,
    )
    .await?)
}

/// Brings the tasks of a wave to the archive; gives how many a second.
pub async fn archive(store: &dyn Store, wave: usize) -> anyhow::Result<f64> {
    let way = Way::new();
    let begun = Instant::now();
    let ids = (0..WAVE).map(|n| format!("archived-{}", wave * WAVE + n));
    try_join_all(ids.map(|id| {
        let way = &way;
        async move { lifecycle(store, way, &id).await }
    }))
    .await?;
    Ok(WAVE as f64 / begun.elapsed().as_secs_f64())
}

async fn lifecycle(store: &dyn Store, way: &Way, id: &str) -> anyhow::Result<()> {
    let admission = way.admission(id)?;
    store
        .admit(&admission.task, admission.entry, admission.durable)
        .await?;
    let mut task = admission.task;
    for (_, event) in way.events() {
        let decision = way.decide(&task, event)?;
        let next = decision.task.clone();
        store.commit(decision, task.version).await?;
        task = next;
    }
    anyhow::ensure!(task.state.is_completed(), "{id} is {}", task.state.name());
    Ok(())
}
