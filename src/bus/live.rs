//! Listening: a bounded ring a channel, and a word where something was missed.
//!
//! Shared by both implementations. Whoever tells never waits for whoever listens: a listener that is behind misses the oldest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::message::Envelope;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Envelope),
    /// Something may have been said that was not heard: the server was away, or this listener behind. Look for yourself.
    Missed,
}

/// Listens on a channel until it is dropped.
#[derive(Debug)]
pub struct Listener {
    ring: Receiver<Heard>,
}

impl Listener {
    /// The next thing; `None` once the bus is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.ring.recv().await {
            Ok(heard) => Some(heard),
            Err(RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The channels that somebody here listens on.
#[derive(Debug)]
pub(super) struct Hub {
    channels: Mutex<HashMap<String, Sender<Heard>>>,
    ring: usize,
}

impl Hub {
    /// With so many places a ring.
    pub(super) fn new(ring: usize) -> Self {
        Self {
            channels: Mutex::new(HashMap::new()),
            ring: ring.max(1),
        }
    }

    /// A new listener, and whether it is the first of its channel.
    pub(super) fn listen(&self, channel: &str) -> (Listener, bool) {
        let mut channels = self.channels();
        let first = !channels.contains_key(channel);
        let sender = channels
            .entry(channel.to_owned())
            .or_insert_with(|| broadcast::channel(self.ring).0);
        let listener = Listener {
            ring: sender.subscribe(),
        };
        (listener, first)
    }

    /// Passes something on to whoever listens here.
    pub(super) fn pass(&self, channel: &str, heard: Heard) {
        if let Some(sender) = self.channels().get(channel) {
            // Nobody listens any more: `prune` forgets the channel.
            let _nobody = sender.send(heard);
        }
    }

    /// Tells every listener that it may have missed something.
    pub(super) fn missed(&self) {
        for sender in self.channels().values() {
            let _nobody = sender.send(Heard::Missed);
        }
    }

    /// The channels that somebody listens on.
    pub(super) fn wanted(&self) -> Vec<String> {
        self.channels().keys().cloned().collect()
    }

    /// Forgets the channels that nobody listens on any more, and names them.
    pub(super) fn prune(&self) -> Vec<String> {
        let mut gone = Vec::new();
        self.channels().retain(|name, sender| {
            let kept = sender.receiver_count() > 0;
            if !kept {
                gone.push(name.clone());
            }
            kept
        });
        gone
    }

    /// Ends every listener.
    pub(super) fn close(&self) {
        self.channels().clear();
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<String, Sender<Heard>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
