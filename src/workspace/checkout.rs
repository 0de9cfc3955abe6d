//! A checkout for the gate: one commit, detached, in a folder of its own, gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::git::Git;
use super::place::Workspace;
use super::staging;
use super::{fence, lock, removal};

/// A fresh checkout of one commit at `gate/<task-id>-<n>/tree` below the state folder.
///
/// Dropping it deletes the folder; [`GateCheckout::remove`] also tells git.
#[derive(Debug)]
pub struct GateCheckout {
    home: PathBuf,
    top: PathBuf,
    root: PathBuf,
    repository: PathBuf,
    lock: PathBuf,
    commit: String,
    tree: String,
}

impl Workspace {
    /// Checks a commit out afresh.
    pub async fn checkout_at(&self, commit: &str) -> Result<GateCheckout, WorkspaceError> {
        let tree = self.tree_of(commit).await?;
        let git = self.git_of_repository().await?;
        let commit = git.commit(commit).await?.unwrap_or_else(|| commit.to_owned());
        let home = self.claim_folder()?;
        let top = home.join("tree");
        let checkout = GateCheckout {
            root: top.join(self.prefix()).components().collect(),
            repository: self.repository().to_path_buf(),
            lock: lock::file(&self.state, self.repository())?,
            home,
            top,
            commit,
            tree,
        };
        let held = lock::hold(&checkout.lock).await?;
        git.call(["worktree", "prune"]).text().await?;
        git.call(["worktree", "add", "--quiet", "--detach", "--"])
            .arg(&checkout.top)
            .arg(&checkout.commit)
            .text()
            .await?;
        drop(held);
        checkout.keep_index().await?;
        // The worker's folder may hold nothing that is committed.
        if !checkout.root.exists() {
            fs::create_dir_all(&checkout.root).map_err(WorkspaceError::io(&checkout.root))?;
        }
        fence::inside(&checkout.top, &checkout.root)?;
        Ok(checkout)
    }

    /// The first free folder of this task's gate runs.
    fn claim_folder(&self) -> Result<PathBuf, WorkspaceError> {
        let mut n = 1u32;
        loop {
            let home = fence::beneath(&self.state, "gate", &format!("{}-{n}", self.task))?;
            match fs::create_dir(&home) {
                Ok(()) => return Ok(home),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(e) => return Err(WorkspaceError::io(&home)(e)),
            }
        }
    }
}

impl GateCheckout {
    /// Where checks run: the place in this checkout that is the worker's folder in its own.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that holds the checkout; what is put beside the checkout goes with it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The commit that was checked out.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Its tree.
    pub fn tree(&self) -> &str {
        &self.tree
    }

    /// The commit that the checkout stands at now; none where it is no checkout any more.
    pub async fn head(&self) -> Result<Option<String>, WorkspaceError> {
        let git = Git::open_top(&self.top).await?;
        Ok(git.commit("HEAD").await?)
    }

    /// Files that differ from the commit, apart from ignored ones and tools' output.
    ///
    /// Looked at through the index as it was before any check ran: marks that a check put on it hide nothing.
    pub async fn dirt(&self) -> Result<Vec<String>, WorkspaceError> {
        let git = Git::open_top(&self.top).await?;
        let git = git.with_env("GIT_INDEX_FILE", self.home.join("index"));
        let pending = staging::pending(&git).await?;
        Ok(pending.iter().map(|p| p.display().to_string()).collect())
    }

    /// Keeps a copy of the index, with its time: git trusts an entry only where it is older than the index.
    async fn keep_index(&self) -> Result<(), WorkspaceError> {
        let git = Git::open_top(&self.top).await?;
        let path = git
            .call(["rev-parse", "--path-format=absolute", "--git-path", "index"])
            .text()
            .await?;
        let path = PathBuf::from(path);
        let copy = || {
            let kept = self.home.join("index");
            fs::copy(&path, &kept)?;
            let written = fs::metadata(&path)?.modified()?;
            fs::File::options().write(true).open(&kept)?.set_modified(written)
        };
        copy().map_err(WorkspaceError::io(&path))
    }

    /// Deletes it and tells git.
    pub async fn remove(self) -> Result<(), WorkspaceError> {
        let git = Git::open_top(&self.repository).await?;
        let _held = lock::hold(&self.lock).await?;
        drop(self);
        git.call(["worktree", "prune"]).text().await?;
        Ok(())
    }
}

impl Drop for GateCheckout {
    fn drop(&mut self) {
        // A folder that cannot be deleted now is found again by the next start's pruning.
        let _ = removal::remove(&self.home);
    }
}
