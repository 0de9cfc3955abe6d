//! What a decision asks of the world.
//!
//! Two kinds: a [`Duty`] is owed by the state itself and found again from it after a crash ([`duty`]);
//! a [`Durable`] effect is a row that is committed with the decision and performed at least once, keyed.

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::stage::Stage;
use super::task::{State, Task};

/// What the orchestrator owes a task as long as it is in its present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Look at it and choose a tier.
    Assess,
    /// Make its workspace and start its worker.
    Launch,
    /// Watch its worker.
    Watch,
    /// Kill its worker and make sure that it is dead.
    Stop,
    /// Run the gate.
    Judge,
    /// Have the work reviewed.
    Review,
    /// Bring the work to where it belongs.
    Land,
}

impl Duty {
    /// Whether it is the care for a worker: one driver's work from its start to its end.
    pub fn is_of_worker(self) -> bool {
        matches!(self, Self::Launch | Self::Watch | Self::Stop)
    }

    /// Whether it is done step by step: what came of one is told, and the next begins from the state that came of it.
    pub fn is_stepwise(self) -> bool {
        matches!(self, Self::Land | Self::Review)
    }
}

/// The duty of a state; the same after every restart.
pub fn duty(task: &Task) -> Option<Duty> {
    match &task.state {
        State::Assessing { .. } => Some(Duty::Assess),
        State::Claimed { .. } => Some(Duty::Launch),
        State::Running { .. } => Some(Duty::Watch),
        State::Stopping { .. } => Some(Duty::Stop),
        State::Validating { stage, .. } => Some(match stage {
            Stage::Checks => Duty::Judge,
            Stage::Review { .. } => Duty::Review,
            Stage::Landing { .. } => Duty::Land,
        }),
        State::Pending { .. }
        | State::Ready { .. }
        | State::Blocked { .. }
        | State::Paused { .. }
        | State::Ended { .. } => None,
    }
}

/// A durable effect: a row of the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Durable {
    /// Tell people.
    Report(Report),
    /// Bring the section's status fields in the queue file up to date; a finished task's section moves to the archive.
    Mirror,
    /// Append a line of the orchestrator's own to the progress file.
    Progress {
        /// The line.
        line: String,
    },
}
