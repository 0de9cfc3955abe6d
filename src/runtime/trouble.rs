//! What words and statuses tell of a provider's trouble, whichever client hands them on. Pure.
//!
//! Each sign was seen in a recorded transcript, provoked from a real client, or stands in a vendor's list of errors.
//! Deliberately absent: the signs of one client alone, and what a client's own fields say; its module knows them, and
//! says which it asks first.

use chrono::{DateTime, Utc};

use crate::domain::outcome::EndKind;

/// Signs in lower case, and what they mean.
pub(super) type Row = (&'static [&'static str], EndKind);

const LIMITED: EndKind = EndKind::RateLimited { until: None };

/// Of several kinds that the words fit, the first counts: a connection breaks off for all the other reasons, too.
const ORDER: [EndKind; 8] = [
    EndKind::MaxTurns,
    EndKind::Vanished,
    EndKind::Poisoned,
    EndKind::Auth,
    LIMITED,
    EndKind::Overloaded,
    EndKind::Failed,
    EndKind::Network,
];

/// The request does not fit into the model's context.
const TOO_LONG: &[&str] = &[
    "prompt is too long",
    "input is too long",
    "exceed context limit",
    "context window",
    "context length",
    "context_length_exceeded",
    "maximum context",
    "too many tokens",
];

const COMMON: [Row; 5] = [
    (TOO_LONG, EndKind::Poisoned),
    (
        &[
            "credit balance",
            "spend limit",
            "not logged in",
            "/login",
            "sign in",
            "api key",
            "oauth token",
            "authentication",
            "unauthorized",
        ],
        EndKind::Auth,
    ),
    (
        &["usage limit", "rate limit", "hit your limit", "too many requests"],
        LIMITED,
    ),
    (
        &[
            "overloaded",
            "server error",
            "service unavailable",
            "high demand",
            "at capacity",
        ],
        EndKind::Overloaded,
    ),
    (
        &[
            "connection refused",
            "connection error",
            "connection failed",
            "stream disconnected",
            "error sending request",
            "dns error",
            "unable to connect",
            "network error",
            "fetch failed",
            "econn",
            "enotfound",
            "etimedout",
            "eai_again",
            "timed out",
            "idle timeout",
            "certificate",
        ],
        EndKind::Network,
    ),
];

/// What these words mean, by a client's own signs (of the kinds in [`ORDER`]) and those that all share; `None` where they
/// say nothing that is known. A limit has no end yet: see [`limited_until`].
pub(super) fn of_words(words: &str, own: &[Row]) -> Option<EndKind> {
    let words = words.to_lowercase();
    let fits = |(signs, _): &&Row| signs.iter().any(|sign| words.contains(sign));
    let told: Vec<EndKind> = own
        .iter()
        .chain(&COMMON)
        .filter(fits)
        .map(|(_, kind)| *kind)
        .collect();
    ORDER.into_iter().find(|kind| told.contains(kind))
}

/// Whether a provider says so that the request does not fit into the model's context.
pub(super) fn is_too_long(words: &str) -> bool {
    let words = words.to_lowercase();
    TOO_LONG.iter().any(|sign| words.contains(sign))
}

/// What an HTTP status alone tells of the provider; `None` where it speaks of the request.
pub(super) fn of_status(status: u16) -> Option<EndKind> {
    match status {
        401..=403 => Some(EndKind::Auth),
        408 => Some(EndKind::Network),
        429 => Some(LIMITED),
        500..=599 => Some(EndKind::Overloaded),
        _ => None,
    }
}

/// The same, with the end of a limit where it is one.
pub(super) fn limited_until(kind: EndKind, until: Option<DateTime<Utc>>) -> EndKind {
    match kind {
        EndKind::RateLimited { until: said } => EndKind::RateLimited {
            until: until.or(said),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_every_client_hands_on() {
        for (words, kind) in [
            ("Prompt is too long: 210000 tokens", Some(EndKind::Poisoned)),
            ("Your credit balance is too low", Some(EndKind::Auth)),
            ("Not logged in · Please run /login", Some(EndKind::Auth)),
            ("You've hit your limit", Some(LIMITED)),
            ("429 Too Many Requests", Some(LIMITED)),
            ("Internal Server Error", Some(EndKind::Overloaded)),
            ("connect ECONNREFUSED 127.0.0.1:1", Some(EndKind::Network)),
            ("Internal error", None),
            ("", None),
        ] {
            assert_eq!(of_words(words, &[]), kind, "{words}");
        }
    }

    #[test]
    fn a_clients_own_signs_stand_beside_the_common_ones() {
        let own: &[Row] = &[(&["quota"], LIMITED), (&["output token"], EndKind::Failed)];
        for (words, kind) in [
            ("Quota reached", Some(LIMITED)),
            ("stream disconnected: QUOTA reached", Some(LIMITED)),
            ("quota: invalid API key", Some(EndKind::Auth)),
            ("the output token maximum; timed out", Some(EndKind::Failed)),
        ] {
            assert_eq!(of_words(words, own), kind, "{words}");
        }
        assert_eq!(of_words("quota", &[]), None);
    }

    #[test]
    fn a_status_speaks_of_the_provider_or_says_nothing() {
        for (status, kind) in [
            (400, None),
            (403, Some(EndKind::Auth)),
            (404, None),
            (408, Some(EndKind::Network)),
            (429, Some(LIMITED)),
            (529, Some(EndKind::Overloaded)),
            (600, None),
        ] {
            assert_eq!(of_status(status), kind, "{status}");
        }
    }

    #[test]
    fn only_a_limit_has_an_end() {
        let at = DateTime::from_timestamp(1_800_000_000, 0);
        let known = EndKind::RateLimited { until: at };
        assert_eq!(limited_until(LIMITED, at), known);
        assert_eq!(limited_until(known, None), known);
        assert_eq!(limited_until(EndKind::Auth, at), EndKind::Auth);
    }
}
