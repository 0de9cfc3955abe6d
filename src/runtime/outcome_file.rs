//! The outcome file: a worker's own word on how it ended, in JSON.
//!
//! `{"outcome":"done|no_change_needed|continue|blocked|needs_stronger_model|failed|rate_limited|overloaded|auth|network",
//! "reason":"...","retry_at":"2026-11-21T17:00:00Z","cost_usd":0.01,"input_tokens":1,"output_tokens":1}`, every key
//! optional. It is written by something that may be broken or hostile: it is read leniently and up to a size, never
//! through a link or from a pipe, and what cannot be read is reported without repeating its content.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::fs::OFlags;
use serde_json::{Value, json};

use super::Spent;
use super::printable::brief;
use crate::domain::outcome::{EndKind, Ending};

/// Longer files are not read.
pub const MAX_BYTES: u64 = 64 * 1024;
/// Longest reason that is kept, in characters.
const REASON: usize = 2000;

/// What a worker claims of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is done.
    Done,
    /// Nothing needs to change.
    NoChangeNeeded,
    /// It made progress and is not done.
    Continue,
    /// It needs a person.
    Blocked,
    /// It needs a stronger model.
    NeedsStrongerModel,
    /// It failed.
    Failed,
    /// Its provider refused for quota or rate.
    RateLimited,
    /// Its provider is overloaded.
    Overloaded,
    /// Its provider refused the credentials, or there are none.
    Auth,
    /// Its provider cannot be reached.
    Network,
}

/// The content of an outcome file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OutcomeFile {
    /// What is claimed; absent where the file only tells costs.
    pub claim: Option<Claim>,
    /// Why, in the worker's words, fit to be shown.
    pub reason: Option<String>,
    /// When the provider said to come back; it counts with [`Claim::RateLimited`].
    pub retry_at: Option<DateTime<Utc>>,
    /// What it says that the attempt used.
    pub spent: Spent,
}

/// Why an outcome file is not used. It is worth a word in the report, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the outcome file is not used: {0}")]
pub struct Unreadable(String);

impl Claim {
    /// All of them, with their words in the file.
    pub const WORDS: [(Self, &'static str); 10] = [
        (Self::Done, "done"),
        (Self::NoChangeNeeded, "no_change_needed"),
        (Self::Continue, "continue"),
        (Self::Blocked, "blocked"),
        (Self::NeedsStrongerModel, "needs_stronger_model"),
        (Self::Failed, "failed"),
        (Self::RateLimited, "rate_limited"),
        (Self::Overloaded, "overloaded"),
        (Self::Auth, "auth"),
        (Self::Network, "network"),
    ];

    /// What a runtime tells of a worker that claims this; `until` is when its provider lets it come back.
    fn kind(self, until: Option<DateTime<Utc>>) -> EndKind {
        match self {
            Self::Done => EndKind::Claimed,
            Self::NoChangeNeeded => EndKind::NoChangeNeeded,
            Self::Continue => EndKind::Continue,
            Self::Blocked => EndKind::Blocked,
            Self::NeedsStrongerModel => EndKind::NeedsStrongerModel,
            Self::Failed => EndKind::Failed,
            Self::RateLimited => EndKind::RateLimited { until },
            Self::Overloaded => EndKind::Overloaded,
            Self::Auth => EndKind::Auth,
            Self::Network => EndKind::Network,
        }
    }

    /// Its word in the file.
    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(claim, _)| *claim == self);
        found.map_or("failed", |(_, word)| word)
    }

    /// Whether the worker has come to an end of its own, so that trouble after it changes nothing.
    pub fn is_final(self) -> bool {
        match self {
            Self::Done | Self::NoChangeNeeded | Self::Blocked | Self::NeedsStrongerModel => true,
            Self::Continue | Self::Failed => false,
            Self::RateLimited | Self::Overloaded | Self::Auth | Self::Network => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase().replace(['-', ' '], "_");
        Self::WORDS
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(claim, _)| *claim)
    }
}

impl OutcomeFile {
    /// Reads the file; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, Unreadable> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unreadable(error.to_string())),
        };
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(Unreadable("it is no regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Unreadable(error.to_string()))?;
        Self::parse(&bytes).map(Some)
    }

    /// Reads the content of a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Unreadable(format!("it is longer than {MAX_BYTES} bytes")));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            Unreadable(format!(
                "no JSON at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let object = value
            .as_object()
            .ok_or_else(|| Unreadable("it is no JSON object".to_owned()))?;
        let claim = match object.get("outcome") {
            None | Some(Value::Null) => None,
            Some(word) => Some(word.as_str().and_then(Claim::parse).ok_or_else(unknown_word)?),
        };
        let number = |key: &str| object.get(key).and_then(Value::as_u64);
        Ok(Self {
            claim,
            reason: object.get("reason").and_then(Value::as_str).and_then(reason),
            retry_at: object.get("retry_at").and_then(Value::as_str).and_then(instant),
            spent: Spent {
                cost_usd: object
                    .get("cost_usd")
                    .and_then(Value::as_f64)
                    .filter(|cost| *cost >= 0.0),
                input_tokens: number("input_tokens"),
                output_tokens: number("output_tokens"),
            },
        })
    }

    /// The file's content, to be written by a worker's verbs.
    pub fn to_json(&self) -> String {
        let mut object = serde_json::Map::new();
        let mut put = |key: &str, value: Value| {
            if !value.is_null() {
                object.insert(key.to_owned(), value);
            }
        };
        put("outcome", json!(self.claim.map(Claim::word)));
        put("reason", json!(self.reason));
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        put("retry_at", json!(self.retry_at.map(instant)));
        put("cost_usd", json!(self.spent.cost_usd));
        put("input_tokens", json!(self.spent.input_tokens));
        put("output_tokens", json!(self.spent.output_tokens));
        Value::Object(object).to_string()
    }

    /// What the worker's word makes of an end that its runtime takes for `seen`: it refines a claim; against trouble, it
    /// counts where the worker had come to an end of its own. `None` where it changes nothing.
    pub(super) fn over(&self, seen: EndKind) -> Option<Ending> {
        let counts = seen == EndKind::Claimed || self.claim.is_some_and(Claim::is_final);
        self.ending().filter(|_| counts)
    }

    /// The claim as a kind of end; `None` where nothing is claimed.
    pub fn kind(&self) -> Option<EndKind> {
        Some(self.claim?.kind(self.retry_at))
    }

    /// The claim as an ending; `None` where nothing is claimed.
    pub fn ending(&self) -> Option<Ending> {
        let claim = self.claim?;
        let reason = self
            .reason
            .clone()
            .unwrap_or_else(|| format!("the worker says: {}", claim.word()));
        Some(Ending {
            kind: claim.kind(self.retry_at),
            reason,
        })
    }
}

fn unknown_word() -> Unreadable {
    let words: Vec<&str> = Claim::WORDS.iter().map(|(_, word)| *word).collect();
    Unreadable(format!("its 'outcome' is none of {}", words.join(", ")))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    Some(at.to_utc())
}

fn reason(text: &str) -> Option<String> {
    let text = brief(text, REASON);
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Option<Claim> {
        OutcomeFile::parse(text.as_bytes()).unwrap().claim
    }

    #[test]
    fn every_word_is_read_and_written() {
        for (claim, word) in Claim::WORDS {
            let file = OutcomeFile {
                claim: Some(claim),
                reason: Some("r".into()),
                retry_at: DateTime::from_timestamp(1_800_000_000, 0),
                spent: Spent::default(),
            };
            let json = file.to_json();
            assert!(json.contains(&format!("\"{word}\"")), "{json}");
            assert_eq!(OutcomeFile::parse(json.as_bytes()), Ok(file));
        }
    }

    #[test]
    fn reading_is_lenient_in_what_does_not_matter() {
        assert_eq!(
            claim(r#"{"outcome":" No-Change Needed "}"#),
            Some(Claim::NoChangeNeeded)
        );
        assert_eq!(
            claim("\u{feff}{\"outcome\":\"DONE\",\"x\":[1]}"),
            Some(Claim::Done)
        );
        assert_eq!(claim(r#"{"outcome":null}"#), None);
        let odd = OutcomeFile::parse(
            br#"{"reason":"a\u001b[31mb\u0000","cost_usd":"1","input_tokens":-1,"output_tokens":2}"#,
        );
        let spent = Spent {
            output_tokens: Some(2),
            ..Spent::default()
        };
        assert_eq!(
            odd,
            Ok(OutcomeFile {
                claim: None,
                reason: Some("ab".into()),
                retry_at: None,
                spent
            })
        );
        assert_eq!(
            OutcomeFile::parse(br#"{"cost_usd":-1}"#),
            Ok(OutcomeFile::default())
        );
    }

    #[test]
    fn a_limit_ends_when_the_worker_says_so() {
        let kind = |text: &str| OutcomeFile::parse(text.as_bytes()).unwrap().kind();
        let until = DateTime::from_timestamp(1_800_000_000, 0);
        for (text, expected) in [
            (
                r#"{"outcome":"rate_limited","retry_at":"2027-01-15T09:00:00+01:00"}"#,
                EndKind::RateLimited { until },
            ),
            (
                r#"{"outcome":"Rate-limited","retry_at":"tomorrow"}"#,
                EndKind::RateLimited { until: None },
            ),
            (
                r#"{"outcome":"overloaded","retry_at":"2027-01-15T08:00:00Z"}"#,
                EndKind::Overloaded,
            ),
            (
                r#"{"outcome":"done","retry_at":"2027-01-15T08:00:00Z"}"#,
                EndKind::Claimed,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
        assert_eq!(kind(r#"{"retry_at":"2027-01-15T08:00:00Z"}"#), None);
    }

    #[test]
    fn garbage_is_told_without_repeating_it() {
        let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
        for bad in [
            "",
            "{",
            r#"{"outcome":"do"#,
            "[]",
            "\"done\"",
            "secret",
            r#"{"outcome":"victory"}"#,
            r#"{"outcome":1}"#,
            &long,
        ] {
            let told = OutcomeFile::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(!told.contains("secret") && !told.contains("victory"), "{told}");
        }
        assert!(OutcomeFile::parse(b"\xff\xfe").is_err());
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outcome.json");
        assert_eq!(OutcomeFile::load(&path), Ok(None));
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(OutcomeFile::load(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(OutcomeFile::load(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, r#"{"outcome":"blocked","reason":"no key"}"#).unwrap();
        let ending = OutcomeFile::load(&path).unwrap().unwrap().ending().unwrap();
        assert_eq!(
            (ending.kind, ending.reason.as_str()),
            (EndKind::Blocked, "no key")
        );
    }
}
