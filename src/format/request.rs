//! What a worker asks of the orchestrator: one small JSON file a request, on the desk of its attempt.
//!
//! `{"request":"ask","text":"…"}` and `{"request":"spawn","id":"…","title":"…","description":"…","tier":"…",
//! "depends_on":["…"],"validation":["…"]}`. It is written by something that may be broken or hostile: lengths are
//! capped, control characters go, and what cannot be read is said without repeating its content. Deliberately absent:
//! what becomes of a request (see `service::driver`).

use serde::{Deserialize, Serialize};

use crate::domain::id::TaskId;

/// A longer file is refused, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;
/// A longer question is cut, in characters.
pub const MAX_QUESTION: usize = 4000;
/// A longer title is cut, in characters.
const MAX_TITLE: usize = 200;
/// A longer description is refused, in characters.
const MAX_DESCRIPTION: usize = 16_000;
/// More entries of a list are refused.
const MAX_LIST: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// A question to a person.
    Ask {
        /// The question.
        text: String,
    },
    /// A sub-task.
    Spawn(Spawn),
}

/// A sub-task as a worker describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spawn {
    /// Its name below its parent's: the task becomes `PARENT.ID`.
    pub id: String,
    /// Its title; the id where empty.
    #[serde(default)]
    pub title: String,
    /// What to do.
    pub description: String,
    /// The lowest tier that may try it.
    #[serde(default)]
    pub tier: Option<String>,
    /// Tasks that must be completed before: other sub-tasks by their short name, or any task by its id.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Scripts that must succeed.
    #[serde(default)]
    pub validation: Vec<String>,
}

/// Why a request is not taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

impl Request {
    /// Reads and checks a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Unusable(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let request: Self = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Unusable(format!("it is no request (line {line}, column {column})"))
        })?;
        request.checked()
    }

    /// The request with its texts made fit to be stored and shown, or why it cannot be used.
    pub fn checked(self) -> Result<Self, Unusable> {
        match self {
            Self::Ask { text } => {
                let text: String = printable(&text).trim().chars().take(MAX_QUESTION).collect();
                if text.is_empty() {
                    return Err(Unusable("the question is empty".to_owned()));
                }
                Ok(Self::Ask { text })
            }
            Self::Spawn(spawn) => spawn.checked().map(Self::Spawn),
        }
    }

    /// The content of the request's file.
    pub fn print(&self) -> String {
        // Strings and lists of strings always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Spawn {
    fn checked(self) -> Result<Self, Unusable> {
        TaskId::parse(&self.id).map_err(|error| Unusable(error.to_string()))?;
        let one_line = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            printable(&words.join(" "))
        };
        let title: String = one_line(&self.title).chars().take(MAX_TITLE).collect();
        let description = printable(&self.description).trim().to_owned();
        if description.is_empty() {
            return Err(Unusable("the description is empty; say what to do".to_owned()));
        }
        if description.chars().count() > MAX_DESCRIPTION {
            let limit = format!("the description is longer than {MAX_DESCRIPTION} characters");
            return Err(Unusable(limit));
        }
        if self.depends_on.len() > MAX_LIST || self.validation.len() > MAX_LIST {
            return Err(Unusable(format!("a list has more than {MAX_LIST} entries")));
        }
        for id in &self.depends_on {
            TaskId::parse(id).map_err(|error| Unusable(error.to_string()))?;
        }
        let scripts = self.validation.iter().map(|s| printable(s).trim().to_owned());
        Ok(Self {
            title: if title.is_empty() { self.id.clone() } else { title },
            description,
            tier: self.tier.map(|t| one_line(&t)).filter(|t| !t.is_empty()),
            validation: scripts.filter(|s| !s.is_empty()).collect(),
            ..self
        })
    }
}

/// Without what would move a terminal's cursor or hide text.
fn printable(text: &str) -> String {
    let kept = |c: &char| *c == '\n' || *c == '\t' || !(c.is_control() || is_invisible(*c));
    text.chars().filter(kept).collect()
}

/// Marks that turn the direction of text, or have no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spawn() -> Spawn {
        Spawn {
            id: "part".into(),
            title: "A part".into(),
            description: "Do it.".into(),
            tier: Some("haiku".into()),
            depends_on: vec!["other".into()],
            validation: vec!["true".into()],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for request in [
            Request::Ask {
                text: "Which one?".into(),
            },
            Request::Spawn(spawn()),
        ] {
            assert_eq!(Request::parse(request.print().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn little_is_needed() {
        let text = br#"{"request":"spawn","id":"a","description":"Do it.","more":1}"#;
        let Ok(Request::Spawn(spawn)) = Request::parse(text) else {
            panic!("not read");
        };
        assert_eq!((spawn.title.as_str(), spawn.tier), ("a", None));
    }

    #[test]
    fn texts_are_made_fit_to_be_shown() {
        let request = Request::Ask {
            text: " a\u{1b}[31mb\u{202e}\nc\0 ".into(),
        };
        assert_eq!(
            request.checked(),
            Ok(Request::Ask {
                text: "a[31mb\nc".into()
            })
        );
        let hostile = Spawn {
            title: "a\nb\r\n### c".into(),
            ..spawn()
        };
        let Ok(Request::Spawn(spawn)) = Request::Spawn(hostile).checked() else {
            panic!("refused");
        };
        assert_eq!(spawn.title, "a b ### c");
    }

    #[test]
    fn what_cannot_be_used_is_said_without_repeating_it() {
        let long = format!(r#"{{"request":"ask","text":"{}"}}"#, "x".repeat(70_000));
        for bad in [
            "",
            "secret",
            "[]",
            r#"{"request":"ask"}"#,
            r#"{"request":"ask","text":"  "}"#,
            r#"{"request":"rm","text":"secret"}"#,
            r#"{"request":"spawn","id":"../x","description":"d"}"#,
            r#"{"request":"spawn","id":"a","description":" "}"#,
            r#"{"request":"spawn","id":"a","description":"d","depends_on":["a b"]}"#,
            &long,
        ] {
            let told = Request::parse(bad.as_bytes()).map_err(|e| e.to_string());
            assert!(told.is_err_and(|e| !e.contains("secret")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_passes_passes_again(text in ".{0,200}") {
            if let Ok(request) = (Request::Ask { text }).checked() {
                prop_assert_eq!(request.clone().checked(), Ok(request));
            }
        }
    }
}
