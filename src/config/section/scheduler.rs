//! `[scheduler]`: when passes run, how many workers at once, when one counts as stuck.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono_tz::Tz;

use super::longer_than_zero;
use crate::clock::Schedule;
use crate::clock::schedule::BadSchedule;
use crate::config::reader::Section;
use crate::domain::headway::Limits;

/// `[scheduler]`.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// When a pass over everything runs: five fields, in `timezone`.
    pub cron: String,
    /// The time zone of `cron`.
    pub timezone: Tz,
    /// Whether edits of the queue act at once, not at the next tick.
    pub watch: bool,
    /// Worker slots, all tiers together.
    pub max_concurrent: NonZeroU32,
    /// A heartbeat older than this is stale.
    pub heartbeat_stale_after: Duration,
    /// A worker that lives, and from which nothing new comes for this long, is stuck.
    pub no_progress_after: Duration,
    /// A worker that makes the same call, or the same few calls, so often in a row is stuck; 0: never.
    pub repeated_call_limit: u32,
    /// A worker that waits longer for its provider gives its slot free and is resumed later.
    pub provider_wait: Duration,
    /// How long a worker may run on after the orchestrator was last seen.
    pub lease: Duration,
    /// Failures at a tier before the next one.
    pub attempts_per_tier: NonZeroU32,
    /// Attempts a task may spend before a person must look; only a person resets the count.
    pub lifetime_attempts: NonZeroU32,
}

/// Every quarter of an hour.
fn cron() -> String {
    "*/15 * * * *".to_owned()
}

/// The world's.
fn timezone() -> Tz {
    Tz::UTC
}

/// People expect an edit to act.
fn watch() -> bool {
    true
}

/// Two, so that a long task does not hold up all others.
fn max_concurrent() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

/// Longer than any build that says nothing should take.
fn heartbeat_stale_after() -> Duration {
    Duration::from_mins(20)
}

/// Longer than any single test run or build should take; what ends sooner is the timeout's.
fn no_progress_after() -> Duration {
    Duration::from_mins(45)
}

/// People who watch lose their patience after fewer; a wait for something slow may take some.
fn repeated_call_limit() -> u32 {
    8
}

/// Longer than the clients' own retries after a hiccup, shorter than any limit that is worth the name.
fn provider_wait() -> Duration {
    Duration::from_mins(10)
}

/// Longer than a restart or an upgrade should take.
fn lease() -> Duration {
    Duration::from_mins(10)
}

/// One failure is enough: the next tier costs less than a second try that fails the same way.
fn attempts_per_tier() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Five tries a rung of the usual ladder.
fn lifetime_attempts() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(14)
}

impl Scheduler {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let timezone = section.get("timezone", timezone);
        Self {
            cron: read_cron(section, timezone),
            timezone,
            watch: section.get("watch", watch),
            max_concurrent: section.get("max_concurrent", max_concurrent),
            heartbeat_stale_after: section.get_if(
                "heartbeat_stale_after",
                heartbeat_stale_after,
                longer_than_zero,
            ),
            no_progress_after: section.get_if("no_progress_after", no_progress_after, longer_than_zero),
            repeated_call_limit: section.get("repeated_call_limit", repeated_call_limit),
            provider_wait: section.get("provider_wait", provider_wait),
            lease: section.get_if("lease", lease, long_enough_to_renew),
            attempts_per_tier: section.get("attempts_per_tier", attempts_per_tier),
            lifetime_attempts: section.get("lifetime_attempts", lifetime_attempts),
        }
    }

    /// What a worker may not exceed without getting on.
    pub fn headway(&self) -> Limits {
        Limits {
            no_progress_after: self.no_progress_after,
            repeated_calls: self.repeated_call_limit,
            provider_wait: self.provider_wait,
        }
    }

    /// The due times of `cron` in `timezone`. Cannot fail for a configuration that was loaded.
    pub fn schedule(&self) -> Result<Schedule, BadSchedule> {
        Schedule::parse(&self.cron, self.timezone)
    }
}

/// It is renewed twice a second at most.
fn long_enough_to_renew(lease: &Duration) -> Result<(), String> {
    match lease.as_millis() {
        0..2000 => Err("must be at least 2s".to_owned()),
        _ => Ok(()),
    }
}

fn read_cron(section: &mut Section<'_, '_>, zone: Tz) -> String {
    let pattern: String = section.get("cron", cron);
    if let Err(fault) = Schedule::parse(&pattern, zone) {
        let at = section.origin_of("cron");
        let help =
            "five fields: minute, hour, day of month, month, day of week; for example \"*/15 * * * *\"";
        section.fault(at, format!("scheduler.cron: {fault}"), Some(help.to_owned()));
    }
    pattern
}
