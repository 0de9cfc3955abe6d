//! Whether the agent's silence is a wait for its provider: what it complained of since it last spoke.
//!
//! Invariants: whatever the agent says in the protocol ends the wait; a complaint in the middle of a tool's call is the
//! tool's; a complaint speaks for a limited time, after which silence is silence. Time is passed in.

use std::time::{Duration, Instant};

use super::complaint::Complaint;
use super::line::{Line, cut};

/// Silence after a complaint before it is told: often it goes on at once.
const SETTLES: Duration = Duration::from_secs(1);
/// While the silence lasts, it is told so often.
const AGAIN: Duration = Duration::from_secs(10);
/// The wait that is told where the agent names none, or not long enough a one: until it is told again, and then some.
const UNNAMED: Duration = Duration::from_secs(20);
/// How long a complaint speaks for a silence, beyond the wait that it names.
const SPEAKS_FOR: Duration = Duration::from_secs(15 * 60);

/// The agent's silence.
#[derive(Debug, Default)]
pub struct Lull {
    works: bool,
    wait: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    complaint: Complaint,
    said: String,
    count: u32,
    said_at: Instant,
    /// When it is to be told next.
    due: Instant,
}

impl Lull {
    /// The agent spoke.
    pub fn ends(&mut self) {
        self.wait = None;
    }

    /// Whether a tool of the agent's runs.
    pub fn works(&mut self, works: bool) {
        self.works = works;
    }

    /// The agent wrote a line to its standard error.
    pub fn complains(&mut self, line: &str, now: Instant) {
        let Some(complaint) = Complaint::read(line).filter(|_| !self.works) else {
            return;
        };
        let before = self.wait.as_ref();
        self.wait = Some(Wait {
            complaint,
            said: cut(line),
            count: before.map_or(1, |wait| wait.count.saturating_add(1)),
            said_at: now,
            due: before.map_or(now + SETTLES, |wait| wait.due.min(now + SETTLES)),
        });
    }

    /// What the agent complained of and did not get over.
    pub fn complaint(&self) -> Option<(Complaint, &str)> {
        self.wait
            .as_ref()
            .map(|wait| (wait.complaint, wait.said.as_str()))
    }

    /// What is to be told of the silence now.
    pub fn tell(&mut self, now: Instant) -> Option<Line> {
        let wait = self.wait.as_mut().filter(|wait| wait.due <= now)?;
        let age = now.saturating_duration_since(wait.said_at);
        let named = wait.complaint.delay.unwrap_or_default();
        if age.saturating_sub(named) > SPEAKS_FOR {
            return None;
        }
        let left = named.saturating_sub(age);
        let delay = if left.is_zero() { UNNAMED } else { left };
        wait.due = now + AGAIN;
        Some(Line::Retrying {
            attempt: wait.count,
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            status: wait.complaint.status,
            error: wait.complaint.word().to_owned(),
            said: wait.said.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: &str = "Attempt 1 failed with status 429. Retrying with backoff...";

    /// When it was told, and for how long each time, over so many seconds.
    fn told(lull: &mut Lull, start: Instant, seconds: u64) -> Vec<(u64, u64)> {
        let tell = |second| match lull.tell(start + Duration::from_secs(second)) {
            Some(Line::Retrying { delay_ms, .. }) => Some((second, delay_ms / 1000)),
            _ => None,
        };
        (0..=seconds).filter_map(tell).collect()
    }

    #[test]
    fn a_silence_after_a_complaint_is_told_again_and_again() {
        let (mut lull, start) = (Lull::default(), Instant::now());
        lull.complains("Loaded cached credentials.", start);
        assert!(told(&mut lull, start, 5).is_empty());
        lull.complains(LIMITED, start);
        assert_eq!(told(&mut lull, start, 25), [(1, 20), (11, 20), (21, 20)]);
        lull.ends();
        assert!(told(&mut lull, start, 60).is_empty() && lull.complaint().is_none());
    }

    #[test]
    fn a_named_wait_is_told_as_long_as_it_is() {
        let (mut lull, start) = (Lull::default(), Instant::now());
        lull.complains("rate limit, retry in 1 hour", start);
        assert_eq!(told(&mut lull, start, 11), [(1, 3599), (11, 3589)]);
    }

    #[test]
    fn complaints_are_counted_and_do_not_put_off_each_other() {
        let (mut lull, start) = (Lull::default(), Instant::now());
        for tenth in 0..20 {
            lull.complains(LIMITED, start + Duration::from_millis(100 * tenth));
        }
        let line = lull.tell(start + SETTLES);
        assert!(
            matches!(
                line,
                Some(Line::Retrying {
                    attempt: 20,
                    status: Some(429),
                    ..
                })
            ),
            "{line:?}"
        );
    }

    #[test]
    fn a_hang_after_a_complaint_is_silence_in_the_end() {
        let (mut lull, start) = (Lull::default(), Instant::now());
        lull.complains(LIMITED, start);
        let last = told(&mut lull, start, 7200).last().copied();
        assert!(
            last.is_some_and(|(second, _)| (890..=900).contains(&second)),
            "{last:?}"
        );
    }

    #[test]
    fn what_a_tool_complains_of_is_no_wait() {
        let (mut lull, start) = (Lull::default(), Instant::now());
        lull.works(true);
        lull.complains(LIMITED, start);
        assert!(told(&mut lull, start, 60).is_empty());
        lull.works(false);
        lull.complains(LIMITED, start);
        assert_eq!(told(&mut lull, start, 9), [(1, 20)]);
    }
}
