//! Times, lengths of time and money as people say them.

use chrono::{DateTime, Utc};

/// A length of time: its two largest units, at most; `0s` where it is negative.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (d, h, m, s) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m"),
        (0, _, 0) => format!("{h}h"),
        (0, _, _) => format!("{h}h {m}m"),
        (_, 0, _) => format!("{d}d"),
        (1..=6, _, _) => format!("{d}d {h}h"),
        _ => format!("{d}d"),
    }
}

/// A length of time that a machine took: `0.4s`, `12.3s`, then as [`span`].
pub fn took(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{:.1}s", seconds.max(0.0))
    } else {
        span(seconds as i64)
    }
}

/// How long ago: `3m ago`; `just now` within two seconds and for a clock that disagrees.
pub fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    match (now - at).num_seconds() {
        ..=1 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// When it will be: `in 12m`; `now` once it is due.
pub fn until(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    match (at - now).num_seconds() {
        ..=0 => "now".to_owned(),
        seconds => format!("in {}", span(seconds)),
    }
}

/// A moment with its age: `2026-02-09 22:30:00 UTC (3m ago)`.
pub fn moment(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let relation = if at > now { until(now, at) } else { ago(now, at) };
    format!("{} ({relation})", at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// US dollars: `$0.42`; what is less than a cent but not nothing is `<$0.01`.
pub fn money(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 {
        "<$0.01".to_owned()
    } else {
        format!("${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let rows = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (7500, "2h 5m"),
            (86_400, "1d"),
            (97_200, "1d 3h"),
            (86_400 * 9 + 7200, "9d"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(span(seconds), expected);
        }
        assert_eq!(took(0.44), "0.4s");
        assert_eq!(took(75.0), "1m");
    }

    #[test]
    fn ages_and_money() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let later = |s| now + chrono::TimeDelta::seconds(s);
        assert_eq!(ago(now, later(-180)), "3m ago");
        assert_eq!(ago(now, later(60)), "just now");
        assert_eq!(until(now, later(720)), "in 12m");
        assert_eq!(until(now, later(-1)), "now");
        assert_eq!(
            [0.0, 0.004, 0.42, 12.3].map(money),
            ["$0.00", "<$0.01", "$0.42", "$12.30"]
        );
    }
}
