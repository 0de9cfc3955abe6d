//! A cell: all that one worker may see, change and reach. Everything that is not in it does not exist for the worker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hosts::HostRule;

/// What one worker may touch. Paths are absolute and free of symbolic links where they are the orchestrator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The task, for the ledger of refusals.
    pub task: String,
    /// The attempt's folder, where the cell's own records lie. The worker does not see it.
    pub folder: PathBuf,
    /// This very program, which is the cell's first process and the worker's verbs.
    pub exe: PathBuf,
    /// The folder that the worker starts in.
    pub workspace: PathBuf,
    /// The folder that is the worker's home: private, and the same for every attempt of the task.
    pub home: PathBuf,
    /// Where the person's own home is; the private one stands in its place.
    pub home_at: PathBuf,
    /// Files and folders that may be read, besides the system's own.
    pub read: Vec<PathBuf>,
    /// Files and folders that may be read and changed.
    pub write: Vec<PathBuf>,
    /// What stays hidden though it lies in something that may be read.
    pub hidden: Vec<PathBuf>,
    /// What may be read and not changed though it lies in something that may be changed; only what is there.
    pub frozen: Vec<PathBuf>,
    /// Folders in something that may be changed which are to stay empty, also where they are not there yet.
    pub barren: Vec<PathBuf>,
    /// Hosts that may be reached.
    pub hosts: Vec<HostRule>,
    /// Variables that the worker gets besides those of its launch.
    pub env: BTreeMap<String, String>,
}

/// A command line with its environment, before or after it was put into a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; never empty.
    pub argv: Vec<std::ffi::OsString>,
    /// The whole environment.
    pub env: BTreeMap<std::ffi::OsString, std::ffi::OsString>,
}

impl Cell {
    /// A short digest of what the cell allows: two runs with the same digest could do the same.
    pub fn digest(&self) -> String {
        // A cell is strings and lists: it always serialises.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let hash = Sha256::digest(&text);
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a path of the host can be seen from within, by the lists alone.
    pub fn shows(&self, path: &Path) -> bool {
        let covered = |list: &[PathBuf]| list.iter().any(|own| path.starts_with(own));
        covered(&self.write) || (covered(&self.read) && !covered(&self.hidden))
    }
}
