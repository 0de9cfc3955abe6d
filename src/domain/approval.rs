//! A person's word on finished work: what exactly it is about, whose counts, and how long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fingerprint::digest;
use super::gate::GateReport;

/// When a person is asked, and whose word counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether work that is green waits for a person all the same.
    pub required: bool,
    /// Whose word counts: names as commands and chats tell them (`cli:jane`), or without the surface; anybody's where empty.
    pub people: Vec<String>,
    /// How many people must approve.
    pub eyes: u32,
    /// How long what was shown may be approved.
    pub expires: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            required: false,
            people: Vec::new(),
            eyes: 1,
            expires: Duration::from_hours(7 * 24),
        }
    }
}

impl Rules {
    /// Whether this person's word counts.
    pub fn allow(&self, by: &str) -> bool {
        let bare = by.split_once(':').map_or(by, |(_, name)| name);
        self.people.is_empty() || self.people.iter().any(|name| name == by || name == bare)
    }
}

/// What a person is asked to approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// A digest of all that is shown: what was wanted, the commit, every receipt, why a person is asked.
    pub shown: String,
    /// Until when it may be approved.
    pub until: DateTime<Utc>,
    /// Who has approved it so far.
    pub words: Vec<Word>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Whose.
    pub by: String,
    /// In which words.
    pub comment: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Asked {
    /// Of a definition's digest, a reason and receipts; nobody has approved it yet.
    pub fn new(definition: &str, reason: &str, report: &GateReport, until: DateTime<Utc>) -> Self {
        Self {
            shown: shown(definition, reason, report),
            until,
            words: Vec::new(),
        }
    }

    /// Whether a person who names this means what is shown: its digest, or the beginning of it.
    pub fn is_named(&self, name: &str) -> bool {
        begins(name, &self.shown)
    }
}

/// Letters of a digest or a commit's name that say which one is meant.
const TELLING: usize = 7;

/// Whether a name is the beginning of a digest, and long enough to tell.
pub fn begins(name: &str, of: &str) -> bool {
    name.len() >= TELLING && of.starts_with(&name.to_ascii_lowercase())
}

/// The digest of what is shown.
pub fn shown(definition: &str, reason: &str, report: &GateReport) -> String {
    let mut parts = vec![
        definition.to_owned(),
        reason.to_owned(),
        report.commit.clone(),
        report.tree.clone(),
    ];
    for receipt in &report.receipts {
        let exit = receipt.exit_code.map(|code| code.to_string()).unwrap_or_default();
        parts.extend([
            receipt.name.clone(),
            receipt.command.clone(),
            receipt.verdict.as_str().to_owned(),
            exit,
            receipt.output_sha256.clone(),
        ]);
    }
    digest(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_with_and_without_their_surface() {
        let rules = Rules {
            people: vec!["jane".into(), "slack:U1".into()],
            ..Rules::default()
        };
        for (by, counts) in [
            ("jane", true),
            ("cli:jane", true),
            ("matrix:jane", true),
            ("slack:U1", true),
            ("cli:U1", false),
            ("cli:joe", false),
            ("cli:", false),
            ("", false),
        ] {
            assert_eq!(rules.allow(by), counts, "{by}");
        }
        assert!(Rules::default().allow("cli:anybody"));
    }

    #[test]
    fn a_name_must_tell() {
        let digest = "0123456789abcdef";
        assert!(begins("0123456", digest) && begins("0123456789ABCDEF", digest));
        assert!(!begins("012345", digest) && !begins("1234567", digest) && !begins("", digest));
    }
}
