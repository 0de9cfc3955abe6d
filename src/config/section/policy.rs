//! `[policy]`: where a task starts, what follows a failure, how long is waited.

use std::num::NonZeroU32;
use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::setting::{Usd, words};
use crate::domain::policy::{Order, Start};

/// `[policy]`; together with `[scheduler]` and the ladder it makes [`crate::domain::policy::Policy`].
#[derive(Debug, Clone)]
pub struct PolicyRules {
    /// Where to start on the ladder.
    pub start: Start,
    /// Which ready task comes first.
    pub order: Order,
    /// Failed gates that go back to the same tier before they count as that tier's failure.
    pub reworks: u32,
    /// Runs of a continuous task without progress that make one failure.
    pub idle_runs: NonZeroU32,
    /// Wait before the same work goes on.
    pub continuation_delay: Duration,
    /// First wait after a failure.
    pub backoff_initial: Duration,
    /// Longest wait after a failure.
    pub backoff_max: Duration,
    /// Waiting this long lifts a task by one priority.
    pub ageing: Duration,
    /// Between asking a worker to end and killing it.
    pub kill_grace: Duration,
    /// A rejected first attempt that cost more than this goes to a person at once, in US dollars.
    pub stop_if_first_attempt_cost_over: Option<f64>,
    /// A failed attempt that cost more than this goes to the highest tier at once, in US dollars.
    pub skip_to_top_if_attempt_cost_over: Option<f64>,
    /// Whether the medic gets a turn before a person must look.
    pub medic: bool,
    /// The most sub-tasks that the workers of one task may make.
    pub max_children: u32,
}

words!(Start { "assessed" => Assessed, "lowest" => Lowest });
words!(Order { "breadth-first" => BreadthFirst, "depth-first" => DepthFirst });

/// The assessment saves attempts that are bound to fail.
fn start() -> Start {
    Start::Assessed
}

/// Cheap first attempts of all tasks before dear second ones.
fn order() -> Order {
    Order::BreadthFirst
}

/// None: a failed gate is a failure.
fn reworks() -> u32 {
    0
}

/// One idle run may be chance.
fn idle_runs() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

/// Enough for files to settle.
fn continuation_delay() -> Duration {
    Duration::from_secs(1)
}

/// Enough for a hiccup to pass.
fn backoff_initial() -> Duration {
    Duration::from_secs(10)
}

/// Short enough that the end of an outage is noticed.
fn backoff_max() -> Duration {
    Duration::from_mins(5)
}

/// No task starves over a working day.
fn ageing() -> Duration {
    Duration::from_hours(4)
}

/// Enough to save a file and say goodbye.
fn kill_grace() -> Duration {
    Duration::from_secs(10)
}

/// One more attempt at the dearest tier is for the owner to want.
fn medic() -> bool {
    false
}

/// Enough to split a task; few enough to be looked through.
fn max_children() -> u32 {
    8
}

impl PolicyRules {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let rules = Self {
            start: section.get("start", start),
            order: section.get("order", order),
            reworks: section.get("reworks", reworks),
            idle_runs: section.get("idle_runs", idle_runs),
            continuation_delay: section.get("continuation_delay", continuation_delay),
            backoff_initial: section.get_if("backoff_initial", backoff_initial, longer_than_zero),
            backoff_max: section.get_if("backoff_max", backoff_max, longer_than_zero),
            ageing: section.get_if("ageing", ageing, longer_than_zero),
            kill_grace: section.get("kill_grace", kill_grace),
            stop_if_first_attempt_cost_over: section
                .maybe::<Usd>("stop_if_first_attempt_cost_over")
                .map(|amount| amount.0),
            skip_to_top_if_attempt_cost_over: section
                .maybe::<Usd>("skip_to_top_if_attempt_cost_over")
                .map(|amount| amount.0),
            medic: section.get("medic", medic),
            max_children: section.get("max_children", max_children),
        };
        if rules.backoff_max < rules.backoff_initial {
            let at = section.origin_of("backoff_max");
            section.fault(
                at,
                "policy.backoff_max is shorter than policy.backoff_initial",
                None,
            );
        }
        rules
    }
}
