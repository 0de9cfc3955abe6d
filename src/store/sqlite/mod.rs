//! The embedded engine: one file, one writer task that groups commits, a small pool of readers.
//!
//! Every file here adds the verbs of one concern to [`Store`]; `writer` is the only way to the disk.

mod attempts;
mod commit;
mod gates;
mod instance;
mod open;
mod outbox;
mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use sqlx::SqlitePool;

pub use open::OpenMode;
pub(in crate::store) use open::{connect, make};
use writer::Writer;

/// The store of one instance. Cheap to share behind an `Arc`; every verb takes `&self`.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    readers: SqlitePool,
}
