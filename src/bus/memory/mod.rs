//! The bus within one process: what every instance has that names no server. The same promises and bounds, and always up.
//!
//! Invariants: nothing here outlives the process, so nothing here may be the only trace of anything; no lock is held over
//! an `await`.

mod shelf;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use self::shelf::Shelf;
use self::stream::Stream;
use super::live::{Heard, Hub, Listener};
use super::{
    Bus, BusError, Entry, Envelope, Held, Id, Journal, Parked, Rules, Seat, Settled, Standing, Taken,
};
use crate::clock::Clock;

/// The in-process bus.
#[derive(Debug)]
pub struct Memory {
    rules: Rules,
    streams: Mutex<HashMap<String, Stream>>,
    journals: Mutex<HashMap<String, Shelf>>,
    present: Mutex<BTreeMap<String, (Instant, Envelope)>>,
    /// Something came that somebody may wait for.
    news: Arc<Notify>,
    hub: Hub,
    standing: watch::Sender<Standing>,
}

impl Memory {
    /// An empty one.
    pub fn new(rules: Rules, clock: Clock) -> Self {
        Self {
            hub: Hub::new(rules.listener_bound),
            streams: Mutex::default(),
            journals: Mutex::default(),
            present: Mutex::default(),
            news: Arc::default(),
            standing: watch::Sender::new(Standing::Up { since: clock.now() }),
            rules,
        }
    }

    fn on<T>(&self, stream: &str, act: impl FnOnce(&mut Stream, &Rules) -> T) -> T {
        let mut streams = locked(&self.streams);
        act(streams.entry(stream.to_owned()).or_default(), &self.rules)
    }

    fn of<T>(&self, journal: &Journal, act: impl FnOnce(&mut Shelf) -> T) -> T {
        act(locked(&self.journals).entry(journal.name.clone()).or_default())
    }

    /// Calls `look` until it finds something, after each piece of news and whenever `look` says it is due, until `wait` is over.
    async fn until<T>(
        &self,
        wait: Duration,
        mut look: impl FnMut() -> (Option<T>, Option<Instant>),
    ) -> Option<T> {
        let end = Instant::now() + wait;
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            // Before the look, so that what comes right after it is not missed.
            news.as_mut().enable();
            let (found, due) = look();
            if found.is_some() || Instant::now() >= end {
                return found;
            }
            let until = due.map_or(end, |due| due.min(end));
            tokio::select! { () = &mut news => {} () = sleep_until(until) => {} }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Bus for Memory {
    async fn publish(&self, stream: &str, message: &Envelope) -> Result<Id, BusError> {
        self.rules.fits(message)?;
        let id = self.on(stream, |s, rules| s.publish(stream, message, rules))?;
        self.news.notify_waiters();
        Ok(id)
    }

    async fn take(&self, seat: &Seat, most: usize, wait: Duration) -> Result<Taken, BusError> {
        let look = || {
            self.on(&seat.stream, |s, rules| {
                let taken = s.take(seat, most, Instant::now(), rules);
                let found = !(taken.held.is_empty() && taken.parked.is_empty());
                (found.then_some(taken), s.claimable_at(seat, rules))
            })
        };
        Ok(self.until(wait, look).await.unwrap_or_default())
    }

    async fn ack(&self, held: &Held) -> Result<Settled, BusError> {
        Ok(self.on(&held.seat.stream, |s, _| s.ack(held)))
    }

    async fn nack(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        let settled = self.on(&held.seat.stream, |s, rules| s.nack(held, why, rules));
        self.news.notify_waiters();
        Ok(settled)
    }

    async fn park(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        Ok(self.on(&held.seat.stream, |s, rules| s.park(held, why, rules)))
    }

    async fn parked(&self, stream: &str, most: usize) -> Result<Vec<Parked>, BusError> {
        Ok(self.on(stream, |s, _| s.parked(most)))
    }

    async fn clear_parked(&self, stream: &str) -> Result<u64, BusError> {
        Ok(self.on(stream, |s, _| s.clear_parked()))
    }

    async fn leave(&self, _seat: &Seat) -> Result<(), BusError> {
        // A consumer that holds nothing is nothing here.
        Ok(())
    }

    async fn append(&self, journal: &Journal, entries: &[Envelope]) -> Result<Id, BusError> {
        if entries.is_empty() {
            return Err(BusError::refused("nothing to append"));
        }
        entries.iter().try_for_each(|e| self.rules.fits(e))?;
        let id = self.of(journal, |j| {
            j.append(&journal.name, entries, self.rules.journal_bound)
        })?;
        self.news.notify_waiters();
        Ok(id)
    }

    async fn read(
        &self,
        journal: &Journal,
        after: Option<Id>,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let look = || {
            let entries = self.of(journal, |j| j.read(after, most));
            ((!entries.is_empty()).then_some(entries), None)
        };
        Ok(self.until(wait, look).await.unwrap_or_default())
    }

    async fn committed(&self, journal: &Journal, reader: &str, through: Id) -> Result<(), BusError> {
        journal.knows(reader)?;
        self.of(journal, |j| j.committed(&journal.readers, reader, through));
        Ok(())
    }

    async fn committed_by(&self, journal: &Journal, reader: &str) -> Result<Option<Id>, BusError> {
        journal.knows(reader)?;
        Ok(self.of(journal, |j| j.committed_by(reader)))
    }

    async fn tell(&self, channel: &str, message: &Envelope) -> Result<(), BusError> {
        self.rules.fits(message)?;
        self.hub.pass(channel, Heard::Message(message.clone()));
        Ok(())
    }

    async fn listen(&self, channel: &str) -> Listener {
        self.hub.prune();
        self.hub.listen(channel).0
    }

    async fn announce(&self, name: &str, what: &Envelope, ttl: Duration) -> Result<(), BusError> {
        self.rules.fits(what)?;
        let now = Instant::now();
        let mut present = locked(&self.present);
        present.retain(|_, (until, _)| *until > now);
        present.insert(name.to_owned(), (now + ttl, what.clone()));
        Ok(())
    }

    async fn withdraw(&self, name: &str) -> Result<(), BusError> {
        locked(&self.present).remove(name);
        Ok(())
    }

    async fn present(&self) -> Result<Vec<(String, Envelope)>, BusError> {
        let now = Instant::now();
        let mut present = locked(&self.present);
        present.retain(|_, (until, _)| *until > now);
        let named = present
            .iter()
            .map(|(name, (_, what))| (name.clone(), what.clone()));
        Ok(named.collect())
    }

    fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    async fn close(&self) {
        self.hub.close();
    }
}
