//! What looks like a secret in a file, with high confidence: keys and tokens whose form says what they are.
//!
//! Invariants: linear in the text; whatever the bytes are, nothing panics; a [`Found`] is shown without the secret.
//! Placeholders are none (see `placeholder`). Deliberately absent: long random words of no known form, and tokens that
//! are signed but no secrets by themselves (JSON web tokens stand in the tests of half the world).
//! Known secrets are [`super::redact`]'s.

mod file;
mod key;
mod placeholder;
mod shape;

use std::fmt;
use std::ops::Range;

/// A secret that was found. Its bytes are kept for comparison, and never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Found {
    /// What it is, for people.
    pub kind: &'static str,
    /// Its line, from 1.
    pub line: usize,
    /// Itself.
    secret: Vec<u8>,
}

impl Found {
    /// One of a kind, at these bytes of a text.
    pub fn at(kind: &'static str, text: &[u8], place: Range<usize>) -> Self {
        let before = text.get(..place.start).unwrap_or_default();
        Self {
            kind,
            line: 1 + before.iter().filter(|b| **b == b'\n').count(),
            secret: text.get(place).unwrap_or_default().to_vec(),
        }
    }

    /// By what it is compared with others; not for anybody's eyes.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({} in line {})", self.kind, self.line)
    }
}

/// The secrets in a text, in order. `path` tells what kind of file it is (`.npmrc`, `.netrc`).
pub fn find(path: &str, text: &[u8]) -> Vec<Found> {
    let mut found = key::keys(text);
    let tokens = shape::tokens(text).into_iter();
    found.extend(tokens.map(|(kind, place)| Found::at(kind, text, place)));
    found.extend(file::find(path, text));
    found.sort_by_key(|f| f.line);
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|f| seen.insert((f.line, f.secret.clone())));
    found
}

/// Whether a value that is known to be secret can be told from ordinary text: it is long enough, and neither a path nor
/// a placeholder.
pub fn is_telling(value: &[u8]) -> bool {
    let a_path = value.starts_with(b"/") || value.starts_with(b"~");
    value.len() >= 12 && !a_path && !placeholder::is_one(value)
}

#[cfg(test)]
mod tests;
