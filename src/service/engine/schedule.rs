//! Who is assessed and who is claimed in a pass.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::{Engine, Input};
use crate::domain::effect::Duty;
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::node::Crew;
use crate::domain::overlap;
use crate::domain::ready::{self, DependencyState, Used};
use crate::domain::task::Task;
use crate::service::family;
use crate::store::StoreError;

/// How long a pass waits for the assessments that it began.
const GLANCE: Duration = Duration::from_millis(5);

impl Engine {
    /// Assesses what is eligible and claims what is due, as far as slots go.
    pub(super) async fn schedule(&mut self) -> Result<(), StoreError> {
        self.looked_at = self.instance.clock.now();
        if self.stopped || self.draining || !self.leads() {
            return Ok(());
        }
        self.learn_dependencies().await?;
        let eligible: Vec<TaskId> = self
            .board
            .runnable()
            .filter(|t| self.is_eligible(t))
            .map(|t| t.id.clone())
            .collect();
        for id in eligible {
            self.apply(&id, Event::Eligible).await?;
        }
        let now = self.looked_at;
        let fleet = &self.instance.fleet;
        let nodes = self.instance.member.as_ref().map(|member| member.nodes());
        let mut crew = { nodes.as_ref() }.map(|nodes| Crew::new(nodes, self.board.live()));
        let slots = { crew.as_ref() }.map_or(self.dispatcher.policy().max_concurrent, Crew::slots);
        let used = Used::count(self.board.live(), slots);
        let held = family::waiting(&self.board);
        let policy = self.dispatcher.policy();
        let due = self.board.runnable().filter(|t| !held.contains(&t.id));
        let due = due.filter(|t| overlap::before(t, self.board.live(), policy).is_none());
        let claims = ready::claims(due, used, now, policy, |task| match &mut crew {
            None => fleet.route(task, now),
            Some(crew) => {
                let (node, route) = fleet.place(task, crew, now)?;
                crew.take(node, task);
                Some(route)
            }
        });
        for (id, route) in claims {
            if self.is_beside(&id) {
                continue;
            }
            self.apply(&id, Event::Claimed(route)).await?;
        }
        Ok(())
    }

    /// An assessment is a look at some files. Whoever waits for one is claimed in the pass that began it, before people are told
    /// and files are written; one that takes longer is taken in by the next pass.
    pub(super) async fn claim_what_is_assessed_at_once(&mut self) -> Result<(), StoreError> {
        let assessed = { self.running.iter() }.filter(|(_, running)| running.duty == Duty::Assess);
        let mut awaited: BTreeSet<TaskId> = assessed.map(|(id, _)| id.clone()).collect();
        if awaited.is_empty() {
            return Ok(());
        }
        let reports = async {
            while !awaited.is_empty()
                && let Some(input) = self.inbox.recv().await
            {
                if let Input::Event(id, _) = &input {
                    awaited.remove(id);
                }
                self.note(input);
            }
        };
        // What has come until then is noted.
        let _late = timeout(GLANCE, reports).await;
        self.take_in_inputs().await?;
        self.schedule().await?;
        self.assume_duties();
        Ok(())
    }

    /// Whether one that was claimed in this very pass is likely to touch the same files.
    fn is_beside(&self, id: &TaskId) -> bool {
        let policy = self.dispatcher.policy();
        let task = self.board.get(id);
        task.is_some_and(|task| overlap::before(task, self.board.live(), policy).is_some())
    }

    fn is_eligible(&self, task: &Task) -> bool {
        ready::is_eligible(task, self.dispatcher.policy(), |id| self.board.dependency(id))
    }

    async fn learn_dependencies(&mut self) -> Result<(), StoreError> {
        let unknown = self.board.unknown_dependencies();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = self.instance.store.dependency_states(&unknown).await?;
        for id in unknown {
            let state = found
                .get(&id)
                .map_or(DependencyState::Unknown, |s| crate::service::standing(*s));
            self.board.note(id, state);
        }
        Ok(())
    }
}
