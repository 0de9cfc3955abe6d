//! A wall clock that somebody moves: it says nothing about workers.
//!
//! What was due by the old time is judged where it is due (`domain::ready`); leases and timeouts never look at this clock.

use chrono::TimeDelta;

use super::Engine;

/// Clocks that are kept right by a network drift apart less than this between two looks.
const JUMP: TimeDelta = TimeDelta::seconds(2);

impl Engine {
    /// Where the clock was moved, silence of workers counts from now: by the old times they would all be stuck at once.
    pub(super) fn mind_the_clock(&mut self) {
        let clock = &self.instance.clock;
        let moved = clock.moved_since(self.clocks);
        self.clocks = clock.reading();
        if moved.abs() < JUMP {
            return;
        }
        tracing::warn!(
            seconds = moved.num_seconds(),
            "the wall clock was moved; silence of workers counts from now"
        );
        let now = clock.now();
        let at_work = self.board.live().filter(|task| task.state.attempt().is_some());
        let ids: Vec<_> = at_work.map(|task| task.id.clone()).collect();
        ids.iter().for_each(|id| self.board.beat(id, now));
    }
}
