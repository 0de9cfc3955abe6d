//! Streams on a server: consumer groups, with claims, counts and a place for what nobody can do with.

use std::time::Duration;

use redis::{Script, ScriptInvocation, Value, cmd};
use tokio::time::Instant;

use super::Valkey;
use super::reply::{Fields, entries, entry, id, list, row, text};
use crate::bus::{BusError, Envelope, Held, Id, Parked, Seat, Settled, Taken};

/// The longest wait at the server before claims are looked for again.
const SLICE: Duration = Duration::from_secs(1);
/// The shortest; the server takes 0 for "for ever".
const LEAST: Duration = Duration::from_millis(10);

impl Valkey {
    pub(super) async fn publish_on(&self, stream: &str, message: &Envelope) -> Result<Id, BusError> {
        let rules = &self.link.rules;
        rules.fits(message)?;
        let mut call = self.scripts.publish.key(self.link.keys.stream(stream));
        call.arg(rules.stream_bound).arg(&message.kind);
        call.arg(message.version).arg(&message.body);
        let value: Value = self.link.run(&call).await?;
        id(&value).ok_or_else(|| BusError::bound(stream, rules.stream_bound))
    }

    pub(super) async fn take_for(&self, seat: &Seat, most: usize, wait: Duration) -> Result<Taken, BusError> {
        let end = Instant::now() + wait;
        let slice = (self.link.rules.claim_after / 4).clamp(LEAST, SLICE);
        loop {
            let taken = self.claim_and_read(seat, most).await?;
            let left = end.saturating_duration_since(Instant::now());
            if !taken.held.is_empty() || !taken.parked.is_empty() || left.is_zero() {
                return Ok(taken);
            }
            let held = self.wait_for_new(seat, most, slice.min(left)).await?;
            if !held.is_empty() {
                return Ok(Taken {
                    held,
                    ..Taken::default()
                });
            }
        }
    }

    async fn claim_and_read(&self, seat: &Seat, most: usize) -> Result<Taken, BusError> {
        let rules = &self.link.rules;
        let mut call = self.on(&self.scripts.take, &seat.stream);
        call.arg(&seat.group).arg(&seat.consumer).arg(most.max(1));
        call.arg(millis(rules.claim_after))
            .arg(rules.most_deliveries)
            .arg(rules.parked_bound);
        let value: Value = self.link.run(&call).await?;
        let Some([held, parked]) = row(value) else {
            return Err(BusError::refused("an answer that is none"));
        };
        let held = list(held).into_iter().filter_map(|value| {
            let [at, count, fields] = row(value)?;
            Some(holding(
                seat,
                id(&at)?,
                text(&count).parse().ok()?,
                &Fields::of(fields),
            ))
        });
        let parked = list(parked).into_iter().filter_map(|value| {
            let [fields, deliveries, consumer] = row(value)?;
            Some(Parked {
                group: seat.group.clone(),
                consumer: text(&consumer),
                deliveries: text(&deliveries).parse().ok()?,
                why: "nobody acknowledged it".to_owned(),
                message: Fields::of(fields).message(),
            })
        });
        Ok(Taken {
            held: held.collect(),
            parked: parked.collect(),
        })
    }

    async fn wait_for_new(&self, seat: &Seat, most: usize, slice: Duration) -> Result<Vec<Held>, BusError> {
        let key = self.link.keys.stream(&seat.stream);
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(&seat.group).arg(&seat.consumer);
        command.arg("COUNT").arg(most.max(1));
        command.arg("BLOCK").arg(millis(slice.max(LEAST)));
        command.arg("STREAMS").arg(&key).arg(">");
        let mut held = Vec::new();
        for (at, fields) in entries(self.link.wait(&command, slice).await?) {
            if fields.has("g") && fields.text("g") != seat.group {
                // Given back by another group, which alone gets it again.
                let mut ack = cmd("XACK");
                ack.arg(&key).arg(&seat.group).arg(at.to_string());
                self.link.ask::<u64>(&ack).await?;
                continue;
            }
            held.push(holding(seat, at, 1, &fields));
        }
        Ok(held)
    }

    pub(super) async fn ack_held(&self, held: &Held) -> Result<Settled, BusError> {
        self.settle(self.of(&self.scripts.ack, held)).await
    }

    pub(super) async fn nack_held(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        if held.deliveries >= self.link.rules.most_deliveries {
            return self.park_held(held, why).await;
        }
        let mut call = self.of(&self.scripts.nack, held);
        carry(&mut call, held);
        self.settle(call).await
    }

    pub(super) async fn park_held(&self, held: &Held, why: &str) -> Result<Settled, BusError> {
        let mut call = self.of(&self.scripts.park, held);
        carry(&mut call, held);
        call.arg(why).arg(self.link.rules.parked_bound);
        self.settle(call).await
    }

    pub(super) async fn parked_on(&self, stream: &str, most: usize) -> Result<Vec<Parked>, BusError> {
        let mut command = cmd("XREVRANGE");
        command.arg(self.link.keys.parked(stream)).arg("+").arg("-");
        command.arg("COUNT").arg(most);
        let value: Value = self.link.ask(&command).await?;
        let parked = list(value)
            .into_iter()
            .filter_map(entry)
            .map(|(_, fields)| Parked {
                group: fields.text("g"),
                consumer: fields.text("c"),
                deliveries: fields.number("n"),
                why: fields.text("w"),
                message: fields.message(),
            });
        Ok(parked.collect())
    }

    pub(super) async fn clear_parked_on(&self, stream: &str) -> Result<u64, BusError> {
        let mut command = cmd("XTRIM");
        command.arg(self.link.keys.parked(stream)).arg("MAXLEN").arg(0);
        self.link.ask(&command).await
    }

    pub(super) async fn leave_seat(&self, seat: &Seat) -> Result<(), BusError> {
        let mut call = self.on(&self.scripts.leave, &seat.stream);
        call.arg(&seat.group).arg(&seat.consumer);
        self.link.run(&call).await
    }

    fn on<'s>(&self, script: &'s Script, stream: &str) -> ScriptInvocation<'s> {
        let mut call = script.key(self.link.keys.stream(stream));
        call.key(self.link.keys.parked(stream));
        call
    }

    fn of<'s>(&self, script: &'s Script, held: &Held) -> ScriptInvocation<'s> {
        let seat = &held.seat;
        let mut call = self.on(script, &seat.stream);
        call.arg(&seat.group).arg(&seat.consumer);
        call.arg(held.id.to_string()).arg(held.fence);
        call
    }

    async fn settle(&self, call: ScriptInvocation<'_>) -> Result<Settled, BusError> {
        let value: Value = self.link.run(&call).await?;
        Ok(match text(&value).as_str() {
            "done" => Settled::Done,
            "back" => Settled::Back,
            "parked" => Settled::Parked,
            _ => Settled::NotHeld,
        })
    }
}

fn carry(call: &mut ScriptInvocation<'_>, held: &Held) {
    let message = &held.message;
    call.arg(held.deliveries).arg(&message.kind);
    call.arg(message.version).arg(&message.body);
}

fn holding(seat: &Seat, at: Id, fence: u32, fields: &Fields) -> Held {
    Held {
        seat: seat.clone(),
        id: at,
        deliveries: fields.number("n") + fence,
        fence,
        message: fields.message(),
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
