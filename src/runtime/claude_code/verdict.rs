//! The truth table: what the end of a run means, from four witnesses that contradict each other.
//!
//! The result event's `is_error`, `subtype` and `terminal_reason` decide, never the exit code alone: a refused
//! request ends as subtype `success`, an interrupt with exit 0, and a good run that lost an MCP server with exit 1.

use chrono::{DateTime, Utc};

use super::event::RunResult;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::command::{by_cause, with_last_line};
use crate::runtime::printable::brief;
use crate::runtime::process::{Cause, Status};
use crate::runtime::{Exit, OutcomeFile, trouble};

/// Characters of the CLI's words that make a reason.
const SHOWN: usize = 400;

/// All that is known of the end.
pub(super) struct Witnesses<'a> {
    pub(super) result: Option<&'a RunResult>,
    /// Whether a session was opened at all.
    pub(super) began: bool,
    pub(super) exit: &'a Exit,
    pub(super) outcome: Option<&'a OutcomeFile>,
    pub(super) stderr_tail: &'a str,
    pub(super) refused_until: Option<DateTime<Utc>>,
}

/// What the end means.
pub(super) fn ending(seen: &Witnesses<'_>) -> Ending {
    if seen.exit.cause != Cause::Exited {
        let kind = by_cause(&seen.exit.cause);
        return Ending {
            kind,
            reason: with_last_line(seen.exit.phrase(), kind, seen.stderr_tail),
        };
    }
    let (kind, reason) = match seen.result {
        Some(result) => {
            let (kind, reason) = of_result(result, seen.refused_until);
            (kind, flagged(reason, kind, result, seen.exit))
        }
        None => without_result(seen),
    };
    seen.outcome
        .and_then(|file| file.over(kind))
        .unwrap_or(Ending { kind, reason })
}

/// What the result event alone says.
pub(super) fn of_result(result: &RunResult, refused_until: Option<DateTime<Utc>>) -> (EndKind, String) {
    let words = brief(&result.words(), SHOWN);
    let or = |text: &str| {
        if words.is_empty() {
            text.to_owned()
        } else {
            words.clone()
        }
    };
    let kind = match (
        result.subtype.as_str(),
        result.terminal_reason.as_deref().unwrap_or_default(),
    ) {
        ("error_max_turns", _) | (_, "max_turns") => EndKind::MaxTurns,
        ("error_max_budget_usd", _) | (_, "budget_exhausted") => EndKind::Budget,
        (_, "prompt_too_long") => EndKind::Poisoned,
        (_, "aborted_streaming" | "aborted_tools") => {
            return (EndKind::Interrupted, "it was interrupted".to_owned());
        }
        ("success", _) if !result.is_error => return (EndKind::Claimed, or("it ended well, without a word")),
        ("success", _) => of_refusal(result, &words, refused_until),
        _ => of_words(&words).unwrap_or(EndKind::Failed),
    };
    (kind, or(&format!("it ended with {}", result.subtype)))
}

/// A run that ended because a request was not answered.
fn of_refusal(result: &RunResult, words: &str, until: Option<DateTime<Utc>>) -> EndKind {
    if result.stop_reason.as_deref() == Some("refusal") {
        // The CLI itself asks for a new session; the same one would be refused again.
        return EndKind::Poisoned;
    }
    let known = match result.api_error_status {
        Some(429) if words.to_lowercase().contains("spend limit") => Some(EndKind::Auth),
        Some(404) => None,
        Some(status @ 400..) => trouble::of_status(status)
            .or_else(|| of_words(words))
            .or(Some(EndKind::Poisoned)),
        _ => of_words(words),
    };
    let kind = known.unwrap_or(EndKind::Failed);
    trouble::limited_until(kind, until.or_else(|| until_of(words)))
}

/// Where there is no status, only the words tell.
fn of_words(words: &str) -> Option<EndKind> {
    let kind = trouble::of_words(words, OWN_SIGNS)?;
    Some(trouble::limited_until(kind, until_of(words)))
}

/// Each was seen in a transcript or in the vendor's reports.
const OWN_SIGNS: &[trouble::Row] = &[
    // Killed before it wrote the session down, or its home is another one: nobody's failure.
    (&["no conversation found"], EndKind::Vanished),
    (&["mid-response", "internal error"], EndKind::Overloaded),
    (&["output token maximum"], EndKind::Failed),
];

/// Older versions say `usage limit reached|1735689600`.
fn until_of(words: &str) -> Option<DateTime<Utc>> {
    let digits: String = words
        .split('|')
        .nth(1)?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    DateTime::from_timestamp(digits.parse().ok()?, 0)
}

/// A run that said nothing at its end.
fn without_result(seen: &Witnesses<'_>) -> (EndKind, String) {
    let phrase = seen.exit.phrase();
    let told = |kind, phrase: String| (kind, with_last_line(phrase, kind, seen.stderr_tail));
    match seen.exit.status {
        // Signals, and the shell's way to tell of them.
        Some(Status::Signal(_) | Status::Code(129..=159)) => {
            (EndKind::Interrupted, format!("{phrase}, without a result"))
        }
        Some(Status::Code(0)) if seen.began => (EndKind::Silent, format!("{phrase}, without a result")),
        _ if seen.began => told(EndKind::Interrupted, format!("{phrase}, without a result")),
        // It did not even begin: a wrong flag, a missing file, no login.
        _ => told(
            of_words(seen.stderr_tail).unwrap_or(EndKind::Failed),
            format!("it did not begin ({phrase})"),
        ),
    }
}

/// A claim that something speaks against is still a claim: the gate decides, and people are told.
fn flagged(reason: String, kind: EndKind, result: &RunResult, exit: &Exit) -> String {
    if kind != EndKind::Claimed {
        return reason;
    }
    let mut flags = Vec::new();
    if exit.code() != Some(0) {
        flags.push(exit.phrase());
    }
    if !result.permission_denials.is_empty() {
        let mut tools: Vec<&str> = result
            .permission_denials
            .iter()
            .map(|denial| denial.tool_name.as_str())
            .collect();
        tools.sort_unstable();
        tools.dedup();
        flags.push(format!("refused tools: {}", tools.join(", ")));
    }
    if flags.is_empty() {
        reason
    } else {
        format!("{reason} ({})", flags.join("; "))
    }
}
