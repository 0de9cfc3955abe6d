//! One look at all watched files, to be compared with another: the stand-in for notifications.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::changes::Changes;
use crate::config::layout::Layout;
use crate::files::heartbeats::task_of;
use crate::files::identity::{Identity, Links};

/// The identities of all watched files at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Survey {
    queue: Option<Identity>,
    wake: Option<Identity>,
    jobs: BTreeMap<PathBuf, Identity>,
    agents: BTreeMap<PathBuf, Identity>,
    heartbeats: BTreeMap<PathBuf, Identity>,
}

impl Survey {
    /// Looks now. What cannot be looked at counts as absent.
    pub(super) fn take(layout: &Layout) -> Self {
        Self {
            queue: Identity::of(&layout.queue_file(), Links::Follow).ok(),
            wake: Identity::of(&layout.wake(), Links::Refuse).ok(),
            jobs: entries(&layout.jobs()),
            agents: entries(&layout.agents()),
            heartbeats: entries(&layout.heartbeats()),
        }
    }

    /// What changed between `before` and this look.
    pub(super) fn since(&self, before: &Self) -> Changes {
        let differs = |path: &&PathBuf| self.heartbeats.get(*path) != before.heartbeats.get(*path);
        let task = |path: &PathBuf| task_of(path.file_name()?.to_str()?);
        let paths = self.heartbeats.keys().chain(before.heartbeats.keys());
        Changes {
            queue: self.queue != before.queue,
            jobs: self.jobs != before.jobs,
            agents: self.agents != before.agents,
            heartbeats: paths.filter(differs).filter_map(task).collect(),
            all_heartbeats: false,
            wake: self.wake != before.wake,
        }
    }
}

fn entries(folder: &Path) -> BTreeMap<PathBuf, Identity> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let known = |path: PathBuf| {
        Identity::of(&path, Links::Follow)
            .ok()
            .map(|identity| (path, identity))
    };
    entries
        .flatten()
        .filter_map(|entry| known(entry.path()))
        .collect()
}
