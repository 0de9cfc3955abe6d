//! The figures of a service, for monitoring. What is not known is absent, not 0.

use std::collections::BTreeMap;

/// The figures of a service, for monitoring.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// The version of its program.
    pub version: String,
    /// The name of its node.
    pub node: String,
    /// What that does.
    pub role: String,
    /// Whether the store answers.
    pub store_up: bool,
    /// What the store knows, where it answers.
    pub stored: Option<StoredFigures>,
    /// Worker slots of the nodes that take work.
    pub slots: u32,
    /// The fleet, where this is a node of one.
    pub fleet: Option<FleetFigures>,
    /// The bus, where a server is configured and its standing known.
    pub bus: Option<BusFigures>,
    /// The chats that this service speaks in.
    pub surfaces: Vec<SurfaceFigures>,
}

/// How a chat stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SurfaceFigures {
    /// Its name.
    pub name: String,
    /// Since the last round trip came back, in seconds.
    pub round_trip_age_s: Option<f64>,
    /// The 99th percentile of acknowledgements, in seconds.
    pub ack_p99_s: Option<f64>,
    /// The longest silence of a working task, in seconds.
    pub longest_silence_s: f64,
}

/// What the store knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredFigures {
    /// Tasks that are not over, by state.
    pub tasks: BTreeMap<String, u64>,
    /// Worker slots in use.
    pub used: u64,
    /// Entries of the event log so far.
    pub commits: u64,
    /// Rows of the outbox that are not performed.
    pub outbox: u64,
    /// The age of the oldest of them in seconds.
    pub oldest_s: f64,
}

/// What a node knows of its fleet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetFigures {
    /// Nodes by state.
    pub nodes: BTreeMap<String, u64>,
    /// Whether this one leads.
    pub leads: bool,
    /// Since when its lease was not renewed, in seconds.
    pub lease_age_s: f64,
    /// Whether that is trusted.
    pub lease_held: bool,
}

/// How the bus stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BusFigures {
    /// Whether it answers.
    pub up: bool,
    /// Whether what workers put out goes straight to the database.
    pub bypassed: bool,
    /// Messages that nobody could do with.
    pub parked: u64,
}
