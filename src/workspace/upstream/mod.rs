//! One branch of a repository elsewhere, kept beside us: fetched, read file by file, added to by commits.
//!
//! Invariants: nothing is checked out, so nothing of the repository is run; a push moves the branch from exactly the commit
//! that ours was made from to ours (a lease, whose commit is ours' parent), so it can undo nobody's work, also not where
//! the branch was set back; git is called as for workspaces, with the way to other machines (helpers for credentials,
//! proxies, the agent of ssh) as whoever runs this program has set it up, and never asks anybody.
//! Deliberately absent: what the files mean, and whether a failed call is made again.

mod read;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::OnceCell;

pub use self::read::Content;
use super::error::{GitError, WorkspaceError};
use super::fence;
use super::git::Git;
use super::login::Keychain;
use super::prepare::Workspaces;
use super::push::{refuse_address, refuse_branch};

/// For one call to the other machine.
const NETWORK: Duration = Duration::from_secs(60);

/// A branch elsewhere, with the clone that is kept of it.
#[derive(Debug)]
pub struct Upstream {
    git_dir: PathBuf,
    url: String,
    branch: String,
    /// Name and address of who commits.
    author: (String, String),
    keys: Keychain,
    ways: OnceCell<Vec<(String, String)>>,
}

/// Why a branch elsewhere cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The other side does not answer, or does not let us in.
    #[error("{url} cannot be reached: {words}")]
    Away {
        /// Its address.
        url: String,
        /// What git says.
        words: String,
    },
    /// There is no such branch.
    #[error("{url} has no branch '{branch}'; push one, or name another: [queue] branch")]
    NoBranch {
        /// Its address.
        url: String,
        /// The branch.
        branch: String,
    },
    /// The other side does not take our commits.
    #[error("{url} does not take commits on '{branch}': {words}; let this node push there")]
    Refused {
        /// Its address.
        url: String,
        /// The branch.
        branch: String,
        /// Its words.
        words: String,
    },
    /// The clone.
    #[error(transparent)]
    Clone(#[from] WorkspaceError),
}

impl From<GitError> for UpstreamError {
    fn from(error: GitError) -> Self {
        Self::Clone(error.into())
    }
}

impl Workspaces {
    /// A branch elsewhere; its clone is kept as `name` below the state folder, and made when it is first fetched.
    pub fn upstream(
        &self,
        name: &str,
        url: &str,
        branch: &str,
        author: (String, String),
    ) -> Result<Upstream, WorkspaceError> {
        refuse_address(url)?;
        refuse_branch(branch)?;
        Ok(Upstream {
            git_dir: fence::beneath(&self.state, name, "repository.git")?,
            url: url.to_owned(),
            branch: branch.to_owned(),
            author,
            keys: self.keys().clone(),
            ways: OnceCell::new(),
        })
    }
}

impl Upstream {
    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The branch.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Fetches the branch and gives its newest commit, which is kept under `mark`.
    pub async fn fetch(&self, mark: &str) -> Result<String, UpstreamError> {
        let git = self.outward().await?;
        let call = git
            .call(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
            .arg("--no-auto-maintenance")
            .arg("--recurse-submodules=no")
            .arg("--upload-pack=git-upload-pack")
            .arg("--")
            .arg(&self.url)
            .arg(format!("+refs/heads/{}:{}", self.branch, reference(mark)));
        match call.within(NETWORK).bytes().await {
            Ok(_) => self.marked(mark).await?.ok_or_else(|| self.no_branch()),
            Err(GitError::Failed { stderr, .. }) if stderr.contains("couldn't find remote ref") => {
                Err(self.no_branch())
            }
            Err(error) => Err(self.away(error)),
        }
    }

    /// The commit that is kept under `mark`.
    pub async fn marked(&self, mark: &str) -> Result<Option<String>, UpstreamError> {
        if !self.git_dir.exists() {
            return Ok(None);
        }
        Ok(self.git().await?.commit(&reference(mark)).await?)
    }

    /// Keeps a commit under `mark`; none lets go of it.
    pub async fn mark(&self, mark: &str, commit: Option<&str>) -> Result<(), UpstreamError> {
        let git = self.git().await?;
        let name = reference(mark);
        match commit {
            Some(commit) => git.call(["update-ref", &name, commit]).bytes().await?,
            None => git.call(["update-ref", "-d", &name]).bytes().await?,
        };
        Ok(())
    }

    /// Whether a commit is among what led to another one.
    pub async fn leads_to(&self, old: &str, new: &str) -> Result<bool, UpstreamError> {
        let git = self.git().await?;
        // A commit that is not there any more leads nowhere.
        if git.commit(old).await?.is_none() {
            return Ok(false);
        }
        Ok(git.is_ancestor(old, new).await?)
    }

    /// Packs what many fetches left, where that is much.
    pub async fn tidy(&self) -> Result<(), UpstreamError> {
        let git = self.git().await?.with_config("gc.auto", "2000");
        git.call(["gc", "--auto", "--quiet", "--no-detach"])
            .bytes()
            .await?;
        Ok(())
    }

    /// Git in the clone, which is made where it is not there.
    async fn git(&self) -> Result<Git, UpstreamError> {
        if !self.git_dir.join("HEAD").exists() {
            std::fs::create_dir_all(&self.git_dir).map_err(WorkspaceError::io(&self.git_dir))?;
            let git = Git::bare_handed(&self.git_dir);
            git.call(["init", "--quiet", "--bare"]).bytes().await?;
        }
        Ok(Git::open_top(&self.git_dir).await?)
    }

    /// The same with the way to the other machine.
    async fn outward(&self) -> Result<Git, UpstreamError> {
        let ways = self.ways.get_or_try_init(|| Git::ways(&self.git_dir));
        let git = self.git().await?;
        let git = { ways.await?.iter() }.fold(git, |git, (key, value)| git.with_config(key, value));
        Ok(git.with_login_for(&self.url, &self.keys))
    }

    fn no_branch(&self) -> UpstreamError {
        UpstreamError::NoBranch {
            url: self.url.clone(),
            branch: self.branch.clone(),
        }
    }

    fn away(&self, error: GitError) -> UpstreamError {
        let words = match error {
            GitError::Failed { stderr, .. } => stderr.lines().map(str::trim).collect::<Vec<_>>().join(" "),
            GitError::TimedOut { limit, .. } => format!("no answer within {} s", limit.as_secs()),
            other => return other.into(),
        };
        let url = self.url.clone();
        UpstreamError::Away { url, words }
    }
}

fn reference(mark: &str) -> String {
    format!("refs/orchestrator/{mark}")
}
