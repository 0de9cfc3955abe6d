//! The one writer: a task that owns the writing connection and groups whatever waits into one commit.
//!
//! Invariants: whoever waits is answered only after the commit that holds his change is on disk; what is refused is undone
//! alone and the others of its group stand; when the transaction itself is lost, everybody in the group hears why. There is
//! no timer: a group is what queued up while the last commit was on its way. It begins with the changes of tasks, as one
//! batch, at most one a task (a second one waits for the next group); everything else is a step with a savepoint of its own.
//! The queue is bounded: callers wait when the disk is slower than they are.

use std::fmt;

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::group::{Group, Waiting};
use crate::store::batch::Change;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::Committed;

/// The most changes and steps of one commit: bounds what one lost commit costs, and how long the first of them waits for
/// the last.
pub(super) const GROUP: usize = 500;
/// The most that wait; more wait at their callers.
const QUEUE: usize = 2048;

/// The handle of the writer task.
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("waiting", &(QUEUE - self.queue.capacity()))
            .finish()
    }
}

enum Message {
    Change(Waiting),
    Step(Box<dyn Step>),
    DataVersion(oneshot::Sender<Result<i64, StoreError>>),
    Close,
}

/// An error that a step can end with.
pub(super) trait StepError: From<StoreError> + Send + 'static {
    /// The failure of the store itself, where it is one.
    fn store(&self) -> Option<&StoreError>;
}

impl StepError for StoreError {
    fn store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl StepError for CommitError {
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Conflict { .. } | Self::Fenced { .. } | Self::Unknown => None,
        }
    }
}

/// What became of a step inside its group.
pub(super) enum Applied {
    Kept,
    Undone,
    Lost(StoreError),
}

pub(super) trait Step: Send {
    fn apply<'c>(&'c mut self, conn: &'c mut SqliteConnection) -> BoxFuture<'c, Applied>;
    fn settle(self: Box<Self>, fate: Result<(), StoreError>);
}

struct Ticket<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Step for Ticket<F, T, E>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send,
    T: Send,
    E: StepError,
{
    fn apply<'c>(&'c mut self, conn: &'c mut SqliteConnection) -> BoxFuture<'c, Applied> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return Applied::Undone;
            };
            let result = work(conn).await;
            let applied = match &result {
                Ok(_) => Applied::Kept,
                Err(error) => match error.store() {
                    Some(lost) if lost.ends_transaction() => Applied::Lost(lost.clone()),
                    _ => Applied::Undone,
                },
            };
            self.result = Some(result);
            applied
        })
    }

    fn settle(self: Box<Self>, fate: Result<(), StoreError>) {
        let answer = match (fate, self.result) {
            // What was refused stays refused, whatever became of the group.
            (_, Some(Err(error))) => Err(error),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(StoreError::Closed.into()),
        };
        // Nobody listens any more: the caller was cancelled, and the change stands all the same.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the writer on its connection; it lives until [`Writer::close`], or until the store is dropped.
    pub(super) fn start(conn: SqliteConnection) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        #[expect(
            clippy::disallowed_methods,
            reason = "its handle is kept, and awaited by `close`"
        )]
        let task = tokio::spawn(write_groups(conn, inbox));
        Self {
            queue,
            task: Mutex::new(Some(task)),
        }
    }

    /// Runs `work` in the next group and answers when that is on disk.
    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: StepError,
    {
        let (reply, answer) = oneshot::channel();
        let ticket = Ticket {
            work: Some(work),
            result: None,
            reply,
        };
        let closed = |_| E::from(StoreError::Closed);
        self.queue
            .send(Message::Step(Box::new(ticket)))
            .await
            .map_err(|_| E::from(StoreError::Closed))?;
        answer.await.map_err(closed)?
    }

    /// Makes a change in the next group that has place for its task, and answers when that is on disk.
    pub(super) async fn change(&self, change: Change) -> Result<Committed, CommitError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Message::Change(Waiting::new(change, reply)))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// A number that changes when another process (or another connection) has committed.
    pub(super) async fn data_version(&self) -> Result<i64, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Message::DataVersion(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes what waits, and ends.
    pub(super) async fn close(&self) {
        // A writer that is gone already has nothing left to close.
        let _ = self.queue.send(Message::Close).await;
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

async fn write_groups(mut conn: SqliteConnection, mut inbox: mpsc::Receiver<Message>) {
    let mut messages = Vec::with_capacity(GROUP);
    let mut waiting = Vec::new();
    while take(&mut inbox, &mut messages, waiting.is_empty()).await {
        let mut steps = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Change(change) => waiting.push(change),
                Message::Step(step) => steps.push(step),
                Message::DataVersion(reply) => {
                    let _ = reply.send(read_data_version(&mut conn).await);
                }
                // What is in the queue by now is still taken; then it is at its end.
                Message::Close => inbox.close(),
            }
        }
        let (group, later) = Group::of(waiting, steps);
        waiting = later;
        group.write(&mut conn).await;
    }
    drop(inbox);
    if let Err(error) = conn.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; its log is taken up at the next start");
    }
}

/// Takes what has queued up, and waits for the first of it where there is nothing else to do; whether there may be more.
async fn take(inbox: &mut mpsc::Receiver<Message>, messages: &mut Vec<Message>, idle: bool) -> bool {
    if idle {
        return inbox.recv_many(messages, GROUP).await > 0;
    }
    while messages.len() < GROUP
        && let Ok(message) = inbox.try_recv()
    {
        messages.push(message);
    }
    true
}

async fn read_data_version(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(conn).await?)
}
