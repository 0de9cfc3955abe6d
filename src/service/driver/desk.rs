//! A contained worker's desk: it sees neither heartbeats/ nor progress/, so it writes into copies, and what it wrote is
//! taken in from there.

use std::path::{Path, PathBuf};

use super::Drive;
use crate::files::{Desk, FileError, Identity, Snapshot, atomic, heartbeats};
use crate::format::progress;
use crate::runtime::process::file;

/// The copy as it was when it was last taken in; in the attempt's folder, where the worker does not write.
const TAKEN: &str = "progress.taken.md";
/// Longer copies are not taken in.
const LONGEST: u64 = 1 << 20;

impl Drive<'_> {
    /// Where the worker writes its heartbeat.
    pub(super) fn heartbeat_path(&self) -> PathBuf {
        if self.is_contained() {
            self.desk().path(&self.heartbeat_name())
        } else {
            self.instance.layout.heartbeat(&self.task.id)
        }
    }

    /// Where the worker writes its progress.
    pub(super) fn progress_path(&self) -> PathBuf {
        if self.is_contained() {
            self.desk().path(&self.progress_name())
        } else {
            self.instance.layout.progress_of(&self.task.id)
        }
    }

    /// Lays the desk out for a new attempt.
    pub(super) fn lay_desk(&self) -> std::io::Result<()> {
        let folder = self.dir.join(file::DESK);
        std::fs::create_dir_all(&folder)?;
        if !self.is_contained() {
            return Ok(());
        }
        for name in [self.heartbeat_name(), self.progress_name()] {
            name.parent()
                .map_or(Ok(()), |parent| std::fs::create_dir_all(folder.join(parent)))?;
        }
        let text = self
            .instance
            .files
            .progress_text(&self.task.id)
            .unwrap_or_default();
        std::fs::write(folder.join(self.progress_name()), &text)?;
        self.remember_taken(&text)
    }

    /// The worker's heartbeat, where it is another than the one that was seen.
    pub(super) fn heartbeat_if_other(&self, seen: Option<Identity>) -> Result<Option<Snapshot>, FileError> {
        if self.is_contained() {
            return self.desk().read(&self.heartbeat_name(), heartbeats::LIMIT, seen);
        }
        self.instance.files.heartbeats.read_if_other(&self.task.id, seen)
    }

    /// Takes in what the worker wrote into its copy since `seen`, and tells what is seen now.
    pub(super) fn take_in_progress(&self, seen: Option<Identity>) -> Option<Identity> {
        if !self.is_contained() {
            return seen;
        }
        let snapshot = match self.desk().read(&self.progress_name(), LONGEST, seen) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return seen,
            Err(error) => {
                tracing::warn!(task = %self.task.id, %error, "the worker's progress is not taken in");
                return seen;
            }
        };
        let theirs = String::from_utf8_lossy(&snapshot.bytes);
        let before = std::fs::read_to_string(self.dir.join(TAKEN)).unwrap_or_default();
        if before == theirs {
            return Some(snapshot.identity);
        }
        let merged = self
            .instance
            .files
            .log(&self.task.id, |ours| progress::take_in(ours, &before, &theirs));
        if let Err(error) = merged
            .map_err(std::io::Error::other)
            .and_then(|()| self.remember_taken(&theirs))
        {
            tracing::warn!(task = %self.task.id, %error, "the worker's progress was not written down; it is tried again");
            return seen;
        }
        Some(snapshot.identity)
    }

    fn remember_taken(&self, text: &str) -> std::io::Result<()> {
        atomic::write(&self.dir.join(TAKEN), text.as_bytes()).map_err(std::io::Error::other)
    }

    fn desk(&self) -> Desk {
        Desk::new(self.dir.join(file::DESK))
    }

    fn heartbeat_name(&self) -> PathBuf {
        Path::new("heartbeats").join(format!("{}.json", self.task.id))
    }

    fn progress_name(&self) -> PathBuf {
        Path::new("progress").join(format!("{}.md", self.task.id))
    }
}
