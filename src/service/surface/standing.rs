//! How each surface stands: whether a round trip comes back, how soon people are acknowledged, how long it was silent.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::Tongue;
use super::waiting::Waiting;
use crate::chat::Chat;
use crate::chat::heard::Heard;
use crate::chat::pace::Pace;
use crate::domain::report::Surface;

/// For so long after it failed the store is not waited for.
const FAILED: Duration = Duration::from_secs(5);
/// So many of the latest acknowledgements count.
const SAMPLES: usize = 1000;

/// The surfaces of a service.
#[derive(Default)]
pub struct Standings {
    all: Mutex<BTreeMap<Surface, Arc<Standing>>>,
    speaking: Mutex<BTreeMap<Surface, Arc<dyn Chat>>>,
    lent: Mutex<BTreeMap<Surface, Tongue>>,
}

impl Standings {
    /// Has a surface speak through this instead of what the configuration says, from when it is opened.
    pub fn lend(&self, surface: &Surface, tongue: Tongue) {
        locked(&self.lent).insert(surface.clone(), tongue);
    }

    pub(super) fn lent(&self, surface: &Surface) -> Option<Tongue> {
        locked(&self.lent).get(surface).cloned()
    }

    /// How one stands; made where it is not there.
    pub(super) fn standing(&self, surface: &Surface, per_minute: u32, now: DateTime<Utc>) -> Arc<Standing> {
        let mut all = locked(&self.all);
        let standing = all
            .entry(surface.clone())
            .or_insert_with(|| Arc::new(Standing::new(per_minute, now)));
        standing.clone()
    }

    pub(super) fn speak(&self, surface: &Surface, chat: Arc<dyn Chat>) {
        locked(&self.speaking).insert(surface.clone(), chat);
    }

    /// The chat of a name, where it is open.
    pub(super) fn of(&self, surface: &Surface) -> Option<(Surface, Arc<dyn Chat>)> {
        let chat = locked(&self.speaking).get(surface)?.clone();
        Some((surface.clone(), chat))
    }

    /// How all of them stand.
    pub fn told(&self, now: DateTime<Utc>) -> Vec<(Surface, Told)> {
        let all = locked(&self.all);
        all.iter()
            .map(|(surface, standing)| (surface.clone(), standing.told(now)))
            .collect()
    }
}

/// How one surface stands.
pub struct Standing {
    since: DateTime<Utc>,
    /// Shared by all that speak there.
    pub(super) pace: Mutex<Pace>,
    /// Told when something was heard.
    pub(super) heard: Notify,
    /// What was heard and is to be acknowledged, since when.
    to_acknowledge: (Mutex<VecDeque<(Heard, Instant)>>, Notify),
    /// Who waits for an answer.
    pub(super) waiting: Waiting,
    /// When the store did not take what was heard.
    store_failed: Mutex<Option<Instant>>,
    /// Messages of ours that are cards.
    cards: Mutex<HashSet<String>>,
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    acknowledged: VecDeque<Duration>,
    /// A working task's card was edited last, the one that waits longest.
    silence: Duration,
    longest_silence: Duration,
    canary: Option<(String, DateTime<Utc>)>,
    /// The newest that came back here and that another node waits for.
    strange: Option<String>,
    echo: Option<(DateTime<Utc>, Duration)>,
    listening_since: Option<DateTime<Utc>>,
    deaf: Option<String>,
    /// What was said before this process listened is known.
    caught_up: bool,
}

/// How a surface stands, as it is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Told {
    /// Since when it is listened to; none while it is not.
    pub listening_since: Option<DateTime<Utc>>,
    /// Why it is not listened to.
    pub deaf: Option<String>,
    /// How long ago a round trip came back, in seconds.
    pub round_trip_age_s: Option<f64>,
    /// How long that took, in seconds.
    pub round_trip_s: Option<f64>,
    /// How soon people were acknowledged: the 99th percentile of the latest, in seconds.
    pub ack_p99_s: Option<f64>,
    /// The longest that a working task showed no sign of life there, or that somebody waited for an answer or a sign, in seconds.
    pub longest_silence_s: f64,
    /// For how long all this was looked at, in seconds.
    #[serde(default)]
    pub watched_s: f64,
}

impl Standing {
    pub(super) fn new(per_minute: u32, now: DateTime<Utc>) -> Self {
        Self {
            since: now,
            pace: Mutex::new(Pace::new(per_minute, now)),
            heard: Notify::new(),
            to_acknowledge: (Mutex::default(), Notify::new()),
            waiting: Waiting::default(),
            store_failed: Mutex::default(),
            cards: Mutex::default(),
            facts: Mutex::default(),
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        locked(&self.facts)
    }

    /// Takes a token, or says when there will be one.
    pub(super) fn pace(&self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        locked(&self.pace).take(now)
    }

    pub(super) fn knows_card(&self, message: &str) -> bool {
        locked(&self.cards).contains(message)
    }

    pub(super) fn learn_card(&self, message: &str) {
        locked(&self.cards).insert(message.to_owned());
    }

    pub(super) fn acknowledge(&self, heard: Heard, since: Instant) {
        locked(&self.to_acknowledge.0).push_back((heard, since));
        self.to_acknowledge.1.notify_one();
    }

    pub(super) async fn next_to_acknowledge(&self) -> (Heard, Instant) {
        loop {
            let next = locked(&self.to_acknowledge.0).pop_front();
            match next {
                Some(next) => return next,
                None => self.to_acknowledge.1.notified().await,
            }
        }
    }

    pub(super) fn acknowledged(&self, after: Duration) {
        let mut facts = self.facts();
        if facts.acknowledged.len() == SAMPLES {
            facts.acknowledged.pop_front();
        }
        facts.acknowledged.push_back(after);
    }

    /// For how long the quietest working task has been silent.
    pub(super) fn silent_for(&self, silence: Duration) {
        let mut facts = self.facts();
        facts.silence = silence;
        facts.longest_silence = facts.longest_silence.max(silence);
    }

    /// For how long somebody has waited for an answer without a sign.
    pub(super) fn people_wait(&self, silence: TimeDelta) {
        let mut facts = self.facts();
        facts.longest_silence = facts.longest_silence.max(silence.to_std().unwrap_or_default());
    }

    /// Whether the store did not answer just now.
    pub(super) fn store_failed(&self) -> bool {
        locked(&self.store_failed).is_some_and(|at| at.elapsed() < FAILED)
    }

    pub(super) fn store_answers(&self, answers: bool) {
        *locked(&self.store_failed) = (!answers).then(Instant::now);
    }

    pub(super) fn sent_canary(&self, nonce: &str, at: DateTime<Utc>) {
        self.facts().canary = Some((nonce.to_owned(), at));
    }

    /// A canary came back. Answers whether it was waited for.
    pub(super) fn echo(&self, nonce: &str, now: DateTime<Utc>) -> bool {
        let mut facts = self.facts();
        let Some((_, sent)) = facts.canary.take_if(|(waited, _)| waited == nonce) else {
            return false;
        };
        facts.echo = Some((now, (now - sent).to_std().unwrap_or_default()));
        true
    }

    /// Whether something came since it was listened to.
    pub(super) fn is_listened_to(&self) -> bool {
        self.facts().listening_since.is_some()
    }

    pub(super) fn has_caught_up(&self) -> bool {
        self.facts().caught_up
    }

    pub(super) fn caught_up(&self) {
        self.facts().caught_up = true;
    }

    /// When the last round trip began that came back.
    pub(super) fn came_back(&self) -> Option<DateTime<Utc>> {
        let (at, took) = self.facts().echo?;
        Some(at - TimeDelta::from_std(took).unwrap_or_default())
    }

    /// A canary came back that another node sent.
    pub(super) fn strange(&self, nonce: &str) {
        self.facts().strange = Some(nonce.to_owned());
    }

    pub(super) fn take_strange(&self) -> Option<String> {
        self.facts().strange.take()
    }

    /// Whether a round trip that was sent then, or later, came back.
    pub(super) fn heard_echo_since(&self, sent: DateTime<Utc>) -> bool {
        self.facts().echo.is_some_and(|(at, _)| at >= sent)
    }

    pub(super) fn listens(&self, since: DateTime<Utc>) {
        let mut facts = self.facts();
        facts.listening_since.get_or_insert(since);
        facts.deaf = None;
    }

    pub(super) fn is_deaf(&self, why: String) {
        let mut facts = self.facts();
        facts.listening_since = None;
        facts.deaf = Some(why);
    }

    pub(super) fn told(&self, now: DateTime<Utc>) -> Told {
        let facts = self.facts();
        let seconds = |time: TimeDelta| time.as_seconds_f64().max(0.0);
        Told {
            listening_since: facts.listening_since,
            deaf: facts.deaf.clone(),
            round_trip_age_s: facts.echo.map(|(at, _)| seconds(now - at)),
            round_trip_s: facts.echo.map(|(_, took)| took.as_secs_f64()),
            ack_p99_s: percentile(&facts.acknowledged),
            longest_silence_s: facts.longest_silence.as_secs_f64(),
            watched_s: seconds(now - self.since),
        }
    }
}

/// The flag that the standing of a surface is written down as.
pub fn flag(surface: &Surface) -> String {
    format!("surface:{surface}")
}

/// The 99th.
fn percentile(samples: &VecDeque<Duration>) -> Option<f64> {
    let mut sorted: Vec<Duration> = samples.iter().copied().collect();
    sorted.sort_unstable();
    let place = (sorted.len() * 99).div_ceil(100).checked_sub(1)?;
    Some(sorted.get(place)?.as_secs_f64())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_counts_when_it_comes_back() {
        let now = DateTime::UNIX_EPOCH;
        let standing = Standing::new(60, now);
        standing.sent_canary("a", now);
        standing.echo("b", now + TimeDelta::seconds(1));
        assert_eq!(standing.told(now).round_trip_s, None, "another's canary");
        standing.echo("a", now + TimeDelta::seconds(2));
        standing.echo("a", now + TimeDelta::seconds(9));
        let told = standing.told(now + TimeDelta::seconds(12));
        assert_eq!(
            (told.round_trip_s, told.round_trip_age_s),
            (Some(2.0), Some(10.0))
        );
    }

    #[test]
    fn the_slowest_of_a_hundred_is_told() {
        let standing = Standing::new(60, DateTime::UNIX_EPOCH);
        assert_eq!(standing.told(DateTime::UNIX_EPOCH).ack_p99_s, None);
        for n in 1..=100 {
            standing.acknowledged(Duration::from_millis(n));
        }
        assert_eq!(standing.told(DateTime::UNIX_EPOCH).ack_p99_s, Some(0.099));
    }
}
