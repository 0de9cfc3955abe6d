//! Containment: what one worker may see, change and reach, enforced from outside of it.
//!
//! A [`Cell`] says what is allowed. A [`Sandbox`] (one a tier) proves that it can hold the cell ([`Sandbox::probe`]) and
//! only then puts a command into it ([`Sandbox::wrap`] wants the proof). An agent's own sandbox is never relied on.
//!
//! Invariants: allow-lists, for files, hosts and variables; a cell that cannot be had, or that does not hold when it
//! is tried, is [`Refused`], and nothing falls back to less; the probe is of the very cell that the worker gets.
//! Deliberately absent: limits of memory and processes (the supervisor's), and who gets which cell (the service's).

mod address;
mod bubblewrap;
mod cell;
mod container;
mod guarded;
mod landlock;
mod local;
mod probe;
mod proxy;
mod role;
mod seccomp;
mod view;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use crate::format::hosts::HostRule;
pub use cell::{Cell, Command};
pub use container::{Container, House, socket};
pub use guarded::{configuration, git_folder};
pub use local::{Choice, Local};
pub use proxy::refusals;
pub use role::{NO_CELL, dispatch};
pub use view::{program, secrets, toolchains};

/// The plan of a cell, in its folder.
const PLAN: &str = "cell.json";

/// How a worker is contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Not at all: only where the configuration says so by name.
    None,
    /// By the kernel of this machine: namespaces, Landlock, seccomp.
    Sandbox,
    /// By a container of its own.
    Container,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Sandbox => "sandbox",
            Self::Container => "container",
        })
    }
}

/// The proof that a cell holds; kept with the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The tier.
    pub tier: Tier,
    /// By what it is made.
    pub by: String,
    /// The digest of what the cell allows.
    pub policy: String,
    /// What was tried, and found to be so.
    pub tried: Vec<String>,
    /// What it does not stop that others of its tier do.
    #[serde(default)]
    pub gaps: Vec<String>,
    /// The program that makes it, where it is one.
    program: Option<PathBuf>,
}

impl Probed {
    fn new(cell: &Cell, tier: Tier, by: &str, program: Option<&Path>, gaps: &[&str]) -> Self {
        Self {
            tier,
            by: by.to_owned(),
            policy: cell.digest(),
            tried: probe::TRIED.iter().map(|&what| what.to_owned()).collect(),
            gaps: gaps.iter().map(|&what| what.to_owned()).collect(),
            program: program.map(Path::to_owned),
        }
    }
}

/// A cell that cannot be had, or does not hold; nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sandbox: {reason}; {cure}")]
pub struct Refused {
    /// What is wrong.
    pub reason: String,
    /// The next thing to do.
    pub cure: String,
}

/// A way to hold cells.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Its tier.
    fn tier(&self) -> Tier;

    /// Tries the very cell: a listed host must be reached and another not, a secret not be read, nothing be written
    /// outside. Takes seconds at most, and leaves nothing behind.
    async fn probe(&self, cell: &Cell) -> Result<Probed, Refused>;

    /// The command that runs the given one in the cell, which was probed.
    fn wrap(&self, command: Command, cell: &Cell, probed: &Probed) -> Result<Command, Refused>;

    /// Removes what an attempt left outside of its process tree, by its folder. Nothing is left once this is well.
    async fn sweep(&self, _folder: &Path) -> Result<(), Refused> {
        Ok(())
    }
}

/// Writes a cell's plan into its folder, and returns the command line that runs the given one by it.
fn write_plan(cell: &Cell, means: role::Means, argv: Vec<OsString>) -> Result<Vec<OsString>, Refused> {
    let path = cell.folder.join(PLAN);
    let plan = role::Plan {
        cell: cell.clone(),
        means,
    };
    let written = serde_json::to_vec_pretty(&plan).map_err(std::io::Error::from);
    let written = written.and_then(|text| std::fs::write(&path, text));
    written.map_err(|error| Refused {
        reason: format!("cannot write {}: {error}", path.display()),
        cure: "check the free space and the permissions of the folder".to_owned(),
    })?;
    let own = [
        cell.exe.clone().into(),
        role::CONTAINED.into(),
        path.into(),
        "--".into(),
    ];
    Ok(own.into_iter().chain(argv).collect())
}
