//! What streams deal in: seats of consumers, messages that are held, and how they end.

use std::fmt;
use std::str::FromStr;

use super::message::Envelope;

/// The place of a message on its stream: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The server's milliseconds since 1970 (0 within a process).
    pub ms: u64,
    /// The number within them.
    pub seq: u64,
}

/// A consumer's place: every group gets every message, one consumer of it each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The stream.
    pub stream: String,
    /// The group.
    pub group: String,
    /// The consumer: a name that nobody else uses at the same time.
    pub consumer: String,
}

/// A message that a consumer holds until it is acknowledged, given back or parked, or until another claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who holds it.
    pub seat: Seat,
    /// Its present place.
    pub id: Id,
    /// How often it was delivered to this group, this time included.
    pub deliveries: u32,
    /// How often since it got its present place: together with the consumer, the fence against late answers.
    pub(super) fence: u32,
    /// What it says.
    pub message: Envelope,
}

/// What a call of [`super::Bus::take`] brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// To be seen to, each.
    pub held: Vec<Held>,
    /// Parked by this very call: delivered as often as may be, and acknowledged by nobody.
    pub parked: Vec<Parked>,
}

/// A message that is out of the way until a person looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The group that could not do with it.
    pub group: String,
    /// The consumer that had it last.
    pub consumer: String,
    /// How often it was delivered.
    pub deliveries: u32,
    /// Why it was parked.
    pub why: String,
    /// What it says.
    pub message: Envelope,
}

/// How a message was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// Acknowledged: nobody gets it again.
    Done,
    /// Given back: somebody gets it again.
    Back,
    /// Parked.
    Parked,
    /// Nothing was done: another consumer claimed it, it was settled before, or the server lost it.
    NotHeld,
}

impl Seat {
    /// A place at a stream.
    pub fn new(stream: &str, group: &str, consumer: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            group: group.to_owned(),
            consumer: consumer.to_owned(),
        }
    }
}

impl Id {
    /// The place right after this one.
    pub fn next(self) -> Self {
        match self.seq.checked_add(1) {
            Some(seq) => Self { seq, ..self },
            None => Self {
                ms: self.ms + 1,
                seq: 0,
            },
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Not the place of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no place on a stream; one looks like 1700000000000-0")]
pub struct BadId(String);

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let id = text.split_once('-').and_then(|(ms, seq)| {
            Some(Self {
                ms: ms.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        });
        id.ok_or_else(|| BadId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_numbers_and_read_back() {
        let id = |text: &str| text.parse::<Id>().unwrap();
        assert!(id("9-0") < id("10-0") && id("10-2") < id("10-11"));
        assert_eq!(id("10-2").next(), id("10-3"));
        assert_eq!(id("10-18446744073709551615").next(), id("11-0"));
        assert_eq!(id("1700000000000-7").to_string(), "1700000000000-7");
        for wrong in ["", "1", "-", "1-", "-1", "1-2-3", "a-b"] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }
}
