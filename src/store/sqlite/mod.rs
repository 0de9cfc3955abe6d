//! The embedded engine: one file, one writer task that groups commits, a small pool of readers.
//!
//! Every file here adds the verbs of one concern to [`SqliteStore`]; `writer` is the only way to the disk.

mod attempts;
mod bulk;
mod commit;
mod copy;
mod figures;
mod gates;
mod group;
mod instance;
pub(super) mod migrate;
mod open;
mod outbox;
mod port;
mod talk;
mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use sqlx::SqlitePool;

pub(super) use copy::copy_into;
pub(super) use migrate::newest_schema;
pub(super) use open::connect;
use writer::Writer;

/// The store of one instance, in a file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
}
