//! What the world shows of each task: folders of attempts, workers, files for people, branches. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::domain::id::TaskId;
use crate::domain::restore::{Branch, Known, Place, Shown, Worker};
use crate::domain::task::{Attempt, Task};
use crate::files::folder;
use crate::format::heartbeat;
use crate::format::queue::{self, Known as NothingElse};
use crate::runtime::process::{self, file};
use crate::service::driver::StartFacts;
use crate::service::instance::Instance;
use crate::service::operations::node;
use crate::service::reading;
use crate::store::StoreError;

/// How far in the future a heartbeat may be dated and still be looked at.
const FUTURE: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Everything that was seen, by task.
pub(super) struct World {
    seen: BTreeMap<TaskId, Seen>,
}

/// What was seen of a task.
struct Seen {
    task: Option<Task>,
    shown: Option<Shown>,
    attempts: Attempts,
    beat: Option<chrono::DateTime<chrono::Utc>>,
    progress: Option<chrono::DateTime<chrono::Utc>>,
    branch: Option<Branch>,
}

/// What the folders of a task's attempts show.
#[derive(Debug, Default)]
struct Attempts {
    highest: u64,
    alive: BTreeSet<u64>,
}

impl World {
    /// Looks at everything that is live, or that left a trace.
    pub(super) async fn look(instance: &Instance) -> Result<Self, StoreError> {
        let mut shown = shown(instance).await?;
        let mut live: BTreeMap<TaskId, Task> = { instance.store.live().await?.into_iter() }
            .map(|task| (task.id.clone(), task))
            .collect();
        let mut ids: BTreeSet<TaskId> = live.keys().chain(shown.sections.keys()).cloned().collect();
        ids.extend(
            names(&instance.layout.state().join("attempts")).filter_map(|name| TaskId::parse(&name).ok()),
        );
        let mut seen = BTreeMap::new();
        for id in ids {
            let task = match live.remove(&id) {
                Some(task) => Some(task),
                None => instance.store.task(&id).await?,
            };
            let section = shown.sections.remove(&id);
            let section = section.or_else(|| (!shown.whole).then(Shown::unknown));
            seen.insert(id.clone(), Seen::look(instance, &id, task, section).await);
        }
        Ok(Self { seen })
    }

    /// All tasks, with what is known of each.
    pub(super) fn known(&self, instance: &Instance) -> Vec<Known<'_>> {
        self.seen
            .iter()
            .map(|(id, seen)| seen.known(instance, id))
            .collect()
    }
}

impl Seen {
    async fn look(instance: &Instance, id: &TaskId, task: Option<Task>, shown: Option<Shown>) -> Self {
        let now = instance.clock.now();
        let beat = instance.files.heartbeats.read(id).ok();
        let beat = beat.and_then(|bytes| heartbeat::parse(&bytes, id, now, FUTURE).ok());
        let progress = std::fs::metadata(instance.layout.progress_of(id)).and_then(|meta| meta.modified());
        let branch = match &task {
            Some(task) if !task.state.is_ended() => branch(instance, task).await,
            _ => None,
        };
        Self {
            shown,
            attempts: Attempts::look(&instance.layout.attempts(id)),
            beat: beat.map(|beat| beat.last_heartbeat),
            progress: progress.ok().map(Into::into),
            branch,
            task,
        }
    }

    fn known<'a>(&'a self, instance: &Instance, id: &'a TaskId) -> Known<'a> {
        let open = self.task.as_ref().and_then(|task| task.state.attempt());
        let worker = open.map_or(Worker::None, |attempt| worker(instance, id, attempt));
        let epoch = self.task.as_ref().map_or(0, |task| task.epoch);
        // The worker of the open attempt is known, as long as nothing came after it.
        let is_known = |n: u64| {
            worker == Worker::Alive
                && self.attempts.highest <= epoch
                && open.is_some_and(|open| open.epoch == n)
        };
        Known {
            id,
            task: self.task.as_ref(),
            shown: self.shown.clone(),
            worker,
            epoch_on_disk: self.attempts.highest,
            unknown_workers: { self.attempts.alive.iter().copied() }
                .filter(|n| !is_known(*n))
                .collect(),
            beat: self.beat,
            progress: self.progress,
            branch: self.branch.clone(),
        }
    }
}

impl Attempts {
    fn look(folder: &Path) -> Self {
        let mut found = Self::default();
        for name in names(folder) {
            // What was set aside bears its number before a dash.
            let number = name
                .split('-')
                .next()
                .and_then(|number| number.parse::<u64>().ok());
            let Some(number) = number else { continue };
            found.highest = found.highest.max(number);
            if process::is_alive(&folder.join(&name)) {
                found.alive.insert(number);
            }
        }
        found
    }
}

/// What there is of the worker of an open attempt.
fn worker(instance: &Instance, id: &TaskId, attempt: &Attempt) -> Worker {
    let me = &instance.config.fleet.node;
    if attempt.route.node.as_ref().is_some_and(|node| node != me) {
        return Worker::None;
    }
    let dir = instance.layout.attempt(id, attempt.epoch);
    let of_another = StartFacts::load(&dir)
        .claimed_at
        .is_some_and(|at| at != attempt.started_at);
    match () {
        () if of_another => Worker::Gone,
        () if dir.join(file::EXIT).exists() => Worker::Ended,
        () if process::is_alive(&dir) => Worker::Alive,
        () => Worker::Gone,
    }
}

async fn branch(instance: &Instance, task: &Task) -> Option<Branch> {
    let named = task.definition.workspace.as_deref();
    match instance.workspaces.standing(&task.id, named).await {
        Ok(standing) => standing.map(|found| Branch {
            name: found.branch,
            head: found.head,
            at: found.at,
            ahead: found.ahead,
            merged: found.merged,
        }),
        Err(error) => {
            tracing::warn!(task = %task.id, %error, "its branch cannot be looked at");
            None
        }
    }
}

/// What the files for people say.
struct Sections {
    sections: BTreeMap<TaskId, Shown>,
    /// Whether a task that is in none of them has no section anywhere.
    whole: bool,
}

async fn shown(instance: &Instance) -> Result<Sections, StoreError> {
    let mut sections = BTreeMap::new();
    let (archives, _unreadable) = folder::contents(&instance.layout.archive(), "md");
    for (month, bytes) in archives {
        let file = format!("archive/{month}.md");
        for task in queue::read(&file, bytes, &NothingElse::default()).tasks {
            let (file, status) = (file.clone(), task.declared);
            let place = Place::Away;
            sections.insert(task.id, Shown { file, status, place });
        }
    }
    let elsewhere = node::keeper_elsewhere(instance).await?.is_some();
    let loaded = reading::load(instance).await?.ok().filter(|_| !elsewhere);
    let whole = loaded.as_ref().is_some_and(|loaded| loaded.reading.whole);
    for task in loaded.into_iter().flat_map(|loaded| loaded.reading.tasks) {
        let place = match task.place {
            queue::Place::Active => Place::Active,
            queue::Place::Archived => Place::Archived,
        };
        let (file, status) = (reading::QUEUE.to_owned(), task.declared);
        sections.insert(task.id, Shown { file, status, place });
    }
    Ok(Sections { sections, whole })
}

/// The names of what lies in a folder.
fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
