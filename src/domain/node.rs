//! The nodes of a fleet: what each says of itself, whether it can be counted on, and which of them an attempt goes to.
//!
//! One node leads and places; the others take what is placed with them. A task stays where its workspace is: the next
//! attempt goes to the node of the last one, as long as that one is there. Deliberately absent: leases and clocks (the
//! database judges those), and what a node does with its workers when it is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::task::Task;

/// Longest name, in bytes; that of a host (RFC 1123, section 2.1, in one label).
const MAX_LEN: usize = 63;

/// The name of a node: letters, digits, `.`, `_` and `-`, beginning with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// Reads a name.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        match text.as_bytes() {
            [first, ..] if !first.is_ascii_alphanumeric() => {
                Err("a node's name begins with a letter or a digit".to_owned())
            }
            bytes if bytes.is_empty() || bytes.len() > MAX_LEN => {
                Err(format!("a node's name has 1 to {MAX_LEN} characters"))
            }
            bytes if !bytes.iter().all(|b| allowed(*b)) => {
                Err("a node's name has letters from a to z, digits, '.', '_' and '-' alone".to_owned())
            }
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The name of a node that has none.
    pub fn unnamed() -> Self {
        Self("node".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for NodeName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

/// What a node does in its fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// Leads, or stands by to lead; runs no workers.
    Scheduler,
    /// Runs workers; never leads.
    Worker,
    /// Answers people; neither leads nor runs workers.
    Gateway,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Scheduler, Self::Worker, Self::Gateway];

    /// The word in the configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Scheduler => "scheduler",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }

    /// Whether it may lead.
    pub fn leads(self) -> bool {
        matches!(self, Self::All | Self::Scheduler)
    }

    /// Whether it runs workers.
    pub fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

/// Whether a node can use a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// It can.
    Usable,
    /// Its provider wants to be left alone.
    Rests {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// It is not there, or not set up.
    Missing {
        /// Why, and what to do.
        why: String,
    },
}

impl Offer {
    /// Whether it can be used now.
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.fit(now) == Fit::Now
    }

    fn fit(&self, now: DateTime<Utc>) -> Fit {
        match self {
            Self::Usable => Fit::Now,
            Self::Rests { until } if *until <= now => Fit::Now,
            Self::Rests { .. } => Fit::Later,
            Self::Missing { .. } => Fit::Never,
        }
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Its name.
    pub name: NodeName,
    /// What it does.
    pub role: Role,
    /// What distinguishes it: tasks may ask for these.
    pub labels: BTreeSet<String>,
    /// Worker slots.
    pub slots: u32,
    /// The runtimes of its configuration.
    pub runtimes: BTreeMap<String, Offer>,
    /// The version of its program.
    pub version: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// How it stands with the bus; none where there is no server, and before it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<Reach>,
}

/// How a node stands with the server of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why the server is away; none: it answers.
    pub away: Option<String>,
    /// Why what workers put out goes straight to the database; none: it goes by the bus.
    #[serde(default)]
    pub bypassed: Option<String>,
    /// Messages that nobody could do with, as the leader counts them; 0 on the others.
    #[serde(default)]
    pub parked: u64,
}

impl Announcement {
    /// Whether it can run what one of these runtimes can.
    pub fn fit(&self, runtimes: &[&str], now: DateTime<Utc>) -> Fit {
        let offers = runtimes.iter().filter_map(|name| self.runtimes.get(*name));
        offers.map(|offer| offer.fit(now)).min().unwrap_or(Fit::Never)
    }
}

/// A node's lease, as the database's clock sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It holds for this much longer, unless it is renewed.
    Held(Duration),
    /// It ran out this long ago: whatever the node did is over.
    Expired(Duration),
    /// The node went by itself, with nothing left behind.
    Left,
}

/// A node as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it says of itself.
    pub announcement: Announcement,
    /// Raised with every start; the fencing number of what it writes about itself.
    pub term: u64,
    /// When that start was.
    pub joined_at: DateTime<Utc>,
    /// Whether it can be counted on.
    pub lease: Lease,
    /// Who keeps new work away from it.
    pub cordoned: Option<String>,
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.announcement.name
    }

    /// Whether its workers can be counted on.
    pub fn is_there(&self) -> bool {
        matches!(self.lease, Lease::Held(_))
    }

    /// Whether work may be placed with it at all.
    pub fn is_open(&self) -> bool {
        self.is_there() && self.announcement.role.works() && self.cordoned.is_none()
    }
}

/// Whether a node can run a planned attempt; the best comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Now.
    Now,
    /// When its provider does not rest any more.
    Later,
    /// Not as it is set up.
    Never,
}

/// The nodes that work can be placed with, and what each has at the moment.
#[derive(Debug)]
pub struct Crew<'a> {
    nodes: &'a [Node],
    load: BTreeMap<&'a NodeName, Load<'a>>,
}

/// What a node has at the moment.
#[derive(Debug, Default)]
struct Load<'a> {
    slots: u32,
    /// The projects that it works for.
    projects: BTreeSet<&'a str>,
    /// The projects of whose tasks it has workspaces.
    knows: BTreeSet<&'a str>,
}

impl<'a> Crew<'a> {
    /// The nodes, with the live tasks of the fleet.
    pub fn new(nodes: &'a [Node], live: impl Iterator<Item = &'a Task>) -> Self {
        let mut crew = Self {
            nodes,
            load: BTreeMap::new(),
        };
        for task in live {
            if let Some(node) = task.state.attempt().and_then(|a| a.route.node.as_ref()) {
                crew.take(node, task);
            } else if let Some(node) = &task.history.last_node {
                let load = crew.load.entry(node).or_default();
                load.knows.insert(&task.definition.project);
            }
        }
        crew
    }

    /// All worker slots of the nodes that are there.
    pub fn slots(&self) -> u32 {
        let open = self.nodes.iter().filter(|node| node.is_open());
        open.fold(0, |sum, node| sum.saturating_add(node.announcement.slots))
    }

    /// Notes that a node has one more attempt.
    pub fn take(&mut self, node: &'a NodeName, task: &'a Task) {
        let load = self.load.entry(node).or_default();
        load.slots += 1;
        load.projects.insert(&task.definition.project);
    }

    /// The node that the next attempt of a task goes to: where its workspace is, else one that works for its project
    /// already, else one that has workspaces of its project, else the one with the largest share of free slots.
    ///
    /// None where no node that fits has a free slot, or where the node with its workspace has none now.
    pub fn place(&self, task: &Task, fit: impl Fn(&Announcement) -> Fit) -> Option<&'a Node> {
        let fits = |node: &Node| {
            let wanted = task.definition.runs_on.iter();
            let has_labels = { wanted }.all(|label| node.announcement.labels.contains(label));
            match has_labels && node.is_open() {
                true => fit(&node.announcement),
                false => Fit::Never,
            }
        };
        let home = task.history.last_node.as_ref();
        let home = self.nodes.iter().find(|node| Some(node.name()) == home);
        if let Some((home, fit)) = home
            .map(|node| (node, fits(node)))
            .filter(|(_, fit)| *fit != Fit::Never)
        {
            // The work is there: a slot, or the end of a rest, is waited for.
            return Some(home).filter(|node| fit == Fit::Now && self.free(node) > 0);
        }
        let may = |node: &&Node| self.free(node) > 0 && fits(node) == Fit::Now;
        self.nodes.iter().filter(may).min_by_key(|node| {
            let load = self.load.get(node.name());
            let project = task.definition.project.as_str();
            let works = load.is_some_and(|l| l.projects.contains(project));
            let knows = load.is_some_and(|l| l.knows.contains(project));
            let used = u64::from(load.map_or(0, |l| l.slots));
            let share = used * 1_000_000 / u64::from(node.announcement.slots.max(1));
            (!works, !knows, share, node.name())
        })
    }

    fn free(&self, node: &Node) -> u32 {
        let used = self.load.get(node.name()).map_or(0, |l| l.slots);
        node.announcement.slots.saturating_sub(used)
    }
}

#[cfg(test)]
mod tests;
