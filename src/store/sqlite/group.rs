//! One group of the writer: its transaction, and what each of its members is answered.
//!
//! The changes are written as one set. Where a rule of the schema refuses the set, the transaction is begun anew and the set
//! is halved, each half in a savepoint, until the refused change is alone: that costs a good deal, and only then.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::commit;
use super::writer::{Applied, Step};
use crate::store::batch::{Change, Heads, one_a_key};
use crate::store::error::{CommitError, StoreError};
use crate::store::record::Committed;
use crate::store::row::nat;

/// A change whose caller waits.
pub(super) struct Waiting {
    change: Box<Change>,
    reply: oneshot::Sender<Result<Committed, CommitError>>,
    /// The number of its event, or why it was refused.
    outcome: Result<i64, CommitError>,
}

impl Waiting {
    pub(super) fn new(change: Change, reply: oneshot::Sender<Result<Committed, CommitError>>) -> Self {
        Self {
            change: Box::new(change),
            reply,
            outcome: Err(StoreError::Closed.into()),
        }
    }

    fn settle(self, fate: &Result<(), StoreError>) {
        let answer = match (self.outcome, fate) {
            // What was refused stays refused, whatever became of the group.
            (Err(refused), _) => Err(refused),
            (Ok(_), Err(lost)) => Err(lost.clone().into()),
            (Ok(seq), Ok(())) => Ok(Committed { seq: nat(seq) }),
        };
        // Nobody listens any more: the caller was cancelled, and the change stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// What goes into one commit.
pub(super) struct Group {
    changes: Vec<Waiting>,
    steps: Vec<Box<dyn Step>>,
}

impl Group {
    /// The next group, and the changes that must wait for the one after it.
    pub(super) fn of(waiting: Vec<Waiting>, steps: Vec<Box<dyn Step>>) -> (Self, Vec<Waiting>) {
        let (changes, later) = one_a_key(waiting, |waiting| waiting.change.id().clone());
        (Self { changes, steps }, later)
    }

    /// Writes it, and answers everybody in it.
    pub(super) async fn write(mut self, conn: &mut SqliteConnection) {
        if self.changes.is_empty() && self.steps.is_empty() {
            return;
        }
        let fate = match self.write_all(conn).await {
            Ok(()) => execute(conn, "COMMIT").await,
            Err(lost) => Err(lost),
        };
        if fate.is_err() {
            roll_back(conn).await;
        }
        for waiting in self.changes {
            waiting.settle(&fate);
        }
        for step in self.steps {
            step.settle(fate.clone());
        }
    }

    async fn write_all(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if let Err(refused) = self.write_changes(conn, Care::Together).await {
            of_one(refused)?;
            roll_back(conn).await;
            self.write_changes(conn, Care::Apart)
                .await
                .or_else(|refused| of_one(refused).map(drop))?;
        }
        run_steps(conn, &mut self.steps).await
    }

    /// Opens the transaction and writes the changes in it.
    async fn write_changes(&mut self, conn: &mut SqliteConnection, care: Care) -> Result<(), CommitError> {
        let first = commit::begin(conn).await?;
        if self.changes.is_empty() {
            return Ok(());
        }
        let heads = commit::heads(conn, self.changes.iter().map(|waiting| &*waiting.change)).await?;
        for (waiting, seq) in self.changes.iter_mut().zip(first..) {
            waiting.outcome = waiting.change.check(&heads).map(|()| seq);
        }
        let allowed: Vec<(&Change, i64)> = self
            .changes
            .iter()
            .filter_map(|waiting| Some((&*waiting.change, *waiting.outcome.as_ref().ok()?)))
            .collect();
        let refused = match care {
            Care::Together => commit::write(conn, &allowed, &heads).await.map(|()| Vec::new())?,
            Care::Apart => write_apart(conn, &allowed, &heads).await?,
        };
        for (seq, refusal) in refused {
            let of_it = |waiting: &&mut Waiting| waiting.outcome.as_ref().is_ok_and(|own| *own == seq);
            if let Some(waiting) = self.changes.iter_mut().find(of_it) {
                waiting.outcome = Err(refusal);
            }
        }
        Ok(())
    }
}

/// How the changes of a group are written.
enum Care {
    /// As one set; a refusal leaves the transaction to be undone.
    Together,
    /// So that the refused ones are found and the others stand.
    Apart,
}

/// The refusal of one change, or else what ends the transaction.
fn of_one(error: CommitError) -> Result<CommitError, StoreError> {
    match error {
        CommitError::Store(lost) if lost.ends_transaction() => Err(lost),
        refused => Ok(refused),
    }
}

/// Writes changes, those that are refused undone; answers which, by the number of their event.
fn write_apart<'c>(
    conn: &'c mut SqliteConnection,
    changes: &'c [(&'c Change, i64)],
    heads: &'c Heads,
) -> BoxFuture<'c, Result<Vec<(i64, CommitError)>, StoreError>> {
    Box::pin(async move {
        execute(conn, "SAVEPOINT part").await?;
        let refused = match commit::write(conn, changes, heads).await {
            Ok(()) => {
                execute(conn, "RELEASE part").await?;
                return Ok(Vec::new());
            }
            Err(error) => of_one(error)?,
        };
        execute(conn, "ROLLBACK TO part; RELEASE part").await?;
        match changes {
            [] => Ok(Vec::new()),
            [(_, seq)] => Ok(vec![(*seq, refused)]),
            _ => {
                let (left, right) = changes.split_at(changes.len() / 2);
                let mut all = write_apart(conn, left, heads).await?;
                all.extend(write_apart(conn, right, heads).await?);
                Ok(all)
            }
        }
    })
}

/// Every statement is a hop to the connection's thread: the savepoint of one step is released with the opening of the next
/// one's, and the last with the commit.
async fn run_steps(conn: &mut SqliteConnection, steps: &mut [Box<dyn Step>]) -> Result<(), StoreError> {
    let mut open_savepoint = Some("SAVEPOINT step");
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

/// Some failures end the transaction by themselves; then there is nothing to roll back.
async fn roll_back(conn: &mut SqliteConnection) {
    let _ = execute(conn, "ROLLBACK").await;
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}
