//! A folder of the task's own: a new git repository below the state folder, kept when the task is over.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::fence;
use super::git::Git;
use super::login::Keychain;
use super::place::{Base, Tracking, Workspace};
use super::repository::branch;
use crate::domain::id::TaskId;

const BASE: &str = "refs/heads/main";

/// Where it is, or would be.
pub(super) fn folder(state: &Path, task: &TaskId) -> Result<PathBuf, WorkspaceError> {
    fence::beneath(state, "workspaces", task.as_str())
}

/// Makes the folder, or finds it whole.
pub(super) async fn make(state: &Path, task: &TaskId, title: &str) -> Result<Workspace, WorkspaceError> {
    let top = folder(state, task)?;
    fs::create_dir_all(&top).map_err(WorkspaceError::io(&top))?;
    let git_dir = top.join(".git");
    fence::refuse_link(&git_dir)?;
    let bare = Git::bare_handed(&top);
    bare.call(["init", "--quiet", "--initial-branch=main"])
        .text()
        .await?;
    let git = Git::open_top(&top).await?;
    let branch = branch(task);
    let commit = first_commit(&git, title).await?;
    if git.commit(&format!("refs/heads/{branch}")).await?.is_none() {
        git.call(["update-ref", &format!("refs/heads/{branch}"), &commit])
            .text()
            .await?;
        git.call(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])
            .text()
            .await?;
    }
    let repository = git_dir.canonicalize().map_err(WorkspaceError::io(&git_dir))?;
    Ok(Workspace {
        task: task.clone(),
        root: top.clone(),
        top,
        branch,
        base: Base {
            reference: BASE.to_owned(),
            commit,
        },
        tracking: Tracking::Own { repository },
        state: state.to_path_buf(),
        keys: Keychain::default(),
    })
}

/// The empty commit that everything in the folder is compared with.
async fn first_commit(git: &Git, title: &str) -> Result<String, WorkspaceError> {
    if let Some(commit) = git.commit(BASE).await? {
        return Ok(commit);
    }
    let tree = git.call(["mktree"]).stdin(Vec::new()).text().await?;
    let message = format!("Start of: {title}");
    let commit = git.call(["commit-tree", "-m", &message, &tree]).text().await?;
    git.call(["update-ref", BASE, &commit]).text().await?;
    Ok(commit)
}
