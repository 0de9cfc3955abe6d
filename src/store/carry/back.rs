//! The way back: rows of a server into an embedded store, each read back and compared.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::tables::{FLAGS, Kind, SUMMARIES, Table, Value, tables};
use super::{Carried, CarryError, Tally, same, source, target};
use crate::store::error::StoreError;

/// Rows of one statement.
const AT_ONCE: usize = 500;

/// Pours every table, in one transaction of the embedded store.
pub(super) async fn pour_all(
    from: &mut PgConnection,
    to: &mut SqliteConnection,
) -> Result<Vec<Carried>, CarryError> {
    // Tasks and gates refer to each other; all references are looked at when everything is there.
    sqlx::raw_sql("PRAGMA foreign_keys = OFF")
        .execute(&mut *to)
        .await?;
    let mut transaction = to.begin().await?;
    let summaries = "CREATE TABLE session_summary (task_id TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, \
        node TEXT NOT NULL, saved_at TEXT NOT NULL, progress TEXT NOT NULL) STRICT";
    sqlx::raw_sql(summaries).execute(&mut *transaction).await?;
    let mut carried = Vec::new();
    for home in homes() {
        let written = pour(from, home, &mut transaction).await?;
        let found = tally(&mut transaction, home).await?;
        carried.push(same(home.name, written, found)?);
    }
    let broken = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&mut *transaction)
        .await?;
    if broken.is_some() {
        let reason = "a row refers to one that is not there".to_owned();
        return Err(StoreError::Damaged { reason }.into());
    }
    transaction.commit().await?;
    Ok(carried)
}

/// The tables, gates first: the embedded store refuses a completed task without its gate.
fn homes() -> Vec<&'static Table> {
    let mut homes: Vec<_> = tables().chain([&SUMMARIES]).collect();
    homes.sort_by_key(|home| home.name != "gate");
    homes
}

/// The rows of a table, without what is the store's own.
fn rows(home: &Table) -> String {
    match home.name == FLAGS.name {
        true => format!("{} AS flag", FLAGS.from),
        false => home.name.to_owned(),
    }
}

async fn pour(from: &mut PgConnection, home: &Table, to: &mut SqliteConnection) -> Result<Tally, CarryError> {
    let columns: Vec<String> = home
        .columns
        .iter()
        .map(|(name, kind)| target::read(name, *kind))
        .collect();
    let sql = format!("SELECT {} FROM {}", columns.join(", "), rows(home));
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(from);
    let (mut tally, mut part) = (Tally::default(), Vec::with_capacity(AT_ONCE));
    while let Some(row) = rows.try_next().await? {
        let values = target::values(&row, home.columns)?;
        tally.add(&values);
        part.push(values);
        if part.len() == AT_ONCE {
            write(to, home, std::mem::take(&mut part)).await?;
        }
    }
    write(to, home, part).await?;
    Ok(tally)
}

async fn write(to: &mut SqliteConnection, home: &Table, rows: Vec<Vec<Value>>) -> Result<(), CarryError> {
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = home.columns.iter().map(|(name, _)| *name).collect();
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    let sql = format!(
        "INSERT INTO {} ({}) VALUES {}",
        home.name,
        names.join(", "),
        vec![row; rows.len()].join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for row in rows {
        for (value, (name, kind)) in row.into_iter().zip(home.columns) {
            query = match kind {
                Kind::Int => query.bind(number::<i64>(value, name)?),
                Kind::Real => query.bind(number::<f64>(value, name)?),
                Kind::Text | Kind::Json | Kind::Jsonb | Kind::Stamp => query.bind(value),
            };
        }
    }
    query.execute(to).await?;
    Ok(())
}

fn number<N: std::str::FromStr>(value: Value, column: &str) -> Result<Option<N>, StoreError> {
    let unreadable = |text: String| StoreError::Unreadable {
        what: format!("the column {column}"),
        reason: format!("{text} is no number"),
    };
    value
        .map(|text| text.parse().map_err(|_| unreadable(text)))
        .transpose()
}

async fn tally(to: &mut SqliteConnection, home: &Table) -> Result<Tally, CarryError> {
    let names: Vec<&str> = home.columns.iter().map(|(name, _)| *name).collect();
    let sql = format!("SELECT {} FROM {}", names.join(", "), rows(home));
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(to);
    let mut tally = Tally::default();
    while let Some(row) = rows.try_next().await? {
        tally.add(&source::values(&row, home.columns)?);
    }
    Ok(tally)
}
