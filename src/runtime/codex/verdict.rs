//! The truth table: what the end of a run means, from four witnesses.
//!
//! The closing event decides (`turn.completed`, `turn.failed`), never the exit code alone; a run without one was
//! ended from outside. An `error` item is a remark, not a failure.

use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::command::{by_cause, with_last_line};
use crate::runtime::printable::brief;
use crate::runtime::process::{Cause, Status};
use crate::runtime::{Exit, OutcomeFile};

use super::words;

/// Characters of the CLI's words that make a reason.
const SHOWN: usize = 400;

/// How the CLI closed the turn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Closing {
    /// It came to its end.
    Completed,
    /// It failed, in these words.
    Failed(String),
}

/// All that is known of the end.
pub(super) struct Witnesses<'a> {
    pub(super) closing: Option<&'a Closing>,
    /// Whether a thread was opened at all.
    pub(super) began: bool,
    /// What the worker said last.
    pub(super) last_words: Option<&'a str>,
    pub(super) exit: &'a Exit,
    pub(super) outcome: Option<&'a OutcomeFile>,
    pub(super) stderr_tail: &'a str,
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
    let (kind, reason) = match seen.closing {
        Some(Closing::Completed) => (EndKind::Claimed, claim(seen)),
        Some(Closing::Failed(said)) => failure(said, seen.exit),
        None => without_closing(seen),
    };
    seen.outcome
        .and_then(|file| file.over(kind))
        .unwrap_or(Ending { kind, reason })
}

/// Whether the thread must not be used again after this closing.
pub(super) fn is_lost(closing: Option<&Closing>) -> bool {
    let Some(Closing::Failed(said)) = closing else {
        return false;
    };
    words::meaning(said, chrono::DateTime::UNIX_EPOCH) == Some(EndKind::Poisoned)
}

/// A claim that the exit code speaks against is still a claim: the gate decides, and people are told.
fn claim(seen: &Witnesses<'_>) -> String {
    let said = brief(seen.last_words.unwrap_or_default(), SHOWN);
    let said = if said.is_empty() {
        "it ended well, without a word".to_owned()
    } else {
        said
    };
    match seen.exit.code() {
        Some(0) => said,
        _ => format!("{said} ({})", seen.exit.phrase()),
    }
}

fn failure(said: &str, exit: &Exit) -> (EndKind, String) {
    let kind = words::meaning(said, exit.ended_at).unwrap_or(EndKind::Failed);
    match brief(said, SHOWN) {
        said if said.is_empty() => (kind, "its turn failed, without a word".to_owned()),
        said => (kind, said),
    }
}

/// A run that said nothing at its end.
fn without_closing(seen: &Witnesses<'_>) -> (EndKind, String) {
    let phrase = seen.exit.phrase();
    let told = |kind, phrase: String| (kind, with_last_line(phrase, kind, seen.stderr_tail));
    match seen.exit.status {
        // Signals, and the shell's way to tell of them.
        Some(Status::Signal(_) | Status::Code(129..=159)) => {
            (EndKind::Interrupted, format!("{phrase}, without a result"))
        }
        _ if seen.began => told(EndKind::Interrupted, format!("{phrase}, without a result")),
        // It did not even begin: a wrong flag, an unknown thread, no login.
        _ => told(
            words::meaning(seen.stderr_tail, seen.exit.ended_at).unwrap_or(EndKind::Failed),
            format!("it did not begin ({phrase})"),
        ),
    }
}
