//! What a blocked task waits for, and who must act.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::approval::Asked;
use super::gate::GateReport;
use super::task::Claim;

/// What a blocked task waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Block {
    /// The policy has nothing left to try.
    Exhausted {
        /// Why, in one sentence.
        reason: String,
    },
    /// The worker asks for a person.
    Asked {
        /// Its words.
        reason: String,
    },
    /// A person's answer to what its worker asked.
    Question {
        /// Its questions, in one text.
        text: String,
    },
    /// A person's approval of exactly this.
    Approval {
        /// What is to be approved, in one sentence.
        reason: String,
        /// The claim.
        claim: Claim,
        /// What the gate found.
        report: Box<GateReport>,
        /// What exactly is to be approved, and who has; absent where an older version asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Asked>,
    },
    /// The workspace cannot be made or used.
    Workspace {
        /// What went wrong and what to do.
        reason: String,
    },
    /// Its workers cannot be contained as they must be.
    Sandbox {
        /// What went wrong and what to do; begins with `sandbox:`.
        reason: String,
    },
    /// The work cannot go where it belongs.
    Landing {
        /// What is in the way and what to do.
        reason: String,
        /// The claim.
        claim: Claim,
    },
    /// A person wrote `blocked` into the file.
    Held {
        /// Who.
        by: String,
    },
}

impl Block {
    /// Until when what it waits for can be had; none where that is no matter of time.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Approval {
                asked: Some(asked), ..
            } => Some(asked.until),
            _ => None,
        }
    }

    /// One sentence for people.
    pub fn reason(&self) -> String {
        match self {
            Self::Exhausted { reason }
            | Self::Asked { reason }
            | Self::Workspace { reason }
            | Self::Sandbox { reason } => reason.clone(),
            Self::Landing { reason, .. } => format!("the work is not merged: {reason}"),
            Self::Question { text } => format!("asks: {text}"),
            Self::Approval { reason, .. } => format!("{reason}; approve or reject it"),
            Self::Held { by } => format!("set to blocked by {by}"),
        }
    }
}
