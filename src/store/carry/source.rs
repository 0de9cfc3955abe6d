//! The source: rows of the embedded store, some hundred at a time.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection};

use super::tables::{Kind, Table, Value};
use super::target::write;
use super::{CarryError, Tally};

/// Rows of one statement.
const AT_ONCE: usize = 500;

/// Writes all rows of a table into the target; answers what they add up to.
pub(super) async fn pour(
    source: &mut SqliteConnection,
    table: &'static Table,
    target: &mut PgConnection,
) -> Result<Tally, CarryError> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let sql = format!("SELECT {} FROM {}", names.join(", "), table.from);
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(source);
    let (mut tally, mut part) = (Tally::default(), Vec::with_capacity(AT_ONCE));
    while let Some(row) = rows.try_next().await? {
        let values = values(&row, table.columns)?;
        tally.add(&values);
        part.push(values);
        if part.len() == AT_ONCE {
            write(target, table, std::mem::take(&mut part)).await?;
        }
    }
    write(target, table, part).await?;
    Ok(tally)
}

/// Whether the source has a table.
pub(super) async fn has(source: &mut SqliteConnection, table: &Table) -> Result<bool, sqlx::Error> {
    let sql = "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = $1";
    sqlx::query_scalar(sql).bind(table.name).fetch_one(source).await
}

pub(super) fn values(row: &SqliteRow, columns: &[(&str, Kind)]) -> Result<Vec<Value>, sqlx::Error> {
    let columns = columns.iter().enumerate();
    columns
        .map(|(at, (_, kind))| {
            Ok(match kind {
                Kind::Int => row.try_get::<Option<i64>, _>(at)?.map(|n| n.to_string()),
                Kind::Real => row.try_get::<Option<f64>, _>(at)?.map(|n| format!("{n:?}")),
                Kind::Text => row
                    .try_get::<Option<&str>, _>(at)?
                    .map(|t| t.replace('\0', "\u{fffd}")),
                Kind::Json | Kind::Stamp => row.try_get(at)?,
                Kind::Jsonb => row.try_get::<Option<&str>, _>(at)?.map(super::target::canonical),
            })
        })
        .collect()
}
