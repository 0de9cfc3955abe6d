//! The assessment before the first attempt: rules over the task's text and its workspace, reasons recorded.
//!
//! Deliberately absent: any model call.

use serde::{Deserialize, Serialize};

/// What the rules look at, besides the definition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Files in the workspace, where it could be counted.
    pub files: Option<u32>,
    /// Paths that the task's text names and that exist in the workspace.
    pub named_files: u32,
    /// Attempts of earlier rounds that failed.
    pub earlier_failures: u32,
}

/// What the rules found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// How hard it looks: 0 lowest tier, 1 the middle, 2 the highest.
    pub difficulty: u8,
    /// Each rule that spoke, in one sentence.
    pub reasons: Vec<String>,
}
