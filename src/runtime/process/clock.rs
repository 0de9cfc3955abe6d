//! The clocks of processes: time since boot (sleep included), and the hour that goes into an exit record.
//!
//! The supervisor is a program of its own and has nobody to pass time in.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Time since boot, the time asleep included, so that a laptop's lid does not stretch a timeout.
pub(in crate::runtime) fn boot_now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds(&now))
}

/// The wall clock, in whole microseconds.
pub(in crate::runtime) fn wall_now() -> DateTime<Utc> {
    let now = clock_gettime(ClockId::Realtime);
    DateTime::from_timestamp(now.tv_sec, nanoseconds(&now) / 1000 * 1000).unwrap_or_default()
}

fn nanoseconds(time: &Timespec) -> u32 {
    u32::try_from(time.tv_nsec).unwrap_or_default()
}
