//! The files of an instance that people and workers share with it.

use crate::config::Layout;
use crate::domain::id::TaskId;
use crate::files::{FileError, Heartbeats, Progress, QueueFile};

/// The shared files.
pub struct Files {
    /// The queue.
    pub queue: QueueFile,
    /// Liveness.
    pub heartbeats: Heartbeats,
    /// What was done.
    pub progress: Progress,
}

impl Files {
    /// Those of a layout.
    pub fn new(layout: &Layout) -> Self {
        Self {
            queue: QueueFile::new(layout.queue_file()),
            heartbeats: Heartbeats::new(layout.heartbeats()),
            progress: Progress::new(layout.progress()),
        }
    }

    /// The text of a task's progress file; none where there is none that can be read.
    pub fn progress_text(&self, task: &TaskId) -> Option<String> {
        let bytes = self.progress.read(task).ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Edits a task's progress file; an absent one is as an empty one.
    pub fn log(&self, task: &TaskId, edit: impl Fn(&str) -> String) -> Result<(), FileError> {
        let edit = |bytes: Option<&[u8]>| {
            let text = String::from_utf8_lossy(bytes.unwrap_or_default());
            Some(edit(&text).into_bytes())
        };
        self.progress.update(task, edit).map(drop)
    }
}
