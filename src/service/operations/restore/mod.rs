//! After a restore: the store is compared with the world, what must not wait is done, and the rest is told.
//!
//! Nothing is claimed meanwhile: a restored store is held until a person says `orchestrator start`.

mod files;
mod world;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use files::{Written, kept, write_back};

use self::world::World;
use crate::domain::event::{Command, Event};
use crate::domain::id::TaskId;
use crate::domain::restore::{Divergence, Remedy, compare, untold};
use crate::runtime::process;
use crate::service::dispatcher::{Applied, ApplyError};
use crate::service::instance::Instance;
use crate::store::{OutboxKind, StoreError};

/// The flag that remembers the last restore.
const RESTORED: &str = "restored";
/// Who speaks for the world.
const BY: &str = "restore";
/// The time that a worker's processes get to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waiting reports are counted as far as this.
const COUNTED: u32 = 10_000;

/// What is remembered of the last restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The backup's file.
    pub backup: String,
    /// When the backup was made.
    pub made_at: DateTime<Utc>,
    /// How many divergences were found.
    pub divergences: usize,
}

/// What the store says and the world does not show, or the other way round. Nothing is changed.
pub async fn divergences(instance: &Instance) -> Result<Vec<Divergence>, StoreError> {
    let world = World::look(instance).await?;
    let mut found: Vec<Divergence> = world.known(instance).iter().flat_map(compare).collect();
    let waiting = instance
        .store
        .outbox_due(OutboxKind::Report, instance.clock.now(), COUNTED)
        .await?;
    found.extend(untold(waiting.len() as u64));
    Ok(found)
}

/// Does what must be done before anything is claimed; what could not be done is said in the divergence.
pub async fn settle(instance: &Arc<Instance>, found: &mut [Divergence]) -> Result<(), StoreError> {
    for divergence in found {
        let Some(task) = divergence.task.clone() else {
            continue;
        };
        let done = match divergence.remedy.clone() {
            Remedy::Tell => Ok(()),
            Remedy::EndWorkers(numbers) => end_workers(instance, &task, &numbers).await,
            Remedy::Raise(seen) => raise(instance, &task, seen).await?,
            Remedy::Judge => say(instance, &task, Command::Claim).await?,
            Remedy::End(reason) => say(instance, &task, Command::Cancel { reason }).await?,
        };
        if let Err(why) = done {
            divergence.then =
                format!("this could not be done: {why}; look at it before `orchestrator start`");
        }
    }
    Ok(())
}

/// Ends whatever is left of these attempts' workers.
async fn end_workers(instance: &Instance, task: &TaskId, numbers: &[u64]) -> Result<(), String> {
    for number in numbers {
        let dir = instance.layout.attempt(task, *number);
        let killed = tokio::task::spawn_blocking(move || process::kill_strays(&dir, PATIENCE)).await;
        killed
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn raise(instance: &Instance, task: &TaskId, seen: u64) -> Result<Result<(), String>, StoreError> {
    let stored = instance.store.task(task).await?;
    let open = stored
        .as_ref()
        .and_then(|task| task.state.attempt())
        .map(|attempt| attempt.epoch);
    // A supervisor that is gone may have left its worker behind.
    if let Some(open) = open
        && let Err(why) = end_workers(instance, task, &[open]).await
    {
        return Ok(Err(why));
    }
    apply(instance, task, Event::Restored { seen }).await
}

async fn say(instance: &Instance, task: &TaskId, command: Command) -> Result<Result<(), String>, StoreError> {
    let by = BY.to_owned();
    apply(instance, task, Event::Person { by, command }).await
}

async fn apply(instance: &Instance, task: &TaskId, event: Event) -> Result<Result<(), String>, StoreError> {
    match instance.dispatcher().apply_stored(task, event).await {
        Ok(Applied::Changed(_) | Applied::Unchanged(_)) => Ok(Ok(())),
        Err(ApplyError::Store(error)) => Err(error),
        Err(refused) => Ok(Err(refused.to_string())),
    }
}

/// Remembers a restore, for `doctor`.
pub async fn remember(instance: &Instance, restored: &Restored) -> Result<(), StoreError> {
    let value = serde_json::to_value(restored).unwrap_or_default();
    instance
        .store
        .set_flag(RESTORED, Some(value), instance.clock.now())
        .await
}

/// The restore that holds everything back, where one does.
pub async fn held(instance: &Instance) -> Result<Option<Restored>, StoreError> {
    let (flag, stopped) = (instance.store.flag(RESTORED).await?, instance.stopped().await?);
    let holds = stopped.is_some_and(|stopped| stopped.is_after_a_restore());
    Ok(flag
        .filter(|_| holds)
        .and_then(|flag| serde_json::from_value(flag.value).ok()))
}
