//! Statements over many rows at once: the rows are values in the statement's text, as many as the next larger size has
//! place for; places that are left over are null in their first column, and the text passes them over.
//!
//! Measured beside the other ways to hand rows over (a statement a row; one JSON parameter through `json_each`), this costs
//! about two thirds of the first and a third of the second.

use std::sync::{Arc, OnceLock};

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

use crate::store::error::StoreError;
use crate::store::row::BODY_VERSION;

/// Rows that a text may have place for. Each size of each statement is prepared once a connection.
const SIZES: [usize; 4] = [1, 8, 64, 256];

/// A query that rows are bound to.
pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A text to bind: the engine's client would copy a plain one twice.
pub(super) fn text(text: &str) -> Arc<str> {
    Arc::from(text)
}

/// A statement over rows.
pub(super) struct Bulk {
    text: &'static str,
    columns: usize,
    sized: [OnceLock<String>; SIZES.len()],
}

impl Bulk {
    /// A statement with `{rows}` where its rows of so many columns stand, and `{body_version}` where the version of the
    /// bodies' shape does. It must do nothing for a row whose first column is null.
    pub(super) const fn new(columns: usize, text: &'static str) -> Self {
        Self {
            text,
            columns,
            sized: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// Runs it over all rows; how many rows of tables it touched.
    pub(super) async fn run<'r, R>(
        &'static self,
        conn: &mut SqliteConnection,
        mut rows: &'r [R],
        bind: impl Fn(Bound<'static>, &'r R) -> Bound<'static>,
    ) -> Result<u64, StoreError> {
        let mut touched = 0;
        while !rows.is_empty() {
            let (text, places) = self.sized(rows.len());
            let (now, later) = rows.split_at(rows.len().min(places));
            let query = now.iter().fold(sqlx::query(text), &bind);
            touched += query.execute(&mut *conn).await?.rows_affected();
            rows = later;
        }
        Ok(touched)
    }

    /// The text for so many rows, or for as many as the largest has place for.
    fn sized(&'static self, rows: usize) -> (&'static str, usize) {
        let at = SIZES
            .iter()
            .position(|places| *places >= rows)
            .unwrap_or(SIZES.len() - 1);
        let places = SIZES[at];
        let text = self.sized[at].get_or_init(|| self.text_of(places));
        (text, places)
    }

    fn text_of(&self, places: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        self.text
            .replace("{rows}", &format!("VALUES {}", vec![row; places].join(",")))
            .replace("{body_version}", &BODY_VERSION.to_string())
    }

    /// Its smallest text.
    #[cfg(test)]
    pub(super) fn single(&'static self) -> &'static str {
        self.sized(1).0
    }
}
