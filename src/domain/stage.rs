//! How far the judging of a claim has come, and where work goes that passed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::gate::GateReport;

/// How far the judging of a claim has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum Stage {
    /// The gate's checks run.
    #[default]
    Checks,
    /// No check is red, and another model looks at the work.
    Review {
        /// The receipts; their commit is under review.
        report: Box<GateReport>,
        /// Not before this time, and why, where it could not be had so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits: Option<Later>,
    },
    /// Everything is green, and the work is on its way to where it belongs.
    Landing {
        /// The receipts; their commit is the one that lands.
        report: Box<GateReport>,
        /// Where it goes.
        to: Destination,
    },
}

/// Why a review could not be had so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// When it is tried again.
    pub at: DateTime<Utc>,
    /// What is in the way.
    pub why: String,
}

/// Where finished work goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// It stays on its branch, for a person to merge.
    #[default]
    Branch,
    /// Into the base that it was made from.
    Base,
    /// Into its base on a forge, through a pull request.
    PullRequest,
}

impl Destination {
    /// The word in configuration, jobs and tasks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Base => "base",
            Self::PullRequest => "pull-request",
        }
    }

    /// The destination that this word names.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Branch, Self::Base, Self::PullRequest]
            .into_iter()
            .find(|to| to.as_str().eq_ignore_ascii_case(word.trim()))
    }
}

/// A merge that needs somebody's hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The head of the base that was merged into the branch, marks and all.
    pub base: String,
    /// The files in conflict.
    pub files: Vec<String>,
}

impl Conflict {
    /// So many files stand in a sentence.
    const SHOWN: usize = 5;

    /// In one sentence.
    pub fn sentence(&self) -> String {
        let shown = &self.files[..self.files.len().min(Self::SHOWN)];
        let more = match self.files.len() - shown.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!(
            "its base has moved on, and the work conflicts with it in {}{more}",
            shown.join(", ")
        )
    }
}
