//! Journals on a server: a stream without groups; its readers keep their places in their own commits.

use std::time::Duration;

use redis::{Value, cmd};
use tokio::time::Instant;

use super::Valkey;
use super::reply::{Fields, entries, entry, id, list, text};
use super::stream::millis;
use crate::bus::{BusError, Entry, Envelope, Id, Journal};

/// The longest wait at the server before it is asked whether the journal was begun anew.
const SLICE: Duration = Duration::from_secs(1);
/// The shortest; the server takes 0 for "for ever".
const LEAST: Duration = Duration::from_millis(10);

impl Valkey {
    pub(super) async fn append_to(&self, journal: &Journal, messages: &[Envelope]) -> Result<Id, BusError> {
        let rules = &self.link.rules;
        if messages.is_empty() {
            return Err(BusError::refused("nothing to append"));
        }
        let mut call = self.scripts.append.key(self.link.keys.journal(&journal.name));
        call.arg(rules.journal_bound);
        for message in messages {
            rules.fits(message)?;
            call.arg(&message.kind).arg(message.version).arg(&message.body);
        }
        let value: Value = self.link.run(&call).await?;
        id(&value).ok_or_else(|| BusError::bound(&journal.name, rules.journal_bound))
    }

    pub(super) async fn read_from(
        &self,
        journal: &Journal,
        after: Option<Id>,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let end = Instant::now() + wait;
        let key = self.link.keys.journal(&journal.name);
        let after = after.map_or_else(|| "0-0".to_owned(), |id| id.to_string());
        loop {
            let mut call = self.scripts.read.key(&key);
            call.arg(&after).arg(most.max(1));
            let found: Value = self.link.run(&call).await?;
            let found: Vec<Entry> = list(found).into_iter().filter_map(entry).map(kept).collect();
            let left = end.saturating_duration_since(Instant::now());
            if !found.is_empty() || left.is_zero() {
                return Ok(found);
            }
            let slice = left.clamp(LEAST, SLICE);
            let mut command = cmd("XREAD");
            command
                .arg("COUNT")
                .arg(most.max(1))
                .arg("BLOCK")
                .arg(millis(slice));
            command.arg("STREAMS").arg(&key).arg(&after);
            let found = entries(self.link.wait(&command, slice).await?);
            if !found.is_empty() {
                return Ok(found.into_iter().map(kept).collect());
            }
        }
    }

    pub(super) async fn commit(&self, journal: &Journal, reader: &str, through: Id) -> Result<(), BusError> {
        journal.knows(reader)?;
        let mut call = self.scripts.committed.key(self.link.keys.journal(&journal.name));
        call.key(self.link.keys.committed(&journal.name));
        call.arg(reader).arg(through.to_string());
        for reader in &journal.readers {
            call.arg(reader);
        }
        self.link.run(&call).await
    }

    pub(super) async fn commit_of(&self, journal: &Journal, reader: &str) -> Result<Option<Id>, BusError> {
        journal.knows(reader)?;
        let mut command = cmd("HGET");
        command.arg(self.link.keys.committed(&journal.name)).arg(reader);
        let value: Value = self.link.ask(&command).await?;
        Ok(text(&value).parse().ok())
    }
}

fn kept((id, fields): (Id, Fields)) -> Entry {
    Entry {
        id,
        message: fields.message(),
    }
}
