//! A large instance: tasks in the archive, and live ones that no runtime can take. Made once a run.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use orchestrator::service::engine::Engine;
use orchestrator::service::instance::Instance;
use orchestrator::store::{OutboxKind, Store};

use super::scene::{Scene, queue_file, runtime};
use super::store::{WAVE, archive};

/// Tasks that are over.
const ARCHIVED: usize = 100_000;
/// Tasks that are live.
pub const LIVE: usize = 1000;

/// Made when a section first asks for it.
#[derive(Default)]
pub struct Crowds {
    large: OnceCell<Crowd>,
}

/// The large instance.
pub struct Crowd {
    /// Its folder.
    pub scene: Scene,
    /// How long the engine took to take the live ones in, from the file to all being ready or waiting.
    pub taken_in: Duration,
}

impl Crowds {
    /// The large instance.
    pub fn large(&self) -> anyhow::Result<&Crowd> {
        if self.large.get().is_none() {
            let _ = self.large.set(Crowd::make()?);
        }
        self.large
            .get()
            .ok_or_else(|| anyhow::anyhow!("there is no large instance"))
    }
}

impl Crowd {
    fn make() -> anyhow::Result<Self> {
        let scene = Scene::make(2, "no-such-program-for-the-figures", &queue_file(LIVE, false))?;
        let taken_in = runtime()?.block_on(async {
            let instance = scene.open().await?;
            for wave in 0..ARCHIVED / WAVE {
                archive(&*instance.store, wave).await?;
                put_out(&*instance.store).await?;
            }
            let mut engine = Engine::load(instance.clone()).await?;
            let begun = Instant::now();
            settle(&mut engine, &instance).await?;
            let taken_in = begun.elapsed();
            engine.leave().await?;
            instance.store.close().await;
            anyhow::Ok(taken_in)
        })?;
        Ok(Self { scene, taken_in })
    }
}

/// Passes until nothing changes any more: every live task waits for its dependency or for a runtime.
pub async fn settle(engine: &mut Engine, instance: &Arc<Instance>) -> anyhow::Result<()> {
    let give_up = Instant::now() + Duration::from_secs(300);
    loop {
        engine.pass().await?;
        let quiet = instance
            .store
            .outbox_due(OutboxKind::Mirror, Utc::now(), 1)
            .await?;
        if engine.is_idle() && quiet.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < give_up, "the engine does not come to rest");
        if !engine.is_idle() {
            engine.wait().await;
        }
    }
}

/// Marks every durable effect as performed.
async fn put_out(store: &dyn Store) -> anyhow::Result<()> {
    let now = Utc::now();
    for kind in [OutboxKind::Report, OutboxKind::Progress, OutboxKind::Mirror] {
        loop {
            let rows = store.outbox_due(kind.clone(), now, 10_000).await?;
            if rows.is_empty() {
                break;
            }
            store
                .outbox_done(rows.iter().map(|r| r.seq).collect(), now)
                .await?;
        }
    }
    Ok(())
}
