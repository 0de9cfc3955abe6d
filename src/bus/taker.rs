//! A consumer of one type of message: what cannot be read is parked here, so that nobody drops it by mistake.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::error::BusError;
use super::message::Message;
use super::stream::{Held, Parked, Seat, Settled};
use super::{Bus, Envelope};

/// Takes messages of one type from a stream.
#[derive(Debug)]
pub struct Taker<M> {
    bus: Arc<dyn Bus>,
    seat: Seat,
    of: PhantomData<fn() -> M>,
}

/// A message that was read, and must be settled.
#[derive(Debug)]
#[must_use = "settle it: `ack`, `nack` or `park`"]
pub struct Letter<M> {
    /// What it says.
    pub message: M,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    bus: Arc<dyn Bus>,
    held: Held,
}

/// What one call brought.
#[derive(Debug)]
pub struct Letters<M> {
    /// To be settled, each.
    pub letters: Vec<Letter<M>>,
    /// Parked by this call; each was logged as well.
    pub parked: Vec<Parked>,
}

impl<M: Message> Taker<M> {
    /// A consumer at a seat.
    pub fn new(bus: Arc<dyn Bus>, seat: Seat) -> Self {
        Self {
            bus,
            seat,
            of: PhantomData,
        }
    }

    /// As [`Bus::take`]. A message of another kind or of an unknown version is parked.
    pub async fn take(&self, most: usize, wait: Duration) -> Result<Letters<M>, BusError> {
        let taken = self.bus.take(&self.seat, most, wait).await?;
        let mut all = Letters {
            letters: Vec::with_capacity(taken.held.len()),
            parked: taken.parked,
        };
        for held in taken.held {
            match held.message.open() {
                Ok(message) => all.letters.push(self.letter(message, held)),
                Err(unreadable) => all
                    .parked
                    .extend(self.set_aside(&held, unreadable.to_string()).await),
            }
        }
        for parked in &all.parked {
            tracing::error!(
                stream = self.seat.stream,
                kind = parked.message.kind,
                why = parked.why,
                "a message is parked"
            );
        }
        Ok(all)
    }

    fn letter(&self, message: M, held: Held) -> Letter<M> {
        Letter {
            message,
            deliveries: held.deliveries,
            bus: self.bus.clone(),
            held,
        }
    }

    /// What could not be parked now stays unacknowledged: whoever claims it parks it then.
    async fn set_aside(&self, held: &Held, why: String) -> Option<Parked> {
        match self.bus.park(held, &why).await {
            Ok(Settled::Parked) => Some(Parked {
                group: held.seat.group.clone(),
                consumer: held.seat.consumer.clone(),
                deliveries: held.deliveries,
                why,
                message: held.message.clone(),
            }),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, why, "a message cannot be parked now; it is delivered again");
                None
            }
        }
    }

    /// As [`Bus::leave`].
    pub async fn leave(self) -> Result<(), BusError> {
        self.bus.leave(&self.seat).await
    }
}

impl<M> Letter<M> {
    /// As [`Bus::ack`].
    pub async fn ack(self) -> Result<Settled, BusError> {
        self.bus.ack(&self.held).await
    }

    /// As [`Bus::nack`].
    pub async fn nack(self, why: &str) -> Result<Settled, BusError> {
        self.bus.nack(&self.held, why).await
    }

    /// As [`Bus::park`].
    pub async fn park(self, why: &str) -> Result<Settled, BusError> {
        self.bus.park(&self.held, why).await
    }

    /// It as it travelled.
    pub fn envelope(&self) -> &Envelope {
        &self.held.message
    }
}
