//! What the CLI's words for a failure mean; it has nothing but words for it.
//!
//! Each sign was seen in a recorded transcript, or provoked from the real CLI by a scripted provider.

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::domain::outcome::EndKind;
use crate::runtime::trouble;

/// What a failure's words mean; `None` where they say nothing that is known. `now` is when they were said.
pub(super) fn meaning(words: &str, now: DateTime<Utc>) -> Option<EndKind> {
    // The CLI writes "You’ve" with a typographic apostrophe, and not everywhere.
    let words = words.to_lowercase().replace('’', "'");
    let known = trouble::of_words(&words, OWN_SIGNS);
    let kind = match (known, status(&words)) {
        (None | Some(EndKind::Network), Some(status)) => Some(of_status(status)),
        (known, _) => known,
    };
    let kind = kind.or_else(|| {
        let refused = REFUSED_AS_INVALID.iter().any(|sign| words.contains(sign));
        refused.then_some(EndKind::Poisoned)
    })?;
    Some(trouble::limited_until(kind, until(&words, now)))
}

fn of_status(status: u16) -> EndKind {
    match status {
        404 => EndKind::Failed,
        other => trouble::of_status(other).unwrap_or(EndKind::Poisoned),
    }
}

const OWN_SIGNS: &[trouble::Row] = &[
    // The thread cannot go on.
    (
        &["no rollout found", "thread not found", "content_filter"],
        EndKind::Poisoned,
    ),
    // The account cannot pay, is not known, or may not.
    (
        &[
            "quota exceeded",
            "insufficient_quota",
            "out of credits",
            "spend cap",
            "to use codex with your chatgpt plan",
            "missing environment variable",
            "access token could not be refreshed",
        ],
        EndKind::Auth,
    ),
];

/// What was asked is refused, and would be again.
const REFUSED_AS_INVALID: [&str; 3] = ["invalid_request_error", "invalid prompt", "invalid_prompt"];

/// The HTTP status in "unexpected status 401 …" and "last status: 429 …".
pub(super) fn status(words: &str) -> Option<u16> {
    words.split("status").skip(1).find_map(|after| {
        let number = after.trim_start_matches([':', ' ']).get(..3)?;
        number.parse().ok().filter(|status| (400..=599).contains(status))
    })
}

/// The time in "try again at Jan 15th, 2027 8:00 AM" and "try again at 11:30 AM", the next one to come; in UTC, for
/// the CLI runs in that zone.
fn until(words: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (_, said) = words.rsplit_once("try again at ")?;
    let parts: Vec<&str> = said.trim().trim_end_matches('.').split_whitespace().collect();
    match parts.as_slice() {
        [month, day, year, time, half] => {
            let day = day.trim_end_matches(|c: char| !c.is_ascii_digit());
            let text = format!("{month} {day} {year} {time} {half}");
            let at = NaiveDateTime::parse_from_str(&text, "%b %d %Y %I:%M %p").ok()?;
            Some(at.and_utc())
        }
        [time, half] => {
            let time = NaiveTime::parse_from_str(&format!("{time} {half}"), "%I:%M %p").ok()?;
            let today = now.date_naive().and_time(time).and_utc();
            // Minutes are cut off: a time of just now is meant, not one of tomorrow.
            let passed = today + TimeDelta::minutes(1) <= now;
            Some(if passed { today + TimeDelta::days(1) } else { today })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_to_come_back_is_read_in_both_forms() {
        let now = at("2026-11-21T11:20:30Z");
        let tail =
            "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), or try again at";
        for (said, expected) in [
            ("Jan 15th, 2027 8:00 AM.", Some("2027-01-15T08:00:00Z")),
            ("Nov 1st, 2026 12:05 PM.", Some("2026-11-01T12:05:00Z")),
            ("11:30 AM.", Some("2026-11-21T11:30:00Z")),
            ("11:20 AM.", Some("2026-11-21T11:20:00Z")),
            ("12:05 AM.", Some("2026-11-22T00:05:00Z")),
            ("a better time.", None),
        ] {
            let kind = meaning(&format!("{tail} {said}"), now);
            let until = expected.map(at);
            assert_eq!(kind, Some(EndKind::RateLimited { until }), "{said}");
        }
    }

    #[test]
    fn a_status_is_a_status_wherever_it_stands() {
        for (words, expected) in [
            (
                "unexpected status 401 unauthorized: x, url: http://127.0.0.1:5290/v1",
                Some(401),
            ),
            (
                "exceeded retry limit, last status: 429 too many requests",
                Some(429),
            ),
            ("the status of 500 files", None),
            ("status", None),
            ("status: é", None),
            ("status 200", None),
        ] {
            assert_eq!(status(words), expected, "{words}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_words_can_be_looked_at(words in "\\PC*", time in "(try again at )?\\PC{0,30}") {
            let now = at("2026-11-21T11:20:30Z");
            let _ = meaning(&words, now);
            let known = meaning(&format!("usage limit {time}"), now);
            proptest::prop_assert!(known.is_some());
        }
    }
}
