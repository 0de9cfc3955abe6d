//! What is being done for a task beside the loop, and what is wanted of whoever does it.
//!
//! Deliberately absent: who is owed what (that is the engine's, from the states).

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::domain::effect::Duty;
use crate::domain::policy::Policy;
use crate::domain::task::{State, StopReason, Task};

/// What is wanted of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Watch the worker; sent again to have its files looked at now.
    Watch,
    /// Stop it.
    Stop {
        /// Why.
        reason: StopReason,
        /// The time that it gets to end by itself.
        grace: Duration,
    },
}

impl Wish {
    /// What a task's state wants of its driver.
    pub(super) fn of(task: &Task, policy: &Policy) -> Self {
        match &task.state {
            State::Stopping { reason, .. } => Self::Stop {
                reason: reason.clone(),
                grace: policy.grace(reason),
            },
            _ => Self::Watch,
        }
    }
}

/// What is being done for a task at the moment.
pub(super) struct Running {
    pub(super) epoch: u64,
    /// The task's version when it began.
    pub(super) version: u64,
    pub(super) duty: Duty,
    /// Ends what is being done; a worker is not ended by it, only let go.
    pub(super) cancel: CancellationToken,
    /// Tells a driver what is wanted of it.
    pub(super) wish: watch::Sender<Wish>,
    /// Whether its driver has told of a worker that runs; before that, nothing is known of it.
    pub(super) met: bool,
    /// The work itself.
    pub(super) handle: JoinHandle<()>,
}

impl Running {
    /// Whether nothing is left to do but to watch.
    pub(super) fn only_watches(&self) -> bool {
        self.duty == Duty::Watch && self.met && !self.handle.is_finished()
    }

    /// Has the worker's files looked at now.
    pub(super) fn look(&self) {
        self.wish.send_if_modified(|wish| *wish == Wish::Watch);
    }

    /// Whether this work is what the task is owed now: starting, watching and stopping a worker are one driver's work.
    pub(super) fn serves(&self, task: &Task, duty: Duty) -> bool {
        let same = self.duty == duty && (!duty.is_stepwise() || self.version == task.version);
        self.epoch == task.epoch && (same || (self.duty.is_of_worker() && duty.is_of_worker()))
    }

    /// The same worker, another duty: a worker that was watched is now to be stopped, or sooner than before.
    pub(super) fn adjust(&mut self, duty: Duty, wish: Option<Wish>) {
        if let Some(wish @ Wish::Stop { .. }) = wish {
            self.wish.send_if_modified(|before| {
                let is_news = *before != wish;
                *before = wish;
                is_news
            });
        }
        self.duty = duty;
    }
}
