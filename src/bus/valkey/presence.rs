//! Presence on a server: a key with a time to live for each name, and an index, so that nobody scans all keys.

use std::time::Duration;

use redis::{Value, cmd};

use super::Valkey;
use super::reply::{list, text};
use super::stream::millis;
use crate::bus::{BusError, Envelope};

impl Valkey {
    pub(super) async fn announce_as(
        &self,
        name: &str,
        what: &Envelope,
        ttl: Duration,
    ) -> Result<(), BusError> {
        self.link.rules.fits(what)?;
        let mut call = self.scripts.announce.key(self.link.keys.index());
        call.key(self.link.keys.present(name));
        call.arg(name).arg(millis(ttl).max(1)).arg(wire(what)?);
        self.link.run(&call).await
    }

    pub(super) async fn withdraw_as(&self, name: &str) -> Result<(), BusError> {
        let mut command = cmd("DEL");
        command.arg(self.link.keys.present(name));
        // The index forgets the name with the next announcement after its time.
        self.link.ask(&command).await
    }

    pub(super) async fn all_present(&self) -> Result<Vec<(String, Envelope)>, BusError> {
        let mut command = cmd("ZRANGE");
        command.arg(self.link.keys.index()).arg(0).arg(-1);
        let names: Value = self.link.ask(&command).await?;
        let mut names: Vec<String> = list(names).iter().map(text).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        names.sort();
        let mut command = cmd("MGET");
        names.iter().for_each(|name| {
            command.arg(self.link.keys.present(name));
        });
        let values: Value = self.link.ask(&command).await?;
        let known = |(name, value): (String, Value)| {
            let what = serde_json::from_str(&text(&value)).ok()?;
            Some((name, what))
        };
        Ok(names.into_iter().zip(list(values)).filter_map(known).collect())
    }
}

/// A message as one text.
pub(super) fn wire(message: &Envelope) -> Result<String, BusError> {
    serde_json::to_string(message).map_err(|e| BusError::refused(e.to_string()))
}
