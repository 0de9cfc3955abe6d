//! When the next tick is due: five cron fields in a time zone.
//!
//! Invariants: a local time that a change to summer time skips fires once, right after the gap; one that comes twice
//! fires once where the pattern names the hour; day of month and day of week are alternatives, as in every cron.
//! Deliberately absent: seconds and years in the pattern, and any state (see [`super::ticker`]).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Due times: a cron pattern in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: Tz,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// The pattern cannot be read.
    #[error("'{text}' is no cron pattern: {reason}")]
    Pattern {
        /// The pattern.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pattern can be read, but no date fits it.
    #[error("'{text}' never comes: no date fits it")]
    Never {
        /// The pattern.
        text: String,
    },
}

impl Schedule {
    /// Reads five fields (minute, hour, day of month, month, day of week), or a nickname such as `@daily`.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, BadSchedule> {
        let cron = five_fields(text)?;
        let schedule = Self {
            text: text.trim().to_owned(),
            cron,
            zone,
        };
        match schedule.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(BadSchedule::Never { text: schedule.text }),
        }
    }

    /// The first due time after `at`; `None` where no date fits within the years that a calendar knows.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// Whether a due time lies after `last` and not after `now`: a tick that nobody fired.
    pub fn missed_between(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.next_after(last).is_some_and(|due| due <= now)
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        &self.text
    }

    /// The time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

fn five_fields(text: &str) -> Result<Cron, BadSchedule> {
    let bad = |reason: String| BadSchedule::Pattern {
        text: text.to_owned(),
        reason,
    };
    let fields = text.split_whitespace().count();
    if fields != 5 && !text.trim_start().starts_with('@') {
        return Err(bad(format!(
            "it has {fields} fields; five are wanted (minute, hour, day of month, month, day of week)"
        )));
    }
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .dom_and_dow(false)
        .build()
        .parse(text)
        .map_err(|fault| bad(fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(pattern: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(pattern, zone).unwrap();
        let mut at = utc(after);
        let mut all = Vec::new();
        for _ in 0..count {
            at = schedule.next_after(at).unwrap();
            all.push(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        }
        all
    }

    #[rstest]
    #[case::quarter("*/15 * * * *", Tz::UTC, "2026-02-09T22:31:10Z", &["2026-02-09T22:45:00Z", "2026-02-09T23:00:00Z"])]
    #[case::strictly_after("*/15 * * * *", Tz::UTC, "2026-02-09T22:45:00Z", &["2026-02-09T23:00:00Z"])]
    #[case::day_or_weekday("0 0 13 * FRI", Tz::UTC, "2026-11-01T00:00:00Z", &["2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"])]
    #[case::gap_fires_once_after_it("30 2 * * *", Tz::Europe__Berlin, "2026-03-28T02:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"])]
    #[case::before_gap("30 1 * * *", Tz::Europe__Berlin, "2026-03-28T12:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T23:30:00Z"])]
    #[case::fold_fires_once("30 2 * * *", Tz::Europe__Berlin, "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])]
    #[case::quarters_through_the_fold("*/30 * * * *", Tz::Europe__Berlin, "2026-10-25T00:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"])]
    #[case::daily_keeps_local_hour("0 3 * * *", Tz::Europe__Berlin, "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"])]
    #[case::southern("30 2 * * *", Tz::Australia__Lord_Howe, "2026-10-03T12:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:30:00Z"])]
    #[case::leap_day("0 0 29 2 *", Tz::UTC, "2026-03-01T00:00:00Z", &["2028-02-29T00:00:00Z"])]
    #[case::nickname("@daily", Tz::UTC, "2026-03-01T00:00:00Z", &["2026-03-02T00:00:00Z"])]
    fn due_times(#[case] pattern: &str, #[case] zone: Tz, #[case] after: &str, #[case] due: &[&str]) {
        assert_eq!(next(pattern, zone, after, due.len()), due);
    }

    #[rstest]
    #[case("", "0 fields")]
    #[case("*/15 * * *", "4 fields")]
    #[case("0 */15 * * * *", "6 fields")]
    #[case("61 * * * *", "")]
    #[case("x * * * *", "")]
    fn bad_patterns_say_why(#[case] pattern: &str, #[case] reason: &str) {
        let fault = Schedule::parse(pattern, Tz::UTC).unwrap_err().to_string();
        assert!(
            fault.contains("is no cron pattern") && fault.contains(reason),
            "{fault}"
        );
    }

    #[test]
    fn a_date_that_never_comes_is_refused() {
        assert!(matches!(
            Schedule::parse("0 0 30 2 *", Tz::UTC),
            Err(BadSchedule::Never { .. })
        ));
    }

    #[test]
    fn a_tick_is_missed_when_its_time_has_passed() {
        let schedule = Schedule::parse("0 * * * *", Tz::UTC).unwrap();
        let last = utc("2026-01-01T10:00:00Z");
        assert!(!schedule.missed_between(last, utc("2026-01-01T10:59:59Z")));
        assert!(schedule.missed_between(last, utc("2026-01-01T11:00:00Z")));
        assert!(schedule.missed_between(last, utc("2026-01-04T00:00:00Z")));
        assert!(!schedule.missed_between(last, utc("2025-01-01T00:00:00Z")));
    }
}
