//! How the queue's repository stands, written down by the keeper of the queue, for `status` on every node.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::QueueError;
use crate::store::{Store, StoreError};
use crate::workspace::UpstreamError;

/// The flag under which it is written down.
const FLAG: &str = "queue-repository";
/// So long it is told that history was written anew.
const TOLD: TimeDelta = TimeDelta::days(1);

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What is wrong; none where all is well.
    pub trouble: Option<Trouble>,
    /// That its history was written anew.
    pub rewritten: Option<Rewritten>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The word for scripts.
    pub code: String,
    /// What, and what to do.
    pub words: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// That a history was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// The newest commit before.
    pub from: String,
    /// The newest one after.
    pub to: String,
    /// When it was seen.
    pub at: DateTime<Utc>,
}

impl Rewritten {
    /// Whether it is still told.
    pub fn is_new(&self, now: DateTime<Utc>) -> bool {
        now - self.at < TOLD
    }
}

impl QueueError {
    /// The word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Upstream(UpstreamError::Refused { .. }) => "queue-repository-refused",
            Self::Upstream(UpstreamError::NoBranch { .. }) | Self::NoQueue { .. } => "queue-repository-empty",
            Self::Upstream(_) | Self::Busy { .. } | Self::File(_) => "queue-repository-away",
        }
    }
}

impl Standing {
    /// As it was written down last.
    pub async fn recall(store: &dyn Store) -> Result<Self, StoreError> {
        let flag = store.flag(FLAG).await?;
        let known = flag.and_then(|flag| serde_json::from_value(flag.value).ok());
        Ok(known.unwrap_or_default())
    }

    /// Takes in how it went just now; whether anything is new.
    pub fn take_in(&mut self, went: Result<(), (&'static str, String)>, now: DateTime<Utc>) -> bool {
        let before = self.trouble.take();
        self.trouble = went.err().map(|(code, words)| {
            let same = before.as_ref().filter(|t| t.code == code);
            let since = same.map_or(now, |t| t.since);
            let code = code.to_owned();
            Trouble { code, words, since }
        });
        before != self.trouble
    }

    /// Writes it down.
    pub async fn remember(&self, store: &dyn Store, now: DateTime<Utc>) -> Result<(), StoreError> {
        let value = serde_json::to_value(self).ok();
        store.set_flag(FLAG, value, now).await
    }
}
