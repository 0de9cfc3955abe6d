//! Journals: what is appended by many, read in order, and removed only after every reader's own commit.

use super::error::BusError;
use super::message::Envelope;
use super::stream::Id;

/// A journal and those who must have committed an entry before it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Its name.
    pub name: String,
    /// Its readers. One that has never committed anything holds everything.
    pub readers: Vec<String>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place; later entries have greater ones.
    pub id: Id,
    /// What was appended.
    pub message: Envelope,
}

impl Journal {
    /// A journal of that name, read by these.
    pub fn new(name: &str, readers: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            readers: readers.iter().map(|&r| r.to_owned()).collect(),
        }
    }

    pub(super) fn knows(&self, reader: &str) -> Result<(), BusError> {
        if self.readers.iter().any(|r| r == reader) {
            return Ok(());
        }
        Err(BusError::refused(format!(
            "'{reader}' is no reader of the journal '{}'",
            self.name
        )))
    }
}
