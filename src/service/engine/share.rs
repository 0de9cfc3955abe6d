//! Which part of a fleet's work is this node's; all of it where there is no fleet.
//!
//! One node leads: it assesses, places, tells people, and sees to what nodes leave behind that are gone. One keeps the
//! queue file. What a task's state owes it is the business of the node that has its workspace.

use std::collections::BTreeSet;

use tokio::sync::watch;

use super::Engine;
use crate::domain::effect::{Duty, duty};
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::node::NodeName;
use crate::domain::task::{State, Task};
use crate::service::outbox::{Files, Share};
use crate::service::signals::{Answer, Errand};
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

    /// Says of each errand what came of it, after a pass has looked at everything.
    pub(super) fn answer_errands(&mut self) {
        for told in std::mem::take(&mut self.errands) {
            let answer = self.came_of(&told.errand);
            told.answer(answer);
        }
    }

    fn came_of(&self, errand: &Errand) -> Answer {
        let Some(task) = errand.task.as_ref().and_then(|id| self.board.get(id)) else {
            // All were looked at; and one that is over is not on the board any more.
            return Answer::Done;
        };
        if task.version < errand.version {
            return Answer::NotNow("the store does not show this version of its task");
        }
        match self.board.is_quarantined(&task.id) && self.is_mine(task) {
            true => Answer::NotNow("the store refuses the next step of its task here"),
            false => Answer::Done,
        }
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

    /// Gives up what this node had under a lease that ran out, before anything is started under the next one: the leader may
    /// be about to do the same. A service that just started knows that its workers, if there are any, hold a lease of their
    /// own; what was only claimed is placed anew.
    pub(super) async fn give_up_what_was_taken(&mut self) -> Result<(), StoreError> {
        let Some(member) = self.instance.member.clone() else {
            return Ok(());
        };
        let term = member.term();
        if self.term == Some(term) {
            return Ok(());
        }
        let (layout, fresh) = (&self.instance.layout, self.term.is_none());
        let was_started = |task: &Task| layout.attempt(&task.id, task.epoch).exists();
        let taken: Vec<(TaskId, Event)> = { self.board.live() }
            .filter(|task| owner(task) == Some(member.name()))
            .filter(|task| !fresh || (task.state.attempt().is_some() && !was_started(task)))
            .filter_map(|task| lost(task, member.name()))
            .collect();
        for (id, event) in taken {
            self.apply(&id, event).await?;
        }
        self.term = Some(term);
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
            .filter_map(|task| lost(task, owner(task).filter(|node| !there.contains(node))?))
            .collect();
        for (id, event) in lost {
            self.apply(&id, event).await?;
        }
        Ok(())
    }
}

/// The node that has a task's workspace.
pub(in crate::service) fn owner(task: &Task) -> Option<&NodeName> {
    match task.state.attempt() {
        Some(attempt) => attempt.route.node.as_ref(),
        None => task.history.last_node.as_ref(),
    }
}

/// That a node does not have a task any more; nothing where it had nothing of it.
fn lost(task: &Task, node: &NodeName) -> Option<(TaskId, Event)> {
    let epoch = match &task.state {
        State::Validating { claim, .. } => claim.epoch,
        state => state.attempt()?.epoch,
    };
    let node = node.clone();
    Some((task.id.clone(), Event::NodeLost { epoch, node }))
}

/// Told of a change in this node's place in its fleet; never where there is none.
pub(in crate::service) async fn heard(news: &mut Option<watch::Receiver<()>>) {
    if let Some(news) = news
        && news.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
