//! The bus as `status` and `doctor` show it; nothing where no server is configured.

use std::time::Duration;

use super::super::instance::Instance;
use super::super::signals::{STANDING, To};
use super::super::view::{BusView, NodeView, ParkedView, Problem, ReachView};
use super::doctor::{Finding, Level};
use crate::bus::{Address, BusError, Checkup};
use crate::store::StoreError;

/// How long a look at the server takes at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// Parked messages that are shown of one stream.
const MOST_PARKED: usize = 1000;
/// What it means that the server is away.
const MEANS: &str =
    "work goes on without it; what other processes change is seen later, and nothing is shown live";

/// How the bus stands: as the running service knows, else by a look at the server.
pub(super) async fn view(
    instance: &Instance,
    running: bool,
    nodes: Option<&[NodeView]>,
) -> Result<Option<BusView>, StoreError> {
    let Some(server) = instance.config.bus.server() else {
        return Ok(None);
    };
    let told = match nodes {
        Some(nodes) => own_reach(instance, nodes).map(|reach| (Some(reach.since), reach.why.clone())),
        None => {
            let flag = instance.store.flag(STANDING).await?;
            flag.map(|flag| (Some(flag.set_at), flag.value.as_str().map(str::to_owned)))
        }
    };
    let (since, why) = match told.filter(|_| running) {
        Some(told) => told,
        None => {
            let looked = Checkup::of(&Address::of(server.value()), PATIENCE).await;
            (None, looked.err().map(bare))
        }
    };
    Ok(Some(BusView {
        standing: if why.is_none() { "up" } else { "away" }.to_owned(),
        since,
        means: why.as_ref().map(|_| MEANS.to_owned()),
        why,
    }))
}

/// How the node of this instance stands with the bus, as it says itself.
fn own_reach<'a>(instance: &Instance, nodes: &'a [NodeView]) -> Option<&'a ReachView> {
    let member = instance.member.as_ref()?;
    let own = nodes.iter().find(|node| node.name == member.name().as_str())?;
    own.bus.as_ref()
}

/// What people should know of the bus beside how this node stands with it.
pub(super) fn problems(nodes: &[NodeView]) -> Vec<Problem> {
    let there = nodes.iter().filter(|node| is_there(node));
    let mut problems = Vec::new();
    for (name, reach) in there.filter_map(|node| Some((&node.name, node.bus.as_ref()?))) {
        if let Some(why) = &reach.why {
            let message = format!("node '{name}' has lost the bus: {why}; {MEANS}");
            let help = "look at the server, and at the way from that node to it";
            problems.push(problem("bus-away", message, help));
        } else if let Some(why) = &reach.bypassed {
            let message =
                format!("what workers put out on node '{name}' goes straight to the database: {why}");
            let help = "look at the memory of the bus's server, and whether a node leads that has the bus";
            problems.push(problem("bus-bypassed", message, help));
        }
        if reach.parked > 0 {
            let message = format!(
                "{} of the bus could not be delivered and lie parked",
                parcels(reach.parked)
            );
            let help = "`orchestrator node parked` shows them, and `--clear` throws them away: no work is lost with them";
            problems.push(problem("parked-messages", message, help));
        }
    }
    problems
}

fn is_there(node: &NodeView) -> bool {
    matches!(node.state.as_str(), "there" | "cordoned")
}

fn parcels(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        n => format!("{n} messages"),
    }
}

fn problem(code: &str, message: String, help: &str) -> Problem {
    Problem {
        file: "orchestrator.toml".to_owned(),
        line: 1,
        column: 1,
        severity: "warning".to_owned(),
        code: code.to_owned(),
        message,
        help: Some(help.to_owned()),
    }
}

/// Why the parked messages cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// There is no fleet with a bus.
    #[error(
        "messages are parked where a fleet has a bus: [store] url = \"postgres://…\" and [bus] url = \"redis://…\""
    )]
    NoBus,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The messages that nobody could do with, newest first in each stream; with `clear` they are thrown away.
pub async fn parked(instance: &Instance, clear: bool) -> Result<Vec<ParkedView>, ParkedError> {
    let member = instance.member.as_ref().ok_or(ParkedError::NoBus)?;
    let bus = instance.signals.shared_bus().await.ok_or(ParkedError::NoBus)?;
    let nodes = member.roster().nodes().await?;
    let names = nodes.iter().map(|node| To::Node(node.name().clone()));
    let mut all = Vec::new();
    for stream in names.chain([To::Leader]).map(|to| to.stream()) {
        let parked = bus.parked(&stream, MOST_PARKED).await?;
        if clear && !parked.is_empty() {
            bus.clear_parked(&stream).await?;
        }
        all.extend(parked.into_iter().map(|parked| ParkedView {
            stream: stream.clone(),
            consumer: parked.consumer,
            deliveries: parked.deliveries,
            why: parked.why,
            kind: format!("{} {}", parked.message.kind, parked.message.version),
            body: parked.message.body,
        }));
    }
    Ok(all)
}

/// What lies parked.
async fn parked_finding(instance: &Instance) -> Option<Finding> {
    let count = parked(instance, false).await.ok()?.len();
    (count > 0).then(|| {
        Finding::of(
            "bus",
            Level::Warning,
            format!("{} lie parked: nobody could do with them", parcels(count as u64)),
            "`orchestrator node parked` shows them, and `--clear` throws them away: no work is lost with them",
        )
    })
}

/// What a look at the server finds.
pub(super) async fn findings(instance: &Instance) -> Vec<Finding> {
    let Some(server) = instance.config.bus.server() else {
        return Vec::new();
    };
    match Checkup::of(&Address::of(server.value()), PATIENCE).await {
        Ok(found) => {
            let Checkup {
                server,
                version,
                durable,
                remarks,
            } = found;
            let kept = match durable {
                true => "",
                false => "; what it holds does not survive its restart (appendonly no)",
            };
            let well = Finding::good("bus", format!("{version} at {server}{kept}"));
            let remark = |(what, cure)| Finding::of("bus", Level::Warning, what, cure);
            std::iter::once(well)
                .chain(remarks.into_iter().map(remark))
                .chain(parked_finding(instance).await)
                .collect()
        }
        Err(error) => vec![Finding::of(
            "bus",
            Level::Warning,
            format!("{}; {MEANS}", bare(error)),
            "start the server, correct bus.url, or set bus.url = \"memory\"",
        )],
    }
}

fn bare(error: BusError) -> String {
    match error {
        BusError::Away { why } | BusError::Refused { why } | BusError::Full { why, .. } => why,
    }
}
