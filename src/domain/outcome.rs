//! How an attempt ended: four witnesses, one outcome.
//!
//! The witnesses are what the runtime says of the worker's end ([`Ending`]), the evidence in the workspace
//! ([`Evidence`]), who stopped it ([`super::task::StopReason`]) and whether its session was seen to end.
//! [`judge`] is the truth table. Deliberately absent: what follows from an outcome (that is `policy`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::task::StopReason;

/// How a worker ended, as its runtime tells from the exit status, the result event and the outcome file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The kind of end.
    pub kind: EndKind,
    /// One sentence for people; never empty.
    pub reason: String,
}

/// What a runtime can tell of a worker's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndKind {
    /// It claims to be done.
    Claimed,
    /// It says that nothing needs to change.
    NoChangeNeeded,
    /// It made progress and is not done.
    Continue,
    /// It needs a person.
    Blocked,
    /// It says that a stronger model is needed.
    NeedsStrongerModel,
    /// It failed.
    Failed,
    /// The provider refused for quota or rate.
    RateLimited {
        /// When the provider said to come back.
        until: Option<DateTime<Utc>>,
    },
    /// The provider is overloaded or answers with server errors.
    Overloaded,
    /// The provider refused the credentials, or there are none.
    Auth,
    /// The provider cannot be reached.
    Network,
    /// The attempt's spending limit was reached.
    Budget,
    /// The limit of turns was reached.
    MaxTurns,
    /// The session cannot be used again (context overflow, invalid request).
    Poisoned,
    /// It ended by a signal or without any result.
    Interrupted,
    /// Its process vanished without an exit record, or the session that it was to go on in is gone.
    Vanished,
}

/// What an attempt left behind, as the orchestrator sees it in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The commit at the end of the attempt (after the orchestrator committed what was left).
    pub commit: Option<String>,
    /// Whether that commit differs from the one at the attempt's start.
    pub changed: bool,
    /// Files changed by the attempt.
    pub files_changed: u32,
    /// Entries that the worker itself added to the progress file's work log.
    pub progress_entries: u32,
    /// A digest of what the attempt changed (tree, progress entries); equal digests mean nothing new.
    pub fingerprint: String,
}

impl Evidence {
    /// Whether anything at all was brought.
    pub fn any(&self) -> bool {
        self.changed || self.progress_entries > 0
    }
}

/// The one outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Claims to be done, with evidence: the gate decides.
    Done,
    /// Says that nothing needs to change: the gate and a person decide.
    NoChangeNeeded,
    /// Made progress, goes on.
    Continue,
    /// Ended well without any evidence.
    Bailed,
    /// Needs a person.
    Blocked,
    /// Asks for the next tier.
    NeedsStrongerModel,
    /// Failed.
    Failed,
    /// Refused by the gate.
    GateFailed,
    /// Provider trouble: quota or rate.
    RateLimited,
    /// Provider trouble: overload.
    Overloaded,
    /// Provider trouble: credentials.
    Auth,
    /// Provider trouble: not reachable.
    Network,
    /// Its spending limit was reached.
    Budget,
    /// Its limit of turns was reached.
    MaxTurns,
    /// Its session cannot be used again.
    Poisoned,
    /// Killed because it showed no life.
    Stuck,
    /// Its process vanished.
    Lost,
    /// Killed on a person's word, or by a signal from outside.
    Killed,
    /// Killed because it took too long.
    Timeout,
}

impl Outcome {
    /// The word in the store, the log and the status document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NoChangeNeeded => "no-change-needed",
            Self::Continue => "continue",
            Self::Bailed => "bailed",
            Self::Blocked => "blocked",
            Self::NeedsStrongerModel => "needs-stronger-model",
            Self::Failed => "failed",
            Self::GateFailed => "gate-failed",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Auth => "auth",
            Self::Network => "network",
            Self::Budget => "budget",
            Self::MaxTurns => "max-turns",
            Self::Poisoned => "poisoned",
            Self::Stuck => "stuck",
            Self::Lost => "lost",
            Self::Killed => "killed",
            Self::Timeout => "timeout",
        }
    }

    /// Trouble at the provider's side: it costs no attempt and never escalates.
    pub fn is_provider_trouble(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Overloaded | Self::Auth | Self::Network
        )
    }

    /// Whether the next try must not go on in the same session.
    pub fn poisons_session(self) -> bool {
        matches!(self, Self::Poisoned | Self::MaxTurns | Self::Stuck)
    }
}

/// All that is known when an attempt has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence for people.
    pub reason: String,
    /// What it left.
    pub evidence: Evidence,
    /// What it cost as the runtime reports it, in US dollars; of this attempt alone.
    pub cost_usd: Option<f64>,
    /// Tokens read, where reported.
    pub input_tokens: Option<u64>,
    /// Tokens written, where reported.
    pub output_tokens: Option<u64>,
    /// The session to go on in, where the runtime has one.
    pub session: Option<String>,
    /// When a provider said to come back.
    pub retry_at: Option<DateTime<Utc>>,
}

/// The truth table: what the attempt is, from what its witnesses say.
///
/// A stop that the orchestrator asked for outranks the worker's word; a claim without evidence is a bail.
pub fn judge(ending: &Ending, evidence: &Evidence, stopped: Option<&StopReason>) -> Outcome {
    if let Some(stop) = stopped {
        return stop.outcome();
    }
    match ending.kind {
        EndKind::Claimed if evidence.any() => Outcome::Done,
        EndKind::Claimed => Outcome::Bailed,
        EndKind::Continue => Outcome::Continue,
        EndKind::NoChangeNeeded => Outcome::NoChangeNeeded,
        EndKind::Blocked => Outcome::Blocked,
        EndKind::NeedsStrongerModel => Outcome::NeedsStrongerModel,
        EndKind::Failed => Outcome::Failed,
        EndKind::RateLimited { .. } => Outcome::RateLimited,
        EndKind::Overloaded => Outcome::Overloaded,
        EndKind::Auth => Outcome::Auth,
        EndKind::Network => Outcome::Network,
        EndKind::Budget => Outcome::Budget,
        EndKind::MaxTurns => Outcome::MaxTurns,
        EndKind::Poisoned => Outcome::Poisoned,
        EndKind::Interrupted => Outcome::Killed,
        EndKind::Vanished => Outcome::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_table() {
        let nothing = Evidence::default();
        let commit = Evidence {
            changed: true,
            ..Evidence::default()
        };
        let entry = Evidence {
            progress_entries: 1,
            ..Evidence::default()
        };
        let stuck = StopReason::Stuck;
        let paused = StopReason::Paused { by: "jane".into() };
        let rows = [
            (EndKind::Claimed, &commit, None, Outcome::Done),
            (EndKind::Claimed, &entry, None, Outcome::Done),
            (EndKind::Claimed, &nothing, None, Outcome::Bailed),
            (EndKind::Continue, &commit, None, Outcome::Continue),
            (EndKind::Continue, &nothing, None, Outcome::Continue),
            (EndKind::NoChangeNeeded, &nothing, None, Outcome::NoChangeNeeded),
            (EndKind::Blocked, &commit, None, Outcome::Blocked),
            (
                EndKind::NeedsStrongerModel,
                &nothing,
                None,
                Outcome::NeedsStrongerModel,
            ),
            (EndKind::Failed, &commit, None, Outcome::Failed),
            (
                EndKind::RateLimited { until: None },
                &nothing,
                None,
                Outcome::RateLimited,
            ),
            (EndKind::Overloaded, &nothing, None, Outcome::Overloaded),
            (EndKind::Auth, &nothing, None, Outcome::Auth),
            (EndKind::Network, &nothing, None, Outcome::Network),
            (EndKind::Budget, &commit, None, Outcome::Budget),
            (EndKind::MaxTurns, &commit, None, Outcome::MaxTurns),
            (EndKind::Poisoned, &commit, None, Outcome::Poisoned),
            (EndKind::Interrupted, &commit, None, Outcome::Killed),
            (EndKind::Vanished, &commit, None, Outcome::Lost),
            (EndKind::Claimed, &commit, Some(&stuck), Outcome::Stuck),
            (EndKind::Claimed, &commit, Some(&paused), Outcome::Killed),
            (
                EndKind::Interrupted,
                &nothing,
                Some(&StopReason::Timeout),
                Outcome::Timeout,
            ),
        ];
        for (kind, evidence, stopped, expected) in rows {
            let ending = Ending {
                kind,
                reason: "r".into(),
            };
            assert_eq!(
                judge(&ending, evidence, stopped),
                expected,
                "{kind:?} {evidence:?} {stopped:?}"
            );
        }
    }
}
