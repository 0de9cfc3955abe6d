//! What is wrong with a configuration, and where a value came from: plain data, rendered by whoever shows it.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from; later ones win over earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A place in orchestrator.toml, counted from 1; columns count characters.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u32,
        /// The column.
        column: u32,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One mistake. A load reports all of them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Origin,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Fault {
    /// The file, or the name of the variable or flag.
    pub fn file(&self) -> String {
        match &self.at {
            Origin::File { path, .. } => path.display().to_string(),
            other => other.to_string(),
        }
    }

    /// The line, from 1; 0 where the fault is not in a file.
    pub fn line(&self) -> u32 {
        match self.at {
            Origin::File { line, .. } => line,
            _ => 0,
        }
    }

    /// The column in characters, from 1; 0 where the fault is not in a file.
    pub fn column(&self) -> u32 {
        match self.at {
            Origin::File { column, .. } => column,
            _ => 0,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// The known word that `text` was probably meant to be.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let allowed = 1 + text.chars().count() / 3;
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&text, word), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `did you mean 'x'?`, or the words there are.
pub(super) fn suggestion(text: &str, known: &[&str]) -> Option<String> {
    match nearest(text, known.iter().copied()) {
        Some(word) => Some(format!("did you mean '{word}'?")),
        None if known.is_empty() => None,
        None => Some(known_here(known)),
    }
}

/// The words there are.
pub(super) fn known_here(known: &[&str]) -> String {
    format!("known here: {}", known.join(", "))
}
