//! The cells of the gate: what checks may see, change and reach.
//!
//! Other than a worker's, such a cell knows no model, no task's home and no login, and nothing that any worker may write
//! is read in it. Each checkout has a cell of its own; that they hold is tried once for as long as this program runs,
//! since they differ in nothing but the name of the checkout's folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{Containment, caches};
use crate::config::Config;
use crate::config::section::GateContainment;
use crate::domain::id::TaskId;
use crate::gate::{Call, Confine, Confined, Room};
use crate::sandbox::{Cell, Command, HostRule, Local, Probed, Refused, Sandbox, refusals};

/// What is to be done where the sandbox cannot be had.
const CURE: &str = "install bubblewrap and allow user namespaces, or let checks run without by name ([gate] containment = \
                    \"none\"); then write `completed` as the task's status to have it judged";

/// How the checks of an instance are contained.
pub(super) struct Gates {
    wanted: GateContainment,
    network: Vec<HostRule>,
    /// Proofs by the digest of what a cell allows, without the names of its folders.
    tried: Mutex<BTreeMap<String, Probed>>,
}

impl Gates {
    pub(super) fn new(config: &Config) -> Self {
        let mut network: Vec<HostRule> = [&config.gate.network, &config.containment.network]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        network.sort();
        network.dedup();
        Self {
            wanted: config.gate.containment,
            network,
            tried: Mutex::default(),
        }
    }
}

/// The cells of one task's gate.
pub struct GateCells<'a> {
    containment: &'a Containment,
    task: &'a TaskId,
}

/// A cell that holds, and what holds it.
struct Held {
    local: Local,
    cell: Cell,
    probed: Probed,
    told: String,
}

impl Containment {
    /// Who puts the checks of a task into sandboxes; none where the configuration says by name that nobody does.
    pub fn gate<'a>(&'a self, task: &'a TaskId) -> Option<GateCells<'a>> {
        let wanted = self.gates.wanted == GateContainment::Sandbox;
        wanted.then_some(GateCells {
            containment: self,
            task,
        })
    }

    fn gate_cell(&self, task: &str, room: &Room) -> io::Result<Cell> {
        std::fs::write(room.home.join(".gitconfig"), GITCONFIG)?;
        let mut read = room.read.clone();
        read.extend(self.read.iter().filter(|path| path.exists()).cloned());
        read.extend(std::env::split_paths(&self.path).filter(|folder| self.holds_programs(folder)));
        let caches = caches::lend(&self.caches, &room.scratch, &room.write)?;
        read.extend(caches.read);
        let mut hidden = self.hidden.clone();
        // What a worker may write could make the checks of others green.
        hidden.extend(self.write.iter().cloned());
        Ok(Cell {
            read,
            write: room.write.clone(),
            hidden,
            hosts: self.gates.network.clone(),
            env: caches.env,
            ..self.bare(task, &room.records, &room.root, &room.home)
        })
    }

    /// A folder of the PATH that may be shown as it is.
    fn holds_programs(&self, folder: &Path) -> bool {
        let bare = |own: &PathBuf| own.starts_with(folder) || folder.starts_with(own);
        folder.is_absolute() && folder.is_dir() && !self.hidden.iter().chain(&self.write).any(bare)
    }

    /// The proof that a cell holds, and the digest of what it allows.
    async fn gate_probed(&self, cell: &Cell, room: &Room) -> Result<(Probed, String), Refused> {
        let policy = anywhere(cell, room).digest();
        // Held while it is tried: whoever comes meanwhile waits for the answer.
        let mut tried = self.gates.tried.lock().await;
        let probed = match tried.get(&policy) {
            Some(probed) => probed.clone(),
            None => {
                let probed = self.local.probe(cell).await?;
                tried.insert(policy.clone(), probed.clone());
                probed
            }
        };
        Ok((probed, policy))
    }
}

/// Commits in what checks make for themselves have a name; whose, they may say themselves.
const GITCONFIG: &str =
    "[user]\n\tname = orchestrator\n\temail = orchestrator@localhost\n[init]\n\tdefaultBranch = main\n";

/// The same cell without the task and the place of its checkout.
fn anywhere(cell: &Cell, room: &Room) -> Cell {
    let nowhere = PathBuf::new();
    let elsewhere = |path: &PathBuf| !room.write.contains(path) && !room.read.contains(path);
    let scratch = room.scratch.display().to_string();
    let env = cell.env.iter();
    Cell {
        task: String::new(),
        folder: nowhere.clone(),
        workspace: nowhere.clone(),
        home: nowhere,
        read: cell.read.iter().filter(|path| elsewhere(path)).cloned().collect(),
        write: cell
            .write
            .iter()
            .filter(|path| elsewhere(path))
            .cloned()
            .collect(),
        env: env
            .map(|(name, value)| (name.clone(), value.replace(&scratch, "")))
            .collect(),
        ..cell.clone()
    }
}

#[async_trait]
impl Confine for GateCells<'_> {
    async fn confine(&self, room: &Room) -> Result<Box<dyn Confined>, String> {
        let cell = self.containment.gate_cell(self.task.as_str(), room);
        let cell = cell.map_err(|error| format!("sandbox: the checks' folders cannot be made: {error}"))?;
        let tried = self.containment.gate_probed(&cell, room).await;
        let (probed, policy) = tried.map_err(|refused| format!("sandbox: {}; {CURE}", refused.reason))?;
        Ok(Box::new(Held {
            local: self.containment.local.clone(),
            told: format!("{} {policy}", probed.by),
            cell,
            probed,
        }))
    }
}

impl Confined for Held {
    fn wrap(&self, call: Call) -> Result<Call, String> {
        let Call { argv, env } = call;
        let wrapped = self.local.wrap(Command { argv, env }, &self.cell, &self.probed);
        let Command { argv, env } = wrapped.map_err(|refused| refused.to_string())?;
        Ok(Call { argv, env })
    }

    fn told(&self) -> &str {
        &self.told
    }

    fn refused(&self) -> Vec<String> {
        let unlisted = |(host, port): (String, u16)| {
            let listed = self.cell.hosts.iter().any(|rule| rule.admits(&host, port));
            // What is no rule cannot be let through by one.
            let rule: HostRule = HostRule::narrow(&host, port).filter(|_| !listed)?;
            Some(rule.to_string())
        };
        refusals(&self.cell.folder)
            .into_iter()
            .filter_map(unlisted)
            .collect()
    }
}
