//! The queue file where it is in a git repository: what goes on beside the loop, and how that comes back into it.
//!
//! Invariants: one thing at a time is under way, a look at the branch or an edit of it; the loop never waits for it. What the
//! store remembers of the file changes together with the files beside the state, on the loop, before they are read. A
//! repository that is away is looked for again after a growing pause; nothing else depends on it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use super::{Content, MirrorError, QueueSync, declared, digest};
use crate::domain::definition::Declared;
use crate::domain::mirror::mirror;
use crate::domain::task::Task;
use crate::format::queue::{Document, apply};
use crate::service::board::Board;
use crate::service::instance::Instance;
use crate::service::queue_repository::{
    Edited, Past, Placed, QueueError, QueueRepository, Rewritten, Said, Snapshot, Standing, message,
};
use crate::store::{Mirrored, StoreError};

/// The longest wait before a repository that is away is looked for again: so many times that between two looks, in these bounds.
const LONGEST: (u32, Duration, Duration) = (10, Duration::from_secs(5), Duration::from_secs(300));
/// The first wait.
const FIRST: Duration = Duration::from_secs(2);
/// After so many commits that were new the clone is packed.
const TIDY: u32 = 200;

/// The repository, as the loop sees it.
pub(super) struct Remote {
    repository: Arc<QueueRepository>,
    standing: Standing,
    job: Option<JoinHandle<Went>>,
    /// What came of the last job, until all of it is taken in.
    went: Option<Went>,
    /// When the branch is looked at next.
    pull_at: DateTime<Utc>,
    /// Before this time nothing is sent.
    send_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    failures: u32,
    /// The commit whose content was taken in last.
    head: Option<String>,
    /// What is on its way.
    sending: Vec<Task>,
    /// Whether what was on its way has arrived; until somebody asks.
    arrived: Option<bool>,
    /// Whether edits are not gathered any more: the service ends.
    hurried: bool,
    new_heads: u32,
}

/// What came of a job.
struct Went {
    /// What the branch holds now, as far as that is known.
    snapshot: Option<Box<Snapshot>>,
    /// The contents from which and to which an edit led.
    edited: Option<(Content, Content)>,
    /// What failed.
    error: Option<QueueError>,
}

impl Remote {
    pub(super) async fn new(instance: &Instance) -> Result<Option<Self>, StoreError> {
        let Some(repository) = instance.queue_repository.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            repository,
            standing: Standing::recall(&*instance.store).await?,
            job: None,
            went: None,
            pull_at: instance.clock.now(),
            send_at: None,
            failures: 0,
            head: None,
            sending: Vec::new(),
            arrived: None,
            hurried: false,
            new_heads: 0,
        }))
    }

    /// Begins what is to go on beside the loop.
    fn begin(&mut self, work: impl Future<Output = Went> + Send + 'static) {
        #[expect(
            clippy::disallowed_methods,
            reason = "one at a time, kept in `job` and awaited by the loop"
        )]
        let job = tokio::spawn(work);
        self.job = Some(job);
    }

    fn look_if_due(&mut self, now: DateTime<Utc>) {
        if self.job.is_some() || self.pull_at > now {
            return;
        }
        let (repository, head) = (self.repository.clone(), self.head.clone());
        let tidy = self.new_heads >= TIDY;
        if tidy {
            self.new_heads = 0;
        }
        self.begin(async move { look(&repository, head.as_deref(), tidy).await });
    }

    /// What came of the job, where it is over.
    async fn finished(&mut self) {
        if self.job.as_ref().is_some_and(JoinHandle::is_finished) {
            self.ended().await;
        }
    }

    /// Waits for the end of the job; for ever where there is none. Whoever stops waiting loses nothing.
    async fn ended(&mut self) {
        let Some(job) = &mut self.job else {
            return std::future::pending().await;
        };
        // A panic was told by the panic hook; the next look begins anew.
        let went = job.await.ok();
        self.job = None;
        if went.is_none() {
            self.arrived = (!self.sending.is_empty()).then_some(false);
        }
        self.went = went;
    }

    /// When the branch is looked at next, or something is sent again.
    fn due_at(&self) -> Option<DateTime<Utc>> {
        match self.job {
            Some(_) => None,
            None => Some(self.pull_at.min(self.send_at.unwrap_or(self.pull_at))),
        }
    }

    /// Sets the times of the next steps by how it went.
    fn settle(&mut self, failed: bool, now: DateTime<Utc>) {
        let (pull, was_sending) = (self.repository.pull, !self.sending.is_empty());
        let was_away = self.failures > 0;
        self.failures = if failed {
            self.failures.saturating_add(1)
        } else {
            0
        };
        let wait = match self.failures {
            0 => pull,
            n => {
                let (times, least, most) = LONGEST;
                let longest = pull.saturating_mul(times).clamp(least, most);
                FIRST.saturating_mul(1 << (n - 1).min(12)).min(longest)
            }
        };
        self.pull_at = now + wait;
        if failed {
            self.send_at = Some(self.pull_at);
        } else if was_away {
            self.send_at = Some(now);
        }
        if was_sending {
            self.sending.clear();
            self.arrived = Some(!failed);
        }
    }
}

/// A look at the branch. Where it is away, and nothing was read yet, what was fetched before counts.
async fn look(repository: &QueueRepository, head: Option<&str>, tidy: bool) -> Went {
    if tidy && let Err(error) = repository.tidy().await {
        tracing::debug!(%error, "the clone of the queue is not packed");
    }
    let (found, error) = match repository.fetch().await {
        Ok(found) => (Some(found), None),
        Err(error) if head.is_none() => (repository.seen().await.unwrap_or(None), Some(error)),
        Err(error) => (None, Some(error)),
    };
    let mut went = Went {
        snapshot: None,
        edited: None,
        error,
    };
    if let Some(found) = found.filter(|found| Some(found.as_str()) != head) {
        match repository.snapshot(&found).await {
            Ok(snapshot) => went.snapshot = Some(Box::new(snapshot)),
            Err(error) => went.error = went.error.or(Some(error)),
        }
    }
    went
}

/// An edit, and what the branch holds after it.
async fn send(repository: &QueueRepository, edit: impl FnMut(&[u8]) -> Option<Edited>) -> Went {
    let placed = match repository.edit(edit).await {
        Ok(placed) => placed,
        Err(error) => {
            return Went {
                snapshot: None,
                edited: None,
                error: Some(error),
            };
        }
    };
    let Placed { head, before } = placed;
    match repository.snapshot(&head).await {
        Ok(snapshot) => Went {
            edited: Some((digest(&before), digest(&snapshot.queue))),
            snapshot: Some(Box::new(snapshot)),
            error: None,
        },
        Err(error) => Went {
            snapshot: None,
            edited: None,
            error: Some(error),
        },
    }
}

impl QueueSync {
    /// Whether the queue file is in a git repository.
    pub fn is_repository(&self) -> bool {
        self.remote.is_some()
    }

    /// Waits until something came of what goes on beside the loop; for ever where nothing does.
    pub async fn stirred(&mut self) {
        match &mut self.remote {
            Some(remote) => remote.ended().await,
            None => std::future::pending().await,
        }
    }

    /// When the repository is to be looked at next.
    pub fn look_at(&self) -> Option<DateTime<Utc>> {
        self.remote.as_ref()?.due_at()
    }

    /// Whether the repository was looked at, successfully or not.
    pub fn has_looked(&self) -> bool {
        let looked = |remote: &Remote| remote.head.is_some() || remote.failures > 0;
        self.remote.as_ref().is_none_or(looked)
    }

    /// Has the repository looked at with the next pass: somebody may have written there.
    pub fn look_now(&mut self, now: DateTime<Utc>) {
        if let Some(remote) = &mut self.remote
            && remote.failures == 0
        {
            remote.pull_at = now;
        }
    }

    /// Gathers edits no longer: the service ends.
    pub fn hurry(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.hurried = true;
        }
    }

    /// Takes in what came from the repository, and looks again where that is due. Whether there is something to read.
    pub(super) async fn hear(&mut self, instance: &Instance, board: &Board) -> Result<bool, StoreError> {
        let Some(mut remote) = self.remote.take() else {
            return Ok(true);
        };
        remote.finished().await;
        let heard = self.take_in(&mut remote, instance, board).await;
        let now = instance.clock.now();
        if heard.is_ok() {
            remote.look_if_due(now);
        }
        let has_content = remote.head.is_some();
        self.remote = Some(remote);
        heard.map(|()| has_content)
    }

    /// The same for a node that does not keep the queue: the files beside its state are those of the branch, and no more.
    pub async fn follow(&mut self, instance: &Instance) {
        let Some(remote) = &mut self.remote else { return };
        remote.finished().await;
        if let Some(went) = remote.went.take() {
            if let Some(snapshot) = &went.snapshot {
                match remote.repository.write(snapshot) {
                    Ok(()) => remote.head = Some(snapshot.head.clone()),
                    Err(error) => {
                        tracing::warn!(%error, "jobs and agents of the queue's repository are not up to date")
                    }
                }
            }
            if let Some(error) = &went.error {
                tracing::debug!(%error, "the queue's repository is not seen from here");
            }
            remote.settle(went.error.is_some(), instance.clock.now());
        }
        remote.look_if_due(instance.clock.now());
    }

    async fn take_in(
        &mut self,
        remote: &mut Remote,
        instance: &Instance,
        board: &Board,
    ) -> Result<(), StoreError> {
        let Some(went) = remote.went.take() else {
            return Ok(());
        };
        let taken = self.take_in_all(&went, remote, instance, board).await;
        let error = match taken {
            // The store refuses: all of it is taken in with the next pass.
            Err(MirrorError::Store(error)) => {
                remote.went = Some(went);
                return Err(error);
            }
            Err(MirrorError::Queue(error)) => Some(error),
            Err(MirrorError::File(error)) => Some(error.into()),
            Ok(()) => went.error,
        };
        let now = instance.clock.now();
        remote.settle(error.is_some(), now);
        let went = match &error {
            None => Ok(()),
            Some(error) => Err((
                error.code(),
                instance.redactor.redact(&error.to_string()).into_owned(),
            )),
        };
        if remote.standing.take_in(went, now) {
            match &error {
                Some(error) => {
                    tracing::warn!(%error, "the queue's repository cannot be used; it is tried again")
                }
                None => tracing::info!(
                    url = remote.repository.url(),
                    "the queue's repository can be used again"
                ),
            }
            remote.standing.remember(&*instance.store, now).await?;
        }
        Ok(())
    }

    async fn take_in_all(
        &mut self,
        went: &Went,
        remote: &mut Remote,
        instance: &Instance,
        board: &Board,
    ) -> Result<(), MirrorError> {
        if went.error.is_none() && !remote.sending.is_empty() {
            self.remember(instance, &remote.sending).await?;
        }
        let Some(snapshot) = &went.snapshot else {
            return Ok(());
        };
        if let Past::Rewritten(from) = &snapshot.past {
            let (from, to, at) = (from.clone(), snapshot.head.clone(), instance.clock.now());
            tracing::warn!(
                from,
                to,
                "the history of the queue's repository was written anew; it is followed"
            );
            remote.standing.rewritten = Some(Rewritten { from, to, at });
            remote.standing.remember(&*instance.store, at).await?;
        }
        self.recognise(snapshot, instance, board).await?;
        remote.repository.write(snapshot)?;
        remote.repository.know(&snapshot.head).await?;
        if let Some((from, to)) = went.edited
            && self.content == Some(from)
        {
            self.content = Some(to);
        }
        remote.head = Some(snapshot.head.clone());
        remote.new_heads += 1;
        Ok(())
    }

    /// What the file says because we wrote it is no person's word: where the answer to a push was lost, where another node
    /// pushed, and where a history that was written anew says again what was true before.
    async fn recognise(
        &mut self,
        snapshot: &Snapshot,
        instance: &Instance,
        board: &Board,
    ) -> Result<(), StoreError> {
        let document = Document::parse(snapshot.queue.clone());
        let mut ours = Vec::new();
        for section in document.sections() {
            let Some(task) = board.get(&section.id) else {
                continue;
            };
            let told = self.told.get(&section.id);
            let said = snapshot.said.get(&section.id).copied();
            let now = declared(section, told.map(|t| t.status));
            let is_ours = match (&snapshot.past, said) {
                (Past::Follows, said) => said,
                (Past::New | Past::Rewritten(_), Some(said)) if now == Some(said) => Some(said),
                (Past::Rewritten(_), _) if now == Some(Declared::Pending) => now,
                _ => None,
            };
            let Some(status) = is_ours.filter(|status| told.is_none_or(|t| t.status != *status)) else {
                continue;
            };
            let mut told = told.cloned().unwrap_or_else(|| mirror(task));
            told.status = status;
            if let Ok(body) = serde_json::to_value(&told) {
                let version = task.version;
                ours.push((section.id.clone(), Mirrored { version, body }));
            }
            self.told.insert(section.id.clone(), told);
        }
        match ours.is_empty() {
            true => Ok(()),
            false => instance.store.set_mirrored_all(ours).await,
        }
    }

    /// Whether edits can be sent now: nothing is under way, and they were gathered for long enough.
    pub fn may_send(&mut self, now: DateTime<Utc>) -> bool {
        let Some(remote) = &mut self.remote else {
            return false;
        };
        if remote.job.is_some() || remote.went.is_some() || remote.head.is_none() {
            return false;
        }
        let gathered = remote.repository.batch;
        let at = *remote.send_at.get_or_insert(now + gathered);
        at <= now || (remote.hurried && remote.failures == 0)
    }

    /// There is nothing to be sent.
    pub fn rest(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.send_at = None;
        }
    }

    /// Whether something goes on beside the loop.
    pub fn is_under_way(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.job.is_some())
    }

    /// Whether edits are on their way.
    pub fn is_sending(&self) -> bool {
        self.remote
            .as_ref()
            .is_some_and(|remote| !remote.sending.is_empty())
    }

    /// Whether what was on its way has arrived, once for each time.
    pub fn take_arrived(&mut self) -> Option<bool> {
        self.remote.as_mut()?.arrived.take()
    }

    /// Sends what the file should say of these tasks; [`QueueSync::take_arrived`] tells whether it arrived.
    pub fn send(&mut self, tasks: Vec<Task>) {
        let told = self.told.clone();
        let Some(remote) = self.remote.as_mut().filter(|_| !tasks.is_empty()) else {
            return;
        };
        let (repository, wanted) = (remote.repository.clone(), tasks.clone());
        remote.sending = tasks;
        remote.send_at = None;
        remote.begin(async move {
            let edit = |bytes: &[u8]| {
                let edits = super::edits(&told, bytes, &wanted);
                let applied = apply(bytes, &edits);
                applied.changed.then(|| Edited {
                    bytes: applied.bytes,
                    overflow: applied.overflow,
                    message: message(&Said::of(&edits)),
                })
            };
            send(&repository, edit).await
        });
    }
}
