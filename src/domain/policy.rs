//! The policy engine: where to start, what follows a failure, when to stop.
//!
//! Pure and driven by data alone ([`Policy`]), so that recorded outcomes can be replayed over the very same code.
//! Deliberately absent: time and randomness (they come in with the caller's context).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tier::TierName;

/// All that the decisions depend on besides the task itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The ladder, cheapest first. Never empty.
    pub tiers: Vec<TierPolicy>,
    /// Worker slots, all tiers together.
    pub max_concurrent: u32,
    /// Failures at a tier before the next one.
    pub attempts_per_tier: u32,
    /// Attempts a task may spend before a person must look; only a person resets the count.
    pub lifetime_attempts: u32,
    /// Failed gates that go back to the same tier before they count as that tier's failure.
    pub reworks: u32,
    /// Runs of a continuous task without progress that make one failure.
    pub idle_runs: u32,
    /// Where to start.
    pub start: Start,
    /// Which task comes first when several are ready.
    pub order: Order,
    /// A rejected first attempt that cost more than this goes to a person at once, in US dollars.
    pub stop_if_first_attempt_cost_over: Option<f64>,
    /// Wait before the same work goes on.
    pub continuation_delay: Duration,
    /// First wait after a failure; doubled with each further one.
    pub backoff_initial: Duration,
    /// Longest wait after a failure.
    pub backoff_max: Duration,
    /// Waiting this long lifts a task by one priority.
    pub ageing: Duration,
    /// A heartbeat older than this is stale.
    pub heartbeat_stale_after: Duration,
    /// Between asking a worker to end and killing it.
    pub kill_grace: Duration,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierPolicy {
    /// Its name.
    pub name: TierName,
    /// Slots of this tier; `None` leaves only the total.
    pub max_concurrent: Option<u32>,
    /// The most time an attempt may take.
    pub timeout: Duration,
    /// The most an attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
}

/// Where to start on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the lowest tier that the task allows.
    Lowest,
    /// Where the assessment says, within what the task allows.
    Assessed,
}

/// Which ready task comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// First attempts of all tasks before any second one.
    BreadthFirst,
    /// What was begun is brought to its end first.
    DepthFirst,
}
