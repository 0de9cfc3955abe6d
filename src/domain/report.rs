//! What people are told of a task, as data. The words are `chat::words`.

use serde::{Deserialize, Serialize};

use super::gate::Category;
use super::tier::TierName;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub enum Report {
    /// A first attempt starts.
    Spawning {
        /// The tier.
        model: TierName,
    },
    /// Work goes on from the progress file.
    Resuming {
        /// The tier.
        model: TierName,
        /// Why there was something to resume.
        reason: String,
    },
    /// The next attempt is at a higher tier.
    Escalating {
        /// The tier so far.
        from: TierName,
        /// The tier from now on.
        to: TierName,
        /// Why.
        reason: String,
    },
    /// A worker is killed because it shows no life.
    Stuck,
    /// The gate refused; the work goes back with its report.
    GateFailed {
        /// What is red.
        reason: String,
    },
    /// Another model has looked at the work, and accepts it.
    Reviewed {
        /// Which one.
        by: String,
        /// What it says, in one line.
        line: String,
    },
    /// The medic looks at it.
    Medic {
        /// What nobody brought to an end.
        reason: String,
    },
    /// A person is asked.
    Question {
        /// The question.
        text: String,
    },
    /// A person must act.
    Blocked {
        /// Why.
        reason: String,
    },
    /// Held back.
    Paused {
        /// By whom.
        by: String,
    },
    /// Given up.
    Cancelled {
        /// By whom.
        by: String,
        /// In which words.
        reason: String,
    },
    /// Done and proven.
    Completed {
        /// The categories that the gate found green.
        validated: Vec<Category>,
        /// The evidence that can be looked at: names, each with the paths of its files.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<String>,
    },
}
