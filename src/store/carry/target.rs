//! The target: rows go in by arrays of text and come back as they lie there.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::tables::{Kind, Table, Value};
use super::{CarryError, Tally};
use crate::store::postgres::searchable;

/// The first table that has a row.
pub(super) async fn not_empty(
    conn: &mut PgConnection,
    tables: impl Iterator<Item = &'static Table>,
) -> Result<Option<&'static str>, CarryError> {
    sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET CONSTRAINTS proven DEFERRED")
        .execute(&mut *conn)
        .await?;
    for table in tables {
        // Who wrote the schema stands in every store.
        let sql = match table.name {
            "flag" => "SELECT EXISTS (SELECT FROM flag WHERE name <> 'schema_written_by')".to_owned(),
            name => format!("SELECT EXISTS (SELECT FROM {name})"),
        };
        let found: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *conn)
            .await?;
        if found {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

/// Writes rows.
pub(super) async fn write(
    conn: &mut PgConnection,
    table: &Table,
    rows: Vec<Vec<Value>>,
) -> Result<(), CarryError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut columns: Vec<Vec<Value>> = table
        .columns
        .iter()
        .map(|_| Vec::with_capacity(rows.len()))
        .collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let casts: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| format!("c.{name}::{}", of(*kind)))
        .collect();
    let arrays: Vec<String> = (1..=names.len()).map(|n| format!("${n}::text[]")).collect();
    let names = names.join(", ");
    let sql = format!(
        "INSERT INTO {} ({names}) SELECT {} FROM unnest({}) AS c ({names})",
        table.name,
        casts.join(", "),
        arrays.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for column in columns {
        query = query.bind(column);
    }
    query.execute(conn).await?;
    Ok(())
}

fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "bigint",
        Kind::Real => "double precision",
        Kind::Text => "text",
        Kind::Json => "json",
        Kind::Jsonb => "jsonb",
        Kind::Stamp => "timestamptz",
    }
}

/// What all rows of a table add up to.
pub(super) async fn tally(conn: &mut PgConnection, table: &Table) -> Result<Tally, CarryError> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| read(name, *kind))
        .collect();
    let mine = if table.name == "flag" {
        " WHERE name <> 'schema_written_by'"
    } else {
        ""
    };
    let sql = format!("SELECT {} FROM {}{mine}", columns.join(", "), table.name);
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(conn);
    let mut tally = Tally::default();
    while let Some(row) = rows.try_next().await? {
        tally.add(&values(&row, table.columns)?);
    }
    Ok(tally)
}

/// A column as it is read.
pub(super) fn read(name: &str, kind: Kind) -> String {
    match kind {
        Kind::Int | Kind::Real | Kind::Text => name.to_owned(),
        Kind::Json | Kind::Jsonb => format!("{name}::text"),
        Kind::Stamp => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
    }
}

pub(super) fn values(row: &PgRow, columns: &[(&str, Kind)]) -> Result<Vec<Value>, sqlx::Error> {
    let columns = columns.iter().enumerate();
    columns
        .map(|(at, (_, kind))| {
            Ok(match kind {
                Kind::Int => row.try_get::<Option<i64>, _>(at)?.map(|n| n.to_string()),
                Kind::Real => row.try_get::<Option<f64>, _>(at)?.map(|n| format!("{n:?}")),
                Kind::Text | Kind::Json | Kind::Stamp => row.try_get(at)?,
                Kind::Jsonb => row.try_get::<Option<&str>, _>(at)?.map(canonical),
            })
        })
        .collect()
}

/// JSON by its values: the order of fields and white space do not count.
pub(super) fn canonical(json: &str) -> String {
    let json = searchable(json);
    match serde_json::from_str::<serde_json::Value>(&json) {
        Ok(value) => sorted(value).to_string(),
        // The server refuses it when it is written.
        Err(_) => json.into_owned(),
    }
}

/// With the fields of all objects in the order of their names.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let fields: BTreeMap<String, serde_json::Value> = fields
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            fields.into_iter().collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

/// Numbers go on behind those that were carried over.
pub(super) async fn go_on_counting(conn: &mut PgConnection) -> Result<(), CarryError> {
    sqlx::raw_sql(
        "SELECT setval('event_seq', greatest((SELECT max(seq) FROM event_log), (SELECT max(seq) FROM task), \
         (SELECT max(seq) FROM gate), 1)); \
         SELECT setval(pg_get_serial_sequence('outbox', 'seq'), greatest((SELECT max(seq) FROM outbox), 1))",
    )
    .execute(conn)
    .await?;
    Ok(())
}
