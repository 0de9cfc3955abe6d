//! What a line of the agent's standard error tells of a provider that makes the agent wait: pure.
//!
//! The protocol has no word for it, so agents ask their provider again in silence, and say so on standard error at most
//! ("Attempt 1 failed with status 429. Retrying with backoff..."). Only trouble that passes by itself is a wait: a
//! refused key and a full context end the prompt, and then the agent's answer tells of them.

use std::time::Duration;

use super::verdict;
use crate::domain::outcome::EndKind;

/// One complaint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Complaint {
    /// Rate-limited, overloaded or network.
    pub kind: EndKind,
    /// The provider's HTTP status, where it is told.
    pub status: Option<u16>,
    /// How long the agent says that it waits.
    pub delay: Option<Duration>,
}

/// Words by which somebody tells that he tries again.
const AGAIN: &[&str] = &[
    "retry",
    "retries",
    "backoff",
    "back off",
    "trying again",
    "try again",
    "attempt",
];
/// Signs of agents that no answer of theirs holds; in lower case.
const OWN: [(&str, EndKind); 3] = [
    ("ratelimit", EndKind::RateLimited { until: None }),
    ("high demand", EndKind::Overloaded),
    ("stream disconnected", EndKind::Network),
];
/// Words that stand before an HTTP status.
const BEFORE_STATUS: &[&str] = &["status", "code", "http", "error"];
/// Words that stand before a time to wait.
const BEFORE_DELAY: &[&str] = &["in", "after", "for", "waiting", "delay"];

impl Complaint {
    /// Reads a line. An overload and a broken network only count with a status or a word of trying again: servers of
    /// tools and of telemetry fail, too, and nobody waits for those.
    pub fn read(line: &str) -> Option<Self> {
        let line = line.to_lowercase().replace(['_', '-'], " ");
        let words = words(&line);
        let status = status(&words);
        let own = OWN.iter().find(|(sign, _)| line.contains(sign));
        let by_words = || {
            own.map(|(_, kind)| *kind)
                .or_else(|| verdict::by_words(&line, None))
        };
        let kind = status.and_then(by_status).or_else(by_words)?;
        let again = AGAIN.iter().any(|sign| line.contains(sign));
        let counts = match kind {
            EndKind::RateLimited { .. } => true,
            EndKind::Overloaded | EndKind::Network => again || status.is_some(),
            _ => false,
        };
        let delay = again.then(|| delay(&words)).flatten();
        counts.then_some(Self { kind, status, delay })
    }

    /// The trouble in one word, as providers name it.
    pub fn word(&self) -> &'static str {
        match self.kind {
            EndKind::RateLimited { .. } => "rate_limit",
            EndKind::Overloaded => "overloaded",
            _ => "network",
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    let all = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    all.map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
        .collect()
}

fn status(words: &[&str]) -> Option<u16> {
    let is_status = |pair: &&[&str]| BEFORE_STATUS.contains(&pair[0]) && pair[1].len() == 3;
    let mut found = words
        .windows(2)
        .filter(is_status)
        .filter_map(|pair| pair[1].parse().ok());
    found.find(|status| by_status(*status).is_some())
}

fn by_status(status: u16) -> Option<EndKind> {
    match status {
        408 => Some(EndKind::Network),
        429 => Some(EndKind::RateLimited { until: None }),
        500..=599 => Some(EndKind::Overloaded),
        _ => None,
    }
}

/// "in 30 seconds", "after 1500ms"; a bare number is one of seconds in "retry-after: 60" only.
fn delay(words: &[&str]) -> Option<Duration> {
    (1..words.len()).find_map(|at| {
        let before = words[at - 1];
        if !BEFORE_DELAY.contains(&before) {
            return None;
        }
        let end = words[at]
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(words[at].len());
        let (number, unit) = words[at].split_at(end);
        let unit = if unit.is_empty() {
            words.get(at + 1).copied().unwrap_or_default()
        } else {
            unit
        };
        let is_header = before == "after" && at > 1 && words[at - 2] == "retry";
        let seconds = seconds_in(unit).or(is_header.then_some(1.0))?;
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
    })
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millis" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: EndKind = EndKind::RateLimited { until: None };

    fn told(line: &str) -> Option<(EndKind, Option<u16>, Option<f64>)> {
        let complaint = Complaint::read(line)?;
        Some((
            complaint.kind,
            complaint.status,
            complaint.delay.map(|d| d.as_secs_f64()),
        ))
    }

    #[test]
    fn what_is_a_wait() {
        for (line, expected) in [
            (
                "Attempt 1 failed with status 429. Retrying with backoff... ApiError: got status: 429",
                (LIMITED, Some(429), None),
            ),
            (
                "Rate limit exceeded, retrying in 60s",
                (LIMITED, None, Some(60.0)),
            ),
            (
                "429 Too Many Requests (retry-after: 120)",
                (LIMITED, None, Some(120.0)),
            ),
            (
                "{\"error\":{\"code\":503,\"message\":\"x\"}}",
                (EndKind::Overloaded, Some(503), None),
            ),
            (
                "Overloaded; trying again in 1.5 minutes.",
                (EndKind::Overloaded, None, Some(90.0)),
            ),
            (
                "WARN stream disconnected - retrying sampling request (1/5 in 198.5ms)...",
                (EndKind::Network, None, Some(0.1985)),
            ),
            ("RateLimitExceeded { retry_after: None }", (LIMITED, None, None)),
            (
                "fetch failed (ECONNREFUSED), retrying 2/5 in 200ms...",
                (EndKind::Network, None, Some(0.2)),
            ),
            (
                "HTTP 529, Retry after 3 hours",
                (EndKind::Overloaded, Some(529), Some(10_800.0)),
            ),
        ] {
            assert_eq!(told(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_none() {
        for line in [
            "",
            "Loaded cached credentials.",
            "Using API key of the environment",
            "MCP server error: files did not start",
            "telemetry: fetch failed",
            "Invalid API key, attempt 1",
            "prompt is too long, retrying",
            "listening on port 429",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_can_be_read(line in "\\PC*", delay in "(in|after|for) [0-9.e]{0,40}[a-z]{0,3}") {
            let _ = Complaint::read(&line);
            let told = Complaint::read(&format!("rate limit, retry {delay}"));
            proptest::prop_assert!(told.is_some());
        }
    }
}
