//! Spare checkouts: of a repository with many files one is laid out in advance, in which nothing ever runs, so that the
//! gate need not write thousands of files while somebody waits for it.
//!
//! Invariants: a spare is known to the process that laid it and to no file; what a process finds on the disk it throws
//! away. A spare is used once. It is used only where its [`Imprint`] says that nobody touched anything in it since it was
//! laid, where git would still write the same bytes, and where nothing differs that decides how git writes others; at any doubt the
//! checkout is made from nothing. At most one a repository, [`MOST`] in all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::changes::{ChangedPath, compared};
use super::disarm;
use super::error::WorkspaceError;
use super::fence;
use super::git::Git;
use super::imprint::Imprint;
use super::place::Workspace;
use super::removal;

/// A repository with fewer files is checked out soon enough.
const LEAST: u32 = 500;
/// So many spares are kept at one time.
const MOST: usize = 8;
/// Longer than a file system's clock needs from one tick to the next: what is done to a spare later has another time.
const TICK: Duration = Duration::from_millis(50);
/// More than git's clock, which counts seconds, needs from one tick to the next.
const SECONDS: Duration = Duration::from_secs(2);
/// Files of a repository that decide which bytes git writes for a content.
const RULES: [&str; 3] = ["config", "config.worktree", "info/attributes"];

/// The spare checkouts of one process. Cloning it is cheap; none are laid before [`Spares::keep`].
#[derive(Debug, Clone)]
pub struct Spares(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    state: PathBuf,
    /// By repository.
    slots: Mutex<BTreeMap<PathBuf, Slot>>,
    open: AtomicBool,
    /// One is laid at a time.
    turn: tokio::sync::Mutex<()>,
    laying: TaskTracker,
    end: CancellationToken,
}

#[derive(Debug)]
enum Slot {
    Laying,
    Ready(Spare),
    /// Its base at this commit has too few files.
    Small(String),
}

/// A checkout of one commit in which nothing ever ran: `tree/`, and the index of it. Dropping it deletes it.
#[derive(Debug)]
pub(super) struct Spare {
    home: PathBuf,
    commit: String,
    imprint: Imprint,
    rules: Vec<Vec<u8>>,
}

impl Spares {
    /// Below this state folder.
    pub fn new(state: &Path) -> Self {
        let laying = TaskTracker::new();
        // Waiting for it is waiting for what is being laid.
        laying.close();
        Self(Arc::new(Shelf {
            state: state.to_path_buf(),
            slots: Mutex::default(),
            open: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            laying,
            end: CancellationToken::new(),
        }))
    }

    /// From now on spares are laid: for a process that stays.
    pub fn keep(&self) {
        self.0.open.store(true, Ordering::Relaxed);
    }

    /// Lays one at the base of this workspace while everybody goes on, unless its repository has one or needs none.
    pub fn lay_soon(&self, workspace: &Workspace) {
        let repository = workspace.repository().to_path_buf();
        let is_open = self.0.open.load(Ordering::Relaxed) && !self.0.end.is_cancelled();
        if !is_open || !self.0.reserve(&repository, &workspace.base.commit) {
            return;
        }
        let (shelf, workspace) = (self.0.clone(), workspace.clone());
        self.0.laying.spawn(async move {
            let laid = tokio::select! {
                laid = shelf.lay(&workspace) => laid,
                () = shelf.end.cancelled() => Ok(None),
            };
            let laid = laid.unwrap_or_else(|error| {
                tracing::debug!(%error, "no spare checkout is laid");
                None
            });
            shelf.settle(repository, &workspace.base.commit, laid);
        });
    }

    /// Waits until nothing is being laid.
    pub async fn settled(&self) {
        self.0.laying.wait().await;
    }

    /// Deletes those of other repositories than these.
    pub fn retain(&self, repositories: &BTreeSet<PathBuf>) {
        let gone: Vec<Slot> = {
            let mut slots = self.0.slots();
            let others = slots.keys().filter(|r| !repositories.contains(*r)).cloned();
            let others: Vec<PathBuf> = others.collect();
            others.iter().filter_map(|r| slots.remove(r)).collect()
        };
        self.0.laying.spawn_blocking(move || drop(gone));
    }

    /// Whether there is none, and none is being laid.
    pub fn is_empty(&self) -> bool {
        self.0.slots().is_empty()
    }

    /// Lays no more, and deletes all.
    pub async fn end(&self) {
        self.0.end.cancel();
        self.settled().await;
        self.retain(&BTreeSet::new());
        self.settled().await;
    }

    /// The spare of this repository, which is nobody else's from now on.
    pub(super) fn take(&self, repository: &Path) -> Option<Spare> {
        let mut slots = self.0.slots();
        match slots.remove(repository) {
            Some(Slot::Ready(spare)) => Some(spare),
            Some(other) => {
                slots.insert(repository.to_path_buf(), other);
                None
            }
            None => None,
        }
    }
}

impl Shelf {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one is to be laid; then its place is taken.
    fn reserve(&self, repository: &Path, base: &str) -> bool {
        let mut slots = self.slots();
        let kept = slots.values().filter(|s| !matches!(s, Slot::Small(_))).count();
        let wanted = match slots.get(repository) {
            None => true,
            Some(Slot::Small(at)) => at != base,
            Some(Slot::Laying | Slot::Ready(_)) => false,
        };
        if !wanted || kept >= MOST {
            return false;
        }
        slots.insert(repository.to_path_buf(), Slot::Laying);
        true
    }

    /// Puts into its place what came of it; whoever gave the place up meanwhile wants it no more.
    fn settle(&self, repository: PathBuf, base: &str, laid: Option<Spare>) {
        let mut slots = self.slots();
        if matches!(slots.get(&repository), Some(Slot::Laying)) {
            let slot = laid.map_or_else(|| Slot::Small(base.to_owned()), Slot::Ready);
            slots.insert(repository, slot);
        }
    }

    /// Lays one; none where there are too few files, or where git may write other bytes without anybody's seeing why.
    async fn lay(&self, workspace: &Workspace) -> Result<Option<Spare>, WorkspaceError> {
        let _turn = self.turn.lock().await;
        let (repository, commit) = (workspace.repository(), workspace.base.commit.clone());
        let Some(rules) = rules(repository) else {
            return Ok(None);
        };
        let home = fence::beneath(&self.state, "spare", &uuid::Uuid::new_v4().to_string())?;
        let mut folder = Unfinished(Some(home.clone()));
        let (tree, index, unseen) = (home.join("tree"), home.join("index"), home.join("unseen"));
        fs::create_dir_all(&tree).map_err(WorkspaceError::io(&tree))?;
        let git = workspace
            .git_of_repository()
            .await?
            .apart(repository, &tree, &unseen);
        git.call(["read-tree", "--reset", &commit]).bytes().await?;
        if entries(&unseen).unwrap_or(0) < LEAST {
            return Ok(None);
        }
        fs::copy(&unseen, &index).map_err(WorkspaceError::io(&index))?;
        let laying = git.clone().apart(repository, &tree, &index);
        laying
            .call(["read-tree", "--reset", "-u", "--no-sparse-checkout", &commit])
            .bytes()
            .await?;
        tokio::time::sleep(TICK).await;
        let stood = imprint(&tree).await.map_err(WorkspaceError::io(&tree))?;
        // By an index that never saw these files git reads each of them, whatever its times say.
        let seen = ["ls-files", "--modified", "--deleted", "--others", "-z"];
        if !git.call(seen).bytes().await?.is_empty() {
            return Ok(None);
        }
        fs::remove_file(&unseen).map_err(WorkspaceError::io(&unseen))?;
        outlast(&index).map_err(WorkspaceError::io(&index))?;
        let imprint = imprint(&home).await.map_err(WorkspaceError::io(&home))?;
        let stands = self::imprint(&tree).await.map_err(WorkspaceError::io(&tree))?;
        if stands != stood {
            return Ok(None);
        }
        folder.0 = None;
        Ok(Some(Spare {
            home,
            commit,
            imprint,
            rules,
        }))
    }
}

impl Spare {
    /// Becomes the checkout of another commit: `top` (which must not be there yet) and `index`. It tells whether it did; if not, what is there is
    /// worth nothing.
    pub(super) async fn become_checkout(
        self,
        git: &Git,
        repository: &Path,
        commit: &str,
        top: &Path,
        index: &Path,
    ) -> Result<bool, WorkspaceError> {
        if !self.is_fit(git, repository, commit).await? {
            // Deleting thousands of files is nothing to wait for.
            tokio::task::spawn_blocking(move || drop(self));
            return Ok(false);
        }
        fs::rename(self.home.join("tree"), top).map_err(WorkspaceError::io(top))?;
        fs::rename(self.home.join("index"), index).map_err(WorkspaceError::io(index))?;
        let git = git.clone().apart(repository, top, index);
        git.call(["read-tree", "--reset", "-u", "--no-sparse-checkout", commit])
            .bytes()
            .await?;
        Ok(true)
    }
}

impl Spare {
    /// Whether nobody touched it, and git would write what is the same in both commits just as it did.
    async fn is_fit(&self, git: &Git, repository: &Path, commit: &str) -> Result<bool, WorkspaceError> {
        if rules(repository).as_ref() != Some(&self.rules) {
            return Ok(false);
        }
        let (changed, now) = tokio::join!(compared(git, &self.commit, commit), imprint(&self.home));
        if !now.is_ok_and(|now| now == self.imprint) {
            tracing::warn!(folder = %self.home.display(), "somebody touched a spare checkout; it is thrown away");
            return Ok(false);
        }
        let other = |c: &ChangedPath| c.is_repository() || decides(&c.path);
        Ok(!changed?.iter().any(other))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // What cannot be deleted now is found by the next start's pruning.
        let _ = removal::remove(&self.home);
    }
}

/// A folder that goes unless somebody takes it out.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            let _ = removal::remove(&folder);
        }
    }
}

/// Whether a change of this file changes which bytes git writes for others.
fn decides(path: &str) -> bool {
    path.rsplit('/').next() == Some(".gitattributes")
}

/// What decides which bytes git writes; none where the configuration names further files.
fn rules(repository: &Path) -> Option<Vec<Vec<u8>>> {
    let all = RULES.map(|name| fs::read(repository.join(name)).unwrap_or_default());
    (!all[..2].iter().any(|text| disarm::includes(text))).then(|| all.to_vec())
}

/// Dates an index after all files that it knows. Git takes a file of the same second for one that may have changed since, and would
/// read thousands of them while somebody waits; that none has changed is for the imprint to say, which is more exact.
fn outlast(index: &Path) -> std::io::Result<()> {
    let index = fs::File::options().write(true).open(index)?;
    let written = index.metadata()?.modified()?;
    index.set_modified(written + SECONDS)
}

async fn imprint(home: &Path) -> std::io::Result<Imprint> {
    let home = home.to_path_buf();
    let taken = tokio::task::spawn_blocking(move || Imprint::take(&home)).await;
    taken.unwrap_or_else(|e| Err(std::io::Error::other(e)))
}

/// How many entries an index has, as its head says.
fn entries(index: &Path) -> std::io::Result<u32> {
    let mut head = [0u8; 12];
    fs::File::open(index)?.read_exact(&mut head)?;
    let [.., a, b, c, d] = head;
    Ok(u32::from_be_bytes([a, b, c, d]))
}
