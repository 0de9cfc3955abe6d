//! How the statements for chats are run here.

use async_trait::async_trait;

use super::PostgresStore;
use crate::domain::report::Surface;
use crate::store::error::StoreError;
use crate::store::talk::{Line, Tables, Values};

#[async_trait]
impl Tables for PostgresStore {
    async fn look<T: Line>(&self, sql: &'static str, of: [&str; 2]) -> Result<Vec<T>, StoreError> {
        self.read(|pool| async move { sqlx::query_as(sql).bind(of[0]).bind(of[1]).fetch_all(&pool).await })
            .await
    }

    async fn some<T: Line>(&self, sql: &'static str, of: &Surface, limit: u32) -> Result<Vec<T>, StoreError> {
        self.read(|pool| async move {
            let query = sqlx::query_as(sql).bind(of.as_str()).bind(i64::from(limit));
            query.fetch_all(&pool).await
        })
        .await
    }

    /// Again where the connection was lost.
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

    fn wrote(&self) {
        self.herald.wrote();
    }
}
