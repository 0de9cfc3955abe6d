//! The nodes of a fleet, and how each stands with the bus.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A node of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// `all`, `scheduler`, `worker` or `gateway`.
    pub role: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The version of its program.
    pub version: String,
    /// `there`, `cordoned`, `lost` or `stopped`.
    pub state: String,
    /// How long its lease holds, in seconds; below zero where it ran out, `null` where it went by itself.
    pub lease_s: Option<f64>,
    /// When it started.
    pub since: DateTime<Utc>,
    /// Whether it leads.
    pub leads: bool,
    /// Whether it keeps the queue file.
    pub keeps_queue: bool,
    /// Who keeps new work away from it.
    pub cordoned_by: Option<String>,
    /// Slots in use.
    pub used: u32,
    /// Its slots.
    pub slots: u32,
    /// How it stands with the bus; `null` where there is no server, or it does not know yet.
    pub bus: Option<ReachView>,
}

/// How a node of the fleet stands with the bus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReachView {
    /// `up` or `away`.
    pub standing: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why it is away.
    pub why: Option<String>,
    /// Why what its workers put out goes straight to the database; `null`: it goes by the bus.
    pub bypassed: Option<String>,
    /// Messages that nobody could do with, as the leader counts them; 0 on the others.
    pub parked: u64,
}

/// A message that nobody could do with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParkedView {
    /// Where it was: `node.NAME` or `leader`.
    pub stream: String,
    /// Who had it last.
    pub consumer: String,
    /// How often it was delivered.
    pub deliveries: u32,
    /// Why it was set aside.
    pub why: String,
    /// Its kind, and the version of that.
    pub kind: String,
    /// What it says.
    pub body: String,
}
