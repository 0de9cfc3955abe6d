//! What an attempt brought, as git sees it.

use super::error::WorkspaceError;
use super::git::Git;
use super::place::Workspace;
use crate::domain::fingerprint::{self, Fingerprint};
use crate::domain::outcome::Evidence;

/// How large a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiffStat {
    /// Files changed.
    pub files: u32,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
}

impl Workspace {
    /// What the task's branch holds that `start` does not.
    ///
    /// An empty commit is no change: trees are compared, not commits. `progress_entries` is 0 and the fingerprint
    /// speaks for the files alone; the caller adds the progress file's part. It is of all that the branch holds beyond
    /// its base, also of earlier attempts: who adds nothing leaves it as it was.
    pub async fn evidence(&self, start: &str) -> Result<Evidence, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let head = self.head_by(&git).await?;
        let tree = git.tree(&head).await?.unwrap_or_default();
        let changed = self.tree_of(start).await? != tree;
        let files = self.changed_files(start).await?;
        Ok(Evidence {
            commit: Some(head),
            changed,
            files_changed: u32::try_from(files.len()).unwrap_or(u32::MAX),
            progress_entries: 0,
            fingerprint: Fingerprint {
                diff: self.diff_digest(&git).await?,
                ..Fingerprint::default()
            }
            .to_string(),
        })
    }

    /// A digest of what the branch's files are that differ from the base; empty where none does.
    async fn diff_digest(&self, git: &Git) -> Result<String, WorkspaceError> {
        let head = self.head_by(git).await?;
        let call = git.call(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]);
        let parts = call.arg(&self.base.commit).arg(&head).list().await?;
        // `:MODE MODE OBJECT OBJECT LETTER`, then the path. What the base had there is no part of the result.
        let now = |part: &String| match part.strip_prefix(':') {
            Some(raw) => {
                let words: Vec<&str> = raw.split(' ').collect();
                [words.get(1), words.get(3)]
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            None => part.clone(),
        };
        Ok(fingerprint::digest(&parts.iter().map(now).collect::<Vec<_>>()))
    }

    /// The files that differ between a commit and the head of the task's branch, sorted.
    pub async fn changed_files(&self, since: &str) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let head = self.head_by(&git).await?;
        let call = git.call([
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            since,
            &head,
        ]);
        Ok(call.list().await?)
    }

    /// How large the difference between a commit and the head of the task's branch is.
    pub async fn diff_stat(&self, since: &str) -> Result<DiffStat, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let head = self.head_by(&git).await?;
        let call = git.call(["diff-tree", "-r", "-z", "--numstat", "--no-renames"]);
        let lines = call
            .arg("--no-ext-diff")
            .arg("--no-textconv")
            .arg(since)
            .arg(&head)
            .list()
            .await?;
        Ok(lines.iter().fold(DiffStat::default(), |sum, line| sum.plus(line)))
    }

    /// The tree of a commit.
    pub async fn tree_of(&self, commit: &str) -> Result<String, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let unknown = || WorkspaceError::UnknownCommit {
            commit: commit.chars().take(64).collect(),
            repository: self.repository().to_path_buf(),
        };
        git.tree(commit).await?.ok_or_else(unknown)
    }
}

impl DiffStat {
    /// Adds a line of `--numstat`; a binary file has `-` for its lines.
    fn plus(self, line: &str) -> Self {
        let mut numbers = line.split('\t').map(|n| n.parse::<u64>().unwrap_or(0));
        Self {
            files: self.files + 1,
            added: self.added + numbers.next().unwrap_or(0),
            removed: self.removed + numbers.next().unwrap_or(0),
        }
    }
}
