//! A journal within a process.

use std::collections::{BTreeMap, HashMap};

use crate::bus::{BusError, Entry, Envelope, Id};

/// What was appended and is not committed by everybody.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    last: u64,
    entries: BTreeMap<Id, Envelope>,
    committed: HashMap<String, Id>,
}

impl Shelf {
    pub(super) fn append(&mut self, name: &str, entries: &[Envelope], bound: usize) -> Result<Id, BusError> {
        if self.entries.len() + entries.len() > bound {
            return Err(BusError::bound(name, bound));
        }
        for message in entries {
            self.last += 1;
            self.entries.insert(at(self.last), message.clone());
        }
        Ok(at(self.last))
    }

    pub(super) fn read(&self, after: Option<Id>, most: usize) -> Vec<Entry> {
        // A place that was never given is one of a process before this.
        let after = after.filter(|after| *after <= at(self.last));
        let entry = |(id, message): (&Id, &Envelope)| Entry {
            id: *id,
            message: message.clone(),
        };
        self.entries
            .range(after.map_or(at(0), Id::next)..)
            .take(most)
            .map(entry)
            .collect()
    }

    pub(super) fn committed(&mut self, readers: &[String], reader: &str, through: Id) {
        let own = self.committed.entry(reader.to_owned()).or_insert(through);
        *own = (*own).max(through);
        let least = readers.iter().map(|r| self.committed.get(r).copied()).min();
        if let Some(Some(least)) = least {
            self.entries = self.entries.split_off(&least.next());
        }
    }

    pub(super) fn committed_by(&self, reader: &str) -> Option<Id> {
        self.committed.get(reader).copied()
    }
}

fn at(seq: u64) -> Id {
    Id { ms: 0, seq }
}
