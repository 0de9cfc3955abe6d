//! Bringing the work of another task into a checkout.
//!
//! Invariant: what does not merge leaves the checkout as it was.

use super::error::{GitError, WorkspaceError};
use super::git::Git;
use super::lock;
use super::place::Workspace;
use crate::domain::id::TaskId;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenIn {
    /// Its work is in the checkout, now or since earlier.
    Held,
    /// It does not merge.
    Conflict {
        /// The files in conflict.
        files: Vec<String>,
    },
    /// It is in another repository: there is nothing to merge.
    Elsewhere,
}

impl Workspace {
    /// Merges a commit of another task into this checkout. No worker of this task may be alive.
    pub async fn take_in(&self, other: &TaskId, commit: &str) -> Result<TakenIn, WorkspaceError> {
        let git = self.git().await?;
        let Some(commit) = git.commit(commit).await?.filter(|_| !self.is_shadow()) else {
            return Ok(TakenIn::Elsewhere);
        };
        let _held = lock::hold(&lock::file(&self.state, self.repository())?).await?;
        merge(&git, other, &commit).await
    }
}

/// Merges a commit of another task into a checkout.
pub(super) async fn merge(git: &Git, of: &TaskId, commit: &str) -> Result<TakenIn, WorkspaceError> {
    if git.is_ancestor(commit, "HEAD").await? {
        return Ok(TakenIn::Held);
    }
    let message = format!("Merge the work of {of}");
    let call = git.call([
        "merge",
        "--quiet",
        "--no-ff",
        "--no-verify",
        "-m",
        &message,
        commit,
    ]);
    let out = call.output().await?;
    if out.status.success() {
        return Ok(TakenIn::Held);
    }
    let unmerged = git.call(["diff", "--name-only", "--diff-filter=U", "-z"]);
    let files = unmerged.list().await?;
    if files.is_empty() {
        return Err(GitError::failed("merge".to_owned(), git.dir().to_path_buf(), &out).into());
    }
    git.call(["merge", "--abort"]).text().await?;
    Ok(TakenIn::Conflict { files })
}
