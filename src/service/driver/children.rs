//! The sub-tasks of a task that goes on: their work is brought into its workspace, and its worker is told of them.
//!
//! The orchestrator merges, since a contained worker cannot write the repository's history.

use std::path::PathBuf;

use super::Drive;
use crate::domain::id::TaskId;
use crate::domain::task::{End, State, Task};
use crate::workspace::{TakenIn, Workspace};

/// A sub-task, for the prompt and for the cell.
pub(super) struct Child {
    /// How it stands and where its work is.
    pub(super) line: String,
    /// Its folder, where its work is not in the parent's.
    pub(super) elsewhere: Option<PathBuf>,
}

impl Drive<'_> {
    /// The sub-tasks that the task's workers have made; completed ones are merged.
    pub(super) async fn children(&self, workspace: &Workspace) -> Vec<Child> {
        let mut children = Vec::new();
        for id in &self.task.history.children {
            if let Ok(Some(child)) = self.instance.store.task(id).await {
                children.push(self.child(workspace, id, &child).await);
            }
        }
        children
    }

    async fn child(&self, workspace: &Workspace, id: &TaskId, child: &Task) -> Child {
        let mut line = format!("- {id} ({}): {}", child.definition.title, child.state.name());
        let mut elsewhere = None;
        if let State::Ended {
            end: End::Completed { commit, .. },
            ..
        } = &child.state
        {
            let taken = match workspace.take_in(id, commit).await {
                Ok(TakenIn::Held) => format!(", commit {commit}, merged into yours"),
                Ok(TakenIn::Conflict { files }) => format!(
                    ", commit {commit}, not merged: it conflicts with yours in {}",
                    files.join(", ")
                ),
                Ok(TakenIn::Elsewhere) => {
                    elsewhere = self.instance.workspaces.own_folder(id);
                    let place = elsewhere
                        .as_ref()
                        .map(|folder| format!(" in {}", folder.display()));
                    place.unwrap_or_default()
                }
                Err(error) => format!(", commit {commit}, not merged: {error}"),
            };
            line += taken.as_str();
        }
        Child { line, elsewhere }
    }
}
