//! What comes in from everything that runs beside the engine, and how it is noted until the next pass.

use chrono::{DateTime, Utc};

use super::Engine;
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::service::signals::Told;

/// What comes in from everything that runs beside the engine.
#[derive(Debug)]
pub enum Input {
    /// Something happened to a task.
    Event(TaskId, Event),
    /// A worker showed life.
    Beat {
        /// Whose.
        task: TaskId,
        /// Its attempt.
        epoch: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// A runtime's provider wants to be left alone.
    Rest {
        /// The runtime.
        runtime: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Another process says where to look.
    Errand(Told),
}

impl Engine {
    pub(super) fn note(&mut self, input: Input) {
        match input {
            Input::Event(id, event) => {
                if let (Some(running), Event::Started { .. }) = (self.running.get_mut(&id), &event) {
                    running.met = true;
                }
                self.pending.push_back((id, event));
            }
            Input::Rest { runtime, until } => {
                let fleet = &self.instance.fleet;
                fleet.rest(&runtime, until);
                { self.instance.member.iter() }.for_each(|member| member.offer(fleet.offers()));
            }
            Input::Errand(told) => {
                // The store has it: it is read whatever the store's mark of other writers says.
                self.written = None;
                self.errands.push(told);
            }
            Input::Beat { task, epoch, at } => {
                let live = self.board.get(&task).and_then(|t| t.state.attempt());
                if live.is_some_and(|a| a.epoch == epoch) {
                    self.board.beat(&task, at);
                }
            }
        }
    }
}
