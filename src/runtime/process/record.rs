//! What is written down about a process: who supervises, how it ended, that it is to be stopped.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::runtime::cgroup::Group;

/// `supervisor.json`: written once for an attempt, by whoever comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(in crate::runtime) enum Registration {
    /// It was started.
    Supervised {
        /// The process that watches.
        supervisor: Identity,
        /// The worker's first process.
        worker: Identity,
        /// The attempt's key (see [`super::KEY_VARIABLE`]).
        key: String,
        /// The control group that the worker and all that it starts are in, and what is limited by it.
        #[serde(default)]
        group: Group,
    },
    /// It was given up before it started, and must not start any more.
    GivenUp,
}

/// `stop.json`: how patiently the supervisor is to stop its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime) struct StopRequest {
    /// Milliseconds between the polite signal and the other one.
    pub(in crate::runtime) grace_ms: u64,
}

/// How a worker's process ended, when nobody of its tree is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why it ended.
    pub cause: Cause,
    /// What the worker's first process returned; absent where nobody saw it.
    pub status: Option<Status>,
    /// When, as the supervisor saw it.
    pub ended_at: DateTime<Utc>,
    /// Processes that the worker left behind and that were killed.
    pub stragglers_killed: u32,
}

/// Why a worker's process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// By itself, or by a signal that was not the supervisor's.
    Exited,
    /// It was asked to stop.
    Stopped,
    /// It took longer than its timeout.
    Timeout,
    /// It wrote more than it may.
    OutputLimit {
        /// How much it may, in bytes.
        limit: u64,
    },
    /// Its workspace holds more than it may.
    DiskLimit {
        /// How much it may, in bytes.
        limit: u64,
    },
    /// The system killed it for want of memory.
    OutOfMemory {
        /// How much it may use, in bytes, where that is limited.
        limit: Option<u64>,
    },
    /// No orchestrator renewed its lease in time.
    LeaseEnded,
    /// It could not be started.
    SpawnFailed {
        /// Why, and what to do.
        reason: String,
    },
    /// Its supervisor was killed; what was left of it is gone too.
    Vanished,
}

/// What a process returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code, where the worker ended by itself.
    pub fn code(&self) -> Option<i32> {
        match (&self.cause, self.status) {
            (Cause::Exited, Some(Status::Code(code))) => Some(code),
            _ => None,
        }
    }

    /// One phrase for people.
    pub fn phrase(&self) -> String {
        match (&self.cause, self.status) {
            (Cause::Exited, Some(Status::Code(code))) => format!("exit code {code}"),
            (Cause::Exited, Some(Status::Signal(signal))) => format!("killed by signal {signal}"),
            (Cause::Exited, None) => "ended".to_owned(),
            (Cause::Stopped, _) => "stopped on request".to_owned(),
            (Cause::Timeout, _) => "took longer than its timeout".to_owned(),
            (Cause::OutputLimit { limit }, _) => format!("wrote more than {} MiB of output", limit >> 20),
            (Cause::DiskLimit { limit }, _) => {
                format!("its workspace grew beyond {} MiB (limits.disk)", limit >> 20)
            }
            (Cause::OutOfMemory { limit: Some(limit) }, _) => {
                format!(
                    "ran out of memory at its limit of {} MiB (limits.memory)",
                    limit >> 20
                )
            }
            (Cause::OutOfMemory { limit: None }, _) => "killed by the system for want of memory".to_owned(),
            (Cause::LeaseEnded, _) => {
                "ended by its supervisor: no orchestrator was there to renew its lease".to_owned()
            }
            (Cause::SpawnFailed { reason }, _) => format!("could not be started: {reason}"),
            (Cause::Vanished, _) => "its process vanished without an exit record".to_owned(),
        }
    }
}

impl StopRequest {
    pub(in crate::runtime) fn grace(self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

/// Text of the operating system in JSON: as text where it is Unicode, as bytes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::runtime) enum Word {
    /// Unicode.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<&OsStr> for Word {
    fn from(word: &OsStr) -> Self {
        match word.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(word.as_bytes().to_vec()),
        }
    }
}

impl From<Word> for OsString {
    fn from(word: Word) -> Self {
        match word {
            Word::Text(text) => text.into(),
            Word::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}
