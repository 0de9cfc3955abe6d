//! What can go wrong with a workspace, sorted by what the caller will do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::id::TaskId;

/// A call of the git program went wrong.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("git is not installed or not on PATH; install git 2.38 or newer")]
    NotInstalled,
    /// Git could not be started or talked to.
    #[error("cannot run git in {dir}: {source}", dir = dir.display())]
    Io {
        /// Where.
        dir: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Git answered with an error.
    #[error("git {verb} failed in {dir} (exit {code}): {stderr}", dir = dir.display())]
    Failed {
        /// The sub-command.
        verb: String,
        /// Where.
        dir: PathBuf,
        /// Its exit code; -1 where a signal ended it.
        code: i32,
        /// Its words, cut.
        stderr: String,
    },
    /// Git took too long and was killed.
    #[error("git {verb} took longer than {} s in {dir} and was killed", limit.as_secs(), dir = dir.display())]
    TimedOut {
        /// The sub-command.
        verb: String,
        /// Where.
        dir: PathBuf,
        /// How long it had.
        limit: Duration,
    },
}

/// A workspace cannot be made, found or read.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// What the task names is refused; the task's author must change it.
    #[error("workspace '{text}' is refused: {rule}")]
    Refused {
        /// What the task names, escaped and cut.
        text: String,
        /// The rule that it breaks and what to write instead.
        rule: String,
    },
    /// The folder that the task names is not there.
    #[error("workspace {} does not exist; create it, correct the task's Workspace field, or leave the field out for a new folder", .0.display())]
    Missing(PathBuf),
    /// The repository has nothing to start from.
    #[error("repository {} has no commit yet; commit something first, so that there is a base to work from", .0.display())]
    NoCommit(PathBuf),
    /// The work of a dependency does not merge with the base.
    #[error("the work of '{dependency}' (branch {branch}) conflicts with what '{task}' starts from in {files}; merge that branch by hand, then retry", files = files.join(", "))]
    DependencyConflict {
        /// The task that should start.
        task: TaskId,
        /// The task that it depends on.
        dependency: TaskId,
        /// That task's branch.
        branch: String,
        /// The files in conflict.
        files: Vec<String>,
    },
    /// A path of the orchestrator's own leads elsewhere, or a checkout does not belong to its repository any more.
    #[error("{path} cannot be trusted: {what}; look at it, move it away, then retry", path = path.display())]
    Tampered {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A commit that somebody names is not in the repository.
    #[error("commit {commit} is not in {repository}", repository = repository.display())]
    UnknownCommit {
        /// The name.
        commit: String,
        /// The repository.
        repository: PathBuf,
    },
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The file system refused.
    #[error("cannot use {path}: {source}; check permissions and free space", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

impl WorkspaceError {
    /// A refusal of what the task names.
    pub(super) fn refused(text: &str, rule: impl Into<String>) -> Self {
        Self::Refused {
            text: text.chars().take(120).flat_map(char::escape_debug).collect(),
            rule: rule.into(),
        }
    }

    /// For `map_err`: an I/O error at this path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// A path that cannot be trusted.
    pub(super) fn tampered(path: &Path, what: impl Into<String>) -> Self {
        Self::Tampered {
            path: path.to_path_buf(),
            what: what.into(),
        }
    }
}
