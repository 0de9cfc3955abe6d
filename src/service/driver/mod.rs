//! A driver is beside one live attempt from its claim to its confirmed death: start or adopt, watch, stop, conclude.
//!
//! Invariants: it reports an end only when nobody of the process tree is left; cancelled (the service goes down),
//! it lets the worker run on under its supervisor; whatever it does can be done again by the next driver.

mod children;
mod conclude;
mod contain;
mod course;
mod desk;
mod handover;
mod launch;
mod requests;
mod start_facts;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch as channel};

pub(in crate::service) use self::launch::{MEDIC, lend_path, limits};
pub use self::start_facts::StartFacts;
use super::board::Board;
use super::engine::{Input, Wish};
use super::instance::Instance;
use crate::clock::truncate;
use crate::domain::event::{Event, StartFault};
use crate::domain::outcome::Outcome;
use crate::domain::task::{Attempt, State, Task};
use crate::format::heartbeat;
use crate::format::redact::Redactor;
use crate::runtime::Runtime;
use crate::runtime::process::{self, Adopted, Cause, Exit, file};
use crate::store::StoreError;

/// What a driver knows of its attempt.
struct Drive<'a> {
    instance: &'a Instance,
    task: &'a Task,
    attempt: &'a Attempt,
    /// The start of this node in its fleet under which it has the attempt.
    term: Option<u64>,
    runtime: Arc<dyn Runtime>,
    dir: PathBuf,
    /// Knows the instance's secrets and the attempt's token.
    redactor: Redactor,
    inbox: &'a mpsc::Sender<Input>,
}

/// The worker could not be started.
struct NotStarted {
    fault: StartFault,
    reason: String,
}

/// What there is of a worker.
enum Found {
    Running(process::Running),
    Ended(Exit),
}

/// The newest sign of life that an attempt left on disk: its last output, or its heartbeat.
pub fn last_sign(instance: &Instance, task: &Task, attempt: &Attempt) -> Option<DateTime<Utc>> {
    let now = instance.clock.now();
    let output = instance
        .layout
        .attempt(&task.id, attempt.epoch)
        .join(file::STDOUT);
    let written = std::fs::metadata(output).and_then(|meta| meta.modified()).ok();
    let heartbeat = instance.files.heartbeats.read(&task.id).ok();
    let beat = heartbeat
        .and_then(|bytes| heartbeat::parse(&bytes, &task.id, now, watch::FUTURE).ok())
        .filter(|beat| beat.attempt.is_none_or(|n| n == attempt.n));
    let written = written.map(|at| truncate(at.into()));
    written.max(beat.map(|b| b.last_heartbeat)).map(|at| at.min(now))
}

/// What workers showed before this service was there, and while none was: silence counts from then.
pub async fn recall_signs_of_life(instance: &Instance, board: &mut Board) -> Result<(), StoreError> {
    let recorded = instance.store.open_facts().await?;
    let seen = |task: &Task| {
        let attempt = task.state.attempt()?;
        let facts = recorded.get(&task.id).filter(|f| f.epoch == attempt.epoch);
        let on_disk = last_sign(instance, task, attempt);
        Some((task.id.clone(), on_disk.max(facts.and_then(|f| f.beat_at))?))
    };
    let seen: Vec<_> = board.live().filter_map(seen).collect();
    seen.iter().for_each(|(id, at)| board.beat(id, *at));
    Ok(())
}

/// Drives the live attempt of a task, which this node has since its start `term` in the fleet.
pub async fn drive(
    instance: &Instance,
    task: &Task,
    term: Option<u64>,
    wishes: channel::Receiver<Wish>,
    inbox: &mpsc::Sender<Input>,
) {
    let Some(attempt) = task.state.attempt() else {
        return;
    };
    let dir = instance.layout.attempt(&task.id, attempt.epoch);
    let Some(runtime) = instance.fleet.runtime(&attempt.route.runtime) else {
        let reason = format!(
            "runtime '{}' is not in the configuration any more",
            attempt.route.runtime
        );
        return tell_not_started(
            inbox,
            task,
            attempt,
            NotStarted {
                fault: StartFault::Runtime,
                reason,
            },
        )
        .await;
    };
    let drive = Drive {
        instance,
        task,
        attempt,
        term,
        runtime,
        redactor: instance.redactor_of(&task.id, attempt.epoch, attempt.started_at),
        dir,
        inbox,
    };
    match drive.find_or_start(&wishes).await {
        Ok(found) => drive.see_to_its_end(found, wishes).await,
        Err(problem) => {
            if problem.fault == StartFault::Runtime {
                // The next of the tier's runtimes gets its chance.
                drive.let_rest(Outcome::Network, None).await;
            }
            let reason = drive.redactor.redact(&problem.reason).into_owned();
            tell_not_started(inbox, task, attempt, NotStarted { reason, ..problem }).await;
        }
    }
}

impl Drive<'_> {
    async fn find_or_start(&self, wishes: &channel::Receiver<Wish>) -> Result<Found, NotStarted> {
        self.set_foreign_aside().await?;
        if !self.dir.exists() {
            if matches!(self.task.state, State::Stopping { .. }) {
                return Err(stopped_first());
            }
            return self.start(wishes).await.map(Found::Running);
        }
        match process::adopt(&self.dir).map_err(|error| self.unusable(error))? {
            Adopted::Running(running) => Ok(Found::Running(running)),
            Adopted::Ended(exit) => Ok(Found::Ended(exit)),
            Adopted::Vanished => Ok(Found::Ended(self.bury().await)),
            Adopted::NeverStarted => Err(NotStarted {
                fault: StartFault::Interrupted,
                reason: "the orchestrator went down before the worker was started".to_owned(),
            }),
        }
    }

    /// What an attempt of the same number left that this store knows nothing of (it was lost, or restored from a
    /// backup) is ended and kept elsewhere; it says nothing about this one.
    async fn set_foreign_aside(&self) -> Result<(), NotStarted> {
        let claimed_at = StartFacts::load(&self.dir).claimed_at;
        let Some(foreign) = claimed_at.filter(|at| *at != self.attempt.started_at) else {
            return Ok(());
        };
        self.bury().await;
        self.sweep().await;
        let name = format!("{}-{}", self.attempt.epoch, foreign.format("%Y%m%dT%H%M%S%6f"));
        std::fs::rename(&self.dir, self.dir.with_file_name(name)).map_err(|error| self.unusable(error))
    }

    fn unusable(&self, error: std::io::Error) -> NotStarted {
        NotStarted {
            fault: StartFault::Workspace,
            reason: format!(
                "cannot use {}: {error}; check its permissions",
                self.dir.display()
            ),
        }
    }

    /// Nothing is concluded before every process of the vanished attempt is known to be dead.
    async fn bury(&self) -> Exit {
        let mut stragglers_killed = 0;
        loop {
            let dir = self.dir.clone();
            let hunt = move || process::kill_strays(&dir, std::time::Duration::from_secs(5));
            match tokio::task::spawn_blocking(hunt).await {
                Ok(Ok(killed)) => stragglers_killed += killed,
                Ok(Err(error)) => {
                    tracing::warn!(task = %self.task.id, %error, "processes of a vanished attempt are still there");
                    self.instance.clock.sleep(std::time::Duration::from_secs(1)).await;
                    continue;
                }
                Err(_going_down) => std::future::pending().await,
            }
            return Exit {
                cause: Cause::Vanished,
                status: None,
                ended_at: self.instance.clock.now(),
                stragglers_killed,
            };
        }
    }

    async fn see_to_its_end(&self, found: Found, wishes: channel::Receiver<Wish>) {
        let facts = StartFacts::load(&self.dir);
        if let Some(outlet) = &self.instance.outlet {
            let folder = self.dir.clone();
            outlet
                .follow(self.task, self.attempt, folder, &self.redactor)
                .await;
        }
        let mut watch = watch::Watch::new(self, &facts).await;
        let exit = match found {
            Found::Ended(exit) => exit,
            Found::Running(running) => {
                // A `tick` goes as soon as it has met all: what was there before is looked at first.
                if matches!(self.task.state, State::Running { .. }) {
                    watch.catch_up().await;
                }
                self.tell(Event::Started {
                    epoch: self.attempt.epoch,
                })
                .await;
                watch.until_exit(&running, wishes).await
            }
        };
        self.sweep().await;
        watch.look_to_the_end().await;
        let report = Box::new(self.conclude(&exit, watch, &facts).await);
        self.tell(Event::Finished {
            epoch: self.attempt.epoch,
            report,
        })
        .await;
    }

    async fn tell(&self, event: Event) {
        tell(self.inbox, self.task, event).await;
    }
}

/// Whoever is to be stopped is not started first.
fn stopped_first() -> NotStarted {
    NotStarted {
        fault: StartFault::Interrupted,
        reason: "it was to be stopped before its worker was started".to_owned(),
    }
}

/// Whose lease is not trusted starts nothing: others may have the task already.
fn out_of_touch() -> NotStarted {
    NotStarted {
        fault: StartFault::Interrupted,
        reason: "this node could not renew its lease in time".to_owned(),
    }
}

async fn tell(inbox: &mpsc::Sender<Input>, task: &Task, event: Event) {
    // A closed inbox is a service that goes down; the next one finds the same facts.
    let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
}

async fn tell_not_started(inbox: &mpsc::Sender<Input>, task: &Task, attempt: &Attempt, problem: NotStarted) {
    let NotStarted { fault, reason } = problem;
    tell(
        inbox,
        task,
        Event::NotStarted {
            epoch: attempt.epoch,
            fault,
            reason,
        },
    )
    .await;
}
