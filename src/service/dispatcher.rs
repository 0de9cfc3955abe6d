//! The dispatcher: the only caller of `decide`. It decides, commits, and on a lost race loads and decides again.
//!
//! Invariant: what it returns is on disk. Deliberately absent: performing effects (the engine and the outbox).

use std::sync::Arc;

use super::member::Member;
use super::signals::{Signals, concerned, errand};
use crate::clock::Clock;
use crate::domain::decide::{Context, Decision, LogEntry, Refused, Ruling, admit, decide};
use crate::domain::definition::{Declared, Definition};
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::policy::Policy;
use crate::domain::task::Task;
use crate::store::{CommitError, Store, StoreError};

/// How often a decision is made anew after somebody else changed the task first.
const RACES: usize = 8;
/// Why nothing becomes of a leader's event on a node that does not lead.
const OTHERS: &str = "is for the node that leads the fleet to decide about";

/// Decides and commits.
#[derive(Clone)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    policy: Arc<Policy>,
    clock: Clock,
    /// This node's place in its fleet, where there is one.
    member: Option<Arc<Member>>,
    signals: Option<Arc<Signals>>,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Applied {
    /// The task as it is now.
    Changed(Box<Task>),
    /// Nothing changed, and why that is right.
    Unchanged(&'static str),
}

/// Why an event came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApplyError {
    /// The state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no such task.
    #[error("there is no task '{0}'; `orchestrator status --all` lists them")]
    Unknown(TaskId),
    /// The store failed; the event can be applied again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others changed the task again and again.
    #[error("task '{0}' is being changed by others all the time; try again")]
    Contended(TaskId),
}

impl Dispatcher {
    /// A dispatcher over a store.
    pub fn new(
        store: Arc<dyn Store>,
        policy: Arc<Policy>,
        clock: Clock,
        member: Option<Arc<Member>>,
    ) -> Self {
        Self {
            store,
            policy,
            clock,
            member,
            signals: None,
        }
    }

    /// One that tells other processes what it has committed.
    pub fn telling(self, signals: Arc<Signals>) -> Self {
        Self {
            signals: Some(signals),
            ..self
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Applies an event to a task as the store has it.
    pub async fn apply_stored(&self, id: &TaskId, event: Event) -> Result<Applied, ApplyError> {
        let task = self
            .store
            .task(id)
            .await?
            .ok_or_else(|| ApplyError::Unknown(id.clone()))?;
        self.apply(task, event).await
    }

    /// Applies an event to a task as the caller knows it.
    pub async fn apply(&self, mut task: Task, event: Event) -> Result<Applied, ApplyError> {
        let led = match &self.member {
            Some(member) if event.is_the_leaders() => match member.leads() {
                None => return Ok(Applied::Unchanged(OTHERS)),
                term => term,
            },
            _ => None,
        };
        for _ in 0..RACES {
            let decision = match self.rule(&task, event.clone())? {
                Ruling::NoChange(why) => return Ok(Applied::Unchanged(why)),
                Ruling::Change(decision) => Decision { led, ..*decision },
            };
            let (changed, entry) = (decision.task.clone(), decision.entry.clone());
            match self.store.commit(decision, task.version).await {
                Ok(committed) => {
                    self.tell(&changed, committed.seq, entry);
                    return Ok(Applied::Changed(Box::new(changed)));
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
                Err(CommitError::Deposed) => return Ok(Applied::Unchanged(OTHERS)),
                Err(CommitError::Conflict { .. } | CommitError::Fenced { .. } | CommitError::Unknown) => {
                    let id = task.id;
                    task = self.store.task(&id).await?.ok_or(ApplyError::Unknown(id))?;
                }
            }
        }
        Err(ApplyError::Contended(task.id))
    }

    /// Admits sections that were not known before; gives back the tasks that are there now.
    pub async fn admit(&self, sections: Vec<NewSection>, by: &str) -> Result<Vec<Task>, StoreError> {
        let decisions: Vec<Decision> = sections
            .into_iter()
            .filter_map(|s| self.admission(s, by))
            .collect();
        let tasks: Vec<(Task, LogEntry)> = decisions
            .iter()
            .map(|d| (d.task.clone(), d.entry.clone()))
            .collect();
        let admissions = decisions
            .iter()
            .map(|d| self.store.admit(&d.task, d.entry.clone(), d.durable.clone()));
        let results = futures_util::future::join_all(admissions).await;
        let mut admitted = Vec::with_capacity(tasks.len());
        for ((task, entry), result) in tasks.into_iter().zip(results) {
            match result {
                Ok(committed) => {
                    self.tell(&task, committed.seq, entry);
                    admitted.push(task);
                }
                Err(CommitError::Store(error)) => return Err(error),
                // Somebody else admitted it first.
                Err(_) => admitted.extend(self.store.task(&task.id).await?),
            }
        }
        Ok(admitted)
    }

    fn tell(&self, task: &Task, seq: u64, entry: LogEntry) {
        if let Some(signals) = &self.signals {
            let concerned = self.member.as_ref().and_then(|member| concerned(task, member));
            if let Some(to) = concerned {
                signals.errand(to, errand(task, &entry));
            }
            signals.logged(seq, &task.id, task.version, entry);
        }
    }

    fn admission(&self, section: NewSection, by: &str) -> Option<Decision> {
        let NewSection {
            id,
            definition,
            hash,
            declared,
        } = section;
        admit(
            id,
            definition,
            hash,
            declared,
            by,
            &self.context(self.clock.now()),
        )
    }

    fn rule(&self, task: &Task, event: Event) -> Result<Ruling, Refused> {
        decide(task, event, &self.context(self.clock.now()))
    }

    fn context(&self, now: chrono::DateTime<chrono::Utc>) -> Context<'_> {
        Context {
            now,
            roll: roll(),
            policy: &self.policy,
        }
    }
}

/// A section of the queue file that no task is known for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSection {
    /// Its id.
    pub id: TaskId,
    /// What it asks.
    pub definition: Definition,
    /// The digest of that.
    pub hash: String,
    /// The status it declares.
    pub declared: Declared,
}

/// A random number in `0.0..1.0`.
fn roll() -> f64 {
    let random = uuid::Uuid::new_v4().as_u64_pair().1 & 0xFFFF_FFFF;
    random as f64 / f64::from(u32::MAX)
}
