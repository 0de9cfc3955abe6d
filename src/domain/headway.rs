//! Does a living worker get on? Signs of life are not enough: one that only beats, prints the same forever, or
//! repeats itself is at a standstill.
//!
//! [`Headway`] hears everything that a worker shows, and tells a [`Standstill`] by name. News are what was not there
//! before: a call, an answer, words, a phase, a higher percentage, a changed file. Counting on is no news.
//! Invariants: bounded memory whatever a worker writes; waiting for a provider is no standstill of the worker's.
//! Deliberately absent: silence (see [`super::liveness`]), and looking at files (the caller does, when
//! [`Headway::judge`] is about to say [`Standstill::Idle`]).

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::steady;

/// Texts that are remembered; an older one is news again.
const REMEMBERED: usize = 1024;
/// An announced wait that is not begun at once after all (a limit with credit beyond it) shows within this time.
const SETTLES: Duration = Duration::from_secs(60);
/// The longest cycle that is recognised: three calls with an answer each.
const LONGEST: usize = 6;
/// Characters of a text that are told.
const SHOWN: usize = 100;

/// How long, and how often, is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time without any news.
    pub no_progress_after: Duration,
    /// Times that the same call, or the same cycle of calls, is made in a row with the same answers; 0 is no limit.
    pub repeated_calls: u32,
    /// How long a worker may wait for its provider while it holds a slot.
    pub provider_wait: Duration,
}

/// What a worker shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sign<'a> {
    /// It called a tool, with this; equal texts are equal calls.
    Call(&'a str),
    /// What a tool gave back.
    Answer(&'a str),
    /// It said, or printed, this.
    Said(&'a str),
    /// How far it says that it is, in percent.
    Percent(u8),
    /// A file that only it writes was changed, or its work log.
    Wrote,
    /// It waits for its provider until then, for this reason; until it shows something else, where that is not to come.
    Waits {
        /// Until when, as far as is known.
        until: DateTime<Utc>,
        /// Why.
        why: &'a str,
    },
}

/// That a worker does not get on, and what one sees of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standstill {
    /// It makes the same calls again and again.
    Repeats {
        /// The calls of one round.
        calls: Vec<String>,
        /// How often in a row.
        times: u32,
    },
    /// It lives, and nothing new came from it.
    Idle {
        /// For how long.
        since: DateTime<Utc>,
        /// What it says again and again, where it says anything.
        says: Option<String>,
    },
    /// It waits for its provider for longer than a slot is held.
    Waits {
        /// Until when it would wait.
        until: DateTime<Utc>,
        /// Why.
        why: String,
    },
}

impl Standstill {
    /// One sentence for people.
    pub fn sentence(&self, now: DateTime<Utc>) -> String {
        match self {
            Self::Repeats { calls, times } => {
                let round: Vec<String> = calls.iter().map(|c| format!("'{c}'")).collect();
                format!(
                    "it repeats itself: {} {times} times in a row",
                    round.join(", then ")
                )
            }
            Self::Idle { since, says } => {
                let minutes = (now - *since).num_minutes();
                let says = says
                    .as_ref()
                    .map_or_else(String::new, |s| format!("; it goes on saying '{s}'"));
                format!("it lives, but nothing new came from it for {minutes} min{says}")
            }
            Self::Waits { until, why } => {
                let until = until.format("%Y-%m-%d %H:%M UTC");
                format!("its provider makes it wait until {until} ({why}); its slot is given free meanwhile")
            }
        }
    }
}

/// What was seen of one worker.
#[derive(Debug, Clone)]
pub struct Headway {
    news_at: DateTime<Utc>,
    seen: HashSet<u64>,
    order: VecDeque<u64>,
    /// The newest calls and answers, oldest first.
    steps: VecDeque<Step>,
    /// For each length of a cycle: how many steps in a row equal the one a cycle before.
    echoes: [u32; LONGEST],
    percent: u8,
    says: Option<String>,
    wait: Option<Wait>,
}

#[derive(Debug, Clone)]
struct Step {
    digest: u64,
    /// The call's text; none of an answer.
    call: Option<String>,
}

#[derive(Debug, Clone)]
struct Wait {
    /// When it was last told of.
    heard_at: DateTime<Utc>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Nobody says when it ends.
    is_open: bool,
    why: String,
}

impl Headway {
    /// A worker that began then.
    pub fn new(began_at: DateTime<Utc>) -> Self {
        Self {
            news_at: began_at,
            seen: HashSet::new(),
            order: VecDeque::new(),
            steps: VecDeque::with_capacity(LONGEST),
            echoes: [0; LONGEST],
            percent: 0,
            says: None,
            wait: None,
        }
    }

    /// When something new last came.
    pub fn news_at(&self) -> DateTime<Utc> {
        self.news_at
    }

    /// Takes in a sign.
    pub fn hear(&mut self, sign: Sign<'_>, now: DateTime<Utc>) {
        let is_new = match sign {
            Sign::Waits { until, why } => return self.waits(until, why, now),
            Sign::Call(call) => self.step(digest(&("call", call)), Some(call)),
            Sign::Answer(answer) => self.step(digest(&("answer", steady::lines(answer))), None),
            Sign::Said(words) => self.said(words),
            Sign::Percent(percent) => self.rises_to(percent),
            Sign::Wrote => true,
        };
        if is_new {
            self.news_at = self.news_at.max(now);
            self.says = None;
        }
        if is_new || !matches!(sign, Sign::Percent(_)) {
            self.wait = None;
        }
    }

    /// Whether it is at a standstill now.
    pub fn judge(&self, now: DateTime<Utc>, limits: &Limits) -> Option<Standstill> {
        if let Some(wait) = &self.wait {
            let settled = past(wait.heard_at, now, SETTLES.min(limits.provider_wait));
            let until = if wait.is_open {
                wait.until.max(now)
            } else {
                wait.until
            };
            if settled && past(wait.since, until, limits.provider_wait) {
                let why = wait.why.clone();
                return Some(Standstill::Waits { until, why });
            }
            if now <= until {
                return None;
            }
        }
        if let Some(repeats) = self.repeats(limits.repeated_calls) {
            return Some(repeats);
        }
        // A wait that was served is not held against the worker.
        let since = self
            .wait
            .as_ref()
            .map_or(self.news_at, |w| w.until.max(self.news_at));
        past(since, now, limits.no_progress_after).then(|| Standstill::Idle {
            since,
            says: self.says.clone(),
        })
    }

    fn waits(&mut self, until: DateTime<Utc>, why: &str, now: DateTime<Utc>) {
        let since = self.wait.as_ref().map_or(now, |w| w.since);
        let is_open = until <= now;
        let until = self.wait.as_ref().map_or(until, |w| w.until.max(until));
        let why = shown(why);
        self.wait = Some(Wait {
            heard_at: now,
            since,
            until,
            is_open,
            why,
        });
    }

    fn rises_to(&mut self, percent: u8) -> bool {
        let rises = percent > self.percent;
        self.percent = self.percent.max(percent);
        rises
    }

    fn said(&mut self, words: &str) -> bool {
        let plain = steady::uncounted(words);
        if plain.is_empty() {
            return false;
        }
        let is_new = self.is_new(digest(&("said", &plain)));
        if !is_new && self.says.is_none() {
            self.says = Some(shown(words));
        }
        is_new
    }

    fn step(&mut self, digest: u64, call: Option<&str>) -> bool {
        for (n, echo) in self.echoes.iter_mut().enumerate() {
            let before = self.steps.iter().rev().nth(n);
            *echo = if before.is_some_and(|b| b.digest == digest) {
                *echo + 1
            } else {
                0
            };
        }
        if self.steps.len() == LONGEST {
            self.steps.pop_front();
        }
        let call = call.map(shown);
        self.steps.push_back(Step { digest, call });
        self.is_new(digest)
    }

    fn is_new(&mut self, digest: u64) -> bool {
        if !self.seen.insert(digest) {
            return false;
        }
        self.order.push_back(digest);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    fn repeats(&self, limit: u32) -> Option<Standstill> {
        let rounds = |(n, echo): (usize, &u32)| {
            let cycle = u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
            (n + 1, echo / cycle + 1)
        };
        let (cycle, times) = self
            .echoes
            .iter()
            .enumerate()
            .map(rounds)
            .find(|(_, times)| limit > 0 && *times >= limit.max(2))?;
        let round = self.steps.iter().rev().take(cycle).rev();
        let calls: Vec<String> = round.filter_map(|s| s.call.clone()).collect();
        (!calls.is_empty()).then_some(Standstill::Repeats { calls, times })
    }
}

fn past(since: DateTime<Utc>, now: DateTime<Utc>, limit: Duration) -> bool {
    (now - since).to_std().is_ok_and(|age| age > limit)
}

fn digest<T: Hash>(what: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn shown(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
