//! Identifiers of tasks: the one allow-list through which text from the queue becomes a name.
//!
//! Invariant: a [`TaskId`] is safe as a single path component and as a git branch component.
//! Deliberately absent: generation of random identifiers (they come in from outside).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest identifier, in bytes.
pub const MAX_LEN: usize = 128;

/// The name of a task: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}` without `..`.
///
/// Names that git refuses as a branch component (a trailing dot, a trailing `.lock`) are refused too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

/// Why a text is no task identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no task id: {rule}")]
pub struct InvalidId {
    /// The refused text, cut to a printable length.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl TaskId {
    /// Reads an identifier, or says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(InvalidId {
                text: text.chars().take(40).flat_map(char::escape_debug).collect(),
                rule,
            }),
        }
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_rule(text: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    match bytes.first() {
        None => Some("it is empty"),
        Some(first) if !first.is_ascii_alphanumeric() => Some("it must start with a letter or a digit"),
        _ if bytes.len() > MAX_LEN => Some("it is longer than 128 bytes"),
        _ if !bytes.iter().all(|b| allowed(*b)) => {
            Some("only the letters a to z, digits, '.', '_' and '-' are allowed")
        }
        _ if text.contains("..") => Some("it must not contain '..'"),
        _ if text.ends_with('.') || text.to_ascii_lowercase().ends_with(".lock") => {
            Some("it must not end with '.' or '.lock' (git refuses such branches)")
        }
        _ => None,
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl FromStr for TaskId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for ok in [
            "a",
            "fix-smartbudget-api",
            "p0-1-a",
            "v1.2_x",
            "A9",
            &"x".repeat(128),
        ] {
            assert_eq!(TaskId::parse(ok).map(|id| id.to_string()), Ok(ok.to_owned()));
        }
    }

    #[test]
    fn hostile_names_are_refused_with_their_rule() {
        let long = "x".repeat(129);
        for bad in [
            "",
            ".",
            "..",
            "a/../b",
            "../../etc/x",
            "..\\x",
            "/abs",
            "-rf",
            "--help",
            "%2e%2e%2f",
            "a b",
            "a\0b",
            "a\u{202e}b",
            "e\u{301}",
            "\u{e9}",
            "a..b",
            "x.lock",
            "x.",
            &long,
        ] {
            assert!(TaskId::parse(bad).is_err(), "{bad:?} passed");
        }
    }
}
