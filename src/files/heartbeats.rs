//! heartbeats/: a file a running task, written by its worker and by the orchestrator.
//!
//! Workers write here, so nothing is trusted: links are not followed, names must be task ids, sizes are bounded.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::error::FileError;
use super::exchange::{Shared, Updated};
use super::identity::{Identity, Links, Snapshot, read, read_if_there};
use crate::domain::id::TaskId;

/// Largest heartbeat that is read, in bytes.
pub const LIMIT: u64 = 1 << 20;

/// The heartbeats of an instance, with what was seen of them last.
#[derive(Debug)]
pub struct Heartbeats {
    folder: PathBuf,
    seen: BTreeMap<TaskId, Identity>,
}

/// What is new since the last scan.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files that are new or changed, with their content (or why it cannot be read).
    pub changed: Vec<(TaskId, Result<Vec<u8>, FileError>)>,
    /// Files that are gone.
    pub gone: Vec<TaskId>,
}

/// The task that a file in heartbeats/ belongs to, by the file's name.
pub fn task_of(file_name: &str) -> Option<TaskId> {
    TaskId::parse(file_name.strip_suffix(".json")?).ok()
}

impl Heartbeats {
    /// The heartbeats in `folder`; nothing counts as seen.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            seen: BTreeMap::new(),
        }
    }

    /// Reads what changed since the last scan: one `stat` for each file that did not. A missing folder is an empty one.
    pub fn scan(&mut self) -> Result<Scan, FileError> {
        let present = self.present()?;
        let mut scan = Scan {
            gone: self
                .seen
                .keys()
                .filter(|task| !present.contains_key(task))
                .cloned()
                .collect(),
            ..Scan::default()
        };
        for (task, identity) in &present {
            if self.seen.get(task) != Some(identity) {
                scan.changed.push((task.clone(), self.read(task)));
            }
        }
        self.seen = present;
        Ok(scan)
    }

    /// One task's heartbeat as it is now.
    pub fn read(&self, task: &TaskId) -> Result<Vec<u8>, FileError> {
        read(&self.path(task), LIMIT, Links::Refuse).map(|snapshot| snapshot.bytes)
    }

    /// A task's heartbeat where the file is another than the one that `seen` tells of; one `stat` where it is not.
    pub fn read_if_other(
        &self,
        task: &TaskId,
        seen: Option<Identity>,
    ) -> Result<Option<Snapshot>, FileError> {
        let path = self.path(task);
        match Identity::of(&path, Links::Refuse) {
            Ok(identity) if Some(identity) == seen => Ok(None),
            Ok(_) => read_if_there(&path, LIMIT, Links::Refuse),
            Err(FileError::Missing { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Changes a task's heartbeat to what `edit` makes of it (`None` where there is none); the folder is made where it
    /// is missing. What cannot be read as a plain file is an error: [`Heartbeats::write`] replaces it.
    pub fn update(
        &self,
        task: &TaskId,
        edit: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Updated, FileError> {
        make_folder(&self.folder)?;
        let path = self.path(task);
        Shared {
            path: &path,
            limit: LIMIT,
            links: Links::Refuse,
        }
        .update(edit)
    }

    /// Writes a task's heartbeat, whatever was there before.
    pub fn write(&self, task: &TaskId, bytes: &[u8]) -> Result<(), FileError> {
        make_folder(&self.folder)?;
        super::atomic::write(&self.path(task), bytes)
    }

    /// Removes a task's heartbeat; one that is not there is removed already.
    pub fn remove(&self, task: &TaskId) -> Result<(), FileError> {
        let path = self.path(task);
        match fs::remove_file(&path).map_err(|fault| FileError::from_io(&path, "remove", fault)) {
            Err(FileError::Missing { .. }) => Ok(()),
            done => done,
        }
    }

    fn path(&self, task: &TaskId) -> PathBuf {
        self.folder.join(format!("{task}.json"))
    }

    fn present(&self) -> Result<BTreeMap<TaskId, Identity>, FileError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(fault) => return Err(FileError::from_io(&self.folder, "read", fault)),
        };
        let known = |entry: fs::DirEntry| {
            let task = task_of(entry.file_name().to_str()?)?;
            let identity = Identity::of(&entry.path(), Links::Refuse).ok()?;
            Some((task, identity))
        };
        Ok(entries.flatten().filter_map(known).collect())
    }
}

/// Makes a folder of the instance that somebody has deleted.
pub(super) fn make_folder(folder: &std::path::Path) -> Result<(), FileError> {
    fs::create_dir_all(folder).map_err(|fault| FileError::from_io(folder, "create", fault))
}
