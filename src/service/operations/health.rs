//! How a service is, for whoever watches over it: whether it lives, whether it can be counted on, and its figures.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::super::instance::Instance;
use super::super::surface::Told;
use super::super::view::{BusFigures, Figures, FleetFigures, StoredFigures, SurfaceFigures};
use super::node::word;
use crate::domain::node::Crew;
use crate::domain::report::Surface;
use crate::store::Stored;

/// A pass that takes longer does not come back.
const STUCK: Duration = Duration::from_secs(300);
/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that is not in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In a word: `passes`, `store`, `lease`.
    pub what: &'static str,
    /// In a sentence.
    pub why: String,
}

fn trouble(what: &'static str, why: impl Into<String>) -> Trouble {
    let why = why.into();
    Trouble { what, why }
}

/// What is amiss that a restart would help against.
pub fn health(instance: &Instance) -> Vec<Trouble> {
    let since = instance.pulse.in_pass_for().filter(|since| *since > STUCK);
    let stuck = since.map(|since| format!("a pass has been going on for {} s", since.as_secs()));
    stuck.map(|why| trouble("passes", why)).into_iter().collect()
}

/// Why the service cannot be counted on now.
pub async fn readiness(instance: &Instance) -> Vec<Trouble> {
    let mut amiss = health(instance);
    if !instance.pulse.has_begun() {
        amiss.push(trouble("passes", "the service has not looked at its tasks yet"));
    }
    match timeout(PATIENCE, instance.store.newest_seq()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => amiss.push(trouble("store", error.to_string())),
        Err(_late) => amiss.push(trouble("store", "the store does not answer in time")),
    }
    if !instance.keeps_workers() {
        amiss.push(trouble("lease", "the lease of this node is not held"));
    }
    amiss
}

/// The figures. What the store does not tell in time is left out.
pub async fn figures(instance: &Instance) -> Figures {
    let stored = timeout(PATIENCE, instance.store.figures()).await;
    let stored = stored.ok().and_then(Result::ok);
    let fleet = &instance.config.fleet;
    let member = instance.member.as_ref();
    let slots = match member {
        None => instance.policy.max_concurrent,
        Some(member) => Crew::new(&member.nodes(), std::iter::empty()).slots(),
    };
    Figures {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: fleet.node.to_string(),
        role: fleet.role.as_str().to_owned(),
        store_up: stored.is_some(),
        stored: stored.map(|stored| told(instance, stored)),
        slots,
        fleet: member.map(|member| {
            let mut nodes = BTreeMap::new();
            for node in member.nodes() {
                *nodes.entry(word(&node).to_owned()).or_default() += 1;
            }
            FleetFigures {
                nodes,
                leads: member.leads().is_some(),
                lease_age_s: member.lease_age().as_secs_f64(),
                lease_held: member.is_trusted(),
            }
        }),
        bus: bus(instance).await,
        surfaces: surfaces(instance),
    }
}

fn surfaces(instance: &Instance) -> Vec<SurfaceFigures> {
    let told = instance.surfaces.told(instance.clock.now());
    let figures = |(name, told): (Surface, Told)| SurfaceFigures {
        name: name.to_string(),
        round_trip_age_s: told.round_trip_age_s,
        ack_p99_s: told.ack_p99_s,
        longest_silence_s: told.longest_silence_s,
    };
    told.into_iter().map(figures).collect()
}

fn told(instance: &Instance, stored: Stored) -> StoredFigures {
    let age = |at: DateTime<Utc>| (instance.clock.now() - at).as_seconds_f64().max(0.0);
    let with_worker = ["claimed", "running", "stopping"];
    let used = with_worker.iter().filter_map(|kind| stored.tasks.get(*kind));
    StoredFigures {
        used: used.sum(),
        commits: stored.seq,
        outbox: stored.outbox,
        oldest_s: stored.oldest.map_or(0.0, age),
        tasks: stored.tasks,
    }
}

async fn bus(instance: &Instance) -> Option<BusFigures> {
    if let Some(member) = &instance.member {
        let reach = member.reach()?;
        return Some(BusFigures {
            up: reach.away.is_none(),
            bypassed: reach.bypassed.is_some(),
            parked: reach.parked,
        });
    }
    let standing = instance.signals.shared_bus().await?.standing();
    let up = standing.borrow().is_up();
    Some(BusFigures {
        up,
        ..BusFigures::default()
    })
}
