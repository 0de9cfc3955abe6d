//! The writer: a few hands, each a task that owns a writing connection and groups whatever waits for it into one commit.
//!
//! Invariants: work is answered only after the commit that holds it is on disk; work that is refused is undone alone and the others
//! of its group stand; a group whose connection is lost before its commit was sent took no effect and is done again; one whose
//! commit was sent is read back first ([`super::turn`]). There is no timer: a group is what queued up while the last commit was on
//! its way. The queues are bounded: callers wait when the server is slower than they are. What changes a task is always the same
//! hand's, so that the changes of a task keep their order and hands never wait for each other; what changes none is the first's.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::types::Uuid;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::herald::Herald;
use super::server::Server;
use super::turn::{Hand, Trouble};
use super::work::{Answer, Outcome, Work, of_store};
use crate::domain::id::TaskId;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::Committed;

/// The most pieces of work of one commit: bounds what one lost commit costs.
const GROUP: usize = 500;
/// The most that waits for a hand; more waits at its callers.
const QUEUE: usize = 1024;
/// Hands: while the server is busy with the rows of one, it works on those of the other. Each is a connection and a process there.
const HANDS: usize = 2;

/// The handles of the hands.
#[derive(Debug)]
pub(super) struct Writer {
    /// The names of their own rows.
    ids: Vec<Uuid>,
    hands: Vec<Handle>,
}

/// The handle of one.
struct Handle {
    queue: mpsc::Sender<Message>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("waiting", &(QUEUE - self.queue.capacity()))
            .finish()
    }
}

enum Message {
    Work(Ticket),
    Close,
}

/// Work and who waits for it.
struct Ticket {
    work: Work,
    reply: oneshot::Sender<Outcome>,
}

impl Ticket {
    fn answer(self, outcome: Outcome) {
        // Nobody listens any more: the caller was cancelled, and what was done stands all the same.
        let _ = self.reply.send(outcome);
    }
}

impl Writer {
    /// Starts the hands; each connects with its first work, and lives until [`Writer::close`] or until the store is dropped.
    pub(super) fn start(server: Server) -> (Self, Herald) {
        let herald = Herald::new(server.side_pool(), Uuid::new_v4());
        let ids: Vec<Uuid> = (0..HANDS).map(|_| Uuid::new_v4()).collect();
        let hands = ids
            .iter()
            .map(|id| Handle::start(&server, *id, &herald))
            .collect();
        (Self { ids, hands }, herald)
    }

    /// The names of the rows that are this process's own.
    pub(super) fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    /// Does work in the next group of its hand and answers when that is on disk.
    pub(super) async fn run(&self, work: Work) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let closed = CommitError::Store(StoreError::Closed);
        let hand = &self.hands[work.task().map_or(0, hand_of)];
        let sent = hand.queue.send(Message::Work(Ticket { work, reply })).await;
        match sent {
            Ok(()) => answer.await.unwrap_or(Err(closed)),
            Err(_) => Err(closed),
        }
    }

    /// Work that changes a task.
    pub(super) async fn change(&self, work: Work) -> Result<Committed, CommitError> {
        match self.run(work).await? {
            Answer::Committed(committed) => Ok(committed),
            Answer::Refused(_) | Answer::Done => Err(StoreError::Closed.into()),
        }
    }

    /// Work of which single rows may be refused.
    pub(super) async fn refused(&self, work: Work) -> Result<Vec<TaskId>, StoreError> {
        match self.run(work).await.map_err(of_store)? {
            Answer::Refused(ids) => Ok(ids),
            Answer::Committed(_) | Answer::Done => Ok(Vec::new()),
        }
    }

    /// Work that is done or not.
    pub(super) async fn done(&self, work: Work) -> Result<(), StoreError> {
        self.run(work).await.map(drop).map_err(of_store)
    }

    /// Writes what waits, and ends.
    pub(super) async fn close(&self) {
        for hand in &self.hands {
            // One that is gone already has nothing left to close.
            let _ = hand.queue.send(Message::Close).await;
        }
        for hand in &self.hands {
            if let Some(task) = hand.task.lock().await.take() {
                let _ = task.await;
            }
        }
    }
}

impl Handle {
    fn start(server: &Server, id: Uuid, herald: &Herald) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let hand = Hand::new(server.clone(), id);
        #[expect(
            clippy::disallowed_methods,
            reason = "its handle is kept, and awaited by `close`"
        )]
        let task = tokio::spawn(write_groups(hand, inbox, herald.clone()));
        Self {
            queue,
            task: Mutex::new(Some(task)),
        }
    }
}

/// Which hand a task's changes are.
fn hand_of(task: &TaskId) -> usize {
    let mut hasher = DefaultHasher::new();
    task.hash(&mut hasher);
    (hasher.finish() % HANDS as u64) as usize
}

async fn write_groups(mut hand: Hand, mut inbox: mpsc::Receiver<Message>, herald: Herald) {
    let mut messages = Vec::with_capacity(GROUP);
    let mut waiting: Vec<Ticket> = Vec::new();
    let mut open = true;
    while open || !waiting.is_empty() {
        if waiting.is_empty() && inbox.recv_many(&mut messages, GROUP).await == 0 {
            break;
        }
        while messages.len() + waiting.len() < GROUP
            && let Ok(message) = inbox.try_recv()
        {
            messages.push(message);
        }
        for message in messages.drain(..) {
            match message {
                Message::Work(ticket) => waiting.push(ticket),
                Message::Close => {
                    inbox.close();
                    open = false;
                }
            }
        }
        let (group, later) = one_a_task(waiting);
        waiting = later;
        let news = group.iter().any(|ticket| ticket.work.is_news());
        write_group(&mut hand, group).await;
        if news {
            herald.wrote();
        }
    }
    drop(inbox);
    hand.leave().await;
}

/// The first of each task; what changes the same task again waits for the next group.
fn one_a_task(waiting: Vec<Ticket>) -> (Vec<Ticket>, Vec<Ticket>) {
    let mut tasks: HashSet<TaskId> = HashSet::new();
    waiting
        .into_iter()
        .partition(|ticket| ticket.work.task().is_none_or(|id| tasks.insert(id.clone())))
}

async fn write_group(hand: &mut Hand, group: Vec<Ticket>) {
    if group.is_empty() {
        return;
    }
    let works: Vec<&Work> = group.iter().map(|ticket| &ticket.work).collect();
    let outcomes = match hand.persist(&works).await {
        Ok(outcomes) => outcomes,
        Err(Trouble::Refused(error)) if works.len() == 1 => vec![Err(error)],
        Err(Trouble::Refused(_)) => one_by_one(hand, &works).await,
        Err(Trouble::Store(error)) => works.iter().map(|_| Err(error.clone().into())).collect(),
    };
    for (ticket, outcome) in group.into_iter().zip(outcomes) {
        ticket.answer(outcome);
    }
}

/// A group that a rule refuses, each piece of work in a transaction of its own: one of them is refused, the others stand.
async fn one_by_one(hand: &mut Hand, works: &[&Work]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(works.len());
    for work in works {
        let outcome = match hand.persist(&[work]).await {
            Ok(mut only) => only.pop().unwrap_or(Err(StoreError::Closed.into())),
            Err(Trouble::Refused(error)) => Err(error),
            Err(Trouble::Store(error)) => Err(error.into()),
        };
        outcomes.push(outcome);
    }
    outcomes
}
