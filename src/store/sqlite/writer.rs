//! The one writer: a task that owns the writing connection and groups whatever waits into one commit.
//!
//! Invariants: a step is answered only after the commit that holds it is on disk; a step that is refused is undone
//! alone (its own savepoint) and the others of its group stand; when the transaction itself is lost, every step of the group hears
//! why. There is no timer: a group is what queued up while the last commit was on its way.
//! The queue is bounded: callers wait when the disk is slower than they are.

use std::fmt;

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::store::error::{CommitError, StoreError};

/// The most steps of one commit: bounds what one lost commit costs.
const GROUP: usize = 200;
/// The most steps that wait; more wait at their callers.
const QUEUE: usize = 1024;

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
            Self::Conflict { .. } | Self::Fenced { .. } | Self::Deposed | Self::Unknown => None,
        }
    }
}

/// What became of a step inside its group.
enum Applied {
    Kept,
    Undone,
    Lost(StoreError),
}

trait Step: Send {
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
    let mut group = Vec::with_capacity(GROUP);
    let mut open = true;
    while open && inbox.recv_many(&mut group, GROUP).await > 0 {
        let mut steps = Vec::with_capacity(group.len());
        for message in group.drain(..) {
            match message {
                Message::Step(step) => steps.push(step),
                Message::DataVersion(reply) => {
                    let _ = reply.send(read_data_version(&mut conn).await);
                }
                Message::Close => {
                    inbox.close();
                    open = false;
                }
            }
        }
        write_group(&mut conn, steps).await;
    }
    drop(inbox);
    if let Err(error) = conn.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; its log is taken up at the next start");
    }
}

async fn read_data_version(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(conn).await?)
}

async fn write_group(conn: &mut SqliteConnection, mut steps: Vec<Box<dyn Step>>) {
    if steps.is_empty() {
        return;
    }
    let fate = match apply_group(conn, &mut steps).await {
        Ok(()) => execute(conn, "COMMIT").await,
        Err(error) => Err(error),
    };
    if fate.is_err() {
        // Some failures end the transaction by themselves; then there is nothing to roll back.
        let _ = execute(conn, "ROLLBACK").await;
    }
    for step in steps {
        step.settle(fate.clone());
    }
}

async fn apply_group(conn: &mut SqliteConnection, steps: &mut [Box<dyn Step>]) -> Result<(), StoreError> {
    // Every statement is a hop to the connection's thread: the savepoint of one step is released with the opening of the next
    // one's, and the last with the commit.
    let mut open_savepoint = Some("BEGIN IMMEDIATE; SAVEPOINT step");
    for step in steps {
        if let Some(sql) = open_savepoint {
            execute(conn, sql).await?;
        }
        open_savepoint = match step.apply(conn).await {
            Applied::Kept => Some("RELEASE step; SAVEPOINT step"),
            Applied::Undone => {
                execute(conn, "ROLLBACK TO step").await?;
                None
            }
            Applied::Lost(error) => return Err(error),
        };
    }
    Ok(())
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}
