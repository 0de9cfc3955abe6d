//! Why a worker is stopped by the orchestrator, and what its attempt counts as then.
//!
//! Deliberately absent: how it is stopped (see `runtime::process`), and what follows (see [`super::decide`]).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// Why a worker is being killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum StopReason {
    /// Its heartbeat is stale though its process lives.
    Stuck,
    /// It lives and does not get on.
    Standstill {
        /// What one sees of it, in one sentence.
        what: String,
    },
    /// It waits for its provider longer than its slot is held for it.
    ProviderWait {
        /// Which trouble the provider has.
        trouble: Outcome,
        /// When the provider said to come back.
        until: Option<DateTime<Utc>>,
        /// What it waits for, in one sentence.
        what: String,
    },
    /// It took longer than it may.
    Timeout,
    /// It spent more than it may.
    Budget,
    /// A person paused the task.
    Paused {
        /// Who.
        by: String,
    },
    /// A person cancelled the task, or deleted its section.
    Cancelled {
        /// Who.
        by: String,
        /// In which words.
        reason: String,
    },
    /// A person wants it run anew.
    Retried {
        /// Who.
        by: String,
    },
    /// Its node is being emptied.
    Drained {
        /// Who empties it.
        by: String,
    },
    /// The emergency stop.
    EmergencyStop,
}

impl StopReason {
    /// Whether the worker itself gave the reason, so that its attempt counts against the caps.
    pub fn is_its_own(&self) -> bool {
        match self {
            Self::Stuck | Self::Standstill { .. } | Self::Timeout | Self::Budget => true,
            Self::ProviderWait { .. }
            | Self::Paused { .. }
            | Self::Cancelled { .. }
            | Self::Retried { .. }
            | Self::Drained { .. }
            | Self::EmergencyStop => false,
        }
    }

    /// The outcome of an attempt that was stopped for this reason.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Stuck | Self::Standstill { .. } => Outcome::Stuck,
            Self::ProviderWait { trouble, .. } => *trouble,
            Self::Timeout => Outcome::Timeout,
            Self::Budget => Outcome::Budget,
            Self::Paused { .. }
            | Self::Cancelled { .. }
            | Self::Retried { .. }
            | Self::Drained { .. }
            | Self::EmergencyStop => Outcome::Killed,
        }
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Stuck => "no sign of life for too long".to_owned(),
            Self::Standstill { what } | Self::ProviderWait { what, .. } => what.clone(),
            Self::Timeout => "took longer than its timeout".to_owned(),
            Self::Budget => "spent more than its budget".to_owned(),
            Self::Paused { by } => format!("paused by {by}"),
            Self::Cancelled { by, reason } => format!("cancelled by {by}: {reason}"),
            Self::Retried { by } => format!("restarted by {by}"),
            Self::Drained { by } => format!("its node is emptied by {by}"),
            Self::EmergencyStop => "emergency stop".to_owned(),
        }
    }
}
