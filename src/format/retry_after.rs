//! The header `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.

use chrono::{DateTime, TimeDelta, Utc};

/// The time that it names; none where it cannot be read.
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(seconds) => now.checked_add_signed(TimeDelta::try_seconds(seconds)?),
        Err(_) => Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_a_date() {
        let now: DateTime<Utc> = "2026-02-09T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("30", Some(now + TimeDelta::seconds(30))),
            (" 0 ", Some(now)),
            ("Mon, 09 Feb 2026 12:05:00 GMT", Some(now + TimeDelta::minutes(5))),
            ("soon", None),
            ("", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(retry_after(text, now), expected, "{text}");
        }
    }
}
