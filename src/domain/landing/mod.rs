//! Landing: the way of a commit that passed the gate into the base, through a forge's pull request.
//!
//! Plain values and one function, [`next`]: from what is remembered ([`Landing`]), what is seen ([`Seen`]) and what the
//! project asks for ([`Rules`]) to one [`Step`].
//!
//! Invariants: level-triggered (a step is chosen from what is there, so whoever was interrupted after an act finds it
//! done and goes on, and nothing is done twice); only the very commit that passed is merged; what is missing, unknown,
//! skipped or neutral is not green; whatever time does not mend goes to a person.
//! Deliberately absent: talking to a forge, git, and any memory of steps taken.

mod check;
mod next;
mod review;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use check::{Check, CheckState, Checks, Required};
pub use next::next;
pub use review::{Note, Review, Stand};

/// What is remembered of a landing. It is written down before the first act, and with every new commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Landing {
    /// The commit that passed the gate, in full.
    pub commit: String,
    /// The task's branch, as it is called on the forge.
    pub branch: String,
    /// The branch that the work goes into, as it is called on the forge.
    pub base: String,
    /// Since when this commit is on its way.
    pub since: DateTime<Utc>,
    /// Every commit that was ever sent to the branch, or is about to be: what stands there and is not among them, is
    /// somebody else's.
    pub ours: Vec<String>,
    /// The pull request, once it is known.
    pub pull: Option<u64>,
    /// Reviews that were handed to a worker.
    pub handed: BTreeSet<u64>,
    /// The issue that is closed with it.
    pub issue: Option<u64>,
    /// What it waits for at present.
    #[serde(default)]
    pub waits: Option<Waits>,
}

impl Landing {
    /// The same landing with a later commit, after rework or because the base moved.
    pub fn with_commit(mut self, commit: String, now: DateTime<Utc>) -> Self {
        if self.commit != commit {
            self.commit = commit.clone();
            self.since = now;
        }
        if !self.ours.contains(&commit) {
            self.ours.push(commit);
        }
        self
    }
}

/// What a landing waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// For what, in one sentence.
    pub why: String,
    /// When it becomes a person's business; none where it is one already, or is no matter of time.
    pub until: Option<DateTime<Utc>>,
}

/// What is seen on the forge.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The commit at the head of the task's branch; none where there is no such branch.
    pub branch_head: Option<String>,
    /// The pull request; none where there is none for this branch and base.
    pub pull: Option<Pull>,
    /// The checks at the commit.
    pub checks: Checks,
    /// Its reviews, oldest first.
    pub reviews: Vec<Review>,
    /// Whether the issue is still open; none where there is no issue, or none to close.
    pub issue_open: Option<bool>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Where people look at it.
    pub url: String,
    /// Where it stands.
    pub state: PullState,
    /// Whether it is marked as unfinished.
    pub draft: bool,
    /// The commit at its head, as the forge sees it.
    pub head: String,
    /// The branch it goes into.
    pub base: String,
    /// Whether it can be merged.
    pub mergeability: Mergeability,
}

/// Where a pull request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullState {
    /// Open.
    Open,
    /// Merged; the commit of the base that holds it, where the forge says so.
    Merged {
        /// That commit.
        commit: Option<String>,
    },
    /// Closed without being merged.
    Closed,
}

/// Whether a pull request can be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mergeability {
    /// Yes.
    Clean,
    /// Not before it holds the base as it is now.
    Behind,
    /// Not without somebody solving conflicts.
    Conflict,
    /// Not before rules of the forge's own are met: approvals, resolved remarks, and the like.
    Blocked,
    /// The forge does not say, or not yet.
    Unknown,
}

/// What a project asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who merges.
    pub merges: Merges,
    /// Which checks must be green besides those that the forge itself requires for the base.
    pub checks: Expect,
    /// How many people must approve the commit.
    pub approvals: u32,
    /// Whether the issue is closed by us.
    pub close_issue: bool,
    /// Whether the branch is deleted after the merge.
    pub delete_branch: bool,
    /// How long checks, and the forge's own reckoning, may take.
    pub patience: Duration,
}

/// Who merges a green pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merges {
    /// The orchestrator, as soon as all is green.
    Orchestrator,
    /// A person.
    Person,
}

/// Which checks a project counts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// At least one, and all that show up; where the forge requires some, those alone.
    Any,
    /// These, and those that the forge requires.
    Named(Vec<String>),
    /// None but those that the forge requires.
    Nothing,
}

/// What is to be done next. Each is safe to repeat.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Send exactly this commit to the branch, only if the branch stands where it was seen.
    Push {
        /// The commit.
        commit: String,
        /// Where the branch must stand; none where it must not exist.
        expect: Option<String>,
    },
    /// Open the pull request, or adopt one that somebody opened meanwhile.
    Open,
    /// Nothing; look again later.
    Wait {
        /// What for, in one sentence.
        why: String,
        /// When it becomes a person's business; none where it is one already, or is no matter of time.
        until: Option<DateTime<Utc>>,
    },
    /// Hand this to a worker; the same commit does not land.
    Rework {
        /// Why, in one sentence.
        why: String,
        /// The red checks.
        checks: Vec<Check>,
        /// The reviews that were not handed on yet, objections first.
        reviews: Vec<Review>,
    },
    /// Bring the work up to date with its base, and judge the result anew.
    Refresh {
        /// Why, in one sentence.
        why: String,
    },
    /// Merge, only if the head is this commit.
    Merge {
        /// The pull request.
        pull: u64,
        /// The commit.
        commit: String,
    },
    /// Close the issue.
    CloseIssue {
        /// The issue.
        issue: u64,
    },
    /// Delete the branch.
    DeleteBranch {
        /// The branch.
        branch: String,
    },
    /// All that was asked for has happened.
    Done {
        /// The pull request.
        pull: u64,
        /// The commit of the base that holds the work, where the forge says so.
        merged: Option<String>,
    },
    /// A person must look.
    Ask {
        /// What happened and what to do.
        reason: String,
    },
}
