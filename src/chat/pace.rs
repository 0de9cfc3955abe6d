//! How fast a surface is told: a token bucket. Pure; time is passed in.

use chrono::{DateTime, TimeDelta, Utc};

/// A bucket of tokens, one for each message, that refills steadily.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between two tokens.
    each: TimeDelta,
    /// The most tokens that it holds.
    most: i32,
    /// When it is full again, if nothing is taken any more.
    full_at: DateTime<Utc>,
}

impl Pace {
    /// So many messages a minute, and a tenth of that at once; never less than one.
    pub fn new(per_minute: u32, now: DateTime<Utc>) -> Self {
        let per_minute = per_minute.clamp(1, 60_000);
        Self {
            each: TimeDelta::microseconds(60_000_000 / i64::from(per_minute)),
            most: i32::try_from(per_minute / 10).unwrap_or(i32::MAX).max(1),
            full_at: now,
        }
    }

    /// Takes a token, or says when there will be one.
    ///
    /// # Errors
    /// The time of the next token.
    pub fn take(&mut self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        // A clock that was set back does not stop it for longer than an empty bucket takes.
        let empty_until = now + self.each * self.most;
        self.full_at = self.full_at.clamp(now, empty_until);
        let after = self.full_at + self.each;
        if after > empty_until {
            return Err(now + (after - empty_until));
        }
        self.full_at = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000, 0).unwrap()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut pace = Pace::new(60, start());
        for _ in 0..6 {
            assert_eq!(pace.take(start()), Ok(()));
        }
        let later = start() + TimeDelta::seconds(1);
        assert_eq!(pace.take(start()), Err(later));
        assert_eq!(pace.take(later), Ok(()));
        assert_eq!(pace.take(later), Err(later + TimeDelta::seconds(1)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_it() {
        let mut pace = Pace::new(60, start());
        for _ in 0..6 {
            pace.take(start()).unwrap();
        }
        let back = start() - TimeDelta::days(1);
        assert_eq!(pace.take(back), Err(back + TimeDelta::seconds(1)));
        assert_eq!(pace.take(back + TimeDelta::seconds(1)), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(per_minute in 1_u32..600, waits in proptest::collection::vec(0_i64..3_000, 1..200)) {
            let mut pace = Pace::new(per_minute, start());
            let (mut now, mut taken) = (start(), 0_i64);
            for wait in waits {
                now += TimeDelta::milliseconds(wait);
                taken += i64::from(pace.take(now).is_ok());
                let passed = (now - start()).num_milliseconds();
                let burst = i64::from((per_minute / 10).max(1));
                prop_assert!(taken <= burst + passed * i64::from(per_minute) / 60_000 + 1);
            }
        }
    }
}
