//! Waits: how long before work goes on.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::policy::Policy;

/// A provider's limits open again within a week; a later time is a mistake of somebody's, and nobody waits for it.
pub const LONGEST_REST: TimeDelta = TimeDelta::days(8);

/// When to come back to a provider that named this time.
pub fn come_back(named: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    named.min(now + LONGEST_REST)
}

/// The wait after the `failures`-th failure in a row (from 1): doubled each time, with jitter, between the
/// policy's first and longest wait. `roll` is a random number in `0.0..1.0`.
pub fn backoff(policy: &Policy, failures: u32, roll: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let base = policy
        .backoff_initial
        .saturating_mul(1 << doublings)
        .min(policy.backoff_max);
    let jittered = base.mul_f64(1.0 + 0.25 * roll.clamp(0.0, 1.0));
    jittered.clamp(policy.backoff_initial.min(policy.backoff_max), policy.backoff_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::policy::Policy;

    #[test]
    fn doubles_up_to_the_cap() {
        let policy = Policy::example();
        let waits: Vec<u64> = (1..8).map(|n| backoff(&policy, n, 0.0).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    }

    proptest! {
        #[test]
        fn stays_between_first_and_longest(n in 0u32..u32::MAX, roll in 0.0..1.0f64) {
            let policy = Policy::example();
            let wait = backoff(&policy, n, roll);
            prop_assert!(wait >= policy.backoff_initial && wait <= policy.backoff_max);
        }
    }
}
