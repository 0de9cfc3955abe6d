//! Somebody's repository: finding it from a folder, and a worktree with the task's branch from it.

use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::git::Git;
use super::place::{self, Base};
use super::take_in::{self, TakenIn};
use crate::domain::id::TaskId;

/// A repository to take worktrees from.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its git folder, canonical.
    pub(super) git_dir: PathBuf,
    /// Where new branches start, and the name of that.
    pub(super) base: Base,
    /// Where it was cloned from, where the orchestrator did so.
    pub(super) url: Option<String>,
}

/// A repository, and the folder in it that was named.
#[derive(Debug)]
pub(super) struct Found {
    /// The repository.
    pub(super) repository: Repository,
    /// The folder below the checkout's top; empty for the top itself.
    pub(super) prefix: PathBuf,
}

/// The name of a task's branch.
pub(super) fn branch(task: &TaskId) -> String {
    format!("orchestrator/{task}")
}

/// The repository that a folder belongs to; none where it belongs to none, or where its repository ignores it.
pub(super) async fn locate(folder: &Path) -> Result<Option<Found>, WorkspaceError> {
    let git = Git::open(folder).await?;
    let Some(git_dir) = place::common_dir(&git).await? else {
        refuse_unreadable(&git).await?;
        return Ok(None);
    };
    let prefix = match checkout_prefix(&git, folder).await? {
        Some(prefix) if is_ignored(&git, &prefix).await? => return Ok(None),
        prefix => prefix.unwrap_or_default(),
    };
    let base = base_of(&git).await?;
    let base = base.ok_or_else(|| WorkspaceError::NoCommit(folder.to_path_buf()))?;
    let url = None;
    let repository = Repository { git_dir, base, url };
    Ok(Some(Found { repository, prefix }))
}

/// A folder that only looks like no repository (another owner, broken configuration) must not be worked on in place.
async fn refuse_unreadable(git: &Git) -> Result<(), WorkspaceError> {
    let out = git.call(["rev-parse", "--git-dir"]).output().await?;
    let words = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    if words.contains("not a git repository (or any") || words.contains("not a git repository: '(null)'") {
        return Ok(());
    }
    Err(WorkspaceError::tampered(
        git.dir(),
        format!("git cannot read its repository ({words})"),
    ))
}

/// Where the folder lies in the checkout; none for a bare repository.
async fn checkout_prefix(git: &Git, folder: &Path) -> Result<Option<PathBuf>, WorkspaceError> {
    let inside = git
        .call(["rev-parse", "--is-inside-work-tree"])
        .text_if_any()
        .await?;
    if inside.as_deref() == Some("true") {
        let prefix = git.call(["rev-parse", "--show-prefix"]).text().await?;
        return Ok(Some(PathBuf::from(prefix)));
    }
    let bare = git.call(["rev-parse", "--is-bare-repository"]).text().await?;
    if bare == "true" {
        Ok(None)
    } else {
        let rule = "it lies in a repository's git folder; name the checkout";
        Err(WorkspaceError::refused(&folder.display().to_string(), rule))
    }
}

async fn is_ignored(git: &Git, prefix: &Path) -> Result<bool, WorkspaceError> {
    if prefix.as_os_str().is_empty() {
        return Ok(false);
    }
    // This verb knows no literal pathspecs; a dot needs none.
    let git = git.clone().with_env("GIT_LITERAL_PATHSPECS", "0");
    Ok(git.call(["check-ignore", "--quiet", "--", "."]).holds().await?)
}

async fn base_of(git: &Git) -> Result<Option<Base>, WorkspaceError> {
    let Some(commit) = git.commit("HEAD").await? else {
        return Ok(None);
    };
    let name = git
        .call(["symbolic-ref", "--quiet", "HEAD"])
        .text_if_any()
        .await?;
    Ok(Some(Base {
        reference: name.unwrap_or_else(|| commit.clone()),
        commit,
    }))
}

impl Repository {
    /// Checks the task's branch out at `top`, with its dependencies merged; a new branch starts at the base.
    pub(super) async fn check_out(
        &self,
        task: &TaskId,
        top: &Path,
        dependencies: &[TaskId],
    ) -> Result<Base, WorkspaceError> {
        let git = Git::open_top(&self.git_dir).await?;
        git.call(["worktree", "prune"]).text().await?;
        let branch = branch(task);
        let head = git.commit(&format!("refs/heads/{branch}")).await?;
        if let Some(head) = head {
            git.call(["worktree", "add", "--quiet", "--"])
                .arg(top)
                .arg(&branch)
                .text()
                .await?;
            // Whoever made the branch can have been interrupted before the merges.
            if self.is_bare_start(&git, &head).await? {
                let merged = merge_dependencies(&git, task, top, dependencies).await;
                if merged.is_err() {
                    remove(&git, top).await?;
                }
                merged?;
            }
            return self.base_under(&git, &head).await;
        }
        git.call(["worktree", "add", "--quiet", "--no-track", "-b", &branch, "--"])
            .arg(top)
            .arg(&self.base.commit)
            .text()
            .await?;
        let merged = merge_dependencies(&git, task, top, dependencies).await;
        if merged.is_err() {
            remove(&git, top).await?;
            git.call(["branch", "-D", "--quiet", "--", &branch])
                .text()
                .await?;
        }
        merged.map(|()| self.base.clone())
    }

    /// Whether a branch holds nothing yet but its base and merges of dependencies.
    async fn is_bare_start(&self, git: &Git, head: &str) -> Result<bool, WorkspaceError> {
        let own = ["rev-list", "--count", "--first-parent", "--no-merges", head];
        let count = git.call(own).arg(format!("^{}", self.base.commit)).text().await?;
        Ok(count == "0")
    }

    /// The base of a branch that is older than our memory of it.
    async fn base_under(&self, git: &Git, head: &str) -> Result<Base, WorkspaceError> {
        let common = git
            .call(["merge-base", &self.base.commit, head])
            .text_if_any()
            .await?;
        Ok(Base {
            reference: self.base.reference.clone(),
            commit: common.unwrap_or_else(|| self.base.commit.clone()),
        })
    }
}

async fn remove(git: &Git, top: &Path) -> Result<(), WorkspaceError> {
    let call = git.call(["worktree", "remove", "--force", "--"]);
    call.arg(top).text().await?;
    Ok(())
}

async fn merge_dependencies(
    repository: &Git,
    task: &TaskId,
    top: &Path,
    dependencies: &[TaskId],
) -> Result<(), WorkspaceError> {
    let git = Git::open_top(top).await?;
    for dependency in dependencies {
        let name = branch(dependency);
        let Some(commit) = repository.commit(&format!("refs/heads/{name}")).await? else {
            continue;
        };
        if let TakenIn::Conflict { files } = take_in::merge(&git, dependency, &commit).await? {
            return Err(WorkspaceError::DependencyConflict {
                task: task.clone(),
                dependency: dependency.clone(),
                branch: name,
                files,
            });
        }
    }
    Ok(())
}
