//! Retention: once a day, what nobody works with any more goes, in small bites.
//!
//! The store's part is the leader's; each node sees to its own state folder. Invariants: nothing of a live task is touched, and
//! nothing at all while everything is stopped (a restored store must not tell what may go); the newest ended tasks keep their
//! files. Deliberately absent: what workers made (workspaces, branches) and what people wrote: those are theirs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::instance::Instance;
use crate::domain::id::TaskId;
use crate::files::{atomic, leftovers, leftovers::Leftover};
use crate::store::{Filter, Scope, StoreError};

/// The flag that remembers what was dropped from the store.
const FLAG: &str = "retention";
/// The file that remembers what was dropped from this state folder.
const FILE: &str = "retention.json";
/// As long as the configuration lets anything be kept, and still a date.
const LONGEST: TimeDelta = TimeDelta::days(36_600);
/// Between two rounds.
const EVERY: TimeDelta = TimeDelta::days(1);
/// Between two looks at whether one is due.
const LOOK: Duration = Duration::from_secs(3600);
/// After a bite, for whoever waits behind it.
const PAUSE: Duration = Duration::from_millis(100);
/// Bites of one round, of the store and of tasks' files: the rest is for the next day.
const BITES: usize = 2_000;
/// The folders of the state folder that have one of each task.
const OF_TASKS: [&str; 7] = [
    "attempts",
    "gate-output",
    "reviews",
    "evidence",
    "given",
    "homes",
    "benches",
];
/// What was set aside.
const STRAY: &str = "stray";

/// What was dropped last, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Lines of the event log.
    #[serde(default)]
    pub events: u64,
    /// Rows of the outbox.
    #[serde(default)]
    pub outbox: u64,
    /// Folders and files.
    #[serde(default)]
    pub folders: u64,
    /// What they held, in bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// Sees to it for as long as a service runs.
pub struct Upkeep {
    until: CancellationToken,
    task: JoinHandle<()>,
}

impl Upkeep {
    /// Begins; the first look is at once.
    pub fn start(instance: Arc<Instance>) -> Self {
        let until = CancellationToken::new();
        let work = until.clone().run_until_cancelled_owned(async move {
            loop {
                if let Err(error) = round(&instance, BITES).await {
                    tracing::warn!(%error, "what is old stays until the next look");
                }
                instance.clock.sleep(LOOK).await;
            }
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "its handle is kept, and awaited by `end`"
        )]
        let task = tokio::spawn(async move {
            let _ended = work.await;
        });
        Self { until, task }
    }

    /// Ends, between two bites.
    pub async fn end(self) {
        self.until.cancel();
        // A panic in it was told by the panic hook.
        let _ended = self.task.await;
    }
}

/// One round, where one is due.
pub async fn round(instance: &Instance, bites: usize) -> Result<(), StoreError> {
    if instance.stopped().await?.is_some() {
        return Ok(());
    }
    let leads = instance
        .member
        .as_ref()
        .is_none_or(|member| member.leads().is_some());
    if leads && is_due(instance, of_store(instance).await?.map(|(_, at)| at)) {
        trim(instance, bites).await?;
    }
    if is_due(instance, of_folder(instance).map(|(_, at)| at)) {
        sweep(instance, bites).await?;
    }
    Ok(())
}

fn is_due(instance: &Instance, last: Option<DateTime<Utc>>) -> bool {
    let now = instance.clock.now();
    // Also when the clock was set back.
    last.is_none_or(|last| last + EVERY <= now || last > now)
}

/// What was last dropped from the store, and when.
pub async fn of_store(instance: &Instance) -> Result<Option<(Dropped, DateTime<Utc>)>, StoreError> {
    let flag = instance.store.flag(FLAG).await?;
    Ok(flag.map(|flag| {
        (
            serde_json::from_value(flag.value).unwrap_or_default(),
            flag.set_at,
        )
    }))
}

/// What was last dropped from this state folder, and when.
pub fn of_folder(instance: &Instance) -> Option<(Dropped, DateTime<Utc>)> {
    let bytes = std::fs::read(instance.layout.state().join(FILE)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

async fn trim(instance: &Instance, bites: usize) -> Result<(), StoreError> {
    let keep = TimeDelta::from_std(instance.config.retention.events).unwrap_or(LONGEST);
    let now = instance.clock.now();
    let mut dropped = Dropped::default();
    for _ in 0..bites {
        let bite = instance.store.trim(now, keep).await?;
        dropped.events += bite.events;
        dropped.outbox += bite.outbox;
        if bite.events + bite.outbox == 0 {
            break;
        }
        instance.clock.sleep(PAUSE).await;
    }
    let value = serde_json::to_value(dropped).unwrap_or_default();
    instance.store.set_flag(FLAG, Some(value), now).await
}

async fn sweep(instance: &Instance, bites: usize) -> Result<(), StoreError> {
    let keep = TimeDelta::from_std(instance.config.retention.files).unwrap_or(LONGEST);
    let now = instance.clock.now();
    let old = |since: DateTime<Utc>| now.signed_duration_since(since) > keep;
    let newest = Filter {
        scope: Scope::Ended,
        limit: instance.config.retention.newest,
        ..Filter::default()
    };
    let newest: BTreeSet<TaskId> = match newest.limit {
        0 => BTreeSet::new(),
        _ => { instance.store.tasks(&newest).await?.rows.into_iter() }
            .map(|task| task.id)
            .collect(),
    };
    let mut old_ones = of_ended(instance, &newest, old).await?;
    let stray = leftovers::list(&instance.layout.state().join(STRAY));
    old_ones.extend(stray.into_iter().filter(|found| old(found.since)));
    let mut dropped = Dropped::default();
    for found in old_ones.into_iter().take(bites) {
        let path = found.path.clone();
        match tokio::task::spawn_blocking(move || leftovers::remove(&path)).await {
            Ok(Ok(bytes)) => {
                dropped.folders += 1;
                dropped.bytes += bytes;
            }
            Ok(Err(error)) => tracing::warn!(path = %found.path.display(), %error, "it is old, and stays"),
            Err(_going_down) => return Ok(()),
        }
        instance.clock.sleep(PAUSE).await;
    }
    if let Ok(json) = serde_json::to_vec(&(dropped, now))
        && let Err(error) = atomic::write(&instance.layout.state().join(FILE), &json)
    {
        tracing::warn!(%error, "what was dropped is not remembered");
    }
    Ok(())
}

/// What ended tasks left, but for the newest of them.
async fn of_ended(
    instance: &Instance,
    newest: &BTreeSet<TaskId>,
    old: impl Fn(DateTime<Utc>) -> bool,
) -> Result<Vec<Leftover>, StoreError> {
    let state = instance.layout.state();
    let mut old_ones = Vec::new();
    for kind in OF_TASKS {
        // A folder changes while its task lives: one that is young needs no look at the store.
        for found in leftovers::list(&state.join(kind))
            .into_iter()
            .filter(|found| old(found.since))
        {
            let Ok(id) = TaskId::parse(&found.name) else {
                continue;
            };
            let ended = match instance.store.task(&id).await? {
                None => true,
                Some(task) => task.state.is_ended() && old(task.updated_at),
            };
            if ended && !newest.contains(&id) {
                old_ones.push(found);
            }
        }
    }
    Ok(old_ones)
}
