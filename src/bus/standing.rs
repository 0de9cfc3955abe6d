//! How the bus stands.

use chrono::{DateTime, Utc};

/// Whether the server is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It answers.
    Up {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It does not, and is being looked for.
    Away {
        /// Since when.
        since: DateTime<Utc>,
        /// What was seen last.
        why: String,
    },
}

impl Standing {
    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}
