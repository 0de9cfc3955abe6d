//! progress/: what was done and what is left, a file a task, written by workers and by the orchestrator.

use std::path::PathBuf;

use super::error::FileError;
use super::exchange::{Shared, Updated};
use super::heartbeats::make_folder;
use super::identity::{Links, read_if_there};
use crate::domain::id::TaskId;

/// Largest progress file that is read, in bytes.
pub const LIMIT: u64 = 4 << 20;

/// The progress files of an instance.
#[derive(Debug, Clone)]
pub struct Progress {
    folder: PathBuf,
}

impl Progress {
    /// The progress files in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// A task's progress; `None` where there is none yet.
    pub fn read(&self, task: &TaskId) -> Result<Option<Vec<u8>>, FileError> {
        let snapshot = read_if_there(&self.path(task), LIMIT, Links::Refuse)?;
        Ok(snapshot.map(|snapshot| snapshot.bytes))
    }

    /// Changes a task's progress to what `edit` makes of it (`None` where there is none yet); what a worker writes
    /// meanwhile is kept, and `edit` called again with it. The folder is made where it is missing.
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

    fn path(&self, task: &TaskId) -> PathBuf {
        self.folder.join(format!("{task}.md"))
    }
}
