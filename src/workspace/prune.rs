//! Tidying up: worktrees and gate checkouts that belong to no live task. Branches are kept, and so is what was left
//! uncommitted: it is committed first, or set aside.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::WorkspaceError;
use super::prepare::Workspaces;
use super::{fence, record, removal};
use crate::domain::id::TaskId;

/// What pruning did.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Tasks whose worktree was removed.
    pub worktrees: Vec<TaskId>,
    /// Gate checkouts and spare ones that were removed.
    pub checkouts: u32,
    /// What could not be removed, and why.
    pub kept: Vec<(PathBuf, WorkspaceError)>,
}

impl Workspaces {
    /// Removes the worktrees and gate checkouts of all tasks that are not in `live`; to be called at start.
    pub async fn prune(&self, live: &BTreeSet<TaskId>) -> Result<Pruned, WorkspaceError> {
        let mut pruned = Pruned::default();
        for (name, path) in self.folders("worktrees")? {
            let Ok(task) = TaskId::parse(&name) else { continue };
            if live.contains(&task) {
                continue;
            }
            match self.remove_worktree(&task).await {
                Ok(()) => pruned.worktrees.push(task),
                Err(why) => pruned.kept.push((path, why)),
            }
        }
        let of_others = |(name, _): &(String, PathBuf)| !is_of(name, live);
        let checkouts = self.folders("gate")?.into_iter().filter(of_others);
        // A spare is worth something only to the process that laid it.
        for (_, path) in checkouts.chain(self.folders("spare")?) {
            match removal::remove(&path) {
                Ok(()) => pruned.checkouts += 1,
                Err(e) => pruned.kept.push((path.clone(), WorkspaceError::io(&path)(e))),
            }
        }
        Ok(pruned)
    }

    /// Removes a task's worktree, to be called after archiving; its branch stays, what is uncommitted is committed
    /// first. A folder of the task's own and a plain folder stay as they are.
    pub async fn remove_worktree(&self, task: &TaskId) -> Result<(), WorkspaceError> {
        let path = fence::beneath(&self.state, "worktrees", task.as_str())?;
        if let Some(known) = record::read(&self.state, task)? {
            self.put_away(&known.workspace).await?;
        }
        if path.exists() {
            fence::set_aside(&self.state, &path)?;
        }
        record::remove(&self.state, task)
    }

    /// The repositories of all tasks that have a workspace.
    pub fn in_use(&self) -> Result<BTreeSet<PathBuf>, WorkspaceError> {
        let known = record::all(&self.state)?;
        Ok(known
            .iter()
            .map(|r| r.workspace.repository().to_path_buf())
            .collect())
    }

    fn folders(&self, kind: &str) -> Result<Vec<(String, PathBuf)>, WorkspaceError> {
        let dir = self.state.join(kind);
        fence::refuse_link(&dir)?;
        let entries = match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(WorkspaceError::io(&dir))?,
        };
        let folder = |e: fs::DirEntry| {
            let real = e.file_type().is_ok_and(|t| t.is_dir());
            real.then(|| (e.file_name().to_string_lossy().into_owned(), e.path()))
        };
        Ok(entries.flatten().filter_map(folder).collect())
    }
}

/// Whether `<task-id>-<n>` names a live task's folder.
fn is_of(name: &str, live: &BTreeSet<TaskId>) -> bool {
    name.rsplit_once('-')
        .and_then(|(task, _)| TaskId::parse(task).ok())
        .is_some_and(|task| live.contains(&task))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_folder_belongs_to_the_task_before_its_number() {
        let live = BTreeSet::from(["a-1".parse::<TaskId>().unwrap()]);
        assert!(is_of("a-1-2", &live));
        assert!(!is_of("a-1", &live));
        assert!(!is_of("b-1", &live));
        assert!(!is_of("x", &live));
    }
}
