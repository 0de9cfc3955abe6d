//! The nodes of the fleet: who is there, and keeping work away from one.

use std::sync::Arc;
use std::time::Duration;

use super::super::engine::KEEPER;
use super::super::instance::Instance;
use super::super::view::{NodeView, ReachView};
use crate::clock::since_boot;
use crate::domain::event::Event;
use crate::domain::node::{Lease, Node, NodeName, Reach};
use crate::domain::task::{State, StopReason, Task};
use crate::service::dispatcher::ApplyError;
use crate::store::{Roster, StoreError};

/// How often a node that is being emptied is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Why nothing can be said of nodes, or done with one.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is no fleet.
    #[error("this instance is no node of a fleet; a fleet has [store] url = \"postgres://…\"")]
    NoFleet,
    /// There is no such node.
    #[error("there is no node '{0}'")]
    Unknown(NodeName),
    /// It is there.
    #[error("node '{0}' is there; stop its service first, or wait for the end of its lease")]
    There(NodeName),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker could not be told to stop.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// The nodes of the fleet; none where there is no fleet.
pub async fn nodes(instance: &Instance) -> Result<Option<Vec<NodeView>>, StoreError> {
    let Some(member) = &instance.member else {
        return Ok(None);
    };
    let (nodes, leader) = tokio::try_join!(member.roster().nodes(), member.roster().leader())?;
    let keeper = instance.store.flag(KEEPER).await?;
    let keeper = keeper.and_then(|flag| NodeName::parse(flag.value.as_str()?).ok());
    let live = instance.store.live().await?;
    let view = |node: &Node| {
        let mine = |task: &&Task| {
            task.state
                .attempt()
                .is_some_and(|a| a.route.node.as_ref() == Some(node.name()))
        };
        let said = &node.announcement;
        NodeView {
            name: node.name().to_string(),
            role: said.role.as_str().to_owned(),
            host: said.host.clone(),
            labels: said.labels.iter().cloned().collect(),
            version: said.version.clone(),
            state: word(node).to_owned(),
            lease_s: match node.lease {
                Lease::Held(left) => Some(left.as_secs_f64()),
                Lease::Expired(ago) => Some(-ago.as_secs_f64()),
                Lease::Left => None,
            },
            since: node.joined_at,
            leads: leader.as_ref() == Some(node.name()),
            keeps_queue: keeper.as_ref() == Some(node.name()),
            cordoned_by: node.cordoned.clone(),
            used: u32::try_from(live.iter().filter(mine).count()).unwrap_or(u32::MAX),
            slots: said.slots,
            bus: said.bus.as_ref().map(reach),
        }
    };
    Ok(Some(nodes.iter().map(view).collect()))
}

/// The node that keeps the queue file, where that is another one: the file here says nothing then.
pub(super) async fn keeper_elsewhere(instance: &Instance) -> Result<Option<NodeName>, StoreError> {
    let Some(member) = &instance.member else {
        return Ok(None);
    };
    let flag = instance.store.flag(KEEPER).await?;
    let keeper = flag.and_then(|flag| NodeName::parse(flag.value.as_str()?).ok());
    Ok(keeper.filter(|keeper| keeper != member.name()))
}

fn reach(reach: &Reach) -> ReachView {
    ReachView {
        standing: if reach.away.is_none() { "up" } else { "away" }.to_owned(),
        since: reach.since,
        why: reach.away.clone(),
        bypassed: reach.bypassed.clone(),
        parked: reach.parked,
    }
}

pub(super) fn word(node: &Node) -> &'static str {
    match (node.lease, &node.cordoned) {
        (Lease::Held(_), None) => "there",
        (Lease::Held(_), Some(_)) => "cordoned",
        (Lease::Expired(_), _) => "lost",
        (Lease::Left, _) => "stopped",
    }
}

/// Keeps new work away from a node, or lets it come again.
pub async fn cordon(instance: &Instance, name: &NodeName, by: Option<&str>) -> Result<(), NodeError> {
    match roster(instance)?.cordon(name, by).await? {
        true => Ok(()),
        false => Err(NodeError::Unknown(name.clone())),
    }
}

/// Forgets a node that is not there.
pub async fn remove(instance: &Instance, name: &NodeName) -> Result<(), NodeError> {
    known(instance, name).await?;
    match roster(instance)?.remove(name).await? {
        true => Ok(()),
        false => Err(NodeError::There(name.clone())),
    }
}

/// Has another node keep the queue file.
pub async fn give_queue(instance: &Instance, name: &NodeName) -> Result<(), NodeError> {
    known(instance, name).await?;
    let now = instance.clock.now();
    let value = Some(name.as_str().into());
    Ok(instance.store.set_flag(KEEPER, value, now).await?)
}

/// Empties a node: nothing new comes, what runs may end within this time, the rest is stopped and goes on elsewhere.
/// Answers how many workers were stopped.
pub async fn drain(
    instance: &Arc<Instance>,
    name: &NodeName,
    by: &str,
    within: Duration,
) -> Result<usize, NodeError> {
    cordon(instance, name, Some(by)).await?;
    let deadline = since_boot() + within;
    let mut stopped = 0;
    loop {
        let live = instance.store.live().await?;
        let with_it: Vec<&Task> = live.iter().filter(|task| is_with(task, name)).collect();
        if with_it.is_empty() || (since_boot() >= deadline && !is_there(instance, name).await?) {
            return Ok(stopped);
        }
        if since_boot() >= deadline {
            for task in with_it {
                stopped += usize::from(stop(instance, task, by).await?);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a node works on a task: by a worker, or by judging it.
fn is_with(task: &Task, name: &NodeName) -> bool {
    match &task.state {
        State::Validating { .. } => task.history.last_node.as_ref() == Some(name),
        state => state
            .attempt()
            .is_some_and(|a| a.route.node.as_ref() == Some(name)),
    }
}

async fn stop(instance: &Instance, task: &Task, by: &str) -> Result<bool, NodeError> {
    let (State::Claimed { attempt, .. } | State::Running { attempt, .. }) = &task.state else {
        return Ok(false);
    };
    let (epoch, by) = (attempt.epoch, by.to_owned());
    let reason = StopReason::Drained { by };
    let event = Event::Condemned { epoch, reason };
    let _seen = instance.dispatcher().apply(task.clone(), event).await?;
    Ok(true)
}

async fn is_there(instance: &Instance, name: &NodeName) -> Result<bool, NodeError> {
    Ok(known(instance, name).await?.is_there())
}

async fn known(instance: &Instance, name: &NodeName) -> Result<Node, NodeError> {
    let nodes = roster(instance)?.nodes().await?;
    let found = nodes.into_iter().find(|node| node.name() == name);
    found.ok_or_else(|| NodeError::Unknown(name.clone()))
}

fn roster(instance: &Instance) -> Result<&Roster, NodeError> {
    let member = instance.member.as_ref().ok_or(NodeError::NoFleet)?;
    Ok(member.roster())
}
