//! What was so when an attempt began: needed at its end, also by an orchestrator that was not there at the beginning.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::files::atomic;
use crate::sandbox::Probed;

const FILE: &str = "start.json";

/// What was so at the start of an attempt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StartFacts {
    /// When the attempt was claimed. It tells a folder of this attempt from one that an older state of the store left
    /// under the same number (a lost database, a restored backup).
    pub claimed_at: Option<DateTime<Utc>>,
    /// The head of the task's branch.
    pub commit: String,
    /// Entries of workers in the progress file's work log.
    pub worker_entries: usize,
    /// Acceptance criteria with evidence in the progress file.
    #[serde(default)]
    pub answered: usize,
    /// What the session had cost before, as the runtime reports it.
    pub session_cost_usd: Option<f64>,
    /// The tokens of the session before, read and written.
    pub session_tokens: Option<(u64, u64)>,
    /// The proof that its cell holds; absent where the worker is not contained.
    #[serde(default)]
    pub contained: Option<Probed>,
}

impl StartFacts {
    /// Writes them into the attempt's folder.
    pub fn save(&self, dir: &Path) -> std::io::Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        atomic::write(&dir.join(FILE), &json).map_err(std::io::Error::other)
    }

    /// Reads them; an attempt that broke off before they were written starts from nothing.
    pub fn load(dir: &Path) -> Self {
        let read = std::fs::read(dir.join(FILE)).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }
}
