//! What the end of a conversation means: pure.
//!
//! A stop reason is the agent's own word. A refused request is read by its kind, its code, and last by its words; the
//! rows were seen in transcripts, or are the vendors' names for the same.

use agent_client_protocol::v1::schema::StopReason;
use agent_client_protocol::{Error, ErrorCode};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::printable::brief;
use crate::runtime::trouble;

/// Characters of the agent's words that make a reason.
const SHOWN: usize = 400;

/// A step of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `initialize`.
    Greeting,
    /// `authenticate`.
    SigningIn,
    /// `session/new`.
    Opening,
    /// `session/resume` or `session/load`.
    Reopening,
    /// The choice of the model.
    Choosing,
    /// `session/prompt`.
    Prompt,
}

impl Step {
    /// For people: what the agent was asked for.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Greeting => "its greeting (initialize)",
            Self::SigningIn => "the sign-in (authenticate)",
            Self::Opening => "a new session (session/new)",
            Self::Reopening => "the old session (session/load)",
            Self::Choosing => "the model",
            Self::Prompt => "the prompt (session/prompt)",
        }
    }
}

/// What the agent's own word for the end means. `said` is the last that it said.
pub fn of_stop(stop: StopReason, said: &str, over_budget: bool) -> Ending {
    let or = |otherwise: &str| {
        let said = brief(said, SHOWN);
        if said.is_empty() {
            otherwise.to_owned()
        } else {
            said
        }
    };
    let (kind, reason) = match stop {
        StopReason::EndTurn => (EndKind::Claimed, or("it ended well, without a word")),
        _ if over_budget => (EndKind::Budget, "it has used up its budget".to_owned()),
        StopReason::MaxTokens => (EndKind::MaxTurns, "it reached its limit of tokens".to_owned()),
        StopReason::MaxTurnRequests => (EndKind::MaxTurns, "it reached its limit of turns".to_owned()),
        StopReason::Refusal => (EndKind::Failed, format!("it refused: {}", or("without a reason"))),
        StopReason::Cancelled => (EndKind::Interrupted, "it was cancelled".to_owned()),
        other => (
            EndKind::Failed,
            format!("it stopped for a reason that is not known here: {other:?}"),
        ),
    };
    Ending { kind, reason }
}

/// What a refused request means. `until` is when the provider said that its limit ends.
pub fn of_error(step: Step, error: &Error, until: Option<DateTime<Utc>>) -> Ending {
    let words = words(error);
    let kind = by_kind(error.data.as_ref(), until)
        .or_else(|| by_code(error.code, step, until))
        .or_else(|| by_words(&words, until))
        // Whatever it is, the same session would meet it again.
        .unwrap_or(if step == Step::Reopening {
            EndKind::Poisoned
        } else {
            EndKind::Failed
        });
    Ending {
        kind,
        reason: format!("the agent refused {}: {}", step.phrase(), brief(&words, SHOWN)),
    }
}

/// What is known when the agent is gone before its answer; its standard error may tell more.
pub fn of_death(step: Step, phrase: &str, by_signal: bool, stray: Option<&str>) -> Ending {
    let stray = stray.map(|line| format!("; its output was no protocol: {}", brief(line, 120)));
    let kind = if by_signal {
        EndKind::Interrupted
    } else {
        EndKind::Failed
    };
    Ending {
        kind,
        reason: format!(
            "the agent ended ({phrase}) before it answered {}{}",
            step.phrase(),
            stray.unwrap_or_default()
        ),
    }
}

fn words(error: &Error) -> String {
    let details = error.data.as_ref().and_then(|data| {
        let keys = ["details", "message", "error"];
        let text = keys.iter().find_map(|key| data.get(key)?.as_str());
        text.or(data.as_str()).map(str::to_owned)
    });
    match details {
        Some(details) if !error.message.contains(&details) => format!("{}: {details}", error.message),
        _ => error.message.clone(),
    }
}

fn by_kind(data: Option<&Value>, until: Option<DateTime<Utc>>) -> Option<EndKind> {
    let keys = ["errorKind", "kind", "type", "code"];
    let kind = keys.iter().find_map(|key| data?.get(key)?.as_str())?;
    Some(match kind.to_ascii_lowercase().as_str() {
        "rate_limit" | "rate_limited" | "rate_limit_error" | "usage_limit" => EndKind::RateLimited { until },
        "overloaded" | "overloaded_error" | "server_error" | "api_error" => EndKind::Overloaded,
        "authentication_failed"
        | "authentication_error"
        | "permission_error"
        | "billing_error"
        | "oauth_org_not_allowed" => EndKind::Auth,
        "invalid_request" | "invalid_request_error" | "prompt_too_long" | "context_length_exceeded" => {
            EndKind::Poisoned
        }
        "network" | "network_error" | "timeout" => EndKind::Network,
        _ => return None,
    })
}

/// Some agents hand on the HTTP status as the code.
fn by_code(code: ErrorCode, step: Step, until: Option<DateTime<Utc>>) -> Option<EndKind> {
    Some(match code.value() {
        code if code == ErrorCode::AUTH_REQUIRED.value() => EndKind::Auth,
        // It was killed before it was written down, which is nobody's failure.
        code if code == ErrorCode::RESOURCE_NOT_FOUND.value() && step == Step::Reopening => EndKind::Vanished,
        code if code == ErrorCode::RESOURCE_NOT_FOUND.value() && step != Step::Opening => EndKind::Poisoned,
        code => {
            let status = u16::try_from(code).ok()?;
            trouble::limited_until(trouble::of_status(status)?, until)
        }
    })
}

/// What words tell of trouble; `until` is when the provider said that its limit ends.
pub(super) fn by_words(words: &str, until: Option<DateTime<Utc>>) -> Option<EndKind> {
    let kind = trouble::of_words(words, OWN_SIGNS)?;
    Some(trouble::limited_until(kind, until))
}

/// Some agents put the status into their words; and some have a quota a minute, which is no account without money.
const OWN_SIGNS: &[trouble::Row] = &[
    (&["maximum number of turns"], EndKind::MaxTurns),
    (&["(401)", "(403)"], EndKind::Auth),
    (&["quota", "(429)"], EndKind::RateLimited { until: None }),
    (&["(529)", "(503)", "(500)"], EndKind::Overloaded),
];

#[cfg(test)]
mod tests;
