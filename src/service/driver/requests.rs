//! What a worker asks of us while it runs: questions go to its task, sub-tasks into the queue file.
//!
//! Invariants: a request is taken up at least once, and twice does no harm (the next service reads the desk anew);
//! it speaks for the attempt on whose desk it lies and for no other; what is refused is told in the progress file.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::SecondsFormat;

use super::Drive;
use crate::domain::definition::Definition;
use crate::domain::event::Event;
use crate::domain::family::{MAX_DEPTH, ancestors, child_id};
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::files::{Desk, FileError};
use crate::format::progress;
use crate::format::queue::{Document, Edit, apply, sub_task};
use crate::format::request::{self, Request, Spawn};
use crate::runtime::process::file;
use crate::service::queue_repository::{Edited, QueueError, QueueRepository, Said, message};
use crate::store::StoreError;

/// What of a desk was seen.
#[derive(Debug, Default)]
pub(super) struct Taken {
    names: BTreeSet<String>,
    /// Sub-tasks that were made and may not have reached the store yet.
    spawned: BTreeSet<TaskId>,
    flood_told: bool,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It is not allowed, or cannot be read: the worker is told.
    #[error("{0}")]
    Told(String),
    /// Not now: it is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Likewise.
    #[error(transparent)]
    File(#[from] FileError),
    /// Likewise.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The longest that a worker's watch waits for a push.
const PUSH: Duration = Duration::from_secs(3);

fn told(why: impl Into<String>) -> Refused {
    Refused::Told(why.into())
}

impl Drive<'_> {
    /// Takes up what is new on the attempt's desk.
    pub(super) async fn take_requests(&self, taken: &mut Taken) {
        let desk = Desk::new(self.dir.join(file::DESK));
        let lying = match desk.requests(request::MAX_BYTES, |name| taken.names.contains(name)) {
            Ok(lying) => lying,
            Err(error) => return self.flood(taken, &error.to_string()),
        };
        if lying.more > 0 {
            let why = format!("{} requests too many lie on its desk", lying.more);
            self.flood(taken, &why);
        }
        for (name, content) in lying.requests {
            match self.take(content, taken).await {
                Ok(()) => {}
                Err(Refused::Told(why)) => self.refuse(&name, &why),
                Err(later) => {
                    tracing::warn!(task = %self.task.id, error = %later, "a worker's request is taken up later");
                    continue;
                }
            }
            taken.names.insert(name);
        }
    }

    /// Whether the worker may make sub-tasks at all.
    pub(super) async fn may_spawn(&self) -> bool {
        let deep = self.line(self.task).await.map_or(MAX_DEPTH, |line| line.len());
        self.instance.policy.max_children > 0 && deep < MAX_DEPTH
    }

    async fn take(&self, content: Result<Vec<u8>, FileError>, taken: &mut Taken) -> Result<(), Refused> {
        let bytes = content.map_err(|error| told(error.to_string()))?;
        // What is asked goes to people and into files: no secret with it.
        let text = String::from_utf8_lossy(&bytes);
        let text = self.redactor.redact(&text);
        let epoch = self.attempt.epoch;
        match Request::parse(text.as_bytes()).map_err(|error| told(error.to_string()))? {
            Request::Ask { text } => {
                self.tell(Event::Asked { epoch, text }).await;
            }
            Request::Spawn(spawn) => {
                let child = self.spawn(&spawn, taken).await?;
                taken.spawned.insert(child.clone());
                self.tell(Event::Spawned { epoch, child }).await;
            }
        }
        Ok(())
    }

    /// Writes the section of a sub-task, unless it is there.
    async fn spawn(&self, spawn: &Spawn, taken: &Taken) -> Result<TaskId, Refused> {
        let name = TaskId::parse(&spawn.id).map_err(|error| told(error.to_string()))?;
        let id = child_id(&self.task.id, &name).map_err(|error| told(error.to_string()))?;
        let store = &self.instance.store;
        let parent = store
            .task(&self.task.id)
            .await?
            .unwrap_or_else(|| self.task.clone());
        if parent.history.children.contains(&id) || taken.spawned.contains(&id) {
            return Ok(id);
        }
        if let Some(there) = store.task(&id).await? {
            let ours = there.definition.parent.as_ref() == Some(&parent.id);
            return if ours { Ok(id) } else { Err(taken_id(&id)) };
        }
        self.allowed(spawn, &parent, taken).await?;
        self.write(spawn, &id, &parent).await?;
        Ok(id)
    }

    async fn allowed(&self, spawn: &Spawn, parent: &Task, taken: &Taken) -> Result<(), Refused> {
        let policy = &self.instance.policy;
        let known = &parent.history.children;
        let children = known
            .iter()
            .chain(taken.spawned.iter().filter(|c| !known.contains(c)))
            .count();
        if children >= policy.max_children as usize {
            let limit = policy.max_children;
            return Err(told(format!(
                "a task may make {limit} sub-tasks (policy.max_children); do the rest yourself"
            )));
        }
        if self.line(parent).await?.len() >= MAX_DEPTH {
            return Err(told(format!(
                "a sub-task of depth {MAX_DEPTH} makes no further ones; do it yourself"
            )));
        }
        let tier = spawn.tier.as_deref().map(crate::domain::tier::TierName::new);
        let bounds = Definition {
            min_tier: tier,
            max_tier: parent.definition.max_tier.clone(),
            ..Definition::default()
        };
        policy.bounds(&bounds).map(drop).map_err(told)
    }

    /// The ancestors of a task, as the store has them.
    async fn line(&self, task: &Task) -> Result<Vec<TaskId>, StoreError> {
        let mut parents = std::collections::BTreeMap::new();
        let mut next = task
            .definition
            .parent
            .clone()
            .map(|parent| (task.id.clone(), parent));
        while let Some((child, parent)) = next.filter(|(child, _)| !parents.contains_key(child)) {
            let above = self.instance.store.task(&parent).await?;
            next = above.and_then(|t| Some((t.id, t.definition.parent?)));
            parents.insert(child, parent);
        }
        Ok(ancestors(&task.id, |id| parents.get(id).cloned()))
    }

    async fn write(&self, spawn: &Spawn, id: &TaskId, parent: &Task) -> Result<(), Refused> {
        let forbidden = [vec![parent.id.clone()], self.line(parent).await?].concat();
        let created = self
            .instance
            .clock
            .now()
            .to_rfc3339_opts(SecondsFormat::Secs, true);
        let budget = self.budget_left(None);
        let stored = self.stored(&spawn.depends_on).await?;
        let mut refusal = None;
        let mut edit = |bytes: &[u8]| {
            refusal = None;
            let document = Document::parse(bytes.to_vec());
            let here = |id: &TaskId| document.sections().iter().any(|s| s.id == *id);
            if let Some(there) = document.sections().iter().find(|s| s.id == *id) {
                let parents = there
                    .fields
                    .iter()
                    .filter(|field| field.name.eq_ignore_ascii_case("parent"));
                let ours = { parents.into_iter() }.any(|field| field.value == parent.id.as_str());
                refusal = (!ours).then(|| taken_id(id));
                return None;
            }
            let known = |id: &TaskId| here(id) || stored.contains(id);
            let depends_on = match dependencies(spawn, &parent.id, &forbidden, known) {
                Ok(ids) => ids,
                Err(why) => {
                    refusal = Some(why);
                    return None;
                }
            };
            let family = (&parent.id, &parent.definition);
            let task = sub_task(spawn, id.clone(), family, &depends_on, budget, created.clone());
            let edits = [Edit::Add(task)];
            let applied = apply(bytes, &edits);
            refusal = applied.missed.first().map(|missed| told(missed.why.to_string()));
            let message = message(&Said::of(&edits));
            (applied.changed && refusal.is_none()).then_some((applied.bytes, message))
        };
        match &self.instance.queue_repository {
            None => drop(self.instance.files.queue.update(|bytes| Some(edit(bytes)?.0))?),
            Some(repository) => self.push(repository, edit).await?,
        }
        refusal.map_or(Ok(()), Err)
    }

    /// By commit and push, within a time in which the worker's lease need not be renewed; else with a later look.
    async fn push(
        &self,
        repository: &QueueRepository,
        mut edit: impl FnMut(&[u8]) -> Option<(Vec<u8>, String)>,
    ) -> Result<(), Refused> {
        let edit = |bytes: &[u8]| {
            let (bytes, message) = edit(bytes)?;
            Some(Edited {
                bytes,
                overflow: Vec::new(),
                message,
            })
        };
        let time = (self.instance.lease_terms().length / 3).min(PUSH);
        match tokio::time::timeout(time, repository.edit(edit)).await {
            Ok(placed) => Ok(placed.map(drop)?),
            Err(_late) => Err(QueueError::Busy {
                url: repository.url().to_owned(),
            }
            .into()),
        }
    }

    /// Those of the named tasks that the store knows.
    async fn stored(&self, names: &[String]) -> Result<BTreeSet<TaskId>, StoreError> {
        let ids: Vec<TaskId> = names.iter().filter_map(|name| TaskId::parse(name).ok()).collect();
        let known = self.instance.store.dependency_states(&ids).await?;
        Ok(known.into_keys().collect())
    }

    /// Told once, also by the next service, which reads the desk anew.
    fn refuse(&self, name: &str, why: &str) {
        let name = name.trim_end_matches(".json");
        let line = format!("request {name} of attempt {} is refused: {why}", self.attempt.n);
        let line = self.redactor.redact(&line).into_owned();
        tracing::warn!(task = %self.task.id, "{line}");
        let now = self.instance.clock.now();
        let told = self
            .instance
            .files
            .log(&self.task.id, |text| match text.contains(&line) {
                true => text.to_owned(),
                false => progress::append_log(text, now, &line),
            });
        if let Err(error) = told {
            tracing::warn!(task = %self.task.id, %error, "its progress file was not written");
        }
    }

    fn flood(&self, taken: &mut Taken, why: &str) {
        if !std::mem::replace(&mut taken.flood_told, true) {
            self.refuse("(all)", why);
        }
    }
}

fn taken_id(id: &TaskId) -> Refused {
    told(format!(
        "there is a task '{id}' already; give the sub-task another id"
    ))
}

/// The tasks that a sub-task waits for: its siblings by their short names, or any task by its id.
fn dependencies(
    spawn: &Spawn,
    parent: &TaskId,
    forbidden: &[TaskId],
    known: impl Fn(&TaskId) -> bool,
) -> Result<Vec<TaskId>, Refused> {
    let find = |name: &String| {
        let name = TaskId::parse(name).map_err(|error| told(error.to_string()))?;
        let sibling = child_id(parent, &name).ok().filter(&known);
        match sibling.or_else(|| Some(name.clone()).filter(&known)) {
            Some(id) if forbidden.contains(&id) => Err(told(format!(
                "it cannot wait for '{id}', which waits for its sub-tasks"
            ))),
            Some(id) => Ok(id),
            None => Err(told(format!(
                "it depends on '{name}', which is no task; make that first"
            ))),
        }
    };
    spawn.depends_on.iter().map(find).collect()
}
