//! The worker's voice: lines on standard output, and a beat while the agent lives without saying much.
//!
//! Invariant: a beat is only ever written because the agent wrote something; an agent that hangs stays silent.

use std::io::Write;
use std::time::{Duration, Instant};

use super::line::Line;

/// The longest silence while the agent writes.
const BEAT: Duration = Duration::from_secs(30);

/// Writes lines, and remembers when the last one was written.
#[derive(Debug)]
pub struct Voice<W> {
    out: W,
    last: Option<Instant>,
    broken: bool,
}

impl<W: Write> Voice<W> {
    /// A voice that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            last: None,
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
        self.last = Some(Instant::now());
    }

    /// The agent wrote something: a beat, when nothing was said for long.
    pub fn beat(&mut self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&mut self, now: Instant) {
        if self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= BEAT)
        {
            self.say(&Line::Alive);
            self.last = Some(now);
        }
    }

    /// Where it writes to.
    #[cfg(test)]
    pub fn written(&self) -> &W {
        &self.out
    }

    /// Whether a line could not be written: nobody hears this worker any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_comes_at_once_and_then_every_half_minute() {
        let mut voice = Voice::new(Vec::new());
        let start = Instant::now();
        for second in (0..=90).chain([600]) {
            voice.beat_at(start + Duration::from_secs(second));
        }
        assert_eq!(voice.out, b"{\"type\":\"alive\"}\n".repeat(5));
    }

    #[test]
    fn a_full_disk_is_noticed() {
        let mut room = [0u8; 4];
        let mut voice = Voice::new(&mut room[..]);
        voice.say(&Line::Alive);
        assert!(voice.is_broken());
    }
}
