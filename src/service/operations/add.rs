//! A new task in the queue file, as a person would write it.

use super::super::instance::Instance;
use crate::domain::id::TaskId;
use crate::files::FileError;
use crate::format::queue::{Document, Edit, NewTask, apply};

/// Why a task was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is one of that name.
    #[error("there is a task '{0}' in the queue file already; choose another id, or edit it there")]
    Taken(TaskId),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Appends a task to the queue file; the watch of a running service sees it at once.
pub fn add(instance: &Instance, task: NewTask) -> Result<(), AddError> {
    let mut taken = false;
    instance.files.queue.update(|bytes| {
        let document = Document::parse(bytes.to_vec());
        taken = document.sections().iter().any(|s| s.id == task.id);
        (!taken).then(|| apply(bytes, &[Edit::Add(task.clone())]).bytes)
    })?;
    if taken { Err(AddError::Taken(task.id)) } else { Ok(()) }
}
