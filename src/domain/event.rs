//! Everything that can happen to a task.
//!
//! Events of an attempt carry its epoch; one with another epoch than the live attempt's is stale and changes nothing.

use super::assess::Assessment;
use super::definition::Definition;
use super::gate::GateReport;
use super::id::TaskId;
use super::landing::Landing;
use super::node::NodeName;
use super::outcome::AttemptReport;
use super::review::{NotHad, Review};
use super::stage::Conflict;
use super::tier::Route;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Its section in the queue file (or its job) changed.
    Redefined {
        /// The new definition.
        definition: Box<Definition>,
        /// Its digest.
        hash: String,
    },
    /// Its section was deleted.
    Removed,
    /// A person (or, through the queue file, whoever edits it) wants something.
    Person {
        /// Who: a name that means something on its surface, for example `queue file` or `cli:jane`.
        by: String,
        /// What.
        command: Command,
    },
    /// Its dependencies are met.
    Eligible,
    /// Its assessment is there.
    Assessed(Assessment),
    /// A slot is free for it.
    Claimed(Route),
    /// Its worker runs.
    Started {
        /// The attempt's fencing number.
        epoch: u64,
    },
    /// Its worker told the session it works in.
    SessionOpened {
        /// The attempt's fencing number.
        epoch: u64,
        /// The session.
        session: String,
    },
    /// Its worker asks a person.
    Asked {
        /// The attempt's fencing number.
        epoch: u64,
        /// The question.
        text: String,
    },
    /// Its worker made a sub-task.
    Spawned {
        /// The attempt's fencing number.
        epoch: u64,
        /// The sub-task.
        child: TaskId,
    },
    /// Its worker could not be started.
    NotStarted {
        /// The attempt's fencing number.
        epoch: u64,
        /// Whose fault it is.
        fault: StartFault,
        /// What went wrong and what to do.
        reason: String,
    },
    /// Its worker must be stopped: no sign of life, too long, too dear, or the emergency stop.
    Condemned {
        /// The attempt's fencing number.
        epoch: u64,
        /// Why.
        reason: super::task::StopReason,
    },
    /// The node that has its attempt, or its claim, is not there any more; its workers ended with its lease.
    NodeLost {
        /// The fencing number of the attempt, or of the claim.
        epoch: u64,
        /// The node.
        node: NodeName,
    },
    /// The store came from a backup, and there were attempts since, or its worker is gone.
    Restored {
        /// The highest fencing number that was seen anywhere; the workers of all of them are known to be dead.
        seen: u64,
    },
    /// Its worker has ended and is known to be dead.
    Finished {
        /// The attempt's fencing number.
        epoch: u64,
        /// How.
        report: Box<AttemptReport>,
    },
    /// The gate has ended.
    Judged {
        /// The fencing number of the claim that was judged.
        epoch: u64,
        /// Its receipts.
        report: Box<GateReport>,
    },
    /// Another model has looked at the work.
    Reviewed {
        /// The fencing number of the claim.
        epoch: u64,
        /// What it says.
        review: Box<Review>,
    },
    /// No review could be had.
    NotReviewed {
        /// The fencing number of the claim.
        epoch: u64,
        /// Why, and when it is worth to try again.
        not_had: NotHad,
    },
    /// What is to be judged had to be brought up to date with its base first, or was moved on while it was judged.
    Refreshed {
        /// The fencing number of the claim.
        epoch: u64,
        /// Where its branch stands now, which is judged.
        commit: String,
    },
    /// What is to land had to be brought up to date with its base first, and was judged anew.
    Rejudged {
        /// The fencing number of the claim.
        epoch: u64,
        /// The receipts of the merged commit.
        report: Box<GateReport>,
    },
    /// What is known of its pull request; written down before anything is done with it.
    LandingNoted {
        /// The fencing number of the claim.
        epoch: u64,
        /// What is known from now on.
        landing: Box<Landing>,
    },
    /// Its pull request does not go in as it is: checks or people object.
    Returned {
        /// The fencing number of the claim.
        epoch: u64,
        /// What is known from now on: which objections are handed over.
        landing: Box<Landing>,
        /// The receipts, the objections among them.
        report: Box<GateReport>,
    },
    /// The work has arrived where it belongs.
    Landed {
        /// The fencing number of the claim.
        epoch: u64,
        /// The commit there that holds it.
        commit: String,
    },
    /// The work does not merge with its base; the merge is on the task's branch, marks and all.
    Conflicted {
        /// The fencing number of the claim.
        epoch: u64,
        /// What conflicts.
        conflict: Conflict,
    },
    /// The work cannot go where it belongs, and time does not mend it.
    NotLanded {
        /// The fencing number of the claim.
        epoch: u64,
        /// What is in the way and what to do.
        reason: String,
    },
    /// The gate could not be run at all.
    NotJudged {
        /// The fencing number of the claim.
        epoch: u64,
        /// Whose fault it is: the workspace's, or the sandbox's.
        fault: StartFault,
        /// What went wrong and what to do; begins with `sandbox:` where that could not be had.
        reason: String,
    },
}

impl Event {
    /// Whether only the node that leads a fleet lets it happen.
    pub fn is_the_leaders(&self) -> bool {
        matches!(
            self,
            Self::Eligible | Self::Assessed(_) | Self::Claimed(_) | Self::NodeLost { .. }
        )
    }
}

/// Whose fault it is that a worker or a gate could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFault {
    /// The workspace cannot be made: a person must look.
    Workspace,
    /// The worker cannot be contained as it must be: nothing ran, and a person must look.
    Sandbox,
    /// The runtime cannot be started: as provider trouble.
    Runtime,
    /// Nobody's: the orchestrator went down between the claim and the start.
    Interrupted,
}

/// What a person can want of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Hold it back.
    Pause,
    /// Let it go on.
    Resume,
    /// Do not do it.
    Cancel {
        /// In which words.
        reason: String,
    },
    /// Run it (again), with all counters reset.
    Retry,
    /// Accept what is shown.
    Approve {
        /// In which words.
        comment: String,
        /// The commit that was looked at, or the beginning of its name; where absent, whatever waits now.
        seen: Option<String>,
    },
    /// Do not accept what is shown; send it back.
    Reject {
        /// In which words.
        comment: String,
    },
    /// The answer to what its worker asked.
    Answer {
        /// In which words.
        text: String,
    },
    /// Something that its worker is to know, before it counts as done.
    Say {
        /// In which words.
        text: String,
        /// Files that came with it: absolute paths.
        files: Vec<String>,
    },
    /// It is said to be complete: run the gate.
    Claim,
    /// Do nothing until a person says so (`Status: blocked` in the file).
    Hold,
}

impl Command {
    /// The verb as on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel { .. } => "cancel",
            Self::Retry => "retry",
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::Answer { .. } => "answer",
            Self::Say { .. } => "say",
            Self::Claim => "claim",
            Self::Hold => "hold",
        }
    }
}
