//! Taking known secrets out of text before anybody sees it, however they are written.
//!
//! Known forms: raw, base64 (standard and URL-safe, at any offset inside a longer encoded text), percent and form
//! encoding, JSON escapes, hexadecimal; each of them also broken over lines, indented, or with escape sequences and
//! invisible characters in between. Pure. Deliberately absent: guessing what looks like a secret; and a secret of which
//! other visible text stands in the middle, or that is encoded twice (docs/SECURITY.md has the measured recall).

mod forms;
mod stream;
mod view;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

pub use stream::Stream;
use view::View;

/// What stands in a secret's place.
pub const MARK: &str = "[redacted]";
/// Shorter secrets are not looked for: they would be found in ordinary words.
pub const MIN_BYTES: usize = 6;

/// Knows the secrets of a program. Cloning it is cheap.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Option<Arc<Known>>,
}

/// Every form of every secret.
struct Known {
    /// Sorted.
    forms: Vec<Vec<u8>>,
    longest: usize,
    /// Absent where it could not be built; then nothing is shown at all.
    automaton: Option<AhoCorasick>,
}

/// What a look at a text found.
pub(in crate::format::redact) struct Sight {
    /// Where the secrets stand, in order, without overlaps.
    found: Vec<Range<usize>>,
    /// Up to here nothing can be the beginning of a secret that goes on behind the text.
    safe: usize,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.known.as_ref().map_or(0, |known| known.forms.len());
        write!(f, "Redactor({forms} forms)")
    }
}

impl Redactor {
    /// Learns secrets; blanks around them are not part of them.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        Self::default().with(secrets)
    }

    /// This one, knowing more secrets.
    #[must_use]
    pub fn with<S: AsRef<str>>(&self, secrets: impl IntoIterator<Item = S>) -> Self {
        let old = self.known.iter().flat_map(|known| known.forms.iter().cloned());
        let mut all: BTreeSet<Vec<u8>> = old.collect();
        for secret in secrets {
            let secret = secret.as_ref().trim();
            if secret.len() >= MIN_BYTES {
                all.extend(forms::of(secret));
            }
        }
        let forms: Vec<Vec<u8>> = all.into_iter().collect();
        let known = Known {
            longest: forms.iter().map(Vec::len).max().unwrap_or(0),
            automaton: AhoCorasick::new(&forms).ok(),
            forms,
        };
        Self {
            known: (known.longest > 0).then(|| Arc::new(known)),
        }
    }

    /// The text without any of the secrets.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The same for what need not be text.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let found = self.look(bytes).found;
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for range in found {
            clean.extend_from_slice(&bytes[at..range.start]);
            clean.extend_from_slice(MARK.as_bytes());
            // Whoever reads by lines still finds them.
            clean.extend(bytes[range.clone()].iter().filter(|b| **b == b'\n'));
            at = range.end;
        }
        clean.extend_from_slice(&bytes[at..]);
        Cow::Owned(clean)
    }

    /// For bytes that come in pieces.
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(self)
    }

    /// Where secrets stand, in whatever form: in order, without overlaps.
    pub fn places(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.look(bytes).found
    }

    /// Whether the end of the text may be the beginning of a secret that goes on behind it.
    pub fn may_go_on(&self, text: &[u8]) -> bool {
        self.look(text).safe < text.len()
    }

    fn look(&self, bytes: &[u8]) -> Sight {
        let Some(known) = &self.known else {
            return Sight {
                found: Vec::new(),
                safe: bytes.len(),
            };
        };
        let mut sight = known.look(bytes, &View::plain(bytes));
        if bytes.iter().any(|b| matches!(b, b'%' | b'\\')) {
            let decoded = known.look(bytes, &View::decoded(bytes));
            sight.found.extend(decoded.found);
            sight.safe = sight.safe.min(decoded.safe);
        }
        sight.found = merged(sight.found);
        sight
    }
}

impl Known {
    fn look(&self, bytes: &[u8], view: &View) -> Sight {
        let Some(automaton) = &self.automaton else {
            return Sight {
                found: std::iter::once(0..bytes.len()).collect(),
                safe: 0,
            };
        };
        let matches = automaton.find_overlapping_iter(view.text());
        let found = matches.map(|m| view.place(m.range())).collect();
        let begun = self.begun(view.text());
        let begun = begun.map_or(bytes.len(), |from| view.place(from..from + 1).start);
        Sight {
            found,
            safe: view.open().map_or(begun, |open| open.min(begun)),
        }
    }

    /// Where the longest end of the text starts with which a secret begins.
    fn begun(&self, text: &[u8]) -> Option<usize> {
        let earliest = text.len().saturating_sub(self.longest - 1);
        (earliest..text.len()).find(|from| {
            let end = &text[*from..];
            let next = self.forms.partition_point(|form| form.as_slice() <= end);
            self.forms.get(next).is_some_and(|form| form.starts_with(end))
        })
    }
}

/// In order, and overlapping ones as one.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

#[cfg(test)]
mod tests;
