//! What a task is: its definition as people wrote it, after its job's defaults are filled in.
//!
//! A definition holds intent alone; nothing in it changes because a worker ran.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::exhibit::ExhibitSpec;
use super::gate::CheckSpec;
use super::id::TaskId;
use super::stage::Destination;
use super::tier::TierName;
use super::tool::Tool;

/// Whether a task ends when it is done once, or goes on run after run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Done once.
    #[default]
    OneOff,
    /// Goes on while it makes progress.
    Continuous,
}

/// How urgent a task is; the first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// P0
    Critical,
    /// P1
    High,
    /// P2
    #[default]
    Medium,
    /// P3
    Low,
}

impl Priority {
    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// One line of the acceptance criteria.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// What must hold.
    pub text: String,
    /// Whether the box is ticked in the file (a claim, never evidence).
    pub checked: bool,
}

/// What people ask for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Definition {
    /// The heading without the id.
    pub title: String,
    /// What to do.
    pub description: String,
    /// One-off or continuous.
    pub kind: Kind,
    /// The job (jobs/NAME.md) that the task is made from.
    pub job: Option<String>,
    /// The lowest tier that may try it.
    pub min_tier: Option<TierName>,
    /// The highest tier that may try it.
    pub max_tier: Option<TierName>,
    /// How urgent it is.
    pub priority: Priority,
    /// The project that it belongs to.
    pub project: String,
    /// A folder (relative to the instance) or a git URL; a folder of the task's own where absent.
    pub workspace: Option<String>,
    /// Tasks that must be completed before.
    pub depends_on: Vec<TaskId>,
    /// The task that this one is a part of.
    pub parent: Option<TaskId>,
    /// A name in agents/.
    pub agent: Option<String>,
    /// The one runtime to use.
    pub runtime: Option<String>,
    /// The runtimes that its agent allows, of those of its tier; all where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<String>,
    /// The tools that its agent allows; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// The most it may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// The most time an attempt may take.
    pub timeout: Option<Duration>,
    /// Files that go with the task, pictures among them: relative to the workspace or to the instance, or absolute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// What must hold at the end.
    pub acceptance: Vec<Criterion>,
    /// The checks of the task's Validation block and of its job.
    pub checks: Vec<CheckSpec>,
    /// Whether changing tests and checks is its work; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests_may_change: Option<bool>,
    /// Whether green work waits for a person's word all the same; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<bool>,
    /// Whether another model reviews the work; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<bool>,
    /// Patterns of the paths that it may change ([`super::glob`]), from the workspace's root; all where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// The labels that the node must have that runs it (see [`super::node`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs_on: Vec<String>,
    /// Where the finished work goes; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landing: Option<Destination>,
    /// The issue on the forge that it settles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<u64>,
    /// The evidence that the task picks, as it is written; all of its job's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
    /// The evidence that the gate keeps for people to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exhibits: Vec<ExhibitSpec>,
    /// Whether the documentation must change, or be waived; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs_required: Option<bool>,
    /// Whether it must be planned before its first attempt; as configured where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_gate: Option<bool>,
    /// Lines of a validation check list: for the reviewer, never run.
    pub review: Vec<String>,
    /// The prompt template of the job, already rendered for this task.
    pub prompt: Option<String>,
    /// Unknown fields, handed to the worker as context.
    pub extra: BTreeMap<String, String>,
    /// Everything else below the heading.
    pub context: String,
}

/// A status as a person or an agent wrote it into the queue file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declared {
    /// To be run (again).
    Pending,
    /// Running, as the orchestrator writes it.
    InProgress,
    /// In the gate, as the orchestrator writes it.
    Validating,
    /// Waits for a person.
    Blocked,
    /// Held back by a person.
    Paused,
    /// Said to be complete: a claim, so the gate runs.
    Completed,
    /// Claimed and known not to be validated: the gate runs.
    Claimed,
    /// Not to be done.
    Cancelled,
}

impl Declared {
    /// The word as the orchestrator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in-progress",
            Self::Validating => "validating",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Claimed => "claimed-complete",
            Self::Cancelled => "cancelled",
        }
    }
}
