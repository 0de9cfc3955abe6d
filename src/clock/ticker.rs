//! The tick: a UTC heartbeat every second that asks the [`Schedule`] whether a pass is due.
//!
//! The heartbeat is tokio-cron-scheduler's; it counts time zones and gaps wrongly, allows overlap and catches nothing up,
//! so it decides nothing here. Invariants: ticks never overlap (one waits in the channel at most, for a receiver that
//! takes them one by one); any number of missed ones fires once; a clock that was set back does not silence the tick.
//! Deliberately absent: what a tick does, and where the last one is kept (the store).

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::{Clock, Schedule};

/// A pass is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The time it was due at: what to keep as the last tick.
    pub due_at: DateTime<Utc>,
    /// Whether it comes late because nobody was there at its time (downtime, suspend).
    pub missed: bool,
}

/// A tick this much after its time was missed, not merely late.
const LATE_SECONDS: i64 = 60;

/// Decides which heartbeat is a tick. Pure: the time comes in.
#[derive(Debug, Clone)]
pub struct Due {
    schedule: Schedule,
    next: Option<DateTime<Utc>>,
    seen: DateTime<Utc>,
}

impl Due {
    /// `last` is the last tick that was fired, by this process or an earlier one; without one, counting starts now.
    pub fn new(schedule: Schedule, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        // A last tick in the future is a clock that was wrong then.
        let from = last.map_or(now, |last| last.min(now));
        let next = schedule.next_after(from);
        Self {
            schedule,
            next,
            seen: now,
        }
    }

    /// When the next tick is due.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// The tick that is due at `now`, if any; several missed ones are one.
    pub fn poll(&mut self, now: DateTime<Utc>) -> Option<Tick> {
        if now < self.seen {
            self.next = self.schedule.next_after(now);
        }
        self.seen = now;
        let due_at = self.next.filter(|due| *due <= now)?;
        self.next = self.schedule.next_after(now);
        Some(Tick {
            due_at,
            missed: (now - due_at).num_seconds() >= LATE_SECONDS,
        })
    }
}

/// The running heartbeat.
pub struct Ticker {
    scheduler: JobScheduler,
    due: Arc<Mutex<Due>>,
}

/// The heartbeat could not be started or stopped.
#[derive(Debug, thiserror::Error)]
#[error("the tick cannot be {what}: {source}")]
pub struct TickerError {
    what: &'static str,
    source: JobSchedulerError,
}

impl Ticker {
    /// Starts the heartbeat. A tick that was missed since `last` comes with the first beat, within a second.
    pub async fn start(
        schedule: Schedule,
        clock: Clock,
        last: Option<DateTime<Utc>>,
    ) -> Result<(Self, mpsc::Receiver<Tick>), TickerError> {
        let (ticks, receiver) = mpsc::channel(1);
        let due = Arc::new(Mutex::new(Due::new(schedule, last, clock.now())));
        let scheduler = heartbeat(beat(clock, due.clone(), ticks))
            .await
            .map_err(|source| TickerError {
                what: "started",
                source,
            })?;
        Ok((Self { scheduler, due }, receiver))
    }

    /// When the next tick is due.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).next_at()
    }

    /// Stops the heartbeat; the channel closes. A pass that is running is its receiver's to finish.
    pub async fn stop(mut self) -> Result<(), TickerError> {
        self.scheduler.shutdown().await.map_err(|source| TickerError {
            what: "stopped",
            source,
        })
    }
}

/// What one heartbeat does: it only looks, and wakes the receiver.
fn beat(clock: Clock, due: Arc<Mutex<Due>>, ticks: mpsc::Sender<Tick>) -> impl FnMut() + Send + Sync {
    move || {
        let Some(tick) = due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .poll(clock.now())
        else {
            return;
        };
        // Full: a tick is waiting already and will do for both. Closed: the service is going down.
        let _ = ticks.try_send(tick);
    }
}

async fn heartbeat(
    mut beat: impl FnMut() + Send + Sync + 'static,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let every_second = Job::new("* * * * * *", move |_, _| beat())?;
    scheduler.add(every_second).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;
    use std::time::Duration;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hourly() -> Schedule {
        Schedule::parse("0 * * * *", Tz::UTC).unwrap()
    }

    #[test]
    fn a_tick_comes_once_at_its_time() {
        let mut due = Due::new(hourly(), None, utc("2026-01-01T10:00:30Z"));
        assert_eq!(due.poll(utc("2026-01-01T10:59:59Z")), None);
        let tick = due.poll(utc("2026-01-01T11:00:00.400Z")).unwrap();
        assert_eq!((tick.due_at, tick.missed), (utc("2026-01-01T11:00:00Z"), false));
        assert_eq!(due.poll(utc("2026-01-01T11:00:01Z")), None);
        assert_eq!(due.next_at(), Some(utc("2026-01-01T12:00:00Z")));
    }

    #[test]
    fn many_missed_ticks_are_one() {
        let start = utc("2026-01-03T10:30:00Z");
        let mut due = Due::new(hourly(), Some(utc("2026-01-01T10:00:00Z")), start);
        assert!(due.poll(start).unwrap().missed);
        assert_eq!(due.poll(start + Duration::from_secs(1)), None);
        assert_eq!(due.next_at(), Some(utc("2026-01-03T11:00:00Z")));
    }

    #[test]
    fn nothing_is_missed_before_the_first_start() {
        let start = utc("2026-01-03T10:30:00Z");
        assert_eq!(Due::new(hourly(), None, start).poll(start), None);
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_tick() {
        let mut due = Due::new(hourly(), None, utc("2030-01-01T10:30:00Z"));
        assert_eq!(due.poll(utc("2026-01-01T10:30:00Z")), None);
        assert_eq!(due.next_at(), Some(utc("2026-01-01T11:00:00Z")));
        let mut due = Due::new(
            hourly(),
            Some(utc("2030-01-01T10:00:00Z")),
            utc("2026-01-01T10:30:00Z"),
        );
        assert!(due.poll(utc("2026-01-01T11:00:00Z")).is_some());
    }

    #[tokio::test]
    async fn the_heartbeat_fires_a_due_tick_and_stops() {
        let (clock, manual) = Clock::manual(utc("2026-01-01T10:59:00Z"));
        let (ticker, mut ticks) = Ticker::start(hourly(), clock, None).await.unwrap();
        manual.advance(Duration::from_secs(61));
        let tick = tokio::time::timeout(Duration::from_secs(10), ticks.recv())
            .await
            .unwrap();
        assert_eq!(tick.map(|t| t.due_at), Some(utc("2026-01-01T11:00:00Z")));
        assert_eq!(ticker.next_at(), Some(utc("2026-01-01T12:00:00Z")));
        ticker.stop().await.unwrap();
    }
}
