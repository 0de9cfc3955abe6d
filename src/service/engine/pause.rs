//! Between two passes: what is waited for.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Engine, Input, STORE_PAUSE, heard};
use crate::domain::task::State;

impl Engine {
    /// Waits for the next thing to come in, or for the time at which something is due.
    pub async fn wait(&mut self) {
        let due = self.next_due();
        let clock = self.instance.clock.clone();
        let timer = async move {
            match due {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let mut timer = std::pin::pin!(timer);
        loop {
            tokio::select! {
                Some(input) = self.inbox.recv() => {
                    // A sign of life changes nothing but when its worker would be stale: no pass for each of many.
                    let is_beat = matches!(input, Input::Beat { .. });
                    self.note(input);
                    if !is_beat { return; }
                }
                () = &mut timer => return,
                () = heard(&mut self.news) => return,
                Ok(()) = self.steered.changed() => {
                    self.steered.mark_changed();
                    return;
                }
                () = self.queue.stirred() => return,
                () = self.instance.store.another_wrote() => {
                    // It may have heard something.
                    self.instance.handed.send_replace(());
                    return;
                }
            }
        }
    }

    /// When the board itself changes its answer: a retry that is due, a heartbeat that becomes stale.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        if !self.pending.is_empty() {
            return Some(self.instance.clock.now() + STORE_PAUSE);
        }
        if !self.errands.is_empty() {
            return Some(self.instance.clock.now());
        }
        let stale_after = self.dispatcher.policy().heartbeat_stale_after;
        let mine = self.board.live().filter(|task| self.awaits(task));
        let due = mine.filter_map(|task| match &task.state {
            State::Ready { next, .. } => next.not_before.filter(|t| *t > self.looked_at),
            state @ State::Validating { .. } => state
                .review_waits()
                .map(|later| later.at)
                .filter(|t| *t > self.looked_at),
            State::Claimed { attempt, .. } | State::Running { attempt, .. } => {
                let last = self
                    .board
                    .last_beat(&task.id)
                    .map_or(attempt.started_at, |b| b.max(attempt.started_at));
                Some(last + stale_after + Duration::from_millis(1))
            }
            _ => None,
        });
        let rested = self.instance.fleet.rested_at(self.looked_at);
        due.chain(rested)
            .chain(self.queue.recheck_at())
            .chain(self.queue.look_at())
            .chain(self.outbox.retry_at())
            .chain(self.instance.signs.due_at())
            .min()
    }
}
