//! One at a time where git is not fit for more: adding and pruning worktrees of one repository.
//!
//! Two `git worktree add` at once read each other's half-written files and fail. The lock is a file's, so that it
//! holds between processes too (`up` and a `validate` by hand); the system frees it when its holder dies.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::fence;
use super::prepare::digest;

/// The right to change a repository's worktrees; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

/// The lock file of this repository.
pub(super) fn file(state: &Path, repository: &Path) -> Result<PathBuf, WorkspaceError> {
    let name = digest(repository.as_os_str().as_encoded_bytes());
    fence::beneath(state, "locks", &name)
}

/// Waits for the right.
pub(super) async fn hold(path: &Path) -> Result<Held, WorkspaceError> {
    let at = path.to_path_buf();
    let waiting = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(&at)?;
        file.lock()?;
        Ok(Held { _file: file })
    });
    let held = waiting.await.unwrap_or_else(|e| Err(std::io::Error::other(e)));
    held.map_err(WorkspaceError::io(path))
}
