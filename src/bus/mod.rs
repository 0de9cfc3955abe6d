//! The bus: how processes of one fleet reach each other. Never the truth: what it loses costs time, not work.
//!
//! Four things, each with its own promise:
//! - **streams** ([`Bus::publish`], [`Bus::take`]): a message goes to one consumer of each group, and again to another
//!   one until it is acknowledged. Every message ends acknowledged, or parked with a reason after
//!   [`Rules::most_deliveries`]; at least once, never never. Typed by [`Taker`].
//! - **journals** ([`Bus::append`], [`Bus::read`]): entries in one order, kept until every reader that the [`Journal`]
//!   names has said that its own commit is done.
//! - **live** ([`Bus::tell`], [`Bus::listen`]): to whoever listens now. Lossy, and [`Heard::Missed`] says when.
//! - **presence** ([`Bus::announce`]): names that expire unless they are announced again.
//!
//! Invariants: every call ends within [`Rules::patience`], plus what the caller itself wants to wait; while the server is away calls
//! fail at once with [`BusError::Away`], and it is found again without anybody asking; what waits in it is bounded.
//! Two implementations: within a process (`memory`), and Valkey or Redis (`valkey`).
//! Deliberately absent: what the messages mean (service), retries of a call (only the caller knows whether it may repeat).

mod address;
mod error;
mod journal;
mod live;
mod memory;
mod message;
mod rules;
mod standing;
mod stream;
mod taker;
mod valkey;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config;

pub use address::{Address, BadAddress};
pub use error::BusError;
pub use journal::{Entry, Journal};
pub use live::{Heard, Listener};
pub use memory::Memory;
pub use message::{Envelope, Message, Unreadable};
pub use rules::Rules;
pub use standing::Standing;
pub use stream::{Held, Id, Parked, Seat, Settled, Taken};
pub use taker::{Letter, Letters, Taker};
pub use valkey::{Checkup, Valkey};

/// The way to other processes of the fleet; see the module for what each part promises.
#[async_trait]
pub trait Bus: fmt::Debug + Send + Sync {
    /// Puts a message on a stream. After [`BusError::Away`] it may be there or not.
    ///
    /// # Errors
    /// [`BusError::Full`] where as many wait as may.
    async fn publish(&self, stream: &str, message: &Envelope) -> Result<Id, BusError>;

    /// Takes up to `most` messages for a consumer: those that another one did not acknowledge in time first, then new
    /// ones. Waits up to `wait` for the first. The group exists from its first call, and sees all that the stream holds.
    /// A call that is dropped while it waits may leave what it was being handed to be claimed.
    async fn take(&self, seat: &Seat, most: usize, wait: Duration) -> Result<Taken, BusError>;

    /// Says that a message is done with.
    async fn ack(&self, held: &Held) -> Result<Settled, BusError>;

    /// Gives a message back: it is delivered again at once, to any consumer of the group, or parked where that was its
    /// last delivery.
    async fn nack(&self, held: &Held, why: &str) -> Result<Settled, BusError>;

    /// Parks a message at once: no delivery would make it better.
    async fn park(&self, held: &Held, why: &str) -> Result<Settled, BusError>;

    /// The newest `most` parked messages of a stream, the newest first.
    async fn parked(&self, stream: &str, most: usize) -> Result<Vec<Parked>, BusError>;

    /// Throws the parked messages of a stream away; how many there were.
    async fn clear_parked(&self, stream: &str) -> Result<u64, BusError>;

    /// Removes a consumer that holds nothing; one that holds something stays until that is claimed.
    async fn leave(&self, seat: &Seat) -> Result<(), BusError>;

    /// Appends entries to a journal, all or none; the id of the last one. After [`BusError::Away`] they may be there or not.
    ///
    /// # Errors
    /// [`BusError::Full`] where readers are as far behind as the journal may grow.
    async fn append(&self, journal: &Journal, entries: &[Envelope]) -> Result<Id, BusError>;

    /// Up to `most` entries after `after` (from the oldest, where it is none), waiting up to `wait` for the first.
    /// Where the journal was lost and begun anew since `after`, from its beginning.
    async fn read(
        &self,
        journal: &Journal,
        after: Option<Id>,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError>;

    /// A reader has committed all entries up to this one. What every reader has committed is removed.
    async fn committed(&self, journal: &Journal, reader: &str, through: Id) -> Result<(), BusError>;

    /// The last entry that a reader said it committed.
    async fn committed_by(&self, journal: &Journal, reader: &str) -> Result<Option<Id>, BusError>;

    /// Tells whoever listens on a channel now.
    async fn tell(&self, channel: &str, message: &Envelope) -> Result<(), BusError>;

    /// Listens on a channel from now on, over every loss of the server until the listener is dropped.
    async fn listen(&self, channel: &str) -> Listener;

    /// Makes a name present for `ttl`.
    async fn announce(&self, name: &str, what: &Envelope, ttl: Duration) -> Result<(), BusError>;

    /// Ends a presence before its time.
    async fn withdraw(&self, name: &str) -> Result<(), BusError>;

    /// Who is present, by name.
    async fn present(&self) -> Result<Vec<(String, Envelope)>, BusError>;

    /// How the bus stands, and every change of that.
    fn standing(&self) -> watch::Receiver<Standing>;

    /// Ends everything that runs for the bus. Calls fail from then on where they need a server.
    async fn close(&self);
}

/// The bus that the configuration names; `namespace` keeps fleets on one server apart. Connecting begins at once, and is
/// not waited for.
pub fn open(configured: &config::Bus, namespace: &str, rules: Rules, clock: Clock) -> Arc<dyn Bus> {
    match configured.server() {
        None => Arc::new(Memory::new(rules, clock)),
        Some(server) => Arc::new(Valkey::open(Address::of(server.value()), namespace, rules, clock)),
    }
}
