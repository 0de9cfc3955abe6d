//! What people are told of a task, as data. The words are `chat::words`.

use std::fmt;

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

impl Report {
    /// The words of all kinds.
    pub const WORDS: [&str; 12] = [
        "spawning",
        "resuming",
        "escalating",
        "stuck",
        "gate-failed",
        "reviewed",
        "medic",
        "question",
        "blocked",
        "paused",
        "cancelled",
        "completed",
    ];

    /// The word of its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Spawning { .. } => "spawning",
            Self::Resuming { .. } => "resuming",
            Self::Escalating { .. } => "escalating",
            Self::Stuck => "stuck",
            Self::GateFailed { .. } => "gate-failed",
            Self::Reviewed { .. } => "reviewed",
            Self::Medic { .. } => "medic",
            Self::Question { .. } => "question",
            Self::Blocked { .. } => "blocked",
            Self::Paused { .. } => "paused",
            Self::Cancelled { .. } => "cancelled",
            Self::Completed { .. } => "completed",
        }
    }

    /// How soon people want to know.
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::Question { .. } | Self::Blocked { .. } => Urgency::Person,
            Self::GateFailed { .. } | Self::Stuck | Self::Medic { .. } | Self::Escalating { .. } => {
                Urgency::Failure
            }
            Self::Completed { .. } | Self::Cancelled { .. } | Self::Paused { .. } => Urgency::Done,
            Self::Spawning { .. } | Self::Resuming { .. } | Self::Reviewed { .. } => Urgency::Progress,
        }
    }
}

/// How soon people want to know of something; the first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Somebody must act.
    Person,
    /// Something went wrong, and is being seen to.
    Failure,
    /// Something is over.
    Done,
    /// Something goes on.
    Progress,
}

/// The name of a place where people are told of tasks, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Surface(String);

impl Surface {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 32;

    /// A name: lower case letters, digits and `-`, at most [`Surface::LONGEST`].
    pub fn parse(name: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let whole = (1..=Self::LONGEST).contains(&name.len()) && name.chars().all(fits);
        whole.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_report_is_the_one_that_is_stored() {
        let stuck = serde_json::to_value(Report::Stuck).unwrap();
        assert_eq!(stuck["report"], Report::Stuck.word());
        let asked = Report::Question { text: String::new() };
        assert_eq!(serde_json::to_value(&asked).unwrap()["report"], asked.word());
        assert!(Report::WORDS.contains(&asked.word()));
    }

    #[test]
    fn names_of_surfaces() {
        for right in ["ops", "a", "team-1"] {
            assert_eq!(Surface::parse(right).unwrap().as_str(), right);
        }
        for wrong in ["", "Ops", "a b", "a:b", &"x".repeat(33)] {
            assert_eq!(Surface::parse(wrong), None, "{wrong}");
        }
    }
}
