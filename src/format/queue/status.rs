//! The words of a status: as the orchestrator writes them, and as people and agents do.
//!
//! The value may begin with emoji, be set in bold or code, and go on with any remark. What counts is how it
//! begins: the longest of the known phrases.

use super::definition::ids;
use crate::domain::definition::Declared;
use crate::domain::id::TaskId;
use crate::format::text::leading_words;

/// What a status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its meaning.
    pub declared: Declared,
    /// The names after `blocked by`, if all that follows are names. They may be tasks: see [`super::read`].
    pub blocked_by: Vec<TaskId>,
}

const PHRASES: &[(&str, Declared)] = &[
    ("pending", Declared::Pending),
    ("queued", Declared::Pending),
    ("ready", Declared::Pending),
    ("todo", Declared::Pending),
    ("to do", Declared::Pending),
    ("not started", Declared::Pending),
    ("needs rework", Declared::Pending),
    ("validation failed", Declared::Pending),
    ("in progress", Declared::InProgress),
    ("inprogress", Declared::InProgress),
    ("running", Declared::InProgress),
    ("started", Declared::InProgress),
    ("validating", Declared::Validating),
    ("blocked", Declared::Blocked),
    ("paused", Declared::Paused),
    ("complete", Declared::Completed),
    ("completed", Declared::Completed),
    ("done", Declared::Completed),
    ("archived", Declared::Completed),
    ("verified", Declared::Completed),
    ("needs validation", Declared::Claimed),
    ("awaiting verification", Declared::Claimed),
    ("awaiting validation", Declared::Claimed),
    ("self validated", Declared::Claimed),
    ("claimed complete", Declared::Claimed),
    ("cancelled", Declared::Cancelled),
    ("canceled", Declared::Cancelled),
    ("abandoned", Declared::Cancelled),
    ("dropped", Declared::Cancelled),
    ("skipped", Declared::Cancelled),
];

/// Reads a status; `None` where it begins with none of the known words. An empty one is pending.
pub fn parse_status(value: &str) -> Option<Status> {
    let words = leading_words(value);
    let words = match words.first().map(String::as_str) {
        Some("x") => &words[1..],
        _ => &words[..],
    };
    let declared = match words {
        [] if value.trim().is_empty() => Some(Declared::Pending),
        [] => None,
        words => longest(words),
    }?;
    let blocked_by = match (declared, words.get(1).map(String::as_str)) {
        (Declared::Blocked, Some("by" | "on")) => after_blocked_by(value),
        _ => Vec::new(),
    };
    Some(Status { declared, blocked_by })
}

/// The phrases that a status may be, for the help of a diagnostic.
pub(super) const HELP: &str =
    "write pending, in-progress, validating, blocked, paused, completed or cancelled; a remark may follow";

fn longest(words: &[String]) -> Option<Declared> {
    let text = words.join(" ");
    let begins = |phrase: &str| {
        let rest = text.strip_prefix(phrase);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let hits = PHRASES.iter().filter(|(phrase, _)| begins(phrase));
    hits.max_by_key(|(phrase, _)| phrase.len())
        .map(|(_, declared)| *declared)
}

fn after_blocked_by(value: &str) -> Vec<TaskId> {
    let lower = value.to_ascii_lowercase();
    let start = lower.find("blocked").map_or(0, |at| at + "blocked".len());
    let rest =
        value[start..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '`' | '-' | '_'));
    let rest = rest
        .get(2..)
        .unwrap_or_default()
        .trim_start_matches([':', '*', '`']);
    ids(rest)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Declared::*;

    #[test]
    fn words_of_the_contract_and_of_people() {
        let table = [
            ("pending", Pending),
            ("in-progress", InProgress),
            ("validating", Validating),
            ("blocked", Blocked),
            ("paused", Paused),
            ("completed", Completed),
            ("cancelled", Cancelled),
            ("✅ completed (fixed via upstream)", Completed),
            ("🔄 **in-progress**", InProgress),
            ("🔴 pending (URGENT)", Pending),
            ("complete", Completed),
            ("DONE", Completed),
            ("Archived 2026-01-02", Completed),
            ("**Verified** ✅", Completed),
            ("queued", Pending),
            ("`ready`", Pending),
            ("TODO: after lunch", Pending),
            ("Not Started", Pending),
            ("not_started", Pending),
            ("In Progress - 40%", InProgress),
            ("⏳ running…", InProgress),
            ("started, slowly", InProgress),
            ("❌ ABANDONED", Cancelled),
            ("dropped", Cancelled),
            ("skipped (no time)", Cancelled),
            ("needs-validation", Claimed),
            ("Awaiting Verification", Claimed),
            ("self-validated", Claimed),
            ("claimed-complete", Claimed),
            ("needs-rework: see above", Pending),
            ("validation_failed", Pending),
            ("⏸️ paused", Paused),
            ("[x] done", Completed),
            ("~~pending~~ done", Completed),
            ("", Pending),
            ("  ", Pending),
            ("blocked by legal", Blocked),
        ];
        for (text, want) in table {
            assert_eq!(parse_status(text).map(|s| s.declared), Some(want), "{text}");
        }
        for text in [
            "✅",
            "maybe",
            "not done",
            "incomplete",
            "pendingish",
            "partially complete",
            "???",
            "(done)",
        ] {
            assert_eq!(parse_status(text), None, "{text}");
        }
    }

    #[test]
    fn blocked_by() {
        let table = [
            ("blocked by p1, p2", vec!["p1", "p2"]),
            ("🔴 **Blocked by** `p0-1-a` (waiting)", vec!["p0-1-a"]),
            ("blocked by: p1 and p2", vec!["p1", "p2"]),
            ("blocked on p1", vec!["p1"]),
            ("blocked by the legal department", vec![]),
            ("blocked (by p1)", vec![]),
            ("blocked", vec![]),
        ];
        for (text, want) in table {
            let ids: Vec<String> = parse_status(text)
                .unwrap()
                .blocked_by
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(ids, want, "{text}");
        }
    }
}
