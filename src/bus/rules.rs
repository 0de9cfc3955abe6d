//! The bounds of a bus: how long, how often, how many.

use std::time::Duration;

use super::error::BusError;
use super::message::Envelope;

/// Bounds that every process of a fleet keeps to alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The longest that one call to the server takes before it counts as away.
    pub patience: Duration,
    /// Between two looks whether the server is still there, or there again.
    pub probe_every: Duration,
    /// After this time without an acknowledgement another consumer may claim a message.
    pub claim_after: Duration,
    /// How often a message is delivered at most before it is parked; at least 1.
    pub most_deliveries: u32,
    /// Messages that one stream holds at most.
    pub stream_bound: usize,
    /// Entries that one journal holds at most.
    pub journal_bound: usize,
    /// Parked messages of one stream that are kept, about; the oldest go first.
    pub parked_bound: usize,
    /// What a listener that is behind may miss before the oldest is dropped.
    pub listener_bound: usize,
    /// Bytes of one message's body at most.
    pub message_bytes: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(2),
            probe_every: Duration::from_secs(2),
            claim_after: Duration::from_secs(60),
            most_deliveries: 5,
            stream_bound: 100_000,
            journal_bound: 500_000,
            parked_bound: 10_000,
            listener_bound: 1024,
            message_bytes: 1 << 20,
        }
    }
}

impl Rules {
    /// Refuses what is too large to be carried.
    pub(super) fn fits(&self, message: &Envelope) -> Result<(), BusError> {
        let (bytes, most) = (message.body.len(), self.message_bytes);
        if bytes > most {
            let kind = &message.kind;
            return Err(BusError::refused(format!(
                "a '{kind}' of {bytes} bytes; {most} are carried at most: put it in the store, and send where it is"
            )));
        }
        Ok(())
    }
}
