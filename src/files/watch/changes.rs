//! What changed, coalesced.

use std::collections::BTreeSet;

use crate::domain::id::TaskId;

/// What changed since the last time it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The queue file.
    pub queue: bool,
    /// Something in jobs/.
    pub jobs: bool,
    /// Something in agents/.
    pub agents: bool,
    /// Heartbeats, by task.
    pub heartbeats: BTreeSet<TaskId>,
    /// heartbeats/ as a whole (it was made anew, or notifications were lost): scan it.
    pub all_heartbeats: bool,
    /// A command touched the wake file.
    pub wake: bool,
}

impl Changes {
    /// Everything: to be looked at as if for the first time.
    pub fn everything() -> Self {
        Self {
            queue: true,
            jobs: true,
            agents: true,
            all_heartbeats: true,
            wake: true,
            ..Self::default()
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another look found.
    pub fn merge(&mut self, other: &Self) {
        self.queue |= other.queue;
        self.jobs |= other.jobs;
        self.agents |= other.agents;
        self.all_heartbeats |= other.all_heartbeats;
        self.wake |= other.wake;
        self.heartbeats.extend(other.heartbeats.iter().cloned());
    }
}
