//! Arguments of `node`: the nodes of a fleet.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::domain::node::NodeName;
use crate::format::duration;

/// `node`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Node {
    /// Who is there, who leads, what each runs
    List,
    /// Keep new work away from a node; what runs there goes on
    Cordon(Named),
    /// Let work come to a node again
    Uncordon(Named),
    /// Empty a node: nothing new, what runs may end in time, the rest goes on elsewhere
    Drain(Drain),
    /// Forget a node that is gone; work that was being merged there becomes the leader's
    Remove(Named),
    /// Have this node keep the queue file
    Queue(Named),
    /// Messages of the bus that nobody could do with; work never depends on them
    Parked(Parked),
}

/// A node by its name.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Named {
    /// The node
    #[arg(value_name = "NAME", value_parser = NodeName::parse)]
    pub name: NodeName,
}

/// `node drain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Drain {
    /// Which
    #[command(flatten)]
    pub node: Named,
    /// How long what runs there may take to end by itself
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub within: Duration,
}

/// `node parked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Parked {
    /// Throw them away
    #[arg(long)]
    pub clear: bool,
}
