//! The worker's voice: lines on standard output, and the beat that shows a long call to be alive.
//!
//! Invariant: a beat is only ever written because bytes arrived; a call that hangs stays silent.

use std::io::Write;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::client::Witness;
use super::line::{Line, RateLimit, cut};
use super::spend::Spend;
use super::trouble::{Kind, Trouble};
use super::wire::Usage;

/// The longest silence while bytes arrive.
const BEAT: Duration = Duration::from_secs(30);

/// Writes lines, and remembers when the last one was written.
#[derive(Debug)]
pub struct Voice<W> {
    out: W,
    last: Instant,
    broken: bool,
}

impl<W: Write> Voice<W> {
    /// A voice that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            last: Instant::now(),
            broken: false,
        }
    }

    /// Writes one line at once.
    pub fn say(&mut self, line: &Line) {
        let written = serde_json::to_vec(line)
            .map_err(std::io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                self.out.write_all(&bytes)?;
                self.out.flush()
            });
        self.broken |= written.is_err();
        self.last = Instant::now();
    }

    /// Bytes arrived: a beat, when nothing was written for long.
    pub fn beat(&mut self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last) >= BEAT {
            self.say(&Line::Alive);
            self.last = now;
        }
    }

    /// Whether a line could not be written: nobody hears this worker any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

/// Tells what happens during a call.
pub struct Telling<'a, W> {
    /// Where to.
    pub voice: &'a mut Voice<W>,
    /// What tries that broke off have used.
    pub spend: &'a mut Spend,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
}

impl<W: Write> Witness for Telling<'_, W> {
    fn bytes(&mut self) {
        self.voice.beat();
    }

    fn spent(&mut self, usage: Usage) {
        if usage != Usage::default() {
            self.spend.add(usage);
            self.voice.say(&Line::Usage(self.spend.totals()));
        }
    }

    fn retry(&mut self, trouble: &Trouble, delay: Duration) {
        let limit = RateLimit {
            until: trouble.until((self.now)()),
        };
        self.voice.say(&Line::Retry {
            reason: cut(&trouble.text),
            status: trouble.status,
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            rate_limit: (trouble.kind == Kind::RateLimited).then_some(limit),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_comes_at_most_every_half_minute_and_only_with_bytes() {
        let mut voice = Voice::new(Vec::new());
        let start = voice.last;
        for second in (1..=90).chain([600]) {
            voice.beat_at(start + Duration::from_secs(second));
        }
        let text = String::from_utf8(voice.out.clone()).unwrap();
        assert_eq!(text, "{\"type\":\"alive\"}\n".repeat(4));
    }

    #[test]
    fn a_full_disk_is_noticed() {
        let mut room = [0u8; 4];
        let mut voice = Voice::new(&mut room[..]);
        assert!(!voice.is_broken());
        voice.say(&Line::Alive);
        assert!(voice.is_broken());
    }
}
