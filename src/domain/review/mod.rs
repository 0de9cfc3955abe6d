//! An independent review of judged work: what a reviewer says, who it is, and what follows.
//!
//! Invariants: a review speaks for one commit and for exactly what was shown; nothing but a whole [`Opinion`] counts as
//! a review, and one that could not be had is never an acceptance.
//! Deliberately absent: reading an answer ([`crate::format::review`]) and running a reviewer.

mod criteria;
mod follow;
mod list;
mod prompt;
mod route;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::follow::{Past, Step, follow};
pub use self::prompt::{Shown, once_more, prompt};
pub use self::route::{Candidate, Independence, Maker, in_order, vendor};
use super::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace};
use super::tier::TierName;

/// The name under which a review's receipt is looked for, and with which it begins.
pub const NAME: &str = "review";

/// When and how work is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether work is reviewed where neither task nor job says it.
    pub on: bool,
    /// The rejection with which a person is asked.
    pub rounds: u32,
    /// Whether an acceptance is the word that changed tests and checks need.
    pub may_vouch_tests: bool,
    /// How long a review may be waited for before a person is asked.
    pub wait: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            on: false,
            rounds: 2,
            may_vouch_tests: false,
            wait: Duration::from_hours(2),
        }
    }
}

/// Something that a reviewer found, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The file, from the top of the tree.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is there.
    pub what: String,
    /// Why it matters.
    pub why: String,
}

/// How bad a finding of security is. A high one is a blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It is to be known.
    Low,
    /// It should be mended.
    Medium,
    /// It must not go out.
    High,
}

impl Severity {
    /// The word in answers and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A finding of security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// How bad it is.
    pub severity: Severity,
    /// What, and where.
    pub point: Point,
}

/// Whether an acceptance criterion holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// It does.
    Met,
    /// It does not.
    NotMet,
    /// The reviewer cannot tell.
    Unclear,
}

impl Held {
    /// The word in answers and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not-met",
            Self::Unclear => "unclear",
        }
    }
}

/// What is said of one acceptance criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionAnswer {
    /// Its number, from 1, in the order of the task.
    pub number: u32,
    /// Whether it holds.
    pub held: Held,
    /// Where that shows; always there where it holds.
    pub place: Option<(String, u32)>,
    /// By what.
    pub note: String,
}

/// A reviewer's whole answer: complete and without contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Opinion {
    /// Whether it accepts the work.
    pub accepts: bool,
    /// What must change.
    pub blockers: Vec<Point>,
    /// What should.
    pub should_fix: Vec<Point>,
    /// What touches security.
    pub security: Vec<Concern>,
    /// Each acceptance criterion, in order.
    pub criteria: Vec<CriterionAnswer>,
}

/// Who reviewed, and how far from whoever did the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewer {
    /// The runtime's name.
    pub runtime: String,
    /// The tier that names the model.
    pub tier: TierName,
    /// The model that was asked for.
    pub model: String,
    /// How far it is from whoever did the work.
    pub independence: Independence,
}

impl Reviewer {
    /// `codex/gpt-5.2`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.runtime, self.model)
    }
}

/// A review that was had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// By whom.
    pub by: Reviewer,
    /// The commit.
    pub commit: String,
    /// SHA-256 over all that the reviewer was shown, in hex.
    pub shown: String,
    /// What it says.
    pub opinion: Opinion,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// SHA-256 of the answer as it was kept, in hex.
    pub output_sha256: String,
    /// The length of that answer, in bytes.
    pub output_bytes: u64,
    /// What it cost, in US dollars, where reported.
    pub cost_usd: Option<f64>,
}

/// Why a review was not had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotHad {
    /// What went wrong, in one sentence.
    pub reason: String,
    /// When it is worth to try again; absent where a person must look.
    pub again_at: Option<DateTime<Utc>>,
    /// What was spent on it, in US dollars, where reported.
    pub cost_usd: Option<f64>,
}

/// The look of the house that a reviewer's word may settle.
const TESTS: &str = "tests-and-checks";

impl Review {
    /// The report with this review's receipt under this verdict, and its words beside the criteria. An acceptance settles what changed
    /// tests and checks ask for where it `may_vouch`, and nothing else.
    pub fn applied(&self, report: &GateReport, verdict: CheckVerdict, may_vouch: bool) -> GateReport {
        let mut report = report.clone();
        self.weigh(&mut report.receipts, verdict);
        report.receipts.push(self.receipt(verdict, &report.tree));
        report.ended_at = report.ended_at.max(self.started_at + self.duration);
        let vouches = may_vouch && verdict == CheckVerdict::Passed;
        for receipt in report.receipts.iter_mut().filter(|r| vouches && r.name == TESTS) {
            if receipt.verdict == CheckVerdict::NeedsPerson {
                receipt.verdict = CheckVerdict::Passed;
            }
        }
        report
    }

    /// Its receipt, with this verdict: what follows from it decides that, not the reviewer alone.
    pub fn receipt(&self, verdict: CheckVerdict, tree: &str) -> Receipt {
        Receipt {
            name: format!("{NAME} by {}", self.by.name()),
            category: Category::Functionality,
            source: CheckSource::Reviewer,
            directory: String::new(),
            commit: self.commit.clone(),
            command: format!(
                "review by {}, shown: sha256 {}",
                self.by.independence.sentence(),
                self.shown
            ),
            exit_code: None,
            verdict,
            started_at: self.started_at,
            duration: self.duration,
            output_tail: self.opinion.list(),
            output_sha256: self.output_sha256.clone(),
            trace: Trace {
                tree: tree.to_owned(),
                output_bytes: self.output_bytes,
                ..Trace::default()
            },
        }
    }
}

/// The receipt of a review that was not had: it asks for a person's word.
pub fn missed(commit: &str, tree: &str, reason: &str, at: DateTime<Utc>) -> Receipt {
    Receipt {
        name: NAME.to_owned(),
        category: Category::Functionality,
        source: CheckSource::Reviewer,
        directory: String::new(),
        commit: commit.to_owned(),
        command: "review".to_owned(),
        exit_code: None,
        verdict: CheckVerdict::NeedsPerson,
        started_at: at,
        duration: Duration::ZERO,
        output_tail: format!("no review was had: {reason}"),
        output_sha256: String::new(),
        trace: Trace {
            tree: tree.to_owned(),
            ..Trace::default()
        },
    }
}
