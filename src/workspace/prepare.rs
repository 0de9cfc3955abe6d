//! Making a workspace, or finding it again: the way from a task's Workspace field to a folder.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::error::WorkspaceError;
use super::git::Git;
use super::login::Keychain;
use super::place::{Tracking, Workspace};
use super::record::{self, Record};
use super::repository::{self, Found, Repository};
use super::source::Source;
use super::{fence, lock, mirror, own, shadow};
use crate::domain::id::TaskId;

/// All workspaces of one instance.
#[derive(Debug, Clone)]
pub struct Workspaces {
    instance: PathBuf,
    pub(super) state: PathBuf,
    home: Option<PathBuf>,
    keys: Keychain,
}

impl Workspaces {
    /// For the instance at `instance_root`, with everything that is made below `state_dir` (made where absent).
    ///
    /// `home` is what `~/` stands for; without it such a workspace is refused.
    pub fn new(instance_root: &Path, state_dir: &Path, home: Option<&Path>) -> Result<Self, WorkspaceError> {
        std::fs::create_dir_all(state_dir).map_err(WorkspaceError::io(state_dir))?;
        let real = |path: &Path| path.canonicalize().map_err(WorkspaceError::io(path));
        Ok(Self {
            instance: real(instance_root)?,
            state: real(state_dir)?,
            home: home.and_then(|h| h.canonicalize().ok()),
            keys: Keychain::default(),
        })
    }

    /// The same, which clone and fetch from https addresses of this host (with a port where it is an unusual one) by this token.
    #[must_use]
    pub fn with_login(mut self, host: &str, token: SecretString) -> Self {
        self.keys = Keychain::of(host, token);
        self
    }

    /// Its logins.
    pub(super) fn keys(&self) -> &Keychain {
        &self.keys
    }

    /// What git says of its version; an error where there is none.
    pub async fn git_version(&self) -> Result<String, WorkspaceError> {
        Ok(Git::bare_handed(&self.state)
            .call(["version"])
            .text()
            .await?
            .trim()
            .to_owned())
    }

    /// The workspace of a task: made where there is none, the same again where there is one.
    ///
    /// Not to be called while a worker of the task is alive (a lock that a dead one left is removed); see
    /// [`Workspaces::find`] for that. `dependencies` are the tasks whose branches are merged into a new branch.
    pub async fn prepare(
        &self,
        task: &TaskId,
        workspace: Option<&str>,
        title: &str,
        dependencies: &[TaskId],
    ) -> Result<Workspace, WorkspaceError> {
        let source = self.source_of(workspace)?;
        let known = record::read(&self.state, task)?;
        if let Some(known) = &known {
            if known.source == source.key()
                && let Some(git) = whole(&known.workspace).await
            {
                known.workspace.settle(&git).await?;
                return Ok(self.lent(known.workspace.clone()));
            }
            self.put_away(&known.workspace).await?;
        }
        let mut made = self.make(task, &source, title, dependencies).await?;
        if let Some(known) = known.filter(|k| k.workspace.repository() == made.repository()) {
            made.base = known.workspace.base;
        }
        let (source, workspace) = (source.key(), made.clone());
        record::write(&self.state, &Record { source, workspace })?;
        Ok(self.lent(made))
    }

    /// What a Workspace field names.
    pub(super) fn source_of(&self, workspace: Option<&str>) -> Result<Source, WorkspaceError> {
        Source::read(workspace, &self.instance, self.home.as_deref())
    }

    /// With what it needs to go back to where it came from.
    fn lent(&self, workspace: Workspace) -> Workspace {
        let keys = self.keys.clone();
        Workspace { keys, ..workspace }
    }

    /// The workspace of a task as it was made; changes nothing, so it may be asked while a worker is alive.
    pub async fn find(&self, task: &TaskId) -> Result<Option<Workspace>, WorkspaceError> {
        let known = record::read(&self.state, task)?.map(|r| r.workspace);
        match known {
            Some(found) if whole(&found).await.is_some() => Ok(Some(self.lent(found))),
            _ => Ok(None),
        }
    }

    /// The folder of a task's own, which is kept when the task is over; none where it worked elsewhere.
    pub fn own_folder(&self, task: &TaskId) -> Option<PathBuf> {
        own::folder(&self.state, task)
            .ok()
            .filter(|folder| folder.is_dir())
    }

    async fn make(
        &self,
        task: &TaskId,
        source: &Source,
        title: &str,
        dependencies: &[TaskId],
    ) -> Result<Workspace, WorkspaceError> {
        match source {
            Source::Own => own::make(&self.state, task, title).await,
            Source::Url(url) => {
                let found = mirror::fetch(&self.state, url, &self.keys).await?;
                self.worktree(task, found, dependencies).await
            }
            Source::Folder(named) => {
                let folder = self.allowed(named)?;
                match repository::locate(&folder).await? {
                    Some(found) => self.worktree(task, found, dependencies).await,
                    None => {
                        self.allowed_in_place(&folder)?;
                        shadow::make(&self.state, task, &folder).await
                    }
                }
            }
        }
    }

    async fn worktree(
        &self,
        task: &TaskId,
        found: Found,
        dependencies: &[TaskId],
    ) -> Result<Workspace, WorkspaceError> {
        let top = fence::beneath(&self.state, "worktrees", task.as_str())?;
        if top.exists() {
            fence::set_aside(&self.state, &top)?;
        }
        let Found { repository, prefix } = found;
        let held = lock::hold(&lock::file(&self.state, &repository.git_dir)?).await?;
        let base = repository.check_out(task, &top, dependencies).await?;
        drop(held);
        let wanted = top.join(&prefix);
        std::fs::create_dir_all(&wanted).map_err(WorkspaceError::io(&wanted))?;
        let top = top.canonicalize().map_err(WorkspaceError::io(&top))?;
        Ok(Workspace {
            task: task.clone(),
            root: fence::inside(&top, &wanted)?,
            branch: repository::branch(task),
            base,
            tracking: repository.tracking(),
            state: self.state.clone(),
            keys: Keychain::default(),
            top,
        })
    }

    /// The folder as it really is, unless it is one that no task may have.
    fn allowed(&self, named: &Path) -> Result<PathBuf, WorkspaceError> {
        let folder = named
            .canonicalize()
            .map_err(|_| WorkspaceError::Missing(named.to_path_buf()))?;
        let refuse = |rule: &str| Err(WorkspaceError::refused(&named.display().to_string(), rule));
        if !folder.is_dir() {
            refuse("it is a file; name the folder")
        } else if folder.starts_with(&self.state) {
            refuse("it lies in the orchestrator's own state folder")
        } else {
            Ok(folder)
        }
    }

    /// Working in place needs more care than working in a copy.
    fn allowed_in_place(&self, folder: &Path) -> Result<(), WorkspaceError> {
        let refuse = |rule: &str| Err(WorkspaceError::refused(&folder.display().to_string(), rule));
        if folder.parent().is_none() {
            refuse("it is the root of the file system; name a project's folder")
        } else if self.home.as_deref() == Some(folder) {
            refuse("it is the home folder; name a project's folder in it")
        } else if self.state.starts_with(folder) || self.instance.starts_with(folder) {
            refuse(
                "it holds the instance itself; name a project's folder, or make the instance a git repository",
            )
        } else {
            Ok(())
        }
    }

    /// Makes room for another workspace of the same task; what was left uncommitted is committed first.
    pub(super) async fn put_away(&self, old: &Workspace) -> Result<(), WorkspaceError> {
        let is_worktree = matches!(old.tracking, Tracking::Worktree { .. } | Tracking::Mirror { .. });
        if !is_worktree || !old.top.exists() {
            return Ok(());
        }
        if whole(old).await.is_none() {
            return fence::set_aside(&self.state, &old.top);
        }
        let start = old.base.commit.clone();
        old.commit_leftovers("Left uncommitted when the workspace was put away", &start)
            .await?;
        let git = old.git_of_repository().await?;
        let _held = lock::hold(&lock::file(&self.state, old.repository())?).await?;
        let call = git.call(["worktree", "remove", "--force", "--"]);
        match call.arg(&old.top).text().await {
            // What lies too deep for git was not committed, and is not deleted either.
            Err(_) if old.top.exists() => fence::set_aside(&self.state, &old.top),
            removed => Ok(removed.map(drop)?),
        }
    }
}

/// Git in a remembered workspace that is still what it was: its checkout, its repository, its branch.
async fn whole(workspace: &Workspace) -> Option<Git> {
    let git = workspace.git().await.ok()?;
    let is_whole = workspace.root.is_dir() && workspace.head_by(&git).await.is_ok();
    is_whole.then_some(git)
}

/// The short digest under which a place that is named from outside is kept.
pub(super) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(10).map(|b| format!("{b:02x}")).collect()
}

impl Repository {
    fn tracking(&self) -> Tracking {
        let repository = self.git_dir.clone();
        match &self.url {
            None => Tracking::Worktree { repository },
            Some(url) => Tracking::Mirror {
                repository,
                url: url.clone(),
            },
        }
    }
}
