//! Moving house: everything of an embedded store into an empty one on a server, in one transaction there.
//!
//! The one place that speaks both engines' SQL. Invariants: the source is only read, in one snapshot; the target is empty before
//! and either has everything afterwards or nothing; every row is read back from the target and compared by a digest before
//! anything is committed. Deliberately absent: the way back, and merging.

mod source;
mod target;

use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::postgres::Target;
use super::sqlite::connect;
use super::{OpenMode, migrate};
use crate::config::section::{PostgresServer, StoreAddress};

/// What was carried over of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
}

/// Why nothing was carried over.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target has something already.
    #[error("the table {table} of {address} is not empty; name an empty database")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
        /// The target.
        address: StoreAddress,
    },
    /// What was read back is not what was written.
    #[error(
        "{table} has {found} rows in the new store where the old one has {expected}, or their values differ; nothing was kept"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows in the source.
        expected: u64,
        /// Rows in the target.
        found: u64,
    },
}

impl From<sqlx::Error> for CarryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Real,
    Text,
    /// Kept as it is written.
    Json,
    /// Kept by its values.
    Jsonb,
}

/// A table of the target and where its rows come from.
struct Table {
    name: &'static str,
    /// The table of the source.
    from: &'static str,
    columns: &'static [(&'static str, Kind)],
}

/// A value on its way, as text.
type Value = Option<String>;

use Kind::{Int, Json, Jsonb, Real, Text};

/// In an order in which each finds what it refers to; the proof of completed tasks is checked at the end.
static TABLES: [Table; 9] = [
    Table {
        name: "definition",
        from: "definition",
        columns: &[
            ("task_id", Text),
            ("hash", Text),
            ("body_version", Int),
            ("body", Json),
        ],
    },
    Table {
        name: "task",
        from: "task",
        columns: &[
            ("id", Text),
            ("version", Int),
            ("epoch", Int),
            ("seq", Int),
            ("definition_hash", Text),
            ("project", Text),
            ("priority", Int),
            ("created_at", Int),
            ("updated_at", Int),
            ("body_version", Int),
            ("done_gate", Int),
            ("state", Jsonb),
            ("history", Json),
        ],
    },
    Table {
        name: "attempt",
        from: "attempt",
        columns: &[
            ("task_id", Text),
            ("epoch", Int),
            ("n", Int),
            ("started_at", Int),
            ("ended_at", Int),
            ("outcome", Text),
            ("reason", Text),
            ("opening", Json),
            ("report", Json),
        ],
    },
    Table {
        name: "attempt_live",
        from: "attempt",
        columns: &[
            ("task_id", Text),
            ("epoch", Int),
            ("beat_at", Int),
            ("progress_pct", Int),
            ("phase", Text),
            ("transcript_offset", Int),
            ("session", Text),
            ("cost_usd", Real),
            ("input_tokens", Int),
            ("output_tokens", Int),
        ],
    },
    Table {
        name: "gate",
        from: "gate",
        columns: &[
            ("seq", Int),
            ("task_id", Text),
            ("attempt", Int),
            ("epoch", Int),
            ("commit_id", Text),
            ("tree", Text),
            ("verdict", Text),
            ("started_at", Int),
            ("ended_at", Int),
        ],
    },
    Table {
        name: "receipt",
        from: "receipt",
        columns: &[
            ("gate_seq", Int),
            ("position", Int),
            ("name", Text),
            ("category", Text),
            ("source", Text),
            ("directory", Text),
            ("commit_id", Text),
            ("command", Text),
            ("exit_code", Int),
            ("verdict", Text),
            ("started_at", Int),
            ("duration_us", Int),
            ("output_tail", Text),
            ("output_sha256", Text),
            ("tree", Text),
            ("environment", Text),
            ("sandbox", Text),
            ("output_bytes", Int),
            ("files", Json),
        ],
    },
    Table {
        name: "event_log",
        from: "event_log",
        columns: &[
            ("seq", Int),
            ("task_id", Text),
            ("version", Int),
            ("epoch", Int),
            ("at", Int),
            ("kind", Text),
            ("from_state", Text),
            ("to_state", Text),
            ("why", Text),
        ],
    },
    Table {
        name: "outbox",
        from: "outbox",
        columns: &[
            ("seq", Int),
            ("key", Text),
            ("task_id", Text),
            ("kind", Text),
            ("payload", Json),
            ("created_at", Int),
            ("attempts", Int),
            ("not_before", Int),
            ("done_at", Int),
            ("error", Text),
        ],
    },
    Table {
        name: "mirror",
        from: "mirror",
        columns: &[("task_id", Text), ("version", Int), ("body", Json)],
    },
];

/// The facts of the instance; who wrote the schema is the target's own.
static FLAGS: Table = Table {
    name: "flag",
    from: "(SELECT * FROM flag WHERE name <> 'schema_written_by')",
    columns: &[("name", Text), ("value", Json), ("set_at", Int)],
};

/// How many rows there are, and a sum over all of their values in which their order does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    rows: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, row: &[Value]) {
        let mut digest = Sha256::new();
        for value in row {
            match value {
                Some(text) => {
                    digest.update([1]);
                    digest.update((text.len() as u64).to_le_bytes());
                    digest.update(text.as_bytes());
                }
                None => digest.update([0]),
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        self.rows += 1;
        self.sum = self
            .sum
            .wrapping_add(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Carries everything from the embedded store at `from` into the empty database `to`, whose schema is made where it is not there.
/// Whoever calls sees to it that no service runs on either.
///
/// # Errors
/// [`CarryError`]; then the target is as empty as it was.
pub async fn carry(from: &Path, to: &PostgresServer) -> Result<Vec<Carried>, CarryError> {
    let address = StoreAddress::Postgres(to.clone());
    migrate::check(&StoreAddress::Sqlite(from.to_owned())).await?;
    migrate::apply(&address).await?;
    let mut source = connect(from, OpenMode::ReadOnly).await?;
    sqlx::raw_sql("BEGIN").execute(&mut source).await?;
    let mut target = Target::connect(to).await?;
    let mut transaction = target.begin().await?;
    if let Some(table) = target::not_empty(&mut transaction, tables()).await? {
        return Err(CarryError::NotEmpty { table, address });
    }
    let mut carried = Vec::new();
    for table in tables() {
        let written = source::pour(&mut source, table, &mut transaction).await?;
        let found = target::tally(&mut transaction, table).await?;
        if found != written {
            return Err(CarryError::Differs {
                table: table.name,
                expected: written.rows,
                found: found.rows,
            });
        }
        carried.push(Carried {
            table: table.name,
            rows: written.rows,
        });
    }
    target::go_on_counting(&mut transaction).await?;
    transaction.commit().await?;
    Ok(carried)
}

fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(std::iter::once(&FLAGS))
}
