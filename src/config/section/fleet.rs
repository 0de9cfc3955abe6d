//! `[fleet]`: what this node is, where several share one PostgreSQL store.

use std::time::Duration;

use crate::config::reader::Section;
use crate::config::setting::{Misfit, Setting, words};
use crate::domain::node::{NodeName, Role};
use toml::de::DeValue;

/// `[fleet]`.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Its name.
    pub node: NodeName,
    /// What it does.
    pub role: Role,
    /// What distinguishes it: tasks may ask for these (`Runs On`).
    pub labels: Vec<String>,
    /// How long it is counted on after it was last heard of.
    pub lease: Duration,
}

words!(Role { "all" => All, "scheduler" => Scheduler, "worker" => Worker, "gateway" => Gateway });

/// `fleet.node`: a name, or the word for that of the host.
enum NodeChoice {
    Hostname,
    Named(NodeName),
}

/// The word.
const HOSTNAME: &str = "hostname";

/// That of the host.
fn node() -> NodeChoice {
    NodeChoice::Hostname
}

/// Everything.
fn role() -> Role {
    Role::All
}

/// Nothing.
fn labels() -> Vec<String> {
    Vec::new()
}

/// Long enough for a database that fails over, short enough to be waited for.
fn lease() -> Duration {
    Duration::from_secs(12)
}

impl Fleet {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            node: section.get("node", node).name(),
            role: section.get("role", role),
            labels: section.get("labels", labels),
            lease: section.get_if("lease", lease, long_enough),
        }
    }
}

impl NodeChoice {
    fn name(self) -> NodeName {
        match self {
            Self::Named(name) => name,
            Self::Hostname => {
                let host = rustix::system::uname();
                let label: String = host.nodename().to_string_lossy().chars().take(63).collect();
                NodeName::parse(&label).unwrap_or_else(|_| NodeName::unnamed())
            }
        }
    }
}

impl Setting for NodeChoice {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        match String::read(value)?.as_str() {
            HOSTNAME => Ok(Self::Hostname),
            name => NodeName::parse(name).map(Self::Named).map_err(Misfit::new),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Hostname => HOSTNAME.to_owned(),
            Self::Named(name) => name.to_string(),
        }
    }
}

/// It is renewed five times in its length, each within a bound of its own.
fn long_enough(lease: &Duration) -> Result<(), String> {
    match lease.as_secs() {
        3..=3600 => Ok(()),
        _ => Err("must be between 3s and 1h".to_owned()),
    }
}
