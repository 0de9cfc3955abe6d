//! The clocks of processes: time since boot (sleep included), and the hour that goes into an exit record.
//!
//! The supervisor is a program of its own and has nobody to pass time in.

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// So that a laptop's lid does not stretch a timeout.
pub(in crate::runtime) use crate::clock::since_boot as boot_now;

/// The wall clock, in whole microseconds.
pub(in crate::runtime) fn wall_now() -> DateTime<Utc> {
    let now = clock_gettime(ClockId::Realtime);
    DateTime::from_timestamp(now.tv_sec, nanoseconds(&now) / 1000 * 1000).unwrap_or_default()
}

fn nanoseconds(time: &Timespec) -> u32 {
    u32::try_from(time.tv_nsec).unwrap_or_default()
}
