//! The gate: checks, receipts and the verdict that they add up to.
//!
//! Invariant: a verdict is a function of receipts of one commit; a worker's word is no input.
//! Deliberately absent: running anything.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::exhibit::Exhibit;

/// What a check speaks for. All five must hold before a task is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// It builds.
    Build,
    /// It does what was asked.
    Functionality,
    /// What depends on it still works.
    Dependencies,
    /// It fits its base: clean tree, merges.
    Integration,
    /// What was done is written down.
    Documentation,
}

impl Category {
    /// All categories in the order of the reports.
    pub const ALL: [Self; 5] = [
        Self::Build,
        Self::Functionality,
        Self::Dependencies,
        Self::Integration,
        Self::Documentation,
    ];

    /// The word in reports and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Functionality => "functionality",
            Self::Dependencies => "dependencies",
            Self::Integration => "integration",
            Self::Documentation => "documentation",
        }
    }
}

/// One check to run: a script with `set -eu`, from the root of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// A short name.
    pub name: String,
    /// What it speaks for.
    pub category: Category,
    /// The script.
    pub run: String,
    /// The most time it may take; the gate's default where absent.
    pub timeout: Option<Duration>,
    /// Who asked for it.
    pub source: CheckSource,
}

/// Where a check was defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckSource {
    /// The task's Validation block.
    Task,
    /// The task's job.
    Job,
    /// `[gate] checks` of the configuration.
    Config,
    /// Found from the files of the workspace.
    Detected,
    /// The orchestrator's own (clean tree, merge, progress file).
    House,
    /// Another model's word.
    Reviewer,
    /// A person's word.
    Person,
}

/// How one check ended. Everything but `Passed` and `NeedsPerson` is red.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// Exit code 0 at the exact commit.
    Passed,
    /// Any other exit code.
    Failed,
    /// It took too long and was killed.
    TimedOut,
    /// It could not be run at all.
    Error,
    /// It found what is neither right nor wrong by itself: a person's word is needed.
    NeedsPerson,
}

impl CheckVerdict {
    /// The word in reports and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Error => "error",
            Self::NeedsPerson => "needs-person",
        }
    }
}

/// What one check left: enough to repeat it and to believe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The check's name.
    pub name: String,
    /// What it speaks for.
    pub category: Category,
    /// Who asked for it.
    pub source: CheckSource,
    /// The folder it ran in.
    pub directory: String,
    /// The commit it ran at.
    pub commit: String,
    /// The script, or what the orchestrator itself looked at.
    pub command: String,
    /// The exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub verdict: CheckVerdict,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// The last lines of its output, redacted and bounded.
    pub output_tail: String,
    /// SHA-256 of the whole output, in hex.
    pub output_sha256: String,
    /// What it ran on and in.
    #[serde(default)]
    pub trace: Trace,
}

impl Receipt {
    /// Whether a script or a person speaks by it: looks of the house and another model's word alone prove nothing.
    fn is_of_script_or_person(&self) -> bool {
        !matches!(self.source, CheckSource::House | CheckSource::Reviewer)
    }
}

/// What a check ran on and in, and what it left; empty where nobody looked, as in receipts of older versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// The tree that was checked out: the commit's, or that of its merge with the base.
    pub tree: String,
    /// SHA-256 over the names and values of its environment, in hex.
    pub environment: String,
    /// By what its sandbox was made, and a digest of what that allowed; empty where it ran in none.
    pub sandbox: String,
    /// The length of the whole output, in bytes.
    pub output_bytes: u64,
    /// The files that were kept for people to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Exhibit>,
    /// Hosts that its sandbox refused it and that may be why it failed, as rules that would let them through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// The verdict over all receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every check passed and there was something to run.
    Passed,
    /// At least one check is red.
    Failed,
    /// Nothing to run speaks for what was asked, or a check asks for a person's word: a person decides.
    NeedsPerson,
}

impl Verdict {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NeedsPerson => "needs-person",
        }
    }
}

/// So many lines of what a person's word is asked for stand in a sentence.
const SHOWN: usize = 4;

/// One run of the gate over one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// The commit that was judged.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// One receipt a check, in the order they ran.
    pub receipts: Vec<Receipt>,
    /// When the gate began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

impl GateReport {
    /// The verdict. Green needs every receipt green, of this very commit, and at least one script
    /// (not only the house's own looks) that ran. Red wins over a person's word.
    pub fn verdict(&self) -> Verdict {
        if self.red().next().is_some() {
            Verdict::Failed
        } else if self.referred().next().is_some() {
            Verdict::NeedsPerson
        } else if self.receipts.iter().any(Receipt::is_of_script_or_person) {
            Verdict::Passed
        } else {
            Verdict::NeedsPerson
        }
    }

    /// The red receipts in one line: `2 of 5 checks failed: tests (exit 101), fmt (timed-out)`.
    pub fn failure_line(&self) -> String {
        let red: Vec<String> = self.red().map(short).collect();
        format!(
            "{} of {} checks failed: {}",
            red.len(),
            self.receipts.len(),
            red.join(", ")
        )
    }

    /// The receipts that are not green.
    pub fn red(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter().filter(|r| {
            r.commit != self.commit || !matches!(r.verdict, CheckVerdict::Passed | CheckVerdict::NeedsPerson)
        })
    }

    /// The receipts that ask for a person's word.
    pub fn referred(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts
            .iter()
            .filter(|r| r.verdict == CheckVerdict::NeedsPerson)
    }

    /// Whether a check waits for a person because its sandbox refused it a host.
    pub fn lacks_host(&self) -> bool {
        self.referred().any(|r| !r.trace.refused.is_empty())
    }

    /// What a person's word is asked for, in one line; none where it is not.
    pub fn referral(&self) -> Option<String> {
        // The first line of a check that lacks a host says all; the rest is its own output.
        let most = |r: &Receipt| if r.trace.refused.is_empty() { usize::MAX } else { 1 };
        let lines = self.referred().flat_map(|r| r.output_tail.lines().take(most(r)));
        let lines: Vec<&str> = lines
            .map(|line| line.trim().trim_start_matches("- "))
            .filter(|line| !line.is_empty())
            .collect();
        let (first, rest) = lines.split_first()?;
        let shown = &rest[..rest.len().min(SHOWN)];
        let more = rest.len() - shown.len();
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        Some(
            format!("{first} {}{more}", shown.join("; "))
                .trim_end()
                .to_owned(),
        )
    }

    /// What was kept for people to look at: the names of the evidence, each with the paths of its files.
    pub fn exhibits(&self) -> Vec<String> {
        let kept = self.receipts.iter().filter(|r| !r.trace.files.is_empty());
        kept.map(|receipt| {
            let paths: Vec<&str> = receipt
                .trace
                .files
                .iter()
                .map(|file| file.path.as_str())
                .collect();
            let name = receipt.name.trim_start_matches("evidence: ");
            format!("{name} ({})", paths.join(", "))
        })
        .collect()
    }

    /// The same report with a person's word for what asks for it.
    #[must_use]
    pub fn vouched(mut self, word: Receipt) -> Self {
        for receipt in &mut self.receipts {
            if receipt.verdict == CheckVerdict::NeedsPerson {
                receipt.verdict = CheckVerdict::Passed;
            }
        }
        self.receipts.push(word);
        self
    }
}

fn short(receipt: &Receipt) -> String {
    match (receipt.verdict, receipt.exit_code) {
        (CheckVerdict::Failed, _) if receipt.source == CheckSource::Reviewer => {
            format!("{} (blockers)", receipt.name)
        }
        (CheckVerdict::Failed, Some(0)) => format!("{} (nothing ran)", receipt.name),
        (CheckVerdict::Failed, Some(code)) => format!("{} (exit {code})", receipt.name),
        (verdict, _) => format!("{} ({})", receipt.name, verdict.as_str()),
    }
}
