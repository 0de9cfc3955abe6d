//! Changes that wait to be told, and when they are ripe.
//!
//! The first finished change passes almost at once (the leading edge); what follows within a burst comes together. A change
//! that may still be going on (a file being written in place, a file that just vanished and may be on its way back) waits
//! until it rests, but never for ever.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::changes::Changes;

/// How long a finished change waits for what belongs to it.
pub(super) const LEAD: Duration = Duration::from_millis(3);
/// Between two tellings, and how long an unfinished change must rest.
const REST: Duration = Duration::from_millis(50);
/// The longest that an unfinished change waits.
const LONGEST: Duration = Duration::from_millis(500);

/// Shared between the thread of the notifications and the one who waits for them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    changes: Changes,
    first: Option<Instant>,
    last: Option<Instant>,
    finished: Option<Instant>,
    told: Option<Instant>,
}

impl Pending {
    /// A change whose file is whole.
    pub(super) fn add_finished(&self, changes: &Changes) {
        if !changes.is_empty() {
            self.locked().add(changes, true, Instant::now());
            self.arrived.notify_one();
        }
    }

    /// A change that may still be going on.
    pub(super) fn add_unfinished(&self, changes: &Changes) {
        if !changes.is_empty() {
            self.locked().add(changes, false, Instant::now());
            self.arrived.notify_one();
        }
    }

    /// Wakes the waiting one without any change.
    pub(super) fn nudge(&self) {
        self.arrived.notify_one();
    }

    /// When the pending changes are ripe; `None` where there are none.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.locked().ready_at()
    }

    /// Takes what is pending.
    pub(super) fn take(&self) -> Changes {
        let mut state = self.locked();
        if !state.changes.is_empty() {
            state.told = Some(Instant::now());
        }
        (state.first, state.last, state.finished) = (None, None, None);
        std::mem::take(&mut state.changes)
    }

    /// Waits until something has arrived since the last wait.
    pub(super) async fn wait(&self) {
        self.arrived.notified().await;
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, changes: &Changes, finished: bool, now: Instant) {
        self.changes.merge(changes);
        self.first.get_or_insert(now);
        self.last = Some(now);
        if finished {
            self.finished.get_or_insert(now);
        }
    }

    fn ready_at(&self) -> Option<Instant> {
        let (first, last) = (self.first?, self.last?);
        let rested = (last + REST).min(first + LONGEST);
        let ripe = self
            .finished
            .map_or(rested, |finished| rested.min(finished + LEAD));
        Some(self.told.map_or(ripe, |told| ripe.max(told + REST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Changes {
        Changes {
            queue: true,
            ..Changes::default()
        }
    }

    #[test]
    fn a_finished_change_is_prompt_and_a_burst_is_one() {
        let start = Instant::now();
        let mut state = State::default();
        assert_eq!(state.ready_at(), None);
        state.add(&queue(), true, start);
        state.add(&queue(), true, start + LEAD / 2);
        assert_eq!(state.ready_at(), Some(start + LEAD));
        state.told = Some(start);
        assert_eq!(state.ready_at(), Some(start + REST));
    }

    #[test]
    fn an_unfinished_change_waits_for_rest_but_not_for_ever() {
        let start = Instant::now();
        let mut state = State::default();
        state.add(&queue(), false, start);
        assert_eq!(state.ready_at(), Some(start + REST));
        state.add(&queue(), false, start + REST / 2);
        assert_eq!(state.ready_at(), Some(start + REST / 2 + REST));
        state.add(&queue(), false, start + 2 * LONGEST);
        assert_eq!(state.ready_at(), Some(start + LONGEST));
    }
}
