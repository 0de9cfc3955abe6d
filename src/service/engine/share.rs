//! Which part of a fleet's work is this node's; all of it where there is no fleet.
//!
//! One node leads: it assesses, places, tells people, and sees to what nodes leave behind that are gone. One keeps the
//! queue file. What a task's state owes it is the business of the node that has its workspace.

use std::collections::BTreeSet;

use super::Engine;
use crate::domain::effect::{Duty, duty};
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::node::NodeName;
use crate::domain::task::{State, Task};
use crate::service::outbox::{Files, Share};
use crate::store::StoreError;

/// The flag that names the node that keeps the queue file.
pub(in crate::service) const KEEPER: &str = "queue-keeper";

impl Engine {
    /// Whether this node decides for all.
    pub(super) fn leads(&self) -> bool {
        let member = self.instance.member.as_ref();
        member.is_none_or(|member| member.leads().is_some())
    }

    /// Whether the queue file is this node's to read and to write.
    pub(super) fn keeps_queue(&self) -> bool {
        let member = self.instance.member.as_ref();
        member.is_none_or(|member| self.keeper.as_ref() == Some(member.name()))
    }

    /// Whether what a task's state owes it is this node's to do.
    pub(super) fn is_mine(&self, task: &Task) -> bool {
        let Some(member) = &self.instance.member else {
            return true;
        };
        match owner(task).filter(|_| duty(task) != Some(Duty::Assess)) {
            Some(owner) => owner == member.name() || (self.is_forgotten(owner) && self.leads()),
            None => self.leads(),
        }
    }

    /// Whether this node waits for the time of a task: the leader for what is to be placed, its own node for the rest.
    pub(super) fn awaits(&self, task: &Task) -> bool {
        match task.state {
            State::Ready { .. } => self.leads(),
            _ => self.is_mine(task),
        }
    }

    /// What this node performs of the outbox.
    pub(super) fn share(&self) -> Share {
        let leads = self.leads();
        let tasks = self.board.live().filter(|task| self.is_mine(task) != leads);
        let tasks = tasks.map(|task| task.id.clone()).collect();
        Share {
            reports: leads,
            queue: self.keeps_queue(),
            progress: if leads {
                Files::AllBut(tasks)
            } else {
                Files::Of(tasks)
            },
        }
    }

    /// Whether a node was taken off the roster: whatever was with it is the leader's.
    fn is_forgotten(&self, node: &NodeName) -> bool {
        let member = self.instance.member.as_ref();
        member.is_some_and(|member| member.nodes().iter().all(|known| known.name() != node))
    }

    /// Learns who keeps the queue file; a fleet in which nobody does has its leader do it from now on.
    pub(super) async fn learn_keeper(&mut self) -> Result<(), StoreError> {
        let Some(member) = &self.instance.member else {
            return Ok(());
        };
        let (me, leads) = (member.name().clone(), member.leads().is_some());
        let flag = self.instance.store.flag(KEEPER).await?;
        let keeper = flag.and_then(|flag| NodeName::parse(flag.value.as_str()?).ok());
        if keeper.as_ref() == Some(&me) && self.keeper != keeper {
            self.begin_to_keep().await?;
        }
        self.keeper = keeper;
        match self.keeper.is_none() && leads {
            true => self.keep_queue(me).await,
            false => Ok(()),
        }
    }

    /// Has this node keep the queue file from now on.
    pub(super) async fn keep_queue(&mut self, me: NodeName) -> Result<(), StoreError> {
        let (store, now) = (&self.instance.store, self.instance.clock.now());
        store.set_flag(KEEPER, Some(me.as_str().into()), now).await?;
        self.begin_to_keep().await?;
        self.keeper = Some(me);
        Ok(())
    }

    /// Takes away from nodes that are gone what they had: their workers ended with their leases.
    pub(super) async fn see_to_lost_nodes(&mut self) -> Result<(), StoreError> {
        let Some(member) = self.instance.member.clone().filter(|_| self.leads()) else {
            return Ok(());
        };
        let there: BTreeSet<NodeName> = { member.nodes().into_iter() }
            .filter(|node| node.is_there())
            .map(|node| node.name().clone())
            .collect();
        let lost: Vec<(TaskId, Event)> = { self.board.live() }
            .filter_map(|task| {
                let node = owner(task).filter(|node| !there.contains(node))?.clone();
                let epoch = match &task.state {
                    State::Validating { claim, .. } => claim.epoch,
                    state => state.attempt()?.epoch,
                };
                Some((task.id.clone(), Event::NodeLost { epoch, node }))
            })
            .collect();
        for (id, event) in lost {
            self.apply(&id, event).await?;
        }
        Ok(())
    }
}

/// The node that has a task's workspace.
fn owner(task: &Task) -> Option<&NodeName> {
    match task.state.attempt() {
        Some(attempt) => attempt.route.node.as_ref(),
        None => task.history.last_node.as_ref(),
    }
}
