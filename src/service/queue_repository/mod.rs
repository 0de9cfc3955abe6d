//! A git repository as the queue: what it holds is written beside the state, edits go into it by commit and push.
//!
//! Invariants: the files beside the state are always those of one commit; an edit is made from the content of the commit
//! that it is pushed onto, and made anew where somebody else was faster, so it can undo nobody's; what we wrote is known
//! again by the trailers of our commits, also where the answer to a push was lost or another node made it.

mod message;
mod standing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use self::message::{STATUS, Said, message};
pub use self::standing::{Rewritten, Standing, Trouble};
use crate::config::section::{Queue, QueueAddress};
use crate::config::{Layout, layout};
use crate::domain::definition::Declared;
use crate::domain::id::TaskId;
use crate::files::{FileError, archive, atomic, folder, queue_file};
use crate::format::queue::{Overflow, parse_status};
use crate::workspace::{Pushed, Upstream, UpstreamContent, UpstreamError, WorkspaceError, Workspaces};

/// The largest job or agent that is read, in bytes.
const FILE: u64 = 1 << 20;
/// Tries before a branch counts as moved without pause.
const ROUNDS: u32 = 14;
/// The first wait between two of them; doubled with each further one, up to the longest.
const PAUSE: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(2);
/// The newest commit that was seen, fetched or pushed.
const SEEN: &str = "seen";
/// The commit up to which what we wrote ourselves is known in the store.
const KNOWN: &str = "known";

/// The queue's repository.
#[derive(Debug)]
pub struct QueueRepository {
    upstream: Upstream,
    layout: Layout,
    /// The queue file in the repository.
    path: String,
    /// Between two looks at it.
    pub pull: Duration,
    /// How long edits are gathered.
    pub batch: Duration,
}

/// What the branch holds at a commit.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The commit.
    pub head: String,
    /// The queue file.
    pub queue: Vec<u8>,
    jobs: Vec<(String, Vec<u8>)>,
    agents: Vec<(String, Vec<u8>)>,
    /// What we wrote last of each task, since the commit that is known.
    pub said: BTreeMap<TaskId, Declared>,
    /// Where it does not follow from what was known: that commit. None is known in a new clone.
    pub past: Past,
}

/// How a commit follows from what was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// It leads to it.
    Follows,
    /// Nothing was known.
    New,
    /// History was written anew; this was the newest commit before.
    Rewritten(String),
}

/// Why the repository cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The branch.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The queue file in it.
    #[error("{url} has {what} on '{branch}'")]
    NoQueue {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// What it has instead of a queue file, and what to do.
        what: String,
    },
    /// Others push without pause.
    #[error("{url}: others pushed {ROUNDS} times while an edit was on its way; it is tried again")]
    Busy {
        /// The repository.
        url: String,
    },
    /// The files beside the state.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<WorkspaceError> for QueueError {
    fn from(error: WorkspaceError) -> Self {
        Self::Upstream(error.into())
    }
}

/// An edit of the queue file.
#[derive(Debug)]
pub struct Edited {
    /// The new content.
    pub bytes: Vec<u8>,
    /// Sections that go to the archive.
    pub overflow: Vec<Overflow>,
    /// The commit's message.
    pub message: String,
}

/// What became of an edit.
#[derive(Debug)]
pub struct Placed {
    /// The commit that holds it; the one that it was made from, where there was nothing to change.
    pub head: String,
    /// The content that it was made from.
    pub before: Vec<u8>,
}

impl QueueRepository {
    /// The one that is configured, where one is.
    pub fn of(
        config: &Queue,
        layout: &Layout,
        workspaces: &Workspaces,
    ) -> Result<Option<Self>, WorkspaceError> {
        let url = match &config.repository {
            None => return Ok(None),
            Some(QueueAddress::Url(url)) => url.clone(),
            Some(QueueAddress::Folder(path)) => format!("file://{}", absolute(layout, path).display()),
        };
        let author = (config.author.name.clone(), config.author.email.clone());
        Ok(Some(Self {
            upstream: workspaces.upstream(layout::QUEUE_REPOSITORY, &url, &config.branch, author)?,
            layout: layout.clone(),
            path: config.path.clone(),
            pull: config.pull,
            batch: config.batch,
        }))
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.upstream.url()
    }

    /// Its branch.
    pub fn branch(&self) -> &str {
        self.upstream.branch()
    }

    /// The newest commit of the branch, asked for now.
    pub async fn fetch(&self) -> Result<String, QueueError> {
        Ok(self.upstream.fetch(SEEN).await?)
    }

    /// The newest commit that was seen; none where nothing was yet.
    pub async fn seen(&self) -> Result<Option<String>, QueueError> {
        Ok(self.upstream.marked(SEEN).await?)
    }

    /// What the branch holds at a commit.
    pub async fn snapshot(&self, head: &str) -> Result<Snapshot, QueueError> {
        let upstream = &self.upstream;
        let known = upstream.marked(KNOWN).await?;
        let past = match &known {
            None => Past::New,
            Some(known) if upstream.leads_to(known, head).await? => Past::Follows,
            Some(known) => Past::Rewritten(known.clone()),
        };
        let from = known.as_deref().filter(|_| past == Past::Follows);
        let said = upstream.trailers(STATUS, from, head).await?;
        Ok(Snapshot {
            head: head.to_owned(),
            queue: self.queue_at(head).await?,
            jobs: upstream.folder(head, &self.beside("jobs"), ".md", FILE).await?,
            agents: upstream.folder(head, &self.beside("agents"), ".md", FILE).await?,
            said: said.iter().filter_map(|line| said_of(line)).collect(),
            past,
        })
    }

    /// Has the files beside the state be those of a snapshot.
    pub fn write(&self, snapshot: &Snapshot) -> Result<(), QueueError> {
        folder::replace(&self.layout.jobs(), "md", &snapshot.jobs)?;
        folder::replace(&self.layout.agents(), "md", &snapshot.agents)?;
        let queue = self.layout.queue_file();
        if std::fs::read(&queue).ok().as_ref() != Some(&snapshot.queue) {
            atomic::write(&queue, &snapshot.queue)?;
        }
        Ok(())
    }

    /// What we wrote up to this commit is known in the store.
    pub async fn know(&self, head: &str) -> Result<(), QueueError> {
        Ok(self.upstream.mark(KNOWN, Some(head)).await?)
    }

    /// Packs the clone where that is worth it.
    pub async fn tidy(&self) -> Result<(), QueueError> {
        Ok(self.upstream.tidy().await?)
    }

    /// Changes the queue file by what `edit` makes of its content at that moment; none changes nothing. Where somebody else
    /// pushes meanwhile, `edit` is called again with the new content, so it must decide from what it is given.
    pub async fn edit(&self, mut edit: impl FnMut(&[u8]) -> Option<Edited>) -> Result<Placed, QueueError> {
        // Of its own: a command may be at it beside the service.
        let mark = format!("edit-{}", uuid::Uuid::now_v7());
        let done = self.edit_at(&mark, &mut edit).await;
        if self.upstream.marked(&mark).await?.is_some() {
            self.upstream.mark(&mark, None).await?;
        }
        done
    }

    async fn edit_at(
        &self,
        mark: &str,
        edit: &mut impl FnMut(&[u8]) -> Option<Edited>,
    ) -> Result<Placed, QueueError> {
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(pause(round)).await;
            }
            let base = self.upstream.fetch(mark).await?;
            let before = self.queue_at(&base).await?;
            let Some(edited) = edit(&before) else {
                let head = base;
                return Ok(Placed { head, before });
            };
            let files = self.files(&base, &edited).await?;
            let head = self.upstream.commit(&base, &files, &edited.message).await?;
            match self.upstream.push(&base, &head).await? {
                Pushed::Done => {
                    // Before anything counts on it: a start without the other side goes on from here.
                    self.upstream.mark(SEEN, Some(&head)).await?;
                    return Ok(Placed { head, before });
                }
                Pushed::Moved | Pushed::Refused(_) | Pushed::Stale => {}
            }
        }
        Err(QueueError::Busy {
            url: self.url().to_owned(),
        })
    }

    /// The files of an edit: the queue, and the archives that sections go to.
    async fn files(&self, base: &str, edited: &Edited) -> Result<Vec<(String, Vec<u8>)>, QueueError> {
        let mut archives: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for section in &edited.overflow {
            let month = section.month.as_deref().unwrap_or("undated");
            let path = self.beside(&format!("archive/{month}.md"));
            if !archives.contains_key(&path) {
                let there = match self.upstream.file(base, &path, archive::LIMIT).await? {
                    UpstreamContent::Bytes(bytes) => bytes,
                    UpstreamContent::Missing => Vec::new(),
                    odd => return Err(self.no_queue(&path, &odd)),
                };
                archives.insert(path.clone(), there);
            }
            if let Some(text) = archives.get_mut(&path)
                && let Some(longer) = archive::appended(text, &section.bytes)
            {
                *text = longer;
            }
        }
        let queue = (self.path.clone(), edited.bytes.clone());
        Ok(std::iter::once(queue).chain(archives).collect())
    }

    async fn queue_at(&self, commit: &str) -> Result<Vec<u8>, QueueError> {
        match self.upstream.file(commit, &self.path, queue_file::LIMIT).await? {
            UpstreamContent::Bytes(bytes) => Ok(bytes),
            odd => Err(self.no_queue(&self.path, &odd)),
        }
    }

    fn no_queue(&self, path: &str, odd: &UpstreamContent) -> QueueError {
        let what = match odd {
            UpstreamContent::Missing => format!("no file {path}; push one, or name another: [queue] path"),
            UpstreamContent::TooLarge(size) => {
                format!(
                    "a file {path} of {} MiB; move old content to another file",
                    size >> 20
                )
            }
            UpstreamContent::Odd | UpstreamContent::Bytes(_) => {
                format!("no plain file {path}; replace it by one")
            }
        };
        QueueError::NoQueue {
            url: self.url().to_owned(),
            branch: self.branch().to_owned(),
            what,
        }
    }

    /// A path beside the queue file in the repository.
    fn beside(&self, name: &str) -> String {
        match self.path.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }
}

/// `ID STATUS`, as a trailer has it.
fn said_of(line: &str) -> Option<(TaskId, Declared)> {
    let (id, status) = line.split_once(' ')?;
    Some((TaskId::parse(id).ok()?, parse_status(status)?.declared))
}

fn absolute(layout: &Layout, path: &std::path::Path) -> PathBuf {
    let path = layout.root().join(path);
    path.canonicalize().unwrap_or(path)
}

/// Doubled with each round, and different for everybody, so that two who race do not go on in step.
fn pause(round: u32) -> Duration {
    let longest = PAUSE.saturating_mul(1 << round.min(10)).min(LONGEST);
    let dice = uuid::Uuid::new_v4().as_u128() % 1000;
    let part = u32::try_from(dice).unwrap_or(0);
    longest / 4 + longest * part / 1000 * 3 / 4
}
