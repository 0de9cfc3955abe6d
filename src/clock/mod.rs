//! Time as the program sees it: the wall clock, a clock that tests advance by hand, due times and the tick.
//!
//! Invariants: every time that leaves here is UTC and truncated to microseconds (what the stores keep); nothing else
//! in the crate reads the wall clock. Deliberately absent: durations of the host's own (timeouts of workers are
//! measured by their supervisor, which outlives this process).

pub mod schedule;
pub mod ticker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

pub use schedule::Schedule;
pub use ticker::{Tick, Ticker};

/// How often a sleeping service looks at the wall clock again: the monotonic timer below stands still while the host
/// is suspended, and a stepped clock must be noticed.
const RECHECK: Duration = Duration::from_secs(5);

/// Where the time comes from. Cheap to clone; clones share the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The host's wall clock.
    System,
    /// Stands still until somebody moves it.
    Manual(Manual),
}

/// What two clocks showed at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    wall: DateTime<Utc>,
    since_boot: Duration,
}

/// The time of a [`Clock::Manual`].
#[derive(Debug, Clone)]
pub struct Manual {
    now: Arc<Mutex<watch::Sender<DateTime<Utc>>>>,
}

impl Clock {
    /// The host's wall clock.
    pub fn system() -> Self {
        Self::System
    }

    /// What it shows, beside the time since boot.
    pub fn reading(&self) -> Reading {
        Reading {
            wall: self.now(),
            since_boot: since_boot(),
        }
    }

    /// By how much somebody moved the wall clock since a reading; one that is moved by hand is always right.
    pub fn moved_since(&self, before: Reading) -> TimeDelta {
        let (now, zero) = (self.reading(), TimeDelta::zero());
        let passed = now.since_boot.saturating_sub(before.since_boot);
        match self {
            Self::System => now.wall - before.wall - TimeDelta::from_std(passed).unwrap_or(zero),
            Self::Manual(_) => zero,
        }
    }

    /// A clock that stands at `at` until [`Manual::advance`] or [`Manual::set`] moves it; the second value moves it.
    pub fn manual(at: DateTime<Utc>) -> (Self, Manual) {
        let manual = Manual {
            now: Arc::new(Mutex::new(watch::Sender::new(truncate(at)))),
        };
        (Self::Manual(manual.clone()), manual)
    }

    /// The time, truncated to microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => system_now(),
            Self::Manual(manual) => manual.now(),
        }
    }

    /// Returns when the clock shows `until` or later; at once where it already does.
    ///
    /// A stepped or suspended wall clock is noticed within five seconds. Cancel-safe.
    pub async fn sleep_until(&self, until: DateTime<Utc>) {
        match self {
            Self::System => sleep_until_wall(until).await,
            Self::Manual(manual) => manual.sleep_until(until).await,
        }
    }

    /// [`Clock::sleep_until`] the present time plus `pause`.
    pub async fn sleep(&self, pause: Duration) {
        let until = chrono::Duration::from_std(pause)
            .ok()
            .and_then(|pause| self.now().checked_add_signed(pause));
        self.sleep_until(until.unwrap_or(DateTime::<Utc>::MAX_UTC)).await;
    }
}

/// Time since boot, the time asleep included: what a lease of one's own is measured by.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

impl Manual {
    /// The time it stands at.
    pub fn now(&self) -> DateTime<Utc> {
        *self.locked().borrow()
    }

    /// Moves it to `at`, backwards too, and wakes sleepers.
    pub fn set(&self, at: DateTime<Utc>) {
        self.locked().send_replace(truncate(at));
    }

    /// Moves it forward and wakes sleepers.
    pub fn advance(&self, by: Duration) {
        self.locked().send_modify(|now| *now += by);
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        let mut changes = self.locked().subscribe();
        // An error means that nobody is left to move the clock; the sender lives in `self`, so that cannot be.
        let _ = changes.wait_for(|now| *now >= until).await;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, watch::Sender<DateTime<Utc>>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as the stores keep it.
pub fn truncate(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn system_now() -> DateTime<Utc> {
    truncate(Utc::now())
}

async fn sleep_until_wall(until: DateTime<Utc>) {
    loop {
        let left = (until - system_now()).to_std().unwrap_or(Duration::ZERO);
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(RECHECK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn times_are_cut_to_microseconds() {
        let at = Utc.timestamp_nanos(1_700_000_000_123_456_789);
        let (clock, _) = Clock::manual(at);
        assert_eq!(clock.now().timestamp_subsec_nanos(), 123_456_000);
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1000, 0);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_and_not_before() {
        let start = Utc.timestamp_nanos(0);
        let (clock, manual) = Clock::manual(start);
        let sleeper = clock.clone();
        let mut asleep =
            std::pin::pin!(async move { sleeper.sleep_until(start + Duration::from_secs(60)).await });
        assert!(futures_util::poll!(asleep.as_mut()).is_pending());
        manual.advance(Duration::from_secs(59));
        assert!(futures_util::poll!(asleep.as_mut()).is_pending());
        manual.advance(Duration::from_secs(1));
        asleep.await;
    }

    #[tokio::test]
    async fn the_wall_clock_sleeps_as_long_as_asked() {
        let clock = Clock::system();
        let until = clock.now() + Duration::from_millis(30);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
        clock.sleep_until(until).await;
    }
}
