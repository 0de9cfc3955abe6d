//! Tiers: classes of model, cheapest first, and the route that an attempt takes.
//!
//! The order of the ladder is the order of the configuration; nothing here knows a model's name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::NodeName;

/// The name of a class of model, for example `haiku`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TierName(pub String);

impl TierName {
    /// A tier's name from text; compared without regard to case, so kept in lower case.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The way an attempt goes: which tier, by which runtime, with which model, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The class of model.
    pub tier: TierName,
    /// The configured runtime that runs it.
    pub runtime: String,
    /// The model that the tier names.
    pub model: String,
    /// Why this tier and runtime were chosen, in one sentence.
    pub why: String,
    /// The node of the fleet that runs it; none where there is no fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
}
