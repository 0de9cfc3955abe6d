//! A new task in the queue file, as a person would write it.

use super::super::instance::Instance;
use super::super::queue_repository::{Edited, QueueError, QueueRepository, Said, message};
use super::node;
use super::steer::nudge;
use crate::domain::id::TaskId;
use crate::domain::node::NodeName;
use crate::files::FileError;
use crate::format::queue::{Document, Edit, NewTask, apply};
use crate::store::StoreError;

/// Why a task was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is one of that name.
    #[error("there is a task '{0}' in the queue file already; choose another id, or edit it there")]
    Taken(TaskId),
    /// Another node of the fleet keeps the queue file.
    #[error("node '{0}' keeps the queue file of this fleet, and nobody reads this one; add it there")]
    Elsewhere(NodeName),
    /// The repository that it is in.
    #[error(transparent)]
    Repository(#[from] QueueError),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// By commit and push, from any node.
async fn add_to(repository: &QueueRepository, task: NewTask) -> Result<(), AddError> {
    let mut taken = false;
    let edit = |bytes: &[u8]| {
        let document = Document::parse(bytes.to_vec());
        taken = document.sections().iter().any(|s| s.id == task.id);
        let edits = [Edit::Add(task.clone())];
        (!taken).then(|| Edited {
            bytes: apply(bytes, &edits).bytes,
            overflow: Vec::new(),
            message: message(&Said::of(&edits)),
        })
    };
    repository.edit(edit).await?;
    match taken {
        true => Err(AddError::Taken(task.id)),
        false => Ok(()),
    }
}

/// Appends a task to the queue file; the watch of a running service sees it at once.
pub async fn add(instance: &Instance, task: NewTask) -> Result<(), AddError> {
    if let Some(repository) = &instance.queue_repository {
        add_to(repository, task).await?;
        nudge(instance);
        return Ok(());
    }
    if let Some(keeper) = node::keeper_elsewhere(instance).await? {
        return Err(AddError::Elsewhere(keeper));
    }
    let mut taken = false;
    instance.files.queue.update(|bytes| {
        let document = Document::parse(bytes.to_vec());
        taken = document.sections().iter().any(|s| s.id == task.id);
        (!taken).then(|| apply(bytes, &[Edit::Add(task.clone())]).bytes)
    })?;
    if taken {
        Err(AddError::Taken(task.id))
    } else {
        Ok(())
    }
}
