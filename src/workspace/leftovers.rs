//! What a worker leaves uncommitted, or in the wrong place: committed by the orchestrator, on the task's branch.
//!
//! Invariant: afterwards the checkout stands on the task's branch, and whatever was in it is in some commit.
//! The caller makes sure that no process of the attempt is alive.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::git::Git;
use super::place::Workspace;
use super::staging;

/// What was found when an attempt had ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// The commit that the orchestrator made; none where everything was committed.
    pub commit: Option<String>,
    /// Where the worker moved the checkout to, if it did.
    pub drift: Option<Drift>,
    /// Paths that were not committed, with the reason.
    pub skipped: Vec<String>,
}

/// What a worker did with its branch other than adding commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// It worked on another branch (or none) on top of the task's; the task's branch was moved forward to it.
    Adopted {
        /// The other branch, or the commit.
        from: String,
    },
    /// It worked somewhere that does not build on the task's branch; that work is kept aside and does not count.
    Strayed {
        /// The other branch, or `a detached commit`.
        from: String,
        /// The commit that holds it (also `refs/orchestrator/stray/<task-id>`).
        kept: String,
    },
    /// Its branch does not build on the commit that the attempt started from any more.
    Rewritten,
}

impl Drift {
    /// One sentence for people and for the worker.
    pub fn sentence(&self) -> String {
        match self {
            Self::Adopted { from } => {
                format!("the worker committed to {from}; the task's branch was moved to it")
            }
            Self::Strayed { from, kept } => format!(
                "the worker committed to {from}, which does not build on the task's branch; its work is kept as {kept} and does not count"
            ),
            Self::Rewritten => "the worker rewrote the history of the task's branch".to_owned(),
        }
    }
}

impl Workspace {
    /// Commits what the worker left uncommitted since `start`, the commit that the attempt started from.
    ///
    /// The worker's own commits stay as they are; an empty change makes no commit.
    pub async fn commit_leftovers(&self, message: &str, start: &str) -> Result<Leftovers, WorkspaceError> {
        let git = self.git().await?;
        self.clear_locks(&git).await?;
        let mut left = Leftovers {
            drift: self.come_home(&git).await?,
            ..Leftovers::default()
        };
        left.skipped = staging::stage(&git).await?.skipped;
        let head = self.head_by(&git).await?;
        let tree = git.call(["write-tree"]).text().await?;
        if git.tree(&head).await?.as_deref() != Some(&tree) {
            left.commit = Some(self.commit_tree(&git, message, &tree, &head).await?);
        }
        self.quit_unfinished(&git).await?;
        if left.drift.is_none() && !git.is_ancestor(start, &self.head_by(&git).await?).await? {
            left.drift = Some(Drift::Rewritten);
        }
        Ok(left)
    }

    /// Brings a checkout that a dead worker left into a usable state, without committing anything on its branch.
    pub(super) async fn settle(&self, git: &Git) -> Result<(), WorkspaceError> {
        self.clear_locks(git).await?;
        self.come_home(git).await.map(|_| ())
    }

    async fn commit_tree(
        &self,
        git: &Git,
        message: &str,
        tree: &str,
        head: &str,
    ) -> Result<String, WorkspaceError> {
        let merged = if self.is_shadow() {
            None
        } else {
            git.commit("MERGE_HEAD").await?
        };
        let mut call = git.call(["commit-tree", "-m", message, "-p", head]);
        if let Some(other) = merged.as_deref().filter(|m| *m != head) {
            call = call.arg("-p").arg(other);
        }
        let commit = call.arg(tree).text().await?;
        git.call(["update-ref", &self.branch_ref(), &commit, head])
            .text()
            .await?;
        Ok(commit)
    }

    /// Back to the task's branch, with everything kept; tells where the checkout was.
    async fn come_home(&self, git: &Git) -> Result<Option<Drift>, WorkspaceError> {
        if self.is_shadow() {
            return Ok(None);
        }
        let branch = self.branch_ref();
        let at = git
            .call(["symbolic-ref", "--quiet", "HEAD"])
            .text_if_any()
            .await?;
        if at.as_deref() == Some(&branch) {
            return Ok(None);
        }
        let kept = keep_all(git).await?;
        let from = match at {
            Some(name) => format!("branch {}", name.trim_start_matches("refs/heads/")),
            None => "a detached commit".to_owned(),
        };
        let tip = self.head_by(git).await?;
        git.call(["symbolic-ref", "HEAD", &branch]).text().await?;
        if git.is_ancestor(&tip, &kept).await? {
            git.call(["update-ref", &branch, &kept]).text().await?;
            return Ok(Some(Drift::Adopted { from }));
        }
        let stray = format!("refs/orchestrator/stray/{}", self.task);
        git.call(["update-ref", &stray, &kept]).text().await?;
        git.call(["read-tree", "--reset", "-u", &tip]).text().await?;
        Ok(Some(Drift::Strayed { from, kept }))
    }

    /// Ends a merge, rebase or pick that the worker left half-way; files and commits stay as they are.
    async fn quit_unfinished(&self, git: &Git) -> Result<(), WorkspaceError> {
        if self.is_shadow() {
            return Ok(());
        }
        let dir = private_dir(git).await?;
        for (trace, verb) in [
            ("MERGE_HEAD", "merge"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
        ] {
            if dir.join(trace).exists() {
                git.call([verb, "--quit"]).output().await?;
            }
        }
        Ok(())
    }

    /// Removes locks that a killed worker left.
    async fn clear_locks(&self, git: &Git) -> Result<(), WorkspaceError> {
        let mut locks = vec![self.repository().join(format!("{}.lock", self.branch_ref()))];
        if self.is_shadow() {
            locks.push(self.repository().join(format!("index-{}.lock", self.task)));
        } else {
            let dir = private_dir(git).await?;
            locks.extend(["index.lock", "HEAD.lock"].map(|name| dir.join(name)));
        }
        locks.iter().try_for_each(|lock| remove_file(lock))
    }
}

/// A commit of all that the checkout holds, wherever it stands.
async fn keep_all(git: &Git) -> Result<String, WorkspaceError> {
    staging::stage(git).await?;
    let tree = git.call(["write-tree"]).text().await?;
    let here = git.commit("HEAD").await?;
    if let Some(here) = &here
        && git.tree(here).await?.as_deref() == Some(&tree)
    {
        return Ok(here.clone());
    }
    let mut call = git.call([
        "commit-tree",
        "-m",
        "Left uncommitted away from the task's branch",
    ]);
    if let Some(here) = &here {
        call = call.arg("-p").arg(here);
    }
    Ok(call.arg(&tree).text().await?)
}

/// The git folder of this checkout alone.
async fn private_dir(git: &Git) -> Result<PathBuf, WorkspaceError> {
    let text = git.call(["rev-parse", "--absolute-git-dir"]).text().await?;
    Ok(PathBuf::from(text))
}

fn remove_file(path: &Path) -> Result<(), WorkspaceError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(WorkspaceError::io(path)(e)),
        _ => Ok(()),
    }
}
