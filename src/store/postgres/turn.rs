//! One transaction of the writer, and what becomes of it when the connection is lost on the way.
//!
//! The first statement of each counts up the writer's own row. The lock on that row is what makes a lost commit decidable: who
//! reads the row back for update waits until the server is through with the lost transaction, and then sees the count with it or
//! without it. Nothing of it is repeated before.

use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::apply::{self, Look, Stop};
use super::fault::{self, After};
use super::intake::{self, Turn};
use super::server::{Patience, Server};
use super::sides;
use super::work::{Outcome, Work};
use crate::store::batch::Change;
use crate::store::error::{CommitError, StoreError};
use crate::store::row::int;

/// How long a group is tried again while the server is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the outcome of a commit is asked for.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// How often a deadlock may undo the same group.
const TRIES: u32 = 5;
/// What an answer may take beyond what the server allows itself; then the connection counts as lost.
const ON_THE_WAY: Duration = Duration::from_secs(5);

const INTRODUCE: &str = "INSERT INTO writer (id, commits, seen_at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT (id) DO NOTHING";
const TURN: &str = "UPDATE writer SET commits = $2 + 1, seen_at = clock_timestamp() WHERE id = $1 AND commits = $2 \
    AND ($3::bigint = 0 OR EXISTS (SELECT FROM leader WHERE name = $5 AND term = $3 FOR SHARE)) \
    RETURNING ARRAY(SELECT nextval('event_seq') FROM generate_series(1, $4))";
const READ_BACK: &str = "SELECT commits FROM writer WHERE id = $1 FOR UPDATE";

/// Why a group was not persisted.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A rule refuses it; alone, each of its members would tell whether it was the one.
    Refused(CommitError),
    /// The store.
    Store(StoreError),
}

/// How a transaction ended, where it did not stand.
enum Failed {
    Stop(Stop),
    /// Somebody else leads by now.
    Deposed,
    /// The writer's row is not as this writer left it.
    OutOfStep,
    /// The answer to the commit did not come; these are the answers if it took place.
    Unknown(sqlx::Error, Vec<Outcome>),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Stop(Stop::Sql(error))
    }
}

/// The hand that writes: its connection, and how many commits it has made.
pub(super) struct Hand {
    server: Server,
    id: Uuid,
    conn: Option<PgConnection>,
    commits: i64,
    introduced: bool,
}

impl Hand {
    pub(super) fn new(server: Server, id: Uuid) -> Self {
        Self {
            server,
            id,
            conn: None,
            commits: 0,
            introduced: false,
        }
    }

    /// Writes a group in one transaction; tries again for a bounded time while the connection is lost.
    pub(super) async fn persist(&mut self, works: &[&Work]) -> Result<Vec<Outcome>, Trouble> {
        let mut patience = Patience::of(PATIENCE);
        let mut tries = 0;
        let mut look = Look::Within;
        loop {
            let error = match self.once(works, look).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Unknown(error, outcomes)) => {
                    self.drop_connection();
                    match self.took_place().await {
                        Ok(true) => return Ok(outcomes),
                        Ok(false) => error,
                        Err(unknown) => return Err(Trouble::Store(unknown)),
                    }
                }
                Err(Failed::Deposed) => return Err(Trouble::Refused(CommitError::Deposed)),
                Err(Failed::OutOfStep) => {
                    self.step_in().await.map_err(Trouble::Store)?;
                    continue;
                }
                Err(Failed::Stop(stop)) if look == Look::Within && stop.heads_tell_more() => {
                    look = Look::Before;
                    continue;
                }
                Err(Failed::Stop(Stop::Otherwise)) => return Err(Trouble::Store(torn())),
                Err(Failed::Stop(Stop::Fenced)) => return Err(Trouble::Refused(fenced(works))),
                Err(Failed::Stop(Stop::Store(error))) if error.is_of_one_task() => {
                    return Err(Trouble::Refused(error.into()));
                }
                Err(Failed::Stop(Stop::Store(error))) => return Err(Trouble::Store(error)),
                Err(Failed::Stop(Stop::Sql(error))) => error,
            };
            match fault::after(&error) {
                After::Lost if patience.once_more().await => self.drop_connection(),
                After::Again if tries < TRIES => tries += 1,
                _ => return Err(self.trouble(error)),
            }
        }
    }

    fn trouble(&mut self, error: sqlx::Error) -> Trouble {
        match self.server.told(error) {
            refused @ StoreError::Refused { .. } => Trouble::Refused(refused.into()),
            other => Trouble::Store(other),
        }
    }

    /// One try. Whatever way it ends, the connection that is left has no transaction open.
    async fn once(&mut self, works: &[&Work], look: Look) -> Result<Vec<Outcome>, Failed> {
        let server = self.server.clone();
        let term = term_of(works)?;
        let longest = server.longest() + ON_THE_WAY;
        let (id, commits) = (self.id, self.commits);
        let mut conn = self.connection().await?;
        let sent = timeout(longest, transact(&mut conn, works, (id, commits, term), look)).await;
        let outcomes = match sent {
            // The transaction was not committed: dropping its connection ends it.
            Err(_) => return Err(sqlx::Error::PoolTimedOut.into()),
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(failed)) => {
                let kept = timeout(longest, sqlx::raw_sql("ROLLBACK").execute(&mut conn)).await;
                if matches!(kept, Ok(Ok(_))) {
                    self.conn = Some(conn);
                }
                return Err(failed);
            }
        };
        match timeout(longest, sqlx::raw_sql("COMMIT").execute(&mut conn)).await {
            Ok(Ok(_)) => {
                self.conn = Some(conn);
                self.commits += 1;
                Ok(outcomes)
            }
            Ok(Err(error)) if fault::after(&error) != After::Lost => {
                // The server refused the commit itself, and said so.
                self.conn = Some(conn);
                Err(error.into())
            }
            Ok(Err(error)) => Err(Failed::Unknown(error, outcomes)),
            Err(_) => Err(Failed::Unknown(sqlx::Error::PoolTimedOut, outcomes)),
        }
    }

    /// The connection, with this writer's row on the server.
    async fn connection(&mut self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.server.connect_to_write().await?,
        };
        if !self.introduced {
            sqlx::query(INTRODUCE)
                .bind(self.id)
                .bind(self.commits)
                .execute(&mut conn)
                .await?;
            self.introduced = true;
        }
        Ok(conn)
    }

    fn drop_connection(&mut self) {
        // Not closed in good order: whoever is at the other end may not answer.
        self.conn = None;
    }

    /// Whether the commit whose answer is missing took place.
    async fn took_place(&mut self) -> Result<bool, StoreError> {
        let Some(found) = self.read_back().await? else {
            return Ok(false);
        };
        let took_place = found == self.commits + 1;
        if took_place {
            self.commits = found;
        }
        tracing::warn!(took_place, "the answer to a commit was lost; it was read back");
        Ok(took_place)
    }

    /// The count in this writer's row, once no lost transaction holds it any more.
    async fn read_back(&mut self) -> Result<Option<i64>, StoreError> {
        let mut patience = Patience::of(LONG_PATIENCE);
        loop {
            let longest = self.server.longest() + ON_THE_WAY;
            let id = self.id;
            let read = async {
                let mut conn = self.connection().await?;
                let row: Option<i64> = sqlx::query_scalar(READ_BACK)
                    .bind(id)
                    .fetch_optional(&mut conn)
                    .await?;
                Ok::<_, sqlx::Error>((conn, row))
            };
            let error = match timeout(longest, read).await {
                Ok(Ok((conn, row))) => {
                    self.conn = Some(conn);
                    return Ok(row);
                }
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            // While the lost transaction still runs, the lock is waited for in vain; it ends by its own time limits.
            let told = self.server.told(error);
            let passing = matches!(told, StoreError::Unavailable { .. } | StoreError::Busy);
            if !passing || !patience.once_more().await {
                return Err(told);
            }
        }
    }

    /// Finds out why this writer's row is not as it left it: the server was restored, or failed over to one that was behind.
    async fn step_in(&mut self) -> Result<(), StoreError> {
        match self.read_back().await? {
            None => self.introduced = false,
            Some(found) if found == self.commits => {}
            Some(found) => {
                if found < self.commits {
                    tracing::error!(
                        lost = self.commits - found,
                        "the server has lost commits that it had acknowledged; what they held is decided again from what is there"
                    );
                }
                self.commits = found;
            }
        }
        Ok(())
    }

    /// Takes leave of the server.
    pub(super) async fn leave(mut self) {
        let Some(conn) = self.conn.take() else {
            return;
        };
        if let Err(error) = conn.close().await {
            tracing::debug!(%error, "the connection to the database was not closed in good order");
        }
    }
}

/// The leadership that a group is decided under; 0 where none of it is a leader's to decide.
fn term_of(works: &[&Work]) -> Result<i64, Failed> {
    let mut terms = works.iter().filter_map(|work| work.led());
    let term = terms.next();
    match terms.all(|other| Some(other) == term) {
        true => Ok(term.map_or(0, int)),
        // One of them is over; alone, each hears whether it is the one.
        false => Err(Failed::Deposed),
    }
}

/// Everything of a transaction but its commit.
async fn transact(
    conn: &mut PgConnection,
    works: &[&Work],
    turn: Turn,
    look: Look,
) -> Result<Vec<Outcome>, Failed> {
    let changes = works.iter().filter(|work| work.task().is_some()).count();
    // A sign of life that is lost with the server's power is followed by the next one; nothing else may be lost.
    let begin = if works.iter().all(|work| matches!(work, Work::Beats(_))) {
        "BEGIN; SET LOCAL synchronous_commit = off"
    } else {
        "BEGIN"
    };
    sqlx::raw_sql(begin).execute(&mut *conn).await?;
    let (id, commits, term) = turn;
    if look == Look::Within
        && let Some(new) = intake::only_new(works)
    {
        return match intake::take_in(conn, &new, turn).await.map_err(Failed::Stop)? {
            Some(outcomes) => Ok(outcomes),
            None => Err(why_not(conn, id, commits).await?),
        };
    }
    let numbers: Option<Vec<i64>> = sqlx::query_scalar(TURN)
        .bind(id)
        .bind(commits)
        .bind(term)
        .bind(i32::try_from(changes).unwrap_or(i32::MAX))
        .bind(super::roster::SCHEDULER)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(numbers) = numbers else {
        return Err(why_not(conn, id, commits).await?);
    };
    let mut answers = apply::changes(conn, works, &numbers, look)
        .await
        .map_err(Failed::Stop)?;
    sides::sides(conn, works, &mut answers).await?;
    let unanswered = || Err(StoreError::Closed.into());
    Ok(answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect())
}

/// Why the writer's row could not be counted up.
async fn why_not(conn: &mut PgConnection, id: Uuid, commits: i64) -> Result<Failed, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar("SELECT commits FROM writer WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(if found == Some(commits) {
        Failed::Deposed
    } else {
        Failed::OutOfStep
    })
}

/// Heads that are locked by this very transaction cannot change under it.
fn torn() -> StoreError {
    StoreError::Damaged {
        reason: "a task that was read and locked did not change".to_owned(),
    }
}

/// The refusal of a change alone that writes to an attempt which is not the open one.
fn fenced(works: &[&Work]) -> CommitError {
    let change = works.iter().find_map(|work| work.change());
    change.map_or(StoreError::Closed.into(), Change::fenced)
}
