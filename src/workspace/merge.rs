//! Whether the work still fits the base as it is now. Nothing is moved: the merge is made among objects only.

use super::error::{GitError, WorkspaceError};
use super::git::{Git, split_zero};
use super::mirror;
use super::place::{Tracking, Workspace};

/// What a merge of a commit with the current head of its base gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// The commit holds the whole base already: the merge is the commit itself.
    Unmoved {
        /// The head of the base.
        base: String,
    },
    /// They merge without conflict.
    Clean {
        /// The head of the base.
        base: String,
        /// A commit of the merged tree, on no branch.
        merged: String,
    },
    /// They do not merge.
    Conflict {
        /// The head of the base.
        base: String,
        /// The files in conflict.
        files: Vec<String>,
    },
}

impl Workspace {
    /// Merges a commit with its base as it is now; a base on another machine is fetched first.
    pub async fn merges_with_base(&self, commit: &str) -> Result<Merge, WorkspaceError> {
        if let Tracking::Mirror { repository, url } = &self.tracking {
            mirror::refresh(repository, url, &self.keys).await?;
        }
        let git = self.git_of_repository().await?;
        if let Some(base) = self.base_held_by(&git, commit).await? {
            return Ok(Merge::Unmoved { base });
        }
        let base = self.base_head(&git).await?;
        if git.is_ancestor(&base, commit).await? {
            return Ok(Merge::Unmoved { base });
        }
        merge(&git, base, commit).await
    }

    /// Where the base stands now, where that is a reference whose commit is part of this one: the usual answer, by one call.
    async fn base_held_by(&self, git: &Git, commit: &str) -> Result<Option<String>, WorkspaceError> {
        let reference = &self.base.reference;
        if !reference.starts_with("refs/") {
            return Ok(None);
        }
        let call = git.call(["for-each-ref", "--format=%(refname) %(objectname)"]);
        let told = call
            .arg(format!("--merged={commit}"))
            .arg(reference)
            .text()
            .await?;
        let named = told.lines().filter_map(|line| line.split_once(' '));
        let mut own = named.filter(|(name, _)| name == reference);
        Ok(own.next().map(|(_, base)| base.to_owned()))
    }

    /// Where the base stands now; where it stood when its branch is gone.
    pub(super) async fn base_head(&self, git: &Git) -> Result<String, WorkspaceError> {
        let now = git.commit(&self.base.reference).await?;
        Ok(now.unwrap_or_else(|| self.base.commit.clone()))
    }
}

async fn merge(git: &Git, base: String, commit: &str) -> Result<Merge, WorkspaceError> {
    let args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z"];
    let out = git.call(args).arg(&base).arg(commit).output().await?;
    let mut records = split_zero(&out.stdout).map(|r| String::from_utf8_lossy(r).into_owned());
    match (out.status.code(), records.next()) {
        (Some(0), Some(tree)) => {
            let message = "The work merged with its base";
            let call = git.call(["commit-tree", "-m", message, "-p", &base, "-p", commit, &tree]);
            let merged = call.text().await?;
            Ok(Merge::Clean { base, merged })
        }
        (Some(1), Some(_)) => Ok(Merge::Conflict {
            base,
            files: records.collect(),
        }),
        _ => Err(GitError::failed("merge-tree".to_owned(), git.dir().to_path_buf(), &out).into()),
    }
}
