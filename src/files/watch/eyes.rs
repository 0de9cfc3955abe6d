//! The system's notifications: which folders are watched, and what an event about a path means.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::changes::Changes;
use super::pending::Pending;
use crate::config::layout::Layout;
use crate::files::{heartbeats, wake};

/// The watches, and what they are over.
#[derive(Debug)]
pub(super) struct Eyes {
    layout: Layout,
    watcher: Option<RecommendedWatcher>,
    /// Each watched path with the file it was when the watch was set: (device, inode).
    armed: BTreeMap<PathBuf, (u64, u64)>,
    shared: Arc<Shared>,
    trouble: Option<String>,
}

/// What the thread of the notifications works with.
#[derive(Debug)]
struct Shared {
    layout: Layout,
    /// Where the queue file really is, when it is a link.
    queue_target: RwLock<Option<PathBuf>>,
    /// Watched paths that came or went: their watches may be over files that are no more (whose inode may already be
    /// another's).
    stale: Mutex<BTreeSet<PathBuf>>,
    pending: Arc<Pending>,
}

impl Eyes {
    pub(super) fn new(layout: &Layout, pending: Arc<Pending>) -> Self {
        let shared = Shared {
            layout: layout.clone(),
            queue_target: RwLock::new(None),
            stale: Mutex::default(),
            pending,
        };
        Self {
            layout: layout.clone(),
            watcher: None,
            armed: BTreeMap::new(),
            shared: Arc::new(shared),
            trouble: None,
        }
    }

    /// Whether folders came or went since the last [`Eyes::arm`].
    pub(super) fn must_rearm(&self) -> bool {
        !self.shared.stale().is_empty()
    }

    /// Why not everything can be watched.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Sets the watches that are missing, and drops those of files that are no more. Returns what is watched anew, and
    /// may have changed unseen before.
    pub(super) fn arm(&mut self) -> Changes {
        // Taken first: the notifier's thread needs the lock while it drops a watch.
        let stale = std::mem::take(&mut *self.shared.stale());
        stale.iter().for_each(|path| self.forget(path));
        self.trouble = None;
        self.open_watcher();
        let mut anew = Changes::default();
        for (path, meaning) in self.wanted() {
            match self.watch(&path) {
                Ok(false) => {}
                Ok(true) => anew.merge(&meaning),
                Err(reason) => self.trouble = Some(reason),
            }
        }
        anew
    }

    fn open_watcher(&mut self) {
        if self.watcher.is_some() {
            return;
        }
        let shared = self.shared.clone();
        match notify::recommended_watcher(move |event| shared.take_up(event)) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(fault) => self.trouble = Some(format!("the system gives no file notifications: {fault}")),
        }
    }

    /// The paths to watch, each with what may have changed when its watch is new.
    fn wanted(&mut self) -> Vec<(PathBuf, Changes)> {
        let layout = &self.layout;
        // The wake file is watched by itself: its folder is busy with the database.
        if !layout.wake().exists()
            && layout.root().exists()
            && let Err(fault) = wake::touch(&layout.wake())
        {
            self.trouble = Some(fault.to_string());
        }
        let none = Changes::default;
        let mut wanted = vec![
            (
                layout.root().to_owned(),
                Changes {
                    queue: true,
                    ..none()
                },
            ),
            (layout.jobs(), Changes { jobs: true, ..none() }),
            (
                layout.agents(),
                Changes {
                    agents: true,
                    ..none()
                },
            ),
            (
                layout.heartbeats(),
                Changes {
                    all_heartbeats: true,
                    ..none()
                },
            ),
            (layout.wake(), Changes { wake: true, ..none() }),
        ];
        // A folder that is not there is seen by its parent when it comes.
        wanted.retain(|(path, _)| path == layout.root() || path.exists());
        if let Some(folder) = self.find_queue_target() {
            wanted.push((
                folder,
                Changes {
                    queue: true,
                    ..none()
                },
            ));
        }
        wanted
    }

    /// The folder of the queue file where that is a link to elsewhere.
    fn find_queue_target(&self) -> Option<PathBuf> {
        let queue = self.layout.queue_file();
        let is_link = fs::symlink_metadata(&queue).is_ok_and(|meta| meta.is_symlink());
        let target = is_link.then(|| fs::canonicalize(&queue).ok()).flatten();
        let folder = target.as_deref().and_then(Path::parent).map(Path::to_owned);
        *self
            .shared
            .queue_target
            .write()
            .unwrap_or_else(PoisonError::into_inner) = target;
        folder
    }

    fn forget(&mut self, path: &Path) {
        if self.armed.remove(path).is_some()
            && let Some(watcher) = &mut self.watcher
        {
            // Fails where the system has dropped the watch with the file, which is as good.
            let _ = watcher.unwatch(path);
        }
    }

    /// Watches `path`; `true` where that is a new watch.
    fn watch(&mut self, path: &Path) -> Result<bool, String> {
        let sentence =
            |fault: &dyn std::fmt::Display| format!("{} cannot be watched: {fault}", path.display());
        let found = fs::metadata(path)
            .map(|meta| (meta.dev(), meta.ino()))
            .map_err(|fault| sentence(&fault))?;
        if self.armed.get(path) == Some(&found) {
            return Ok(false);
        }
        self.forget(path);
        let Some(watcher) = &mut self.watcher else {
            return Ok(false);
        };
        if self.armed.remove(path).is_some() {
            // Fails where the system has dropped the watch with the folder, which is as good.
            let _ = watcher.unwatch(path);
        }
        watcher
            .watch(path, RecursiveMode::NonRecursive)
            .map_err(|fault| sentence(&fault))?;
        self.armed.insert(path.to_owned(), found);
        Ok(true)
    }
}

/// How far the change that an event tells of has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Finished,
    Unfinished,
}

fn stage(kind: EventKind) -> Option<Stage> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Stage::Finished),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(Stage::Unfinished),
        EventKind::Modify(ModifyKind::Name(_)) => Some(Stage::Finished),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => Some(Stage::Unfinished),
    }
}

impl Shared {
    /// Takes up one notification, in the notifier's thread.
    fn take_up(&self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            return self.lost_track();
        };
        if event.need_rescan() {
            return self.lost_track();
        }
        let Some(stage) = stage(event.kind) else {
            return;
        };
        for path in &event.paths {
            if self.may_need_new_watches(event.kind, path) {
                self.stale().insert(path.clone());
                self.pending.nudge();
            }
            let changes = self.meaning(path);
            match stage {
                Stage::Finished => self.pending.add_finished(&changes),
                Stage::Unfinished => self.pending.add_unfinished(&changes),
            }
        }
    }

    /// Notifications were lost: everything may have changed.
    fn lost_track(&self) {
        self.stale().extend(self.watched());
        self.pending.add_unfinished(&Changes::everything());
    }

    fn stale(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_target(&self) -> Option<PathBuf> {
        self.queue_target
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn watched(&self) -> [PathBuf; 5] {
        let layout = &self.layout;
        [
            layout.root().to_owned(),
            layout.jobs(),
            layout.agents(),
            layout.heartbeats(),
            layout.wake(),
        ]
    }

    fn may_need_new_watches(&self, kind: EventKind, path: &Path) -> bool {
        let comes_or_goes = matches!(
            kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        comes_or_goes
            && (path == self.layout.queue_file()
                || self.watched().iter().any(|one| one == path)
                || self.queue_target().as_deref().and_then(Path::parent) == Some(path))
    }

    fn meaning(&self, path: &Path) -> Changes {
        let layout = &self.layout;
        let within = |folder: PathBuf| path == folder || path.parent() == Some(&folder);
        let heartbeat = || path.file_name()?.to_str().and_then(heartbeats::task_of);
        let in_heartbeats = path.parent() == Some(&layout.heartbeats());
        Changes {
            queue: path == layout.queue_file() || self.queue_target().as_deref() == Some(path),
            jobs: within(layout.jobs()),
            agents: within(layout.agents()),
            heartbeats: in_heartbeats.then(heartbeat).flatten().into_iter().collect(),
            all_heartbeats: path == layout.heartbeats(),
            wake: path == layout.wake(),
        }
    }
}
