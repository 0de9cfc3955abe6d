//! The engine: one loop that owns the board. Everything that happens comes in through its inbox; everything that
//! takes time runs beside it and reports back.
//!
//! Invariants: level-triggered, so a lost wake-up costs one pass; a duty is performed once at a time a task; an event
//! that could not be committed is kept until it can. Deliberately absent: decisions (domain), I/O of its own.

mod input;
mod pause;
mod queue;
mod running;
mod schedule;
mod share;
mod steady;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::try_join;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::input::Input;
use self::running::Running;
pub use self::running::Wish;
pub(in crate::service) use self::share::{KEEPER, heard, owner};
use super::assessor;
use super::board::Board;
use super::dispatcher::{Applied, ApplyError, Dispatcher};
use super::driver;
use super::family;
use super::instance::Instance;
use super::judge;
use super::landing;
use super::outbox::Outbox;
use super::queue_sync::QueueSync;
use super::reviewer;
use super::signals::Told;
use crate::clock::Reading;
use crate::domain::effect::{Duty, duty};
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::lane;
use crate::domain::liveness::{self, Liveness, Session};
use crate::domain::node::NodeName;
use crate::domain::plan;
use crate::domain::task::{State, StopReason, Task};
use crate::files::FileError;
use crate::store::StoreError;

/// The wait before work that the store refused is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The loop's state.
pub struct Engine {
    instance: Arc<Instance>,
    dispatcher: Dispatcher,
    board: Board,
    queue: QueueSync,
    outbox: Outbox,
    running: HashMap<TaskId, Running>,
    pending: VecDeque<(TaskId, Event)>,
    /// What this pass is to look at as well; answered at its end.
    errands: Vec<Told>,
    inbox: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    /// Last event of the log that the board has taken in.
    seen: u64,
    /// The store's mark of other processes' writes, as it was at the last pass.
    written: Option<i64>,
    /// When the scheduler last looked: what has become due since then is still to be looked at.
    looked_at: DateTime<Utc>,
    /// The node of the fleet that keeps the queue file.
    keeper: Option<NodeName>,
    /// Told when this node's place in its fleet changes.
    news: Option<watch::Receiver<()>>,
    /// Told when somebody steered from within this process.
    steered: watch::Receiver<()>,
    /// The start of this node in its fleet under which all that it has was claimed or adopted.
    term: Option<u64>,
    /// What the clocks showed at the last pass.
    clocks: Reading,
    stopped: bool,
    draining: bool,
}

impl Engine {
    /// Loads what is live. Everything found in the middle of something is adopted by the first pass.
    pub async fn load(instance: Arc<Instance>) -> Result<Self, StoreError> {
        let (sender, inbox) = mpsc::channel(1024);
        let dispatcher = instance.dispatcher();
        let seen = instance.store.newest_seq().await?;
        let mut board = Board::new(instance.store.live().await?);
        driver::recall_signs_of_life(&instance, &mut board).await?;
        Ok(Self {
            queue: QueueSync::load(&instance).await?,
            outbox: Outbox::new(instance.clone()),
            dispatcher,
            board,
            running: HashMap::new(),
            pending: VecDeque::new(),
            errands: Vec::new(),
            inbox,
            sender,
            seen,
            written: None,
            looked_at: instance.clock.now(),
            keeper: None,
            news: instance.member.as_ref().map(|member| member.news()),
            steered: instance.steered.subscribe(),
            stopped: instance.stopped().await?.is_some(),
            draining: false,
            term: None,
            clocks: instance.clock.reading(),
            instance,
        })
    }

    /// One pass over everything; the body is the table of contents of the product.
    pub async fn pass(&mut self) -> Result<(), StoreError> {
        self.take_in_other_writers().await?;
        self.read_queue().await?;
        self.take_in_inputs().await?;
        self.give_up_what_was_taken().await?;
        self.see_to_lost_nodes().await?;
        self.see_to_orphans().await?;
        self.reap().await?;
        self.schedule().await?;
        self.assume_duties();
        self.note_signs(false).await;
        self.answer_errands();
        self.claim_what_is_assessed_at_once().await?;
        self.perform().await
    }

    /// Where the engine takes in what happens.
    pub fn inbox(&self) -> mpsc::Sender<Input> {
        self.sender.clone()
    }

    /// Performs what is committed to be done.
    async fn perform(&mut self) -> Result<(), StoreError> {
        let share = self.share();
        self.outbox.flush(&mut self.queue, &share).await
    }

    /// Why the queue file could not be read by the last passes, once for each time.
    pub fn take_queue_fault(&mut self) -> Option<FileError> {
        self.queue.take_fault()
    }

    /// Whether nothing is being done and nothing will be without a person or an edit.
    pub fn is_idle(&self) -> bool {
        let now = self.instance.clock.now();
        let resting = self.instance.fleet.rested_at(now).is_some();
        let held = family::waiting(&self.board);
        let coming = |t: &Task| {
            let ready = matches!(t.state, State::Ready { .. })
                && !held.contains(&t.id)
                && plan::holds(t, self.dispatcher.policy()).is_none()
                && (resting || self.instance.fleet.obstacle(t, now).is_none());
            !self.stopped && (ready || (resting && t.state.review_waits().is_some()))
        };
        let at_rest = self.running.is_empty() && self.pending.is_empty() && self.queue.has_looked();
        at_rest && !self.board.runnable().any(coming)
    }

    /// Whether all that can be started runs: nothing is left to do but to watch.
    pub fn is_settled(&self) -> bool {
        let begun = self.pending.is_empty() && self.queue.has_looked();
        begun && self.running.values().all(Running::only_watches)
    }

    /// Ends everything that runs beside the loop. Workers go on under their supervisors and are adopted next time.
    pub async fn leave(mut self) -> Result<(), StoreError> {
        self.draining = true;
        let running: Vec<Running> = self.running.drain().map(|(_, r)| r).collect();
        running.iter().for_each(|r| r.cancel.cancel());
        for running in running {
            // A panic beside the loop was told by the panic hook; there is nothing left to do for it here.
            let _ended = running.handle.await;
        }
        self.take_in_inputs().await?;
        self.note_signs(true).await;
        self.perform().await?;
        self.see_queue_off().await
    }

    /// Writes down what drivers saw, in one commit for all of them.
    async fn note_signs(&self, all: bool) {
        let (signs, now) = (&self.instance.signs, self.instance.clock.now());
        if (all || signs.due_at().is_some_and(|at| at <= now))
            && let Err(error) = signs.write_down(&*self.instance.store).await
        {
            tracing::warn!(%error, "signs of life were not recorded");
        }
    }

    /// Has a worker's files looked at now: its heartbeat was written.
    pub fn look_at(&self, id: &TaskId) {
        if let Some(running) = self.running.get(id) {
            running.look();
        }
    }

    /// How many workers run.
    pub fn workers(&self) -> usize {
        self.running.values().filter(|r| r.duty.is_of_worker()).count()
    }

    async fn take_in_other_writers(&mut self) -> Result<(), StoreError> {
        if self.steered.has_changed().unwrap_or(false) {
            self.steered.mark_unchanged();
            self.written = None;
        }
        let written = self.instance.store.data_version().await?;
        if self.written != Some(written) {
            let changed = self.instance.store.changed_since(self.seen);
            let ((tasks, seen), stopped) = try_join(changed, self.instance.stopped()).await?;
            self.seen = seen;
            tasks.into_iter().for_each(|t| self.board.put(t));
            self.stopped = stopped.is_some();
            self.learn_keeper().await?;
            // Not before all of it is taken in: what could not be read now is read with the next pass.
            self.written = Some(written);
        }
        Ok(())
    }

    async fn take_in_inputs(&mut self) -> Result<(), StoreError> {
        // Looked at before the inbox is emptied: what they reported is in it, so nobody's report is overtaken.
        let ended: Vec<TaskId> = self
            .running
            .iter()
            .filter(|(_, r)| r.handle.is_finished())
            .map(|(id, _)| id.clone())
            .collect();
        while let Ok(input) = self.inbox.try_recv() {
            self.note(input);
        }
        while let Some((id, event)) = self.pending.front().cloned() {
            self.apply(&id, event).await?;
            self.pending.pop_front();
        }
        ended.iter().for_each(|id| drop(self.running.remove(id)));
        Ok(())
    }

    /// Applies an event and takes the result onto the board. A refusal is logged: who asked sees the state unchanged.
    async fn apply(&mut self, id: &TaskId, event: Event) -> Result<(), StoreError> {
        let applied = match self.board.get(id).cloned() {
            Some(task) => self.dispatcher.apply(task, event).await,
            None => self.dispatcher.apply_stored(id, event).await,
        };
        match applied {
            Ok(Applied::Changed(task)) => self.board.put(*task),
            Ok(Applied::Unchanged(why)) => tracing::debug!(task = %id, why, "nothing to change"),
            Err(ApplyError::Store(error)) if error.is_of_one_task() => {
                tracing::error!(task = %id, %error, "the store refuses this task's next step; it is set aside until a restart");
                self.board.quarantine(id);
            }
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(task = %id, %error, "what was asked is refused");
            }
        }
        Ok(())
    }

    async fn see_to_orphans(&mut self) -> Result<(), StoreError> {
        if !self.leads() {
            return Ok(());
        }
        for (id, event) in family::orphans(&mut self.board, &*self.instance.store).await? {
            self.apply(&id, event).await?;
        }
        Ok(())
    }

    /// Condemns workers that show no life, and all of them when the emergency stop is pulled.
    async fn reap(&mut self) -> Result<(), StoreError> {
        self.mind_the_clock();
        let now = self.instance.clock.now();
        let stale_after = self.dispatcher.policy().heartbeat_stale_after;
        let condemned: Vec<(TaskId, u64, StopReason)> = self
            .board
            .live()
            .filter(|task| self.is_mine(task))
            .filter_map(|task| {
                let (State::Claimed { attempt, .. } | State::Running { attempt, .. }) = &task.state else {
                    return None;
                };
                let beat = liveness::beat(
                    self.board.last_beat(&task.id),
                    attempt.started_at,
                    now,
                    stale_after,
                );
                let reason = match liveness::judge(beat, Session::Alive) {
                    _ if self.stopped => StopReason::EmergencyStop,
                    Liveness::Stuck => StopReason::Stuck,
                    // That the session is gone is the driver's to confirm.
                    Liveness::Well | Liveness::Lost | Liveness::NeverStarted => return None,
                };
                Some((task.id.clone(), attempt.epoch, reason))
            })
            .collect();
        for (id, epoch, reason) in condemned {
            self.apply(&id, Event::Condemned { epoch, reason }).await?;
        }
        Ok(())
    }

    /// Sees to it that each task gets what its state owes it, and nothing that it no longer owes.
    fn assume_duties(&mut self) {
        let mut held = family::waiting(&self.board);
        let in_lane = self.board.live().filter(|t| !held.contains(&t.id));
        held.extend(lane::waiting(in_lane).into_keys());
        let owed: HashMap<TaskId, Duty> = self
            .board
            .live()
            .filter(|t| !held.contains(&t.id) && self.is_mine(t))
            .filter_map(|t| self.owed(t).map(|d| (t.id.clone(), d)))
            .collect();
        let board = &self.board;
        self.running.retain(|id, running| {
            let task = board.get(id).zip(owed.get(id));
            let still = task.is_some_and(|(task, duty)| running.serves(task, *duty));
            if !still {
                running.cancel.cancel();
            }
            still
        });
        for (id, duty) in owed {
            let policy = self.dispatcher.policy();
            let wish = self.board.get(&id).map(|task| Wish::of(task, policy));
            match self.running.get_mut(&id) {
                Some(running) => running.adjust(duty, wish),
                None => self.begin(&id, duty),
            }
        }
    }

    /// What a task's state owes it; under the emergency stop only the care for workers.
    fn owed(&self, task: &Task) -> Option<Duty> {
        let only_care = self.stopped || self.board.is_quarantined(&task.id);
        let later = task
            .state
            .review_waits()
            .is_some_and(|later| later.at > self.looked_at);
        duty(task).filter(|d| d.is_of_worker() || !(only_care || later))
    }

    fn begin(&mut self, id: &TaskId, duty: Duty) {
        let Some(task) = self.board.get(id).cloned() else {
            return;
        };
        let (epoch, version) = (task.epoch, task.version);
        let cancel = CancellationToken::new();
        let (wish, wishes) = watch::channel(Wish::of(&task, self.dispatcher.policy()));
        let (instance, sender, term) = (self.instance.clone(), self.sender.clone(), self.term);
        let work = async move {
            match duty {
                Duty::Assess => assessor::assess(&instance, &task, &sender).await,
                Duty::Judge => judge::judge(&instance, &task, &sender).await,
                Duty::Review => reviewer::hold(&instance, &task, &sender).await,
                Duty::Land => landing::land(&instance, &task, &sender).await,
                Duty::Launch | Duty::Watch | Duty::Stop => {
                    driver::drive(&instance, &task, term, wishes, &sender).await
                }
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "kept in `running`, and waited for in `leave`"
        )]
        let handle = tokio::spawn(cancel.clone().run_until_cancelled_owned(work).map(drop));
        self.running.insert(
            id.clone(),
            Running {
                epoch,
                version,
                duty,
                cancel,
                wish,
                met: false,
                handle,
            },
        );
    }
}
