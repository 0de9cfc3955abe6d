//! PROACTIVE-JOBS.md: a person's file, in which the orchestrator changes single values.
//!
//! A symbolic link is followed to where the person keeps the file; the file there is replaced, the link stays.

use std::path::{Path, PathBuf};

use super::error::FileError;
use super::exchange::{Shared, Updated};
use super::identity::{Identity, Links, Snapshot, read};

/// Largest queue file that is read, in bytes.
pub const LIMIT: u64 = 16 << 20;

/// The queue file of an instance.
#[derive(Debug, Clone)]
pub struct QueueFile {
    path: PathBuf,
}

impl QueueFile {
    /// The queue file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path, as configured.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is known by now: one `stat`. The same as at the last reading means that nothing changed.
    pub fn identity(&self) -> Result<Identity, FileError> {
        Identity::of(&self.path, Links::Follow)
    }

    /// Its content as it was at one moment.
    pub fn read(&self) -> Result<Snapshot, FileError> {
        read(&self.path, LIMIT, Links::Follow)
    }

    /// Changes it to what `edit` makes of its content at that moment; `None` changes nothing. When somebody writes the file
    /// meanwhile, `edit` is called again with the new content, so it must decide from what it is given.
    /// A missing file is not created: [`FileError::Missing`].
    pub fn update(&self, mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<Updated, FileError> {
        let target = self.target()?;
        let mut missing = false;
        let updated = Shared {
            path: &target,
            limit: LIMIT,
            links: Links::Refuse,
        }
        .update(|bytes| {
            missing = bytes.is_none();
            edit(bytes?)
        })?;
        if missing {
            return Err(FileError::Missing {
                path: self.path.clone(),
            });
        }
        Ok(updated)
    }

    /// Where the file really is.
    fn target(&self) -> Result<PathBuf, FileError> {
        std::fs::canonicalize(&self.path).map_err(|fault| FileError::from_io(&self.path, "read", fault))
    }
}
