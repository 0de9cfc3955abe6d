//! How far a task's branch has come, looked at from outside: without its checkout, and without changing anything.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::error::WorkspaceError;
use super::git::Git;
use super::prepare::{Workspaces, digest};
use super::source::Source;
use super::{own, record, repository};
use crate::domain::id::TaskId;

/// A task's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub branch: String,
    /// The commit at its head.
    pub head: String,
    /// When that was committed.
    pub at: DateTime<Utc>,
    /// Commits on it that its base did not have when the work began, as far as that is known; else that it has not now.
    pub ahead: u32,
    /// Whether its base has all of it by now.
    pub merged: bool,
}

/// Where a branch is, and what it is compared with.
struct Place {
    git_dir: PathBuf,
    /// The reference that the work goes to, and the commit at which it began where that is remembered.
    base: String,
    began: Option<String>,
}

impl Workspaces {
    /// The branch of a task whose Workspace field is this; none where there is no such branch to be seen.
    ///
    /// # Errors
    /// [`WorkspaceError`] where what is there cannot be looked at.
    pub async fn standing(
        &self,
        task: &TaskId,
        workspace: Option<&str>,
    ) -> Result<Option<Standing>, WorkspaceError> {
        let Some(place) = self.place_of(task, workspace).await? else {
            return Ok(None);
        };
        let git = Git::open_top(&place.git_dir).await?;
        let branch = repository::branch(task);
        let Some(head) = git.commit(&format!("refs/heads/{branch}")).await? else {
            return Ok(None);
        };
        let time = git.call(["log", "-1", "--format=%ct", &head]).text().await?;
        let at = time
            .trim()
            .parse()
            .ok()
            .and_then(|time| DateTime::from_timestamp(time, 0));
        let base = git.commit(&place.base).await?;
        let from = place.began.or_else(|| base.clone());
        let ahead = match from {
            None => 0,
            Some(from) => {
                let count = git
                    .call(["rev-list", "--count", &head, &format!("^{from}")])
                    .text()
                    .await?;
                count.trim().parse().unwrap_or_default()
            }
        };
        let merged = match base {
            None => false,
            Some(base) => git.is_ancestor(&head, &base).await?,
        };
        Ok(Some(Standing {
            branch,
            head,
            at: at.unwrap_or_default(),
            ahead,
            merged,
        }))
    }

    async fn place_of(&self, task: &TaskId, named: Option<&str>) -> Result<Option<Place>, WorkspaceError> {
        if let Some(known) = record::read(&self.state, task)?.map(|record| record.workspace)
            && known.repository().is_dir()
        {
            return Ok(Some(Place {
                git_dir: known.repository().to_owned(),
                base: known.base.reference,
                began: Some(known.base.commit),
            }));
        }
        let head = |git_dir: PathBuf, base: &str| Place {
            git_dir,
            base: base.to_owned(),
            began: None,
        };
        let there = |path: PathBuf| Some(path).filter(|path| path.is_dir());
        Ok(match self.source_of(named)? {
            Source::Own => {
                there(own::folder(&self.state, task)?.join(".git")).map(|dir| head(dir, "refs/heads/main"))
            }
            Source::Url(url) => there(self.state.join("repos").join(digest(url.as_bytes())))
                .map(|dir| head(dir, "refs/remotes/origin/HEAD")),
            Source::Folder(folder) if folder.is_dir() => in_folder(&folder).await?,
            Source::Folder(_) => None,
        })
    }
}

/// A folder that is no repository has its history in the state folder, and is found by its record alone.
async fn in_folder(folder: &Path) -> Result<Option<Place>, WorkspaceError> {
    Ok(repository::locate(folder).await?.map(|found| Place {
        git_dir: found.repository.git_dir,
        base: found.repository.base.reference,
        began: None,
    }))
}
