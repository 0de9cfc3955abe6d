//! A task, its states and its attempts.
//!
//! Each state holds exactly its own facts. The states are:
//!
//! ```text
//! Pending -> Assessing -> Ready -> Claimed -> Running -> Validating -> Ended
//!                           ^         \________ Stopping ___/   |
//!                           '--- retry, escalation, rework -----'      Blocked and Paused wait for a person
//! ```
//!
//! Deliberately absent: transitions (see [`super::decide`]) and anything that can be derived,
//! such as whether dependencies are met (see [`super::ready`]).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::assess::Assessment;
pub use super::block::Block;
use super::definition::Definition;
use super::id::TaskId;
use super::landing::Landing;
use super::node::NodeName;
use super::outcome::Outcome;
use super::question::Questions;
use super::remark::Remarks;
use super::review::Past;
use super::stage::{Conflict, Later, Stage};
pub use super::stop::StopReason;
use super::tier::{Route, TierName};

/// One queued unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name in the queue.
    pub id: TaskId,
    /// Raised by one with every committed change; the guard against lost updates.
    pub version: u64,
    /// Raised by one with every claim; the fencing number of its attempts.
    pub epoch: u64,
    /// What is asked.
    pub definition: Definition,
    /// A digest of the definition.
    pub definition_hash: String,
    /// Where it stands.
    pub state: State,
    /// What was tried so far.
    pub history: History,
    /// When it was first read.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What was tried since a person last set the task to run, and over its whole life.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// Attempts opened ever; the next one's number is one more.
    pub opened: u32,
    /// Attempts that count against the lifetime cap; only a person resets it.
    pub spent: u32,
    /// Closed attempts of this round, oldest first, the newest [`History::KEPT`] of them.
    pub tries: Vec<Try>,
    /// What the attempts of this round cost that are no longer kept, in US dollars.
    #[serde(default)]
    pub earlier_cost_usd: f64,
    /// Provider troubles in a row, for the back-off.
    pub troubles: u32,
    /// When the first attempt of this round was claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When the latest attempt was claimed.
    pub last_run_at: Option<DateTime<Utc>>,
    /// The tier of the latest attempt.
    pub last_tier: Option<TierName>,
    /// The model of the latest attempt.
    pub last_model: Option<String>,
    /// The node of the fleet where the latest attempt ran, and where the workspace is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_node: Option<NodeName>,
    /// The tier that failures have brought the task to, where it is not the one it started at.
    pub escalated_to: Option<TierName>,
    /// The assessment of this round.
    pub assessment: Option<Assessment>,
    /// What its workers asked people.
    #[serde(default)]
    pub questions: Questions,
    /// What people said to it.
    #[serde(default, skip_serializing_if = "Remarks::is_empty")]
    pub remarks: Remarks,
    /// The sub-tasks that its workers made, by id.
    #[serde(default)]
    pub children: Vec<TaskId>,
    /// The fencing number of the attempt that made the latest of them.
    #[serde(default)]
    pub spawned_in: Option<u64>,
    /// Whether the medic had its turn in this round.
    #[serde(default)]
    pub medic: bool,
    /// Rejections by reviewers that nobody has settled yet.
    #[serde(default)]
    pub reviews: Vec<Past>,
    /// What reviews of this round cost, in US dollars.
    #[serde(default)]
    pub review_cost_usd: f64,
    /// Files that its branch changes, as its latest attempt left it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<String>,
    /// The conflict with its base that an agent was given in this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// Its pull request, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landing: Option<Box<Landing>>,
}

impl History {
    /// How many tries are kept in the task itself; the store keeps all.
    pub const KEPT: usize = 50;

    /// Adds a closed attempt.
    pub fn push(&mut self, done: Try) {
        if self.tries.len() == Self::KEPT {
            self.earlier_cost_usd += self.tries.remove(0).cost_usd.unwrap_or(0.0);
        }
        self.tries.push(done);
    }

    /// Forgets the round, on a person's word: caps and counters start anew, attempt numbers go on. Answers and
    /// sub-tasks stay; a question that nobody answered is asked anew by whoever still wants to know.
    pub fn reset(&mut self) {
        *self = Self {
            opened: self.opened,
            last_run_at: self.last_run_at,
            last_model: self.last_model.take(),
            last_node: self.last_node.take(),
            questions: std::mem::take(&mut self.questions),
            remarks: std::mem::take(&mut self.remarks),
            children: std::mem::take(&mut self.children),
            landing: self.landing.take(),
            ..Self::default()
        };
        self.questions.drop_open();
    }

    /// What all attempts and reviews of this round cost, in US dollars, also those that are no longer kept.
    pub fn cost_usd(&self) -> f64 {
        let kept: f64 = self.tries.iter().filter_map(|t| t.cost_usd).sum();
        self.earlier_cost_usd + self.review_cost_usd + kept
    }
}

/// One closed attempt, as far as the policy looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// The attempt's number.
    pub n: u32,
    /// The tier it ran at.
    pub tier: TierName,
    /// The runtime that ran it.
    pub runtime: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in one sentence.
    pub reason: String,
    /// What it brought (see [`super::outcome::Evidence`]); empty where nothing.
    pub fingerprint: String,
    /// Whether it brought anything new.
    pub progressed: bool,
    /// Whether it ended to wait, for an answer or for its sub-tasks: what it brought by then is no result.
    #[serde(default)]
    pub waited: bool,
    /// What it cost, in US dollars, where reported.
    pub cost_usd: Option<f64>,
    /// The session to go on in.
    pub session: Option<String>,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum State {
    /// Waits for its dependencies, then for its assessment.
    Pending {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Is looked at, to choose the tier to start with.
    Assessing {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Has its next attempt planned; waits for its time and a slot.
    Ready {
        /// Since when.
        since: DateTime<Utc>,
        /// The planned attempt.
        next: Next,
    },
    /// Has a slot and an epoch; the worker is being started.
    Claimed {
        /// Since when.
        since: DateTime<Utc>,
        /// The attempt.
        attempt: Attempt,
    },
    /// A worker is at it.
    Running {
        /// Since when.
        since: DateTime<Utc>,
        /// The attempt.
        attempt: Attempt,
    },
    /// The worker is being killed; nothing else happens before it is known to be dead.
    Stopping {
        /// Since when.
        since: DateTime<Utc>,
        /// The attempt.
        attempt: Attempt,
        /// Why.
        reason: StopReason,
    },
    /// The gate judges what the attempt left.
    Validating {
        /// Since when.
        since: DateTime<Utc>,
        /// What is judged.
        claim: Claim,
        /// How far that has come.
        #[serde(default)]
        stage: Stage,
    },
    /// Waits for a person.
    Blocked {
        /// Since when.
        since: DateTime<Utc>,
        /// What for.
        block: Block,
    },
    /// Held back by a person.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
        /// By whom.
        by: String,
        /// The attempt that was planned, taken up again on resume.
        next: Option<Next>,
    },
    /// Over.
    Ended {
        /// Since when.
        since: DateTime<Utc>,
        /// How.
        end: End,
    },
}

/// A planned attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// The tier.
    pub tier: TierName,
    /// Not before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// Why it waits or goes on, in one sentence.
    pub why: String,
    /// The session to go on in; a fresh one where absent.
    pub session: Option<String>,
    /// The runtime that the session belongs to.
    pub runtime: Option<String>,
    /// What kind of start it is.
    pub start: StartKind,
}

/// What kind of start an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartKind {
    /// The first of a round.
    First,
    /// The same work goes on, as planned.
    Continuation,
    /// The same work goes on after an interruption.
    Resume,
    /// Again after a failure, at the same tier.
    Retry,
    /// After a failure, at a higher tier.
    Escalation,
    /// By the medic, who looks at what nobody brought to an end.
    Medic,
    /// By an agent that brings work and base together where they conflict.
    Merge,
}

/// A live attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub n: u32,
    /// Its fencing number.
    pub epoch: u64,
    /// How it is run.
    pub route: Route,
    /// When it was claimed.
    pub started_at: DateTime<Utc>,
    /// The session it goes on in, or has opened.
    pub session: Option<String>,
    /// What kind of start it was.
    pub start: StartKind,
}

/// What the gate judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The attempt that made the claim; the last one where a person made it.
    pub attempt: u32,
    /// That attempt's fencing number.
    pub epoch: u64,
    /// Who makes the claim where it is not the worker: whoever wrote it into the queue file.
    pub by_hand: Option<String>,
    /// The commit to judge; the head of the task's branch where absent.
    pub commit: Option<String>,
    /// The worker's reason why nothing needs to change, where it says so.
    pub no_change: Option<String>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum End {
    /// The gate passed.
    Completed {
        /// The attempt whose work passed.
        attempt: u32,
        /// Its fencing number.
        epoch: u64,
        /// The commit that passed.
        commit: String,
        /// The commit by which it went where it belongs; none where it stays on its branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        landed: Option<String>,
    },
    /// Nobody wants it any more.
    Cancelled {
        /// Who said so.
        by: String,
        /// In which words.
        reason: String,
    },
}

impl State {
    /// Who cancels a task whose section was deleted.
    pub(super) const DELETED_BY: &str = "queue file";
    /// And in which words.
    pub(super) const DELETED: &str = "its section was deleted";

    /// Whether the task is cancelled, or is about to be, because its section was deleted.
    pub fn is_deleted(&self) -> bool {
        let (Self::Ended {
            end: End::Cancelled { by, reason },
            ..
        }
        | Self::Stopping {
            reason: StopReason::Cancelled { by, reason },
            ..
        }) = self
        else {
            return false;
        };
        by == Self::DELETED_BY && reason == Self::DELETED
    }

    /// The state as the contract's documents name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } | Self::Ready { .. } => "pending",
            Self::Assessing { .. } => "assessing",
            Self::Claimed { .. } | Self::Running { .. } | Self::Stopping { .. } => "in-progress",
            Self::Validating { .. } => "validating",
            Self::Blocked { .. } => "blocked",
            Self::Paused { .. } => "paused",
            Self::Ended {
                end: End::Completed { .. },
                ..
            } => "completed",
            Self::Ended {
                end: End::Cancelled { .. },
                ..
            } => "cancelled",
        }
    }

    /// Since when the task is in this state.
    pub fn since(&self) -> DateTime<Utc> {
        match self {
            Self::Pending { since }
            | Self::Assessing { since }
            | Self::Ready { since, .. }
            | Self::Claimed { since, .. }
            | Self::Running { since, .. }
            | Self::Stopping { since, .. }
            | Self::Validating { since, .. }
            | Self::Blocked { since, .. }
            | Self::Paused { since, .. }
            | Self::Ended { since, .. } => *since,
        }
    }

    /// The live attempt, where there is one. A task with one holds a slot.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Claimed { attempt, .. }
            | Self::Running { attempt, .. }
            | Self::Stopping { attempt, .. } => Some(attempt),
            _ => None,
        }
    }

    /// Why its review could not be had so far, and when it is tried again.
    pub fn review_waits(&self) -> Option<&Later> {
        match self {
            Self::Validating {
                stage: Stage::Review { waits, .. },
                ..
            } => waits.as_ref(),
            _ => None,
        }
    }

    /// Whether the task is over.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// Whether the task is over and its work was accepted.
    pub fn is_completed(&self) -> bool {
        self.name() == "completed"
    }
}
