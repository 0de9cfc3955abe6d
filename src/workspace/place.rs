//! A workspace as it is remembered, and what git sees there.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::GitError;
use super::error::WorkspaceError;
use super::git::Git;
use super::login::Keychain;
use super::{fence, shadow, staging};
use crate::domain::id::TaskId;

/// Where a task's work starts from and goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The full name of the reference, for example `refs/heads/main`; the commit itself where there was no branch.
    pub reference: String,
    /// The commit at which the task's branch was made.
    pub commit: String,
}

/// How the history of a workspace is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Tracking {
    /// A worktree of somebody's repository.
    Worktree {
        /// The repository's git folder.
        repository: PathBuf,
    },
    /// A worktree of a clone that the orchestrator keeps.
    Mirror {
        /// The clone.
        repository: PathBuf,
        /// Where it was cloned from.
        url: String,
    },
    /// A repository in the folder itself, made for this task.
    Own {
        /// Its git folder.
        repository: PathBuf,
    },
    /// A folder that is no repository; its history is kept apart and nothing but the worker writes into it.
    Shadow {
        /// The git folder.
        repository: PathBuf,
    },
}

/// Where a task's workers work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Whose it is.
    pub task: TaskId,
    /// The worker's current folder: `top`, or a folder below it.
    pub root: PathBuf,
    /// The top of the checkout.
    pub top: PathBuf,
    /// The task's branch, without `refs/heads/`.
    pub branch: String,
    /// Where the work starts from.
    pub base: Base,
    /// How its history is kept.
    pub tracking: Tracking,
    /// The orchestrator's state folder (gate checkouts are made there).
    pub(super) state: PathBuf,
    /// Logins for where it was cloned from; never written down.
    #[serde(skip)]
    pub(super) keys: Keychain,
}

impl Workspace {
    /// The git folder that holds the task's branch.
    pub fn repository(&self) -> &Path {
        match &self.tracking {
            Tracking::Worktree { repository }
            | Tracking::Mirror { repository, .. }
            | Tracking::Own { repository }
            | Tracking::Shadow { repository } => repository,
        }
    }

    /// The commit at the head of the task's branch.
    pub async fn head(&self) -> Result<String, WorkspaceError> {
        let git = self.git_of_repository().await?;
        self.head_by(&git).await
    }

    /// Whether nothing is uncommitted, apart from ignored files and tools' output.
    pub async fn status_clean(&self) -> Result<bool, WorkspaceError> {
        let git = self.git().await?;
        let staged = git.call(["write-tree"]).text_if_any().await?;
        let head = git.tree(&self.head_by(&git).await?).await?;
        Ok(staged == head && staging::pending(&git).await?.is_empty())
    }

    /// The worker's folder within the checkout: empty, or a path that ends in `/`.
    pub(super) fn prefix(&self) -> String {
        match self.root.strip_prefix(&self.top) {
            Ok(below) if below.as_os_str().is_empty() => String::new(),
            Ok(below) => format!("{}/", below.display()),
            Err(_) => String::new(),
        }
    }

    /// The full name of the task's branch.
    pub(super) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    pub(super) fn is_shadow(&self) -> bool {
        matches!(self.tracking, Tracking::Shadow { .. })
    }

    pub(super) async fn head_by(&self, git: &Git) -> Result<String, WorkspaceError> {
        let head = git.commit(&self.branch_ref()).await?;
        head.ok_or_else(|| WorkspaceError::tampered(&self.top, format!("the branch {} is gone", self.branch)))
    }

    /// Git in the checkout, after a look that the checkout still belongs to its repository.
    pub(super) async fn git(&self) -> Result<Git, WorkspaceError> {
        if self.is_shadow() {
            return Ok(shadow::git(self.repository(), &self.top, &self.task).await?);
        }
        fence::refuse_link(&self.top)?;
        let git = Git::open_top(&self.top).await?;
        let common = common_dir(&git).await?;
        if common.as_deref() == Some(self.repository()) {
            Ok(git)
        } else {
            let what = format!("it is no checkout of {} any more", self.repository().display());
            Err(WorkspaceError::tampered(&self.top, what))
        }
    }

    /// Git in the repository itself; works without the checkout.
    pub(super) async fn git_of_repository(&self) -> Result<Git, WorkspaceError> {
        Ok(Git::open_top(self.repository()).await?)
    }
}

/// The canonical git folder of the repository that git finds.
pub(super) async fn common_dir(git: &Git) -> Result<Option<PathBuf>, GitError> {
    let call = git.call(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let text = call.text_if_any().await?;
    Ok(text.and_then(|t| Path::new(&t).canonicalize().ok()))
}
