//! What the store keeps for chats.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use crate::domain::id::TaskId;
use crate::domain::report::Surface;
use crate::store::error::StoreError;
use crate::store::row::{body, micros, read};
use crate::store::talk::{self, CardLine, CardRow, HeardLine, HeardRow, Talk, Values};

impl PostgresStore {
    async fn look<T>(&self, sql: &'static str, of: [&str; 2]) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.read(|pool| async move { sqlx::query_as(sql).bind(of[0]).bind(of[1]).fetch_all(&pool).await })
            .await
    }

    async fn some<T>(&self, sql: &'static str, of: &Surface, limit: u32) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.read(|pool| async move {
            let query = sqlx::query_as(sql).bind(of.as_str()).bind(i64::from(limit));
            query.fetch_all(&pool).await
        })
        .await
    }

    /// Again where the connection was lost: each of these statements says the same twice.
    async fn put(&self, sql: &'static str, values: Values) -> Result<(), StoreError> {
        let values = &values;
        self.read(|pool| async move {
            let mut query = sqlx::query(sql);
            for text in &values.text {
                query = query.bind(text);
            }
            for number in &values.numbers {
                query = query.bind(number);
            }
            for text in &values.rest {
                query = query.bind(text);
            }
            query.execute(&pool).await.map(drop)
        })
        .await
    }
}

#[async_trait]
impl Talk for PostgresStore {
    async fn card(&self, surface: &Surface, task: &TaskId) -> Result<Option<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.look(talk::CARD, [surface.as_str(), task.as_str()]).await?;
        found.into_iter().next().map(talk::card).transpose()
    }

    async fn card_at(&self, surface: &Surface, message: &str) -> Result<Option<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.look(talk::CARD_AT, [surface.as_str(), message]).await?;
        found.into_iter().next().map(talk::card).transpose()
    }

    async fn open_cards(&self, surface: &Surface, limit: u32) -> Result<Vec<CardRow>, StoreError> {
        let found: Vec<CardLine> = self.some(talk::OPEN_CARDS, surface, limit).await?;
        found.into_iter().map(talk::card).collect()
    }

    async fn set_card(&self, card: &CardRow) -> Result<(), StoreError> {
        self.put(talk::SET_CARD, talk::values(card)).await
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
            talk::HEAR,
            Values {
                text,
                numbers: vec![micros(at)],
                rest: vec![body(said)?],
            },
        )
        .await?;
        // It is another's to act on, where another leads.
        self.herald.wrote();
        Ok(())
    }

    async fn unanswered(&self, surface: &Surface, limit: u32) -> Result<Vec<HeardRow>, StoreError> {
        let found: Vec<HeardLine> = self.some(talk::UNANSWERED, surface, limit).await?;
        found.into_iter().map(talk::heard).collect()
    }

    async fn heard(&self, surface: &Surface, event: &str) -> Result<Option<HeardRow>, StoreError> {
        let found: Vec<HeardLine> = self.look(talk::HEARD, [surface.as_str(), event]).await?;
        found.into_iter().next().map(talk::heard).transpose()
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
            talk::ANSWER,
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
            talk::TOLD,
            Values {
                text,
                numbers,
                rest: Vec::new(),
            },
        )
        .await
    }

    async fn conversation(&self, surface: &Surface, room: &str) -> Result<Option<Value>, StoreError> {
        let found: Vec<(String,)> = self.look(talk::CONVERSATION, [surface.as_str(), room]).await?;
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
            talk::SET_CONVERSATION,
            Values {
                text,
                numbers: vec![micros(at)],
                rest: Vec::new(),
            },
        )
        .await
    }
}
