//! Bringing finished work into the base that it was made from, and the base into the work before that.
//!
//! Invariants: a base only ever moves forward from where it was seen, in one step; a folder in which somebody has the
//! base checked out follows it, or nothing moves; what is asked twice is done once, and can be read from the history.
//! Deliberately absent: the order in which tasks come, and the judging of what was merged.

use std::path::{Path, PathBuf};

use super::error::{GitError, WorkspaceError};
use super::git::{Git, split_zero};
use super::place::{Tracking, Workspace};
use super::{lock, mirror, record};

/// What came of moving a base to a task's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// The base holds the work, now or since before.
    Done {
        /// The head of the base.
        base: String,
    },
    /// The base has moved on: the work must hold it first.
    Behind,
    /// Something that time does not mend is in the way: what, and what to do.
    Refused(String),
    /// Whoever asked may not any more; nothing was moved.
    Stale,
}

/// What came of bringing the base into a task's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpToDate {
    /// The head of the task's branch, which holds work and base.
    pub commit: String,
    /// The head of the base.
    pub base: String,
    /// The files in which marks of a conflict stand; none where they merged.
    pub conflicts: Vec<String>,
}

impl UpToDate {
    fn unmoved(commit: &str, base: String) -> Self {
        Self {
            commit: commit.to_owned(),
            base,
            conflicts: Vec::new(),
        }
    }
}

impl Workspace {
    /// Moves the base to a commit of the task's, by a merge of the same tree. `may` is asked once, right before.
    pub async fn advance(
        &self,
        commit: &str,
        message: &str,
        may: impl Future<Output = bool>,
    ) -> Result<Advance, WorkspaceError> {
        let branch = match self.own_base() {
            Ok(branch) => branch,
            Err(why) => return Ok(why),
        };
        let git = self.git_of_repository().await?;
        let _held = lock::hold(&lock::file(&self.state, self.repository())?).await?;
        let Some(base) = git.commit(branch).await? else {
            return Ok(Advance::Refused(format!(
                "{branch} is gone; make it again, then resume the task"
            )));
        };
        if git.is_ancestor(commit, &base).await? {
            return Ok(Advance::Done { base });
        }
        if !git.is_ancestor(&base, commit).await? {
            return Ok(Advance::Behind);
        }
        let tree = self.tree_of(commit).await?;
        let call = git.call(["commit-tree", "-m", message, "-p", &base, "-p", commit, &tree]);
        let landed = call.text().await?;
        let seats = seats(&git, branch).await?;
        if !may.await {
            return Ok(Advance::Stale);
        }
        match &seats[..] {
            [] => move_bare(&git, branch, &base, landed).await,
            [seat] => move_seat(seat, &base, commit, landed).await,
            [first, ..] => Ok(Advance::Refused(format!(
                "{branch} is checked out in several folders ({} among them); leave it in all but one, then resume the task",
                first.display()
            ))),
        }
    }

    /// Brings the base as it is now into the task's branch (see [`Workspace::bring_in`]).
    pub async fn bring_up_to_date(&self, commit: &str) -> Result<UpToDate, WorkspaceError> {
        if let Tracking::Mirror { repository, url } = &self.tracking {
            mirror::refresh(repository, url, &self.keys).await?;
        }
        let base = self.base_head(&self.git_of_repository().await?).await?;
        self.bring_in(commit, base).await
    }

    /// Merges a head of the base into the task's branch, which must stand at `commit` or at such a merge of it. The work
    /// counts from there from now on. Where they conflict the merge holds the marks, for somebody to resolve.
    pub async fn bring_in(&self, commit: &str, base: String) -> Result<UpToDate, WorkspaceError> {
        let git = self.git().await?;
        if git.is_ancestor(&base, commit).await? || git.is_ancestor(commit, &base).await? {
            return Ok(UpToDate::unmoved(commit, base));
        }
        let _held = lock::hold(&lock::file(&self.state, self.repository())?).await?;
        let head = self.head_by(&git).await?;
        let only_merged =
            git.is_ancestor(commit, &head).await? && is_only_merges(&git, &head, commit, &base).await?;
        if !only_merged {
            let what = format!("its branch was moved to {head} after {commit} was judged");
            return Err(WorkspaceError::tampered(&self.top, what));
        }
        let (tree, conflicts) = merged_tree(&git, commit, &base).await?;
        let name = self.base_branch().unwrap_or("its base");
        let message = format!("Merge {name} into {}", self.branch);
        let call = git.call(["commit-tree", "-m", &message, "-p", commit, "-p", &base, &tree]);
        let merged = call.text().await?;
        git.call(["update-ref", &self.branch_ref(), &merged, &head])
            .text()
            .await?;
        git.call(["read-tree", "--reset", "-u", &merged]).text().await?;
        self.start_from(&base)?;
        Ok(UpToDate {
            commit: merged,
            base,
            conflicts,
        })
    }

    /// Whether the base at which the work began holds a commit already: there is nothing to bring anywhere.
    pub async fn is_in_base(&self, commit: &str) -> Result<bool, WorkspaceError> {
        let git = self.git_of_repository().await?;
        Ok(git.is_ancestor(commit, &self.base.commit).await?)
    }

    /// The name of the branch that the work was made from; none where it was none.
    pub fn base_branch(&self) -> Option<&str> {
        let reference = &self.base.reference;
        let local = reference.strip_prefix("refs/heads/");
        local.or_else(|| reference.strip_prefix("refs/remotes/origin/"))
    }

    /// Where the repository was cloned from; none where nobody says so.
    pub async fn origin(&self) -> Result<Option<String>, WorkspaceError> {
        match &self.tracking {
            Tracking::Mirror { url, .. } => Ok(Some(url.clone())),
            Tracking::Worktree { .. } => {
                let git = self.git_of_repository().await?;
                let call = git.call(["config", "--get", "remote.origin.url"]);
                Ok(call.text_if_any().await?)
            }
            Tracking::Own { .. } | Tracking::Shadow { .. } => Ok(None),
        }
    }

    /// The base is a branch of a repository of this machine, which is the orchestrator's to move.
    fn own_base(&self) -> Result<&str, Advance> {
        let why = match &self.tracking {
            Tracking::Own { .. } | Tracking::Shadow { .. } => {
                let base = self.base.commit.clone();
                return Err(Advance::Done { base });
            }
            Tracking::Mirror { url, .. } => format!(
                "its base is at {url}; merge {} there by hand, then cancel the task or say that it is complete",
                self.branch
            ),
            Tracking::Worktree { .. } if self.base.reference.starts_with("refs/heads/") => {
                return Ok(&self.base.reference);
            }
            Tracking::Worktree { repository } => format!(
                "no branch was checked out in {} when the work began; merge {} by hand",
                repository.display(),
                self.branch
            ),
        };
        Err(Advance::Refused(why))
    }

    /// Remembers that the work starts from this base.
    fn start_from(&self, base: &str) -> Result<(), WorkspaceError> {
        let Some(mut known) = record::read(&self.state, &self.task)? else {
            return Ok(());
        };
        known.workspace.base.commit = base.to_owned();
        record::write(&self.state, &known)
    }
}

/// Whether `head` holds nothing beyond `commit` and the base but merges.
async fn is_only_merges(git: &Git, head: &str, commit: &str, base: &str) -> Result<bool, GitError> {
    let call = git.call(["rev-list", "--count", "--no-merges", head]);
    let count = call
        .arg(format!("^{commit}"))
        .arg(format!("^{base}"))
        .text()
        .await?;
    Ok(count == "0")
}

/// The tree of a merge, marks of conflicts and all.
async fn merged_tree(git: &Git, commit: &str, base: &str) -> Result<(String, Vec<String>), WorkspaceError> {
    let args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z"];
    let out = git.call(args).arg(commit).arg(base).output().await?;
    let mut records = split_zero(&out.stdout).map(|r| String::from_utf8_lossy(r).into_owned());
    match (out.status.code(), records.next()) {
        (Some(0 | 1), Some(tree)) => Ok((tree, records.collect())),
        _ => Err(GitError::failed("merge-tree".to_owned(), git.dir().to_path_buf(), &out).into()),
    }
}

/// The folders in which a branch is checked out.
async fn seats(git: &Git, branch: &str) -> Result<Vec<PathBuf>, WorkspaceError> {
    let lines = git
        .call(["worktree", "list", "--porcelain", "-z"])
        .bytes()
        .await?;
    let text = String::from_utf8_lossy(&lines).into_owned();
    let mut seats = Vec::new();
    let mut folder = None;
    for line in text.split('\0') {
        match line.split_once(' ') {
            Some(("worktree", path)) => folder = Some(PathBuf::from(path)),
            Some(("branch", name)) if name == branch => seats.extend(folder.take()),
            _ => {}
        }
    }
    Ok(seats)
}

/// Nobody has it checked out: the name moves, from where it was seen.
async fn move_bare(git: &Git, branch: &str, base: &str, landed: String) -> Result<Advance, WorkspaceError> {
    let moved = git.call(["update-ref", branch, &landed, base]).output().await?;
    if moved.status.success() {
        return Ok(Advance::Done { base: landed });
    }
    match git.commit(branch).await? {
        Some(now) if now != base => Ok(Advance::Behind),
        _ => Err(GitError::failed("update-ref".to_owned(), git.dir().to_path_buf(), &moved).into()),
    }
}

/// Somebody has it checked out: their folder follows. What they have changed themselves is not touched; where it is in the
/// way nothing moves.
async fn move_seat(seat: &Path, base: &str, commit: &str, landed: String) -> Result<Advance, WorkspaceError> {
    let git = Git::open_top(seat).await?;
    if let Some(path) = filtered(&git, base, commit).await? {
        return Ok(Advance::Refused(format!(
            "{path} goes through a filter of git (such as LFS), which does not run here; merge it by hand in {}: git merge {commit}",
            seat.display()
        )));
    }
    let call = git.call(["merge", "--ff-only", "--quiet", "--no-verify", "--no-autostash"]);
    let out = call.arg(&landed).unbroken().output().await?;
    match git.commit("HEAD").await? {
        Some(head) if out.status.success() && head == landed => Ok(Advance::Done { base: landed }),
        Some(head) if head != base => Ok(Advance::Behind),
        _ => {
            let words = String::from_utf8_lossy(&out.stderr);
            Ok(Advance::Refused(format!(
                "the folder {} cannot follow: {}; commit or put aside what is changed there, then resume the task",
                seat.display(),
                words.split_whitespace().collect::<Vec<_>>().join(" ")
            )))
        }
    }
}

/// A changed path that git would send through a program.
async fn filtered(git: &Git, base: &str, commit: &str) -> Result<Option<String>, WorkspaceError> {
    let call = git.call([
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        base,
        commit,
    ]);
    let changed = call.bytes().await?;
    if changed.is_empty() {
        return Ok(None);
    }
    let call = git.call(["check-attr", "-z", "--stdin", "filter"]).stdin(changed);
    let told = call.list().await?;
    let mut threes = told.chunks_exact(3);
    Ok(threes
        .find(|three| !matches!(three[2].as_str(), "unspecified" | "unset"))
        .map(|three| three[0].clone()))
}
