//! A checkout for a reviewer: the judged tree as one commit on top of the base's tree, in a repository of its own.
//!
//! Invariant: nothing that a worker wrote but files is in it: no message of a commit, no branch, no object that the
//! two commits do not need. It borrows nothing, so that a sandbox may show it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::git::{Git, split_zero};
use super::place::Workspace;
use super::removal;

/// What the two commits are called.
const BASE: &str = "The base";
const WORK: &str = "The work under review";
/// The longest file whose lines are counted, in bytes.
const COUNTED: u64 = 16 * 1024 * 1024;

/// A checkout for a reviewer.
#[derive(Debug)]
pub struct ReviewCheckout {
    top: PathBuf,
    base: String,
    work: String,
    /// The files of the tree.
    files: BTreeSet<String>,
    /// Files that the change deletes, with their lines.
    gone: BTreeMap<String, u32>,
}

/// Deletes a folder that a reviewer wrote in, however deep it is.
pub fn delete_review(folder: &Path) -> std::io::Result<()> {
    removal::remove(folder)
}

impl Drop for ReviewCheckout {
    fn drop(&mut self) {
        // What cannot be deleted now goes with the next review of the task.
        let _ = removal::remove(&self.top);
    }
}

impl Workspace {
    /// Makes it in a folder that is not there yet.
    pub async fn review_at(&self, commit: &str, top: &Path) -> Result<ReviewCheckout, WorkspaceError> {
        fs::create_dir_all(top).map_err(WorkspaceError::io(top))?;
        let git_dir = top.join(".git");
        let format = if commit.len() > 40 { "sha256" } else { "sha1" };
        let init = Git::bare_handed(top);
        let init = init.call(["init", "--quiet", "--initial-branch=review", "--template="]);
        init.arg(format!("--object-format={format}")).text().await?;
        let borrowed = git_dir.join("objects/info/alternates");
        let lent = format!("{}\n", self.repository().join("objects").display());
        fs::create_dir_all(git_dir.join("objects/info"))
            .and_then(|()| fs::write(&borrowed, lent))
            .map_err(WorkspaceError::io(&borrowed))?;
        let git = Git::open_top(&git_dir).await?;
        let base = self.begin(commit).await?;
        let base = self.as_commit(&git, &base, BASE, None).await?;
        let work = self.as_commit(&git, commit, WORK, Some(&base)).await?;
        git.call(["update-ref", "refs/heads/review", &work])
            .text()
            .await?;
        // What was borrowed is copied, as far as the two commits need it.
        git.call(["repack", "-a", "-d", "-q"]).text().await?;
        fs::remove_file(&borrowed).map_err(WorkspaceError::io(&borrowed))?;
        let files = Git::open_top(top).await?;
        files.call(["read-tree", "--reset", "-u", &work]).text().await?;
        let gone = gone(&unled(&git_dir).await?, &base, &work).await?;
        let all = git.call(["ls-tree", "-r", "-z", "--name-only", "--full-tree", &work]);
        let all = all.list().await?.into_iter().collect();
        Ok(ReviewCheckout {
            top: top.to_owned(),
            base,
            work,
            files: all,
            gone,
        })
    }

    /// What the work is compared with: what of the base is in it, so that others' work is not taken for it.
    async fn begin(&self, commit: &str) -> Result<String, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let head = self.base_head(&git).await?;
        let shared = git.call(["merge-base", &head, commit]).text_if_any().await?;
        match shared {
            Some(shared) if git.is_ancestor(&self.base.commit, &shared).await? => Ok(shared),
            _ => Ok(self.base.commit.clone()),
        }
    }

    async fn as_commit(
        &self,
        git: &Git,
        of: &str,
        message: &str,
        parent: Option<&str>,
    ) -> Result<String, WorkspaceError> {
        let tree = git.tree(of).await?.ok_or_else(|| WorkspaceError::UnknownCommit {
            commit: of.chars().take(64).collect(),
            repository: self.repository().to_path_buf(),
        })?;
        let parent = parent.map(|parent| ["-p", parent]);
        let call = git.call(["commit-tree", "-m", message]);
        let call = parent
            .into_iter()
            .flatten()
            .fold(call, |call, word| call.arg(word));
        Ok(call.arg(tree).text().await?)
    }
}

/// Git in the git folder and without an index: no attribute in the work says what is shown of it and how.
async fn unled(git_dir: &Path) -> Result<Git, WorkspaceError> {
    let git = Git::open_top(git_dir).await?;
    Ok(git.with_env("GIT_INDEX_FILE", git_dir.join("no-index")))
}

/// The files that are not there any more, with their lines.
async fn gone(git: &Git, base: &str, work: &str) -> Result<BTreeMap<String, u32>, WorkspaceError> {
    let call = git.call([
        "diff-tree",
        "-r",
        "-z",
        "--numstat",
        "--no-renames",
        "--diff-filter=D",
    ]);
    let bytes = call.arg(base).arg(work).bytes().await?;
    let row = |record: &[u8]| {
        let text = String::from_utf8_lossy(record).into_owned();
        let mut parts = text.splitn(3, '\t');
        let (_added, lines, path) = (parts.next()?, parts.next()?, parts.next()?);
        // Of what is no text, git counts nothing.
        Some((path.to_owned(), lines.parse().unwrap_or(1)))
    };
    Ok(split_zero(&bytes).filter_map(row).collect())
}

impl ReviewCheckout {
    /// The top of it: the files, and a git folder of its own.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The whole change as a patch. No attribute in the work hides anything of it.
    pub async fn diff(&self) -> Result<String, WorkspaceError> {
        let git = unled(&self.top.join(".git")).await?;
        let call = git.call([
            "diff-tree",
            "-r",
            "-p",
            "--stat=200",
            "--patch",
            "-M",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
        ]);
        let bytes = call.arg(&self.base).arg(&self.work).bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The lines of a file of the tree, or of one that the change deletes; none where there is no such file.
    pub fn lines_of(&self, file: &str) -> Option<u32> {
        if let Some(lines) = self.gone.get(file) {
            return Some(*lines);
        }
        let path = self.files.get(file).map(|file| self.top.join(file))?;
        let meta = fs::symlink_metadata(&path).ok()?;
        if !meta.is_file() {
            // A link, or another repository.
            return Some(1);
        }
        if meta.len() > COUNTED {
            return Some(u32::MAX);
        }
        let bytes = fs::read(&path).ok()?;
        let ends = bytes.iter().filter(|b| **b == b'\n').count();
        let open = bytes.last().is_some_and(|b| *b != b'\n');
        u32::try_from(ends + usize::from(open)).ok()
    }

    /// Whether its files are still as they were made.
    pub async fn is_untouched(&self) -> Result<bool, WorkspaceError> {
        let git = Git::open_top(&self.top).await?;
        let index = self.top.join(".git/fresh-index");
        let git = git.with_env("GIT_INDEX_FILE", &index);
        git.call(["read-tree", &self.work]).text().await?;
        let seen = git.call(["ls-files", "--modified", "--deleted", "-z"]);
        let seen = seen.bytes().await?;
        // It was made for this look alone.
        let _ = fs::remove_file(&index);
        Ok(seen.is_empty())
    }
}
