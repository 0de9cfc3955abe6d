//! What can go wrong with a call: one table from the provider's answer to the kind of trouble.
//!
//! | answer | kind | tried again in the call |
//! | --- | --- | --- |
//! | 401, 403 | auth | no |
//! | 429; with a spending limit | rate-limited; billing | when `retry-after` is short; no |
//! | 529, 5xx, 408, 409, overload in mid-stream | overloaded | twice |
//! | 402, 400 about credit or billing | billing | no |
//! | 400 prompt too long, 413, context full | poisoned | no |
//! | any other 4xx | failed at the first call, poisoned later: the history is what it refuses | no |
//! | refused connection, DNS, TLS, time-out before any byte | network | twice |
//! | stream cut | cut | once |
//!
//! Billing ends an attempt as [`EndKind::Auth`]: like a refused key it is nobody's failure, costs no attempt,
//! and only a person can mend it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::wire::{ApiError, ErrorBody};
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::trouble::is_too_long;

/// The kinds of trouble, by what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quota or rate.
    RateLimited,
    /// The provider is overloaded or broken.
    Overloaded,
    /// The key is refused.
    Auth,
    /// The account has no credit or reached its spending limit.
    Billing,
    /// The provider cannot be reached.
    Network,
    /// The stream broke off.
    Cut,
    /// Nothing came for longer than the idle limit.
    Idle,
    /// The request can never succeed with this history.
    Poisoned,
    /// The request was refused.
    Refused,
}

/// One failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Trouble {
    /// What follows from it.
    pub kind: Kind,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// What, where and what to do next, for people.
    pub text: String,
}

impl Trouble {
    /// Trouble without an HTTP answer.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            retry_after: None,
            text: text.into(),
        }
    }

    /// Reads an answer that is no success. `first_call`: whether the history is just the prompt.
    pub fn from_answer(status: u16, body: &[u8], retry_after: Option<Duration>, first_call: bool) -> Self {
        let error = parse_error(body);
        let kind = kind_of(status, &error, first_call);
        let said = if error.message.is_empty() {
            "no explanation"
        } else {
            error.message.as_str()
        };
        let text = format!(
            "the provider answered {status} {}: {said}{}",
            error.kind,
            advice(kind)
        );
        Self {
            kind,
            status: Some(status),
            retry_after,
            text,
        }
    }

    /// Reads an error event in mid-stream.
    pub fn from_event(error: &ApiError) -> Self {
        let kind = match error.kind.as_str() {
            "rate_limit_error" => Kind::RateLimited,
            "authentication_error" | "permission_error" => Kind::Auth,
            "billing_error" => Kind::Billing,
            "request_too_large" => Kind::Poisoned,
            "invalid_request_error" if is_too_long(&error.message) => Kind::Poisoned,
            "invalid_request_error" | "not_found_error" => Kind::Refused,
            _ => Kind::Overloaded,
        };
        Self::new(
            kind,
            format!(
                "the provider broke off with {}: {}{}",
                error.kind,
                error.message,
                advice(kind)
            ),
        )
    }

    /// How an attempt ends that cannot get over this trouble.
    pub fn ending(&self, now: DateTime<Utc>) -> Ending {
        let kind = match self.kind {
            Kind::RateLimited => EndKind::RateLimited {
                until: self.until(now),
            },
            Kind::Overloaded | Kind::Cut => EndKind::Overloaded,
            Kind::Auth | Kind::Billing => EndKind::Auth,
            Kind::Network | Kind::Idle => EndKind::Network,
            Kind::Poisoned => EndKind::Poisoned,
            Kind::Refused => EndKind::Failed,
        };
        Ending {
            kind,
            reason: self.text.clone(),
        }
    }

    /// When the provider may be asked again.
    pub fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wait = chrono::Duration::from_std(self.retry_after?).ok()?;
        now.checked_add_signed(wait)
    }
}

fn parse_error(body: &[u8]) -> ApiError {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => body.error,
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let start = text
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            ApiError {
                kind: String::new(),
                message: start,
            }
        }
    }
}

fn kind_of(status: u16, error: &ApiError, first_call: bool) -> Kind {
    let about_money = is_about_money(error);
    match status {
        401 | 403 => Kind::Auth,
        402 => Kind::Billing,
        400 | 429 if about_money => Kind::Billing,
        429 => Kind::RateLimited,
        408 | 409 | 500.. => Kind::Overloaded,
        413 => Kind::Poisoned,
        400 if is_too_long(&error.message) => Kind::Poisoned,
        400 | 422 if !first_call => Kind::Poisoned,
        _ => Kind::Refused,
    }
}

fn is_about_money(error: &ApiError) -> bool {
    let text = error.message.to_lowercase();
    error.kind == "billing_error"
        || [
            "credit balance",
            "spend limit",
            "enforced_spend_limit_reached",
            "billing",
        ]
        .iter()
        .any(|word| text.contains(word))
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Auth => "; check the API key of this runtime",
        Kind::Billing => "; a person must add credit or raise the spending limit",
        Kind::Refused => "; check the tier's model and the runtime's base_url",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
