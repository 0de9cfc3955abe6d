//! A plain folder that a worker works on in place: its history is kept below the state folder, nothing is written
//! into it.
//!
//! The folder's own .gitignore files hold; files above the size limit are not kept (see [`super::staging`]).

use std::fs;
use std::path::Path;

use super::error::{GitError, WorkspaceError};
use super::fence;
use super::git::Git;
use super::login::Keychain;
use super::place::{Base, Tracking, Workspace};
use super::prepare::digest;
use super::repository::branch;
use super::staging;
use crate::domain::id::TaskId;

/// Takes the folder as it is now as the base of a new task, or finds the task's history again.
pub(super) async fn make(state: &Path, task: &TaskId, folder: &Path) -> Result<Workspace, WorkspaceError> {
    let name = format!("{}.git", digest(folder.as_os_str().as_encoded_bytes()));
    let git_dir = fence::beneath(state, "shadow", &name)?;
    fs::create_dir_all(&git_dir).map_err(WorkspaceError::io(&git_dir))?;
    Git::bare_handed(&git_dir)
        .call(["init", "--quiet", "--bare"])
        .text()
        .await?;
    let git = git(&git_dir, folder, task).await?;
    let branch = branch(task);
    let reference = format!("refs/orchestrator/base/{task}");
    let commit = match git.commit(&reference).await? {
        Some(commit) => commit,
        None => snapshot(&git, &reference).await?,
    };
    if git.commit(&format!("refs/heads/{branch}")).await?.is_none() {
        git.call(["update-ref", &format!("refs/heads/{branch}"), &commit])
            .text()
            .await?;
    }
    Ok(Workspace {
        task: task.clone(),
        root: folder.to_path_buf(),
        top: folder.to_path_buf(),
        branch,
        base: Base { reference, commit },
        tracking: Tracking::Shadow { repository: git_dir },
        state: state.to_path_buf(),
        keys: Keychain::default(),
    })
}

/// Git over the folder, with the task's own index.
pub(super) async fn git(git_dir: &Path, folder: &Path, task: &TaskId) -> Result<Git, GitError> {
    Git::open_apart(git_dir, folder, &git_dir.join(format!("index-{task}"))).await
}

async fn snapshot(git: &Git, reference: &str) -> Result<String, WorkspaceError> {
    staging::stage(git).await?;
    let tree = git.call(["write-tree"]).text().await?;
    let commit = git
        .call(["commit-tree", "-m", "The folder as it was found", &tree])
        .text()
        .await?;
    git.call(["update-ref", reference, &commit]).text().await?;
    Ok(commit)
}
