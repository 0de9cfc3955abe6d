//! How an attempt ended: four witnesses, one outcome.
//!
//! The witnesses are what the runtime says of the worker's end ([`Ending`]), the evidence in the workspace
//! ([`Evidence`]), what became of its session ([`Session`]), and who stopped it ([`super::task::StopReason`]).
//! [`judge`] is the truth table. Deliberately absent: what follows from an outcome (that is `policy`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
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
    /// It ended well by itself, yet without the result that its kind of worker leaves.
    Silent,
    /// It ended by a signal, or broke off.
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
    /// What the result is known by (see [`super::fingerprint::Fingerprint`]); equal ones mean nothing new.
    pub fingerprint: String,
}

impl Evidence {
    /// Whether anything at all was brought.
    pub fn any(&self) -> bool {
        self.changed || self.progress_entries > 0
    }

    /// Whether nothing differs from the base, and all that was brought is words.
    fn is_words(&self) -> bool {
        self.any() && !self.changed && Fingerprint::read(&self.fingerprint).diff.is_empty()
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

    /// Ended from outside, whatever the worker was doing: by its provider, by a signal, by a machine that went down.
    pub fn comes_from_outside(self) -> bool {
        self.is_provider_trouble() || matches!(self, Self::Lost | Self::Killed)
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
    /// Files that the task's branch changes; none where nobody looked.
    pub touched: Vec<String>,
}

/// How the session of an attempt came to its end. Nothing is judged before nobody of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Its process was seen to end, and everything that it had started.
    Ended,
    /// Its process ended, but this many that it had started went on by themselves and had to be killed.
    LeftBehind(u32),
    /// Nobody saw it end.
    Vanished,
}

/// All that is known of an attempt's end.
#[derive(Debug, Clone, Copy)]
pub struct Witnesses<'a> {
    /// What the runtime tells from exit code, result event and outcome file.
    pub ending: &'a Ending,
    /// What the workspace shows.
    pub evidence: &'a Evidence,
    /// What became of the session.
    pub session: Session,
    /// Why the orchestrator stopped it, where it did.
    pub stopped: Option<&'a StopReason>,
}

/// The truth table: what the attempt is, from what its witnesses say.
///
/// A stop that the orchestrator asked for outranks everything; a session that nobody saw end outranks the worker's
/// word; a claim without evidence is a bail, and so is an end without a word. A claim with nothing but words says that
/// nothing needed to change.
pub fn judge(seen: &Witnesses<'_>) -> Outcome {
    if let Some(stop) = seen.stopped {
        return stop.outcome();
    }
    if seen.session == Session::Vanished {
        return Outcome::Lost;
    }
    match (seen.ending.kind, seen.evidence.any()) {
        (EndKind::Claimed, _) if seen.evidence.is_words() => Outcome::NoChangeNeeded,
        (EndKind::Claimed, true) => Outcome::Done,
        (EndKind::Silent, true) => Outcome::Continue,
        (EndKind::Claimed | EndKind::Silent, false) => Outcome::Bailed,
        (EndKind::Continue, _) => Outcome::Continue,
        (EndKind::NoChangeNeeded, _) => Outcome::NoChangeNeeded,
        (EndKind::Blocked, _) => Outcome::Blocked,
        (EndKind::NeedsStrongerModel, _) => Outcome::NeedsStrongerModel,
        (EndKind::Failed, _) => Outcome::Failed,
        (EndKind::RateLimited { .. }, _) => Outcome::RateLimited,
        (EndKind::Overloaded, _) => Outcome::Overloaded,
        (EndKind::Auth, _) => Outcome::Auth,
        (EndKind::Network, _) => Outcome::Network,
        (EndKind::Budget, _) => Outcome::Budget,
        (EndKind::MaxTurns, _) => Outcome::MaxTurns,
        (EndKind::Poisoned, _) => Outcome::Poisoned,
        (EndKind::Interrupted, _) => Outcome::Killed,
        (EndKind::Vanished, _) => Outcome::Lost,
    }
}

#[cfg(test)]
mod tests;
