//! The bus on a Valkey or Redis server (7.0 or newer): streams with consumer groups, pub/sub, keys that expire.
//!
//! Invariants: what belongs together happens in one script; a call never outlasts its time; only the holder of a message
//! settles it (consumer and count of deliveries are the fence); groups that FLUSHALL or an empty restart took are made
//! anew; passwords are in no text. Deliberately absent: clusters of several shards, and sentinels (a name that follows the
//! primary does the same: every connection resolves it anew).

mod checkup;
mod fault;
mod journal;
mod keeper;
mod keys;
mod link;
mod presence;
mod reply;
mod script;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use checkup::Checkup;

use self::link::Link;
use self::presence::wire;
use self::script::Scripts;
use super::address::Address;
use super::live::Listener;
use super::{
    Bus, BusError, Entry, Envelope, Held, Id, Journal, Parked, Rules, Seat, Settled, Standing, Taken,
};
use crate::clock::Clock;

/// A bus on a server.
pub struct Valkey {
    link: Arc<Link>,
    scripts: Scripts,
    keeper: TaskTracker,
    end: CancellationToken,
}

impl Valkey {
    /// Begins to connect, and does not wait for it.
    pub fn open(address: Address, namespace: &str, rules: Rules, clock: Clock) -> Self {
        let link = Arc::new(Link::new(address, namespace, rules, clock));
        let (keeper, end) = (TaskTracker::new(), CancellationToken::new());
        let work = end.clone().run_until_cancelled_owned(keeper::keep(link.clone()));
        keeper.spawn(work);
        keeper.close();
        Self {
            link,
            scripts: Scripts::default(),
            keeper,
            end,
        }
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valkey")
            .field("server", &self.link.address)
            .field("standing", &*self.link.standing().borrow())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Bus for Valkey {
    async fn publish(&self, stream: &str, message: &Envelope) -> Result<Id, BusError> {
        self.publish_on(stream, message).await
    }

    async fn take(&self, seat: &Seat, most: usize, wait: Duration) -> Result<Taken, BusError> {
        self.take_for(seat, most, wait).await
    }

    async fn ack(&self, held: &Held) -> Result<Settled, BusError> {
        self.ack_held(held).await
    }

    async fn nack(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        self.nack_held(held, why).await
    }

    async fn park(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        self.park_held(held, why).await
    }

    async fn parked(&self, stream: &str, most: usize) -> Result<Vec<Parked>, BusError> {
        self.parked_on(stream, most).await
    }

    async fn clear_parked(&self, stream: &str) -> Result<u64, BusError> {
        self.clear_parked_on(stream).await
    }

    async fn leave(&self, seat: &Seat) -> Result<(), BusError> {
        self.leave_seat(seat).await
    }

    async fn append(&self, journal: &Journal, entries: &[Envelope]) -> Result<Id, BusError> {
        self.append_to(journal, entries).await
    }

    async fn read(
        &self,
        journal: &Journal,
        after: Option<Id>,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        self.read_from(journal, after, most, wait).await
    }

    async fn committed(&self, journal: &Journal, reader: &str, through: Id) -> Result<(), BusError> {
        self.commit(journal, reader, through).await
    }

    async fn committed_by(&self, journal: &Journal, reader: &str) -> Result<Option<Id>, BusError> {
        self.commit_of(journal, reader).await
    }

    async fn tell(&self, channel: &str, message: &Envelope) -> Result<(), BusError> {
        self.link.rules.fits(message)?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.link.keys.channel(channel)).arg(wire(message)?);
        self.link.ask(&command).await
    }

    async fn listen(&self, channel: &str) -> Listener {
        self.link.listen(channel).await
    }

    async fn announce(&self, name: &str, what: &Envelope, ttl: Duration) -> Result<(), BusError> {
        self.announce_as(name, what, ttl).await
    }

    async fn withdraw(&self, name: &str) -> Result<(), BusError> {
        self.withdraw_as(name).await
    }

    async fn present(&self) -> Result<Vec<(String, Envelope)>, BusError> {
        self.all_present().await
    }

    fn standing(&self) -> watch::Receiver<Standing> {
        self.link.standing()
    }

    async fn close(&self) {
        self.end.cancel();
        self.keeper.wait().await;
        self.link.close();
    }
}
