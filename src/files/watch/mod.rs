//! The eyes: tells when the queue, a job, an agent, a heartbeat or the wake file changed.
//!
//! Folders are watched, not files, so that a rename over a file, a `git checkout`, and a folder that is deleted and made
//! anew are all seen. A finished write (a rename, a close after writing) passes within milliseconds; one that may still
//! go on waits until it rests. Where the system's notifications cannot be had, files are looked at every two seconds.
//! Invariant: a change is never lost, at worst it is late or told twice. Deliberately absent: reading any file.

mod changes;
mod eyes;
mod pending;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::config::layout::Layout;

pub use changes::Changes;
use eyes::Eyes;
use pending::Pending;
use survey::Survey;

/// Pause between two looks where there are no notifications.
const POLL: Duration = Duration::from_secs(2);

/// The watch over one instance. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    pending: Arc<Pending>,
    eyes: Eyes,
    survey: Option<Survey>,
    layout: Layout,
}

impl Watch {
    /// Starts to watch. Never fails: what cannot be watched is looked at, and [`Watch::degraded`] says why.
    pub fn start(layout: &Layout) -> Self {
        let pending = Arc::new(Pending::default());
        let mut watch = Self {
            eyes: Eyes::new(layout, pending.clone()),
            pending,
            survey: None,
            layout: layout.clone(),
        };
        watch.rearm();
        watch
    }

    /// Why files are looked at instead of watched, in one sentence; `None` where all is well.
    pub fn degraded(&self) -> Option<&str> {
        self.eyes.trouble()
    }

    /// Waits for the next changes. Cancel-safe: what was not returned is returned by the next call.
    pub async fn changed(&mut self) -> Changes {
        loop {
            self.something().await;
            while let Some(ready_at) = self.pending.ready_at() {
                if ready_at <= Instant::now() {
                    break;
                }
                sleep_until(ready_at).await;
            }
            if self.eyes.must_rearm() {
                self.rearm();
            }
            let changes = self.pending.take();
            if !changes.is_empty() {
                return changes;
            }
        }
    }

    /// Waits until something is pending, looking at the files meanwhile where notifications do not reach.
    async fn something(&mut self) {
        while self.pending.ready_at().is_none() && !self.eyes.must_rearm() {
            if self.eyes.trouble().is_none() {
                self.pending.wait().await;
            } else if timeout(POLL, self.pending.wait()).await.is_err() {
                self.look();
            }
        }
        // An event that asks for new watches alone: the folder may not be complete yet.
        if self.pending.ready_at().is_none() {
            sleep(pending::LEAD).await;
        }
    }

    fn rearm(&mut self) {
        let found_anew = self.eyes.arm();
        self.pending.add_finished(&found_anew);
        let known = self.survey.take();
        self.survey = self
            .eyes
            .trouble()
            .map(|_| known.unwrap_or_else(|| Survey::take(&self.layout)));
    }

    /// One look at what cannot be watched, and another try to watch it.
    fn look(&mut self) {
        let before = self.survey.take().unwrap_or_default();
        let now = Survey::take(&self.layout);
        self.pending.add_finished(&now.since(&before));
        self.survey = Some(now);
        self.rearm();
    }
}
