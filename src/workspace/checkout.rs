//! A checkout for the gate: one commit in a folder of its own, gone afterwards.
//!
//! What a check may write (the files, a git folder of its own, scratch, a home) and what the gate believes (the index by
//! which it looks for changes) are apart: see [`GateCheckout`]. The repository itself is only read.

use std::fs;
use std::path::{Path, PathBuf};

use super::artefact::Artefacts;
use super::error::WorkspaceError;
use super::fence;
use super::git::{Git, split_zero};
use super::place::Workspace;
use super::removal;
use super::spare::{Spare, Spares};
use super::twin;

/// A fresh checkout of one commit at `gate/<task-id>-<n>` below the state folder.
///
/// | folder | what | who writes |
/// | --- | --- | --- |
/// | `tree/` | the files, and a `.git` that leads to the repository's objects | checks |
/// | `scratch/`, `home/` | what is no part of the work | checks |
/// | `own/` | the index as it was before any check ran, records of the sandbox | the orchestrator alone |
///
/// Dropping it deletes all of it.
#[derive(Debug)]
pub struct GateCheckout {
    home: PathBuf,
    top: PathBuf,
    root: PathBuf,
    repository: PathBuf,
    commit: String,
    tree: String,
}

impl Workspace {
    /// Checks a commit out afresh.
    pub async fn checkout_at(&self, commit: &str) -> Result<GateCheckout, WorkspaceError> {
        self.checkout_with(None, commit).await
    }

    /// The same, of a spare checkout where there is one that nobody touched.
    pub async fn checkout_with(
        &self,
        spares: Option<&Spares>,
        commit: &str,
    ) -> Result<GateCheckout, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let (commit, tree) = self.named(&git, commit).await?;
        let home = self.claim_folder()?;
        let top = home.join("tree");
        let checkout = GateCheckout {
            root: top.join(self.prefix()).components().collect(),
            repository: self.repository().to_path_buf(),
            home,
            top,
            commit,
            tree,
        };
        checkout.furnish()?;
        let spare = spares.and_then(|spares| spares.take(&checkout.repository));
        if !checkout.take_over(&git, spare).await {
            checkout.fill(&git).await?;
        }
        let made = twin::make(
            &checkout.repository,
            &checkout.top,
            &checkout.commit,
            &checkout.index(),
        );
        made.map_err(WorkspaceError::io(&checkout.top))?;
        // The worker's folder may hold nothing that is committed.
        if !checkout.root.exists() {
            fs::create_dir_all(&checkout.root).map_err(WorkspaceError::io(&checkout.root))?;
        }
        fence::inside(&checkout.top, &checkout.root)?;
        Ok(checkout)
    }

    /// The commit and the tree that a name stands for.
    async fn named(&self, git: &Git, name: &str) -> Result<(String, String), WorkspaceError> {
        let unknown = || WorkspaceError::UnknownCommit {
            commit: name.chars().take(64).collect(),
            repository: self.repository().to_path_buf(),
        };
        let call = git.call([
            "log",
            "-1",
            "--format=%H %T",
            "--no-show-signature",
            "--end-of-options",
        ]);
        let found = call.arg(name).arg("--").text_if_any().await?;
        let pair = found.as_deref().and_then(|text| text.split_once(' '));
        let (commit, tree) = pair.ok_or_else(unknown)?;
        Ok((commit.to_owned(), tree.to_owned()))
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

    /// The top of the checkout.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The folder that holds the checkout; what is put beside the checkout goes with it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where checks put what is no part of the work.
    pub fn scratch(&self) -> PathBuf {
        self.home.join("scratch")
    }

    /// An empty folder that can be the home of checks.
    pub fn private_home(&self) -> PathBuf {
        self.home.join("home")
    }

    /// Where the orchestrator keeps what no check may see or change.
    pub fn own(&self) -> PathBuf {
        self.home.join("own")
    }

    /// The stores of objects that git reads in this checkout: the repository's, and those that it borrows from.
    pub fn objects(&self) -> Vec<PathBuf> {
        twin::stores(&self.repository)
    }

    /// The commit that was checked out.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Its tree.
    pub fn tree(&self) -> &str {
        &self.tree
    }

    /// What the checkout stands at now: a commit, or the name of a reference; none where it is no checkout any more.
    pub fn head(&self) -> Option<String> {
        twin::head(&self.top)
    }

    /// Files that differ from the commit, apart from ignored ones and tools' output.
    ///
    /// Looked at through the index as it was before any check ran: marks that a check puts on its own hide nothing.
    pub async fn dirt(&self) -> Result<Vec<String>, WorkspaceError> {
        let git = Git::open_apart(&self.repository, &self.top, &self.index()).await?;
        let seen = [
            "ls-files",
            "-t",
            "--modified",
            "--deleted",
            "--others",
            "--exclude-standard",
            "-z",
        ];
        let seen = git.call(seen).bytes().await?;
        let mut artefacts = Artefacts::below(&self.top);
        let mut dirt: Vec<String> = split_zero(&seen)
            .filter_map(|record| {
                let (tag, path) = record.split_at_checked(2)?;
                let path = super::staging::to_path(path);
                let tools = tag == b"? " && artefacts.holds(&path);
                (!tools).then(|| path.display().to_string())
            })
            .collect();
        dirt.sort();
        dirt.dedup();
        Ok(dirt)
    }

    /// Deletes it; the files go while whoever asked goes on.
    pub fn remove(self) {
        tokio::task::spawn_blocking(move || drop(self));
    }

    fn furnish(&self) -> Result<(), WorkspaceError> {
        let folders = [self.scratch(), self.private_home(), self.own()];
        let made = folders.iter().try_for_each(fs::create_dir);
        made.map_err(WorkspaceError::io(&self.home))
    }

    /// Whether a spare checkout became this one; if not, nothing of it is left here.
    async fn take_over(&self, git: &Git, spare: Option<Spare>) -> bool {
        let Some(spare) = spare else { return false };
        let (top, index) = (&self.top, self.index());
        let became = spare
            .become_checkout(git, &self.repository, &self.commit, top, &index)
            .await;
        if let Ok(true) = became {
            return true;
        }
        if let Err(error) = became {
            tracing::warn!(%error, "a spare checkout cannot be used");
        }
        let _ = removal::remove(top);
        let _ = fs::remove_file(index);
        false
    }

    /// Writes the files, with an index of this checkout's own; nothing of the repository changes.
    async fn fill(&self, git: &Git) -> Result<(), WorkspaceError> {
        fs::create_dir(&self.top).map_err(WorkspaceError::io(&self.top))?;
        let git = git.clone().apart(&self.repository, &self.top, &self.index());
        git.call(["read-tree", "--reset", "-u", "--no-sparse-checkout"])
            .arg(&self.commit)
            .bytes()
            .await?;
        Ok(())
    }

    fn index(&self) -> PathBuf {
        self.own().join("index")
    }
}

impl Drop for GateCheckout {
    fn drop(&mut self) {
        // A folder that cannot be deleted now is found again by the next start's pruning.
        let _ = removal::remove(&self.home);
    }
}
