//! Whether an answer is a rate limit, and until when. Pure.
//!
//! GitHub answers 403 or 429: to the hourly limit with `x-ratelimit-remaining: 0` and `x-ratelimit-reset`, to a
//! secondary one with `retry-after`, or with nothing but its words, and then asks for a minute at least. Gitea has no
//! limits of its own; a proxy before it answers 429, or 503 with `retry-after`.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::format::retry_after::retry_after;

/// How long to wait where nobody says it.
const UNSAID: TimeDelta = TimeDelta::minutes(1);
/// The longest wait that is believed: limits are counted by the hour, and clocks differ.
const LONGEST: TimeDelta = TimeDelta::hours(2);
/// The shortest wait.
const SHORTEST: TimeDelta = TimeDelta::seconds(1);

/// Until when nothing may be asked; none where the answer is no limit.
pub(super) fn until(
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER.as_str()).and_then(|t| retry_after(t, now));
    let spent = text("x-ratelimit-remaining") == Some("0");
    let reset = text("x-ratelimit-reset").and_then(|t| DateTime::from_timestamp(t.parse().ok()?, 0));
    let limited = match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => after.is_some() || spent || says_so(message),
        StatusCode::SERVICE_UNAVAILABLE => after.is_some(),
        _ => false,
    };
    let asked = after.or(reset.filter(|_| spent)).unwrap_or(now + UNSAID);
    limited.then(|| asked.clamp(now + SHORTEST, now + LONGEST))
}

fn says_so(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("rate limit") || message.contains("abuse detection")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn limits() {
        let now: DateTime<Utc> = "2026-02-09T12:00:00Z".parse().unwrap();
        let reset = (now + TimeDelta::minutes(20)).timestamp().to_string();
        let reset = reset.as_str();
        let stale = (now - TimeDelta::minutes(20)).timestamp().to_string();
        for (status, headers, message, wanted) in [
            (
                403,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
                "",
                Some(1200),
            ),
            (
                429,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
                "",
                Some(1200),
            ),
            (
                403,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &stale)],
                "",
                Some(1),
            ),
            (
                403,
                vec![("x-ratelimit-remaining", "17"), ("x-ratelimit-reset", reset)],
                "Resource not accessible",
                None,
            ),
            (403, vec![("retry-after", "90")], "", Some(90)),
            (403, vec![("retry-after", "0")], "", Some(1)),
            (403, vec![("retry-after", "999999999")], "", Some(7200)),
            (
                403,
                vec![("retry-after", "Mon, 09 Feb 2026 12:05:00 GMT")],
                "",
                Some(300),
            ),
            (
                403,
                vec![("x-ratelimit-remaining", "17"), ("x-ratelimit-reset", reset)],
                "You have exceeded a secondary rate limit.",
                Some(60),
            ),
            (403, vec![], "Must have admin rights to Repository.", None),
            (429, vec![], "", Some(60)),
            (429, vec![("retry-after", "soon")], "", Some(60)),
            (503, vec![], "", None),
            (503, vec![("retry-after", "5")], "", Some(5)),
            (
                200,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
                "",
                None,
            ),
            (404, vec![("retry-after", "5")], "rate limit", None),
        ] {
            let mut map = HeaderMap::new();
            headers.iter().for_each(|(name, value)| {
                map.insert(*name, value.parse().unwrap());
            });
            let found = until(StatusCode::from_u16(status).unwrap(), &map, message, now);
            assert_eq!(
                found.map(|t| (t - now).num_seconds()),
                wanted,
                "{status} {headers:?} {message}"
            );
        }
    }
}
