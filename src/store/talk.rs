//! What the store keeps for chats: which message shows which task, what was heard and what came of it, and what was talked
//! about with agents.
//!
//! Invariants: an event is kept once, however often it is delivered; what was heard stays open until its outcome was told. Every verb may be repeated: it
//! says the same then. The statements are the same for both engines, which run them ([`Tables`]).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::error::StoreError;
use super::row::{body, micros, read, task_id, time, unreadable};
use crate::domain::id::TaskId;
use crate::domain::report::Surface;

/// The message that shows a task on a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRow {
    /// The surface.
    pub surface: Surface,
    /// The task.
    pub task: TaskId,
    /// The room that it is in.
    pub room: String,
    /// Its id there.
    pub message: String,
    /// A digest of what it shows.
    pub shown: String,
    /// What its buttons carry; empty where it has none.
    pub nonce: String,
    /// Whether it shows the task's end.
    pub is_over: bool,
    /// When it was posted.
    pub posted_at: DateTime<Utc>,
    /// When it was edited last.
    pub edited_at: DateTime<Utc>,
}

/// An event of a chat.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardRow {
    /// The chat's id of it.
    pub event: String,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// What it was.
    pub body: Value,
    /// What came of it; none while it is open.
    pub outcome: Option<Value>,
}

/// What the store keeps for chats.
#[async_trait]
pub trait Talk: Send + Sync {
    /// The card of a task.
    async fn card(&self, surface: &Surface, task: &TaskId) -> Result<Option<CardRow>, StoreError>;

    /// The card that a message is.
    async fn card_at(&self, surface: &Surface, message: &str) -> Result<Option<CardRow>, StoreError>;

    /// Cards that do not show their task's end, of at most `limit` tasks, the one that was edited longest ago first.
    async fn open_cards(&self, surface: &Surface, limit: u32) -> Result<Vec<CardRow>, StoreError>;

    /// Writes a card down, instead of an earlier one of the same task.
    async fn set_card(&self, card: &CardRow) -> Result<(), StoreError>;

    /// Takes an event; one that was taken already stays as it is.
    async fn hear(
        &self,
        surface: &Surface,
        event: &str,
        body: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Events whose outcome was not told, the first that was taken first.
    async fn unanswered(&self, surface: &Surface, limit: u32) -> Result<Vec<HeardRow>, StoreError>;

    /// One event.
    async fn heard(&self, surface: &Surface, event: &str) -> Result<Option<HeardRow>, StoreError>;

    /// Writes down what came of an event. The first outcome stays.
    async fn answer(
        &self,
        surface: &Surface,
        event: &str,
        outcome: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Writes down that the outcome of an event was told.
    async fn told(&self, surface: &Surface, event: &str, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// What was talked about in a room.
    async fn conversation(&self, surface: &Surface, room: &str) -> Result<Option<Value>, StoreError>;

    /// Writes down what was talked about in a room.
    async fn set_conversation(
        &self,
        surface: &Surface,
        room: &str,
        body: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;
}

/// A row as either engine brings it.
pub(super) trait Line:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Line for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// What an engine does for it: it runs statements.
#[async_trait]
pub(super) trait Tables: Send + Sync {
    /// The rows of these two values.
    async fn look<T: Line>(&self, sql: &'static str, of: [&str; 2]) -> Result<Vec<T>, StoreError>;

    /// At most so many rows of a surface.
    async fn some<T: Line>(&self, sql: &'static str, of: &Surface, limit: u32) -> Result<Vec<T>, StoreError>;

    /// Writes, once or more often: each of these statements says the same twice.
    async fn put(&self, sql: &'static str, values: Values) -> Result<(), StoreError>;

    /// Other processes are to look.
    fn wrote(&self) {}
}

#[async_trait]
impl<S: Tables> Talk for S {
    async fn card(&self, surface: &Surface, task: &TaskId) -> Result<Option<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.look(CARD, [surface.as_str(), task.as_str()]).await?;
        found.into_iter().next().map(card).transpose()
    }

    async fn card_at(&self, surface: &Surface, message: &str) -> Result<Option<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.look(CARD_AT, [surface.as_str(), message]).await?;
        found.into_iter().next().map(card).transpose()
    }

    async fn open_cards(&self, surface: &Surface, limit: u32) -> Result<Vec<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.some(OPEN_CARDS, surface, limit).await?;
        found.into_iter().map(card).collect()
    }

    async fn set_card(&self, card: &CardRow) -> Result<(), StoreError> {
        self.put(SET_CARD, values(card)).await
    }

    async fn hear(
        &self,
        surface: &Surface,
        event: &str,
        said: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let text = vec![surface.to_string(), event.to_owned()];
        self.put(
            HEAR,
            Values {
                text,
                numbers: vec![micros(at)],
                rest: vec![body(said)?],
            },
        )
        .await?;
        // It is another's to act on, where another leads.
        self.wrote();
        Ok(())
    }

    async fn unanswered(&self, surface: &Surface, limit: u32) -> Result<Vec<HeardRow>, StoreError> {
        let found: Vec<HeardLine> = self.some(UNANSWERED, surface, limit).await?;
        found.into_iter().map(heard).collect()
    }

    async fn heard(&self, surface: &Surface, event: &str) -> Result<Option<HeardRow>, StoreError> {
        let found: Vec<HeardLine> = self.look(HEARD, [surface.as_str(), event]).await?;
        found.into_iter().next().map(heard).transpose()
    }

    async fn answer(
        &self,
        surface: &Surface,
        event: &str,
        outcome: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let text = vec![surface.to_string(), event.to_owned()];
        self.put(
            ANSWER,
            Values {
                text,
                numbers: vec![micros(at)],
                rest: vec![body(outcome)?],
            },
        )
        .await
    }

    async fn told(&self, surface: &Surface, event: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let text = vec![surface.to_string(), event.to_owned()];
        let numbers = vec![micros(at)];
        self.put(
            TOLD,
            Values {
                text,
                numbers,
                rest: Vec::new(),
            },
        )
        .await
    }

    async fn conversation(&self, surface: &Surface, room: &str) -> Result<Option<Value>, StoreError> {
        let found: Vec<(String,)> = self.look(CONVERSATION, [surface.as_str(), room]).await?;
        let read = |(text,): (String,)| read(&format!("the conversation in {room}"), &text);
        found.into_iter().next().map(read).transpose()
    }

    async fn set_conversation(
        &self,
        surface: &Surface,
        room: &str,
        said: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let text = vec![surface.to_string(), room.to_owned(), body(said)?];
        self.put(
            SET_CONVERSATION,
            Values {
                text,
                numbers: vec![micros(at)],
                rest: Vec::new(),
            },
        )
        .await
    }
}

/// The columns of a card, in the order of [`CardLine`].
macro_rules! card {
    ($rest:literal) => {
        concat!(
            "SELECT surface, task_id, room, message, shown, nonce, is_over, posted_at, edited_at FROM card WHERE ",
            $rest
        )
    };
}

const CARD: &str = card!("surface = $1 AND task_id = $2");
const CARD_AT: &str = card!("surface = $1 AND message = $2");
const OPEN_CARDS: &str = card!("surface = $1 AND is_over = 0 ORDER BY edited_at, task_id LIMIT $2");
const SET_CARD: &str = "INSERT INTO card (surface, task_id, room, message, shown, nonce, is_over, posted_at, edited_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (surface, task_id) DO UPDATE SET room = excluded.room, \
    message = excluded.message, shown = excluded.shown, nonce = excluded.nonce, is_over = excluded.is_over, \
    posted_at = excluded.posted_at, edited_at = excluded.edited_at";
const HEAR: &str = "INSERT INTO heard (surface, event, taken_at, body) VALUES ($1, $2, $3, $4) ON CONFLICT (surface, event) DO NOTHING";
const UNANSWERED: &str = "SELECT event, taken_at, body, outcome FROM heard \
    WHERE surface = $1 AND told_at IS NULL ORDER BY taken_at, event LIMIT $2";
const HEARD: &str = "SELECT event, taken_at, body, outcome FROM heard WHERE surface = $1 AND event = $2";
const ANSWER: &str =
    "UPDATE heard SET done_at = $3, outcome = $4 WHERE surface = $1 AND event = $2 AND done_at IS NULL";
const TOLD: &str = "UPDATE heard SET told_at = $3 WHERE surface = $1 AND event = $2 AND done_at IS NOT NULL AND told_at IS NULL";
const CONVERSATION: &str = "SELECT body FROM conversation WHERE surface = $1 AND room = $2";
const SET_CONVERSATION: &str = "INSERT INTO conversation (surface, room, body, updated_at) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (surface, room) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at";
/// Of both tables a bounded number of rows that are older: `$1`, `$2`.
pub(super) const TRIM_HEARD: &str = "DELETE FROM heard WHERE (surface, event) IN \
    (SELECT surface, event FROM heard WHERE told_at < $1 LIMIT $2)";
pub(super) const TRIM_CARDS: &str = "DELETE FROM card WHERE (surface, task_id) IN \
    (SELECT surface, task_id FROM card WHERE is_over = 1 AND edited_at < $1 LIMIT $2)";

type CardLine = (String, String, String, String, String, String, i64, i64, i64);
type HeardLine = (String, i64, String, Option<String>);

fn card(line: CardLine) -> Result<CardRow, StoreError> {
    let (surface, task, room, message, shown, nonce, is_over, posted_at, edited_at) = line;
    let what = format!("the card of task {task}");
    Ok(CardRow {
        surface: Surface::parse(&surface).ok_or_else(|| unreadable(&what, &"its surface is none"))?,
        task: task_id(&task)?,
        room,
        message,
        shown,
        nonce,
        is_over: is_over != 0,
        posted_at: time(&what, posted_at)?,
        edited_at: time(&what, edited_at)?,
    })
}

fn heard((event, taken_at, body, outcome): HeardLine) -> Result<HeardRow, StoreError> {
    let what = format!("the event {event}");
    Ok(HeardRow {
        taken_at: time(&what, taken_at)?,
        body: read(&what, &body)?,
        outcome: outcome.map(|outcome| read(&what, &outcome)).transpose()?,
        event,
    })
}

/// What is bound to a statement that writes, in this order.
pub(super) struct Values {
    pub(super) text: Vec<String>,
    pub(super) numbers: Vec<i64>,
    pub(super) rest: Vec<String>,
}

/// The values of [`SET_CARD`], in their order.
fn values(card: &CardRow) -> Values {
    let text = [
        card.surface.as_str(),
        card.task.as_str(),
        &card.room,
        &card.message,
        &card.shown,
        &card.nonce,
    ];
    Values {
        text: text.map(str::to_owned).to_vec(),
        numbers: vec![
            i64::from(card.is_over),
            micros(card.posted_at),
            micros(card.edited_at),
        ],
        rest: Vec::new(),
    }
}
