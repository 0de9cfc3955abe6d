//! A stream within a process: entries, and what each group has of them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::time::Instant;

use crate::bus::{BusError, Envelope, Held, Id, Parked, Rules, Seat, Settled, Taken};

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    last: u64,
    items: BTreeMap<Id, Item>,
    groups: HashMap<String, Group>,
    parked: VecDeque<Parked>,
}

#[derive(Debug)]
struct Item {
    message: Envelope,
    /// Given back by this group; the others have seen it at its former place.
    only: Option<String>,
    /// Deliveries at former places.
    before: u32,
}

#[derive(Debug)]
struct Group {
    last: Id,
    pending: BTreeMap<Id, Pending>,
}

#[derive(Debug)]
struct Pending {
    consumer: String,
    since: Instant,
    deliveries: u32,
}

const START: Id = Id { ms: 0, seq: 0 };

impl Default for Group {
    fn default() -> Self {
        Self {
            last: START,
            pending: BTreeMap::new(),
        }
    }
}

impl Stream {
    pub(super) fn publish(&mut self, name: &str, message: &Envelope, rules: &Rules) -> Result<Id, BusError> {
        if self.items.len() >= rules.stream_bound {
            return Err(BusError::bound(name, rules.stream_bound));
        }
        Ok(self.put(Item {
            message: message.clone(),
            only: None,
            before: 0,
        }))
    }

    fn put(&mut self, item: Item) -> Id {
        self.last += 1;
        let id = Id {
            ms: 0,
            seq: self.last,
        };
        self.items.insert(id, item);
        id
    }

    pub(super) fn take(&mut self, seat: &Seat, most: usize, now: Instant, rules: &Rules) -> Taken {
        let mut taken = self.claim(seat, most, now, rules);
        self.deliver(seat, most, now, &mut taken);
        taken
    }

    /// When the next message that nobody acknowledged may be claimed.
    pub(super) fn claimable_at(&self, seat: &Seat, rules: &Rules) -> Option<Instant> {
        let pending = self.groups.get(&seat.group)?.pending.values();
        pending.map(|p| p.since + rules.claim_after).min()
    }

    fn claim(&mut self, seat: &Seat, most: usize, now: Instant, rules: &Rules) -> Taken {
        let mut taken = Taken::default();
        let group = self.groups.entry(seat.group.clone()).or_default();
        let idle = |p: &Pending| now.saturating_duration_since(p.since) >= rules.claim_after;
        let idle = group.pending.iter().filter(|(_, p)| idle(p));
        let idle: Vec<Id> = idle.map(|(id, _)| *id).take(most).collect();
        for id in idle {
            let (Some(item), Some(pending)) = (self.items.get(&id), group.pending.get_mut(&id)) else {
                continue;
            };
            if item.before + pending.deliveries < rules.most_deliveries {
                pending.consumer.clone_from(&seat.consumer);
                pending.since = now;
                pending.deliveries += 1;
                taken.held.push(held(seat, id, item, pending.deliveries));
                continue;
            }
            taken.parked.push(Parked {
                group: seat.group.clone(),
                consumer: pending.consumer.clone(),
                deliveries: item.before + pending.deliveries,
                why: "nobody acknowledged it".to_owned(),
                message: item.message.clone(),
            });
            group.pending.remove(&id);
        }
        for parked in &taken.parked {
            keep(&mut self.parked, parked.clone(), rules);
        }
        self.sweep();
        taken
    }

    fn deliver(&mut self, seat: &Seat, most: usize, now: Instant, taken: &mut Taken) {
        let group = self.groups.entry(seat.group.clone()).or_default();
        for (id, item) in self.items.range(group.last.next()..) {
            if taken.held.len() >= most {
                break;
            }
            group.last = *id;
            if item.only.as_ref().is_some_and(|only| *only != seat.group) {
                continue;
            }
            let pending = Pending {
                consumer: seat.consumer.clone(),
                since: now,
                deliveries: 1,
            };
            group.pending.insert(*id, pending);
            taken.held.push(held(seat, *id, item, 1));
        }
    }

    pub(super) fn ack(&mut self, held: &Held) -> Settled {
        self.settle(held, Settled::Done)
    }

    pub(super) fn nack(&mut self, held: &Held, why: &str, rules: &Rules) -> Settled {
        if held.deliveries >= rules.most_deliveries {
            return self.park(held, why, rules);
        }
        let settled = self.settle(held, Settled::Back);
        if settled == Settled::Back {
            self.put(Item {
                message: held.message.clone(),
                only: Some(held.seat.group.clone()),
                before: held.deliveries,
            });
        }
        settled
    }

    pub(super) fn park(&mut self, held: &Held, why: &str, rules: &Rules) -> Settled {
        let settled = self.settle(held, Settled::Parked);
        if settled == Settled::Parked {
            let parked = Parked {
                group: held.seat.group.clone(),
                consumer: held.seat.consumer.clone(),
                deliveries: held.deliveries,
                why: why.to_owned(),
                message: held.message.clone(),
            };
            keep(&mut self.parked, parked, rules);
        }
        settled
    }

    pub(super) fn parked(&self, most: usize) -> Vec<Parked> {
        self.parked.iter().rev().take(most).cloned().collect()
    }

    pub(super) fn clear_parked(&mut self) -> u64 {
        let count = self.parked.len() as u64;
        self.parked.clear();
        count
    }

    fn settle(&mut self, held: &Held, settled: Settled) -> Settled {
        let Some(group) = self.groups.get_mut(&held.seat.group) else {
            return Settled::NotHeld;
        };
        let own = |p: &Pending| p.consumer == held.seat.consumer && p.deliveries == held.fence;
        if !group.pending.get(&held.id).is_some_and(own) {
            return Settled::NotHeld;
        }
        group.pending.remove(&held.id);
        let done = |only: Option<&String>| {
            let of = |name: &String| only.is_none_or(|only| only == name);
            self.groups
                .iter()
                .filter(|(name, _)| of(name))
                .all(|(_, g)| g.is_done_with(held.id))
        };
        if done(self.items.get(&held.id).and_then(|i| i.only.as_ref())) {
            self.items.remove(&held.id);
        }
        settled
    }

    /// Removes what every group is done with.
    fn sweep(&mut self) {
        let groups = &self.groups;
        self.items
            .retain(|id, _| !groups.values().all(|g| g.is_done_with(*id)));
    }
}

impl Group {
    fn is_done_with(&self, id: Id) -> bool {
        id <= self.last && !self.pending.contains_key(&id)
    }
}

fn held(seat: &Seat, id: Id, item: &Item, fence: u32) -> Held {
    Held {
        seat: seat.clone(),
        id,
        deliveries: item.before + fence,
        fence,
        message: item.message.clone(),
    }
}

fn keep(all: &mut VecDeque<Parked>, parked: Parked, rules: &Rules) {
    all.push_back(parked);
    while all.len() > rules.parked_bound {
        all.pop_front();
    }
}
