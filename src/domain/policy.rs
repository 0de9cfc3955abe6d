//! The policy engine: where to start, what follows a failure, when to stop.
//!
//! Pure and driven by data alone ([`Policy`]), so that recorded outcomes can be replayed over the very same code.
//! Deliberately absent: time and randomness (they come in with the caller's context).

mod finished;
mod repeat;

pub use repeat::repeats;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::approval;
use super::assess::Assessment;
use super::definition::{Definition, Kind};
use super::outcome::Outcome;
use super::review;
use super::share::ProjectPolicy;
use super::stage::Destination;
use super::task::{History, StartKind, StopReason, Try};
use super::tier::TierName;

/// The most time to end by itself that a worker gets which is not wanted any more.
const SHORT_GRACE: Duration = Duration::from_secs(1);

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
    /// Runs in a row that bring nothing new and make one failure.
    pub idle_runs: u32,
    /// Where to start.
    pub start: Start,
    /// Which task comes first when several are ready.
    pub order: Order,
    /// A rejected first attempt that cost more than this goes to a person at once, in US dollars.
    pub stop_if_first_attempt_cost_over: Option<f64>,
    /// A failed attempt that cost more than this skips the tiers between and goes to the highest one, in US dollars.
    pub skip_to_top_if_attempt_cost_over: Option<f64>,
    /// Whether the medic gets a turn before a person is asked to look at a task that no tier brought to an end.
    pub medic: bool,
    /// Where finished work goes that does not say it itself.
    #[serde(default)]
    pub landing: Destination,
    /// The most sub-tasks that the workers of one task may make.
    pub max_children: u32,
    /// Whether a task must be planned before its first attempt, where its job does not say.
    #[serde(default)]
    pub plan_gate: bool,
    /// Wait before the same work goes on.
    pub continuation_delay: Duration,
    /// First wait after a failure; doubled with each further one.
    pub backoff_initial: Duration,
    /// Longest wait after a failure.
    pub backoff_max: Duration,
    /// Waiting this long lifts a task by one priority.
    pub ageing: Duration,
    /// What projects may have of the slots, where that was said.
    #[serde(default)]
    pub projects: BTreeMap<String, ProjectPolicy>,
    /// A heartbeat older than this is stale.
    pub heartbeat_stale_after: Duration,
    /// Between asking a worker to end and killing it, at most (see [`Policy::grace`]).
    pub kill_grace: Duration,
    /// When a person's word is asked for, and whose counts.
    #[serde(default)]
    pub approvals: approval::Rules,
    /// When and how work is reviewed.
    #[serde(default)]
    pub review: review::Rules,
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

/// The part of the ladder that a task may use: indices into [`Policy::tiers`], both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest tier.
    pub min: usize,
    /// The highest tier.
    pub max: usize,
}

/// What is known when the policy is asked what comes next.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the task may use.
    pub bounds: Bounds,
    /// One-off or continuous.
    pub kind: Kind,
    /// The most that all attempts together may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// What was tried; the last try is the one that just ended.
    pub history: &'a History,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// One more attempt.
    Attempt {
        /// At which tier (index into the ladder).
        tier: usize,
        /// What kind of start.
        start: StartKind,
        /// Whether the session may be kept.
        keep_session: bool,
        /// How long to wait.
        wait: Wait,
        /// Why, in one sentence.
        why: String,
    },
    /// A person must look.
    Person {
        /// Why, in one sentence.
        reason: String,
    },
}

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wait {
    /// The short wait of work that goes on.
    Continuation,
    /// The wait after that many failures in a row.
    Backoff(u32),
    /// The wait after that many provider troubles in a row, and not before the time the provider named.
    Provider(u32),
}

impl Policy {
    /// The part of the ladder between a task's Min Model and Max Model, or why there is none.
    pub fn bounds(&self, definition: &Definition) -> Result<Bounds, String> {
        let index = |name: &TierName| {
            self.tier_index(name)
                .ok_or_else(|| format!("there is no tier '{name}'; the ladder is {}", self.ladder()))
        };
        let min = definition.min_tier.as_ref().map(index).transpose()?.unwrap_or(0);
        let max = definition
            .max_tier
            .as_ref()
            .map(index)
            .transpose()?
            .unwrap_or(self.tiers.len().saturating_sub(1));
        if min > max {
            return Err(format!(
                "Min Model '{}' is above Max Model '{}'; the ladder is {}",
                self.tiers[min].name,
                self.tiers[max].name,
                self.ladder()
            ));
        }
        Ok(Bounds { min, max })
    }

    /// A tier's place on the ladder.
    pub fn tier_index(&self, name: &TierName) -> Option<usize> {
        self.tiers.iter().position(|t| &t.name == name)
    }

    /// A tier's settings.
    pub fn tier(&self, name: &TierName) -> Option<&TierPolicy> {
        self.tiers.iter().find(|t| &t.name == name)
    }

    fn ladder(&self) -> String {
        self.tiers
            .iter()
            .map(|t| t.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The tier to start with.
    pub fn start_tier(&self, bounds: Bounds, assessment: &Assessment) -> usize {
        let top = self.tiers.len().saturating_sub(1);
        let wanted = match self.start {
            Start::Lowest => 0,
            Start::Assessed => (usize::from(assessment.difficulty) * top).div_ceil(2),
        };
        wanted.clamp(bounds.min, bounds.max)
    }

    /// What follows the last try of the history.
    ///
    /// The same result twice (by fingerprint) is never followed by the same tier with the same kind of session: see
    /// `unless_repeated`.
    pub fn after(&self, situation: &Situation<'_>) -> Step {
        let Some(last) = situation.history.tries.last() else {
            return person("there is no attempt to follow");
        };
        let tier = self
            .tier_index(&last.tier)
            .unwrap_or(situation.bounds.min)
            .clamp(situation.bounds.min, situation.bounds.max);
        if let Some(reason) = over_budget(situation, last) {
            return Step::Person { reason };
        }
        if last.outcome.is_provider_trouble() {
            return provider_trouble(tier, last, situation.history.troubles);
        }
        if let Some(reason) = self.stop_rule(situation, last) {
            return Step::Person { reason };
        }
        let step = match last.outcome {
            Outcome::Blocked => person(&last.reason),
            Outcome::NeedsStrongerModel => self.climb(situation, tier, last, Wait::Continuation),
            Outcome::Continue => self.after_continue(situation, tier, last),
            Outcome::MaxTurns if last.progressed => go_on(tier, StartKind::Continuation, last),
            Outcome::Lost | Outcome::Killed => self.after_interruption(situation, tier, last, false),
            Outcome::Stuck | Outcome::Timeout => self.after_interruption(situation, tier, last, true),
            _ => self.after_failure(situation, tier, last),
        };
        self.unless_repeated(situation, last, step)
    }

    /// The time that a worker gets to end by itself when it is stopped. Who stops something for good wants it gone; who
    /// pauses it wants its work to be there later.
    pub fn grace(&self, reason: &StopReason) -> Duration {
        match reason {
            StopReason::Cancelled { .. } | StopReason::Retried { .. } | StopReason::EmergencyStop => {
                self.kill_grace.min(SHORT_GRACE)
            }
            StopReason::Stuck
            | StopReason::Standstill { .. }
            | StopReason::ProviderWait { .. }
            | StopReason::Timeout
            | StopReason::Budget
            | StopReason::Drained { .. }
            | StopReason::Paused { .. } => self.kill_grace,
        }
    }

    /// Rules that end all trying.
    fn stop_rule(&self, situation: &Situation<'_>, last: &Try) -> Option<String> {
        let history = situation.history;
        if history.spent >= self.lifetime_attempts {
            return Some(format!(
                "{} attempts spent of a lifetime of {}; last: {}",
                history.spent, self.lifetime_attempts, last.reason
            ));
        }
        let first_rejected = history.tries.len() == 1 && is_failure(last.outcome);
        let limit = self.stop_if_first_attempt_cost_over.filter(|_| first_rejected)?;
        let cost = last.cost_usd.filter(|c| *c > limit)?;
        Some(format!(
            "the first attempt failed and cost ${cost:.2}, more than ${limit:.2}; last: {}",
            last.reason
        ))
    }

    fn after_continue(&self, situation: &Situation<'_>, tier: usize, last: &Try) -> Step {
        let idle = trailing(situation.history, |t| {
            t.outcome == Outcome::Continue && !t.progressed && t.tier == last.tier
        });
        if last.progressed || idle < self.idle_runs {
            return go_on(tier, StartKind::Continuation, last);
        }
        self.climb(situation, tier, last, Wait::Backoff(1))
    }

    /// An interruption is nobody's failure at first; a worker that gets stuck again without progress is.
    fn after_interruption(&self, situation: &Situation<'_>, tier: usize, last: &Try, climbs: bool) -> Step {
        let streak = trailing(situation.history, |t| {
            is_interruption(t.outcome) && !t.progressed && t.tier == last.tier
        });
        if climbs && streak > self.attempts_per_tier {
            return self.climb(situation, tier, last, Wait::Backoff(streak));
        }
        Step::Attempt {
            tier,
            start: StartKind::Resume,
            keep_session: !last.outcome.poisons_session(),
            wait: if streak <= 1 {
                Wait::Continuation
            } else {
                Wait::Backoff(streak - 1)
            },
            why: format!("resumes after an interruption: {}", last.reason),
        }
    }

    fn after_failure(&self, situation: &Situation<'_>, tier: usize, last: &Try) -> Step {
        let at_tier: Vec<&Try> = situation
            .history
            .tries
            .iter()
            .rev()
            .take_while(|t| t.tier == last.tier)
            .filter(|t| is_failure(t.outcome))
            .collect();
        let refused = at_tier
            .iter()
            .filter(|t| t.outcome == Outcome::GateFailed)
            .count();
        let counted = at_tier.len() - refused.min(self.reworks as usize);
        let failures = trailing(situation.history, |t| is_failure(t.outcome));
        if counted >= self.attempts_per_tier.max(1) as usize {
            return self.climb(situation, tier, last, Wait::Backoff(failures));
        }
        Step::Attempt {
            tier,
            start: StartKind::Retry,
            keep_session: !last.outcome.poisons_session(),
            wait: Wait::Backoff(failures),
            why: format!("again at {}: {}", last.tier, last.reason),
        }
    }

    fn climb(&self, situation: &Situation<'_>, tier: usize, last: &Try, wait: Wait) -> Step {
        if tier >= situation.bounds.max {
            return self.at_the_top(situation, tier, last);
        }
        let dear = self
            .skip_to_top_if_attempt_cost_over
            .zip(last.cost_usd)
            .is_some_and(|(limit, cost)| cost > limit);
        Step::Attempt {
            tier: if dear { situation.bounds.max } else { tier + 1 },
            start: StartKind::Escalation,
            keep_session: false,
            wait,
            why: last.reason.clone(),
        }
    }

    /// No tier is left: the medic has one turn, then a person.
    fn at_the_top(&self, situation: &Situation<'_>, tier: usize, last: &Try) -> Step {
        let reason = format!(
            "no tier left above {}; last: {}",
            self.tiers[tier].name, last.reason
        );
        if !self.medic || situation.history.medic {
            return Step::Person { reason };
        }
        Step::Attempt {
            tier,
            start: StartKind::Medic,
            keep_session: false,
            wait: Wait::Continuation,
            why: reason,
        }
    }

    /// The defaults of the configuration with a ladder of three, for tests and examples.
    pub fn example() -> Self {
        let rung = |name: &str| TierPolicy {
            name: TierName::new(name),
            max_concurrent: Some(2),
            timeout: Duration::from_secs(1800),
            budget_usd: None,
        };
        Self {
            tiers: ["haiku", "sonnet", "opus"].map(rung).to_vec(),
            max_concurrent: 2,
            attempts_per_tier: 1,
            lifetime_attempts: 15,
            reworks: 0,
            idle_runs: 2,
            start: Start::Assessed,
            order: Order::BreadthFirst,
            stop_if_first_attempt_cost_over: None,
            skip_to_top_if_attempt_cost_over: None,
            medic: false,
            landing: Destination::Branch,
            max_children: 8,
            plan_gate: false,
            continuation_delay: Duration::from_secs(1),
            backoff_initial: Duration::from_secs(10),
            backoff_max: Duration::from_secs(300),
            ageing: Duration::from_secs(4 * 3600),
            projects: BTreeMap::new(),
            heartbeat_stale_after: Duration::from_secs(1200),
            kill_grace: Duration::from_secs(10),
            approvals: approval::Rules::default(),
            review: review::Rules::default(),
        }
    }
}

/// The budget ends all trying, also what costs no attempt: trouble at the provider's side may come after dear work.
fn over_budget(situation: &Situation<'_>, last: &Try) -> Option<String> {
    let spent = situation.history.cost_usd();
    let budget = situation.budget_usd.filter(|b| spent >= *b)?;
    Some(format!(
        "${spent:.2} spent of a budget of ${budget:.2}; last: {}",
        last.reason
    ))
}

fn person(reason: &str) -> Step {
    Step::Person {
        reason: reason.to_owned(),
    }
}

fn go_on(tier: usize, start: StartKind, last: &Try) -> Step {
    Step::Attempt {
        tier,
        start,
        keep_session: !last.outcome.poisons_session(),
        wait: Wait::Continuation,
        why: format!("goes on: {}", last.reason),
    }
}

fn provider_trouble(tier: usize, last: &Try, troubles: u32) -> Step {
    Step::Attempt {
        tier,
        start: StartKind::Resume,
        keep_session: true,
        wait: Wait::Provider(troubles),
        why: format!("{}: {}", last.outcome.as_str(), last.reason),
    }
}

/// Outcomes that count as the tier's failure.
pub fn is_failure(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed
            | Outcome::Bailed
            | Outcome::GateFailed
            | Outcome::Budget
            | Outcome::MaxTurns
            | Outcome::Poisoned
    )
}

fn is_interruption(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Lost | Outcome::Killed | Outcome::Stuck | Outcome::Timeout
    )
}

fn trailing(history: &History, holds: impl Fn(&Try) -> bool) -> u32 {
    let count = history
        .tries
        .iter()
        .rev()
        .filter(|t| !t.outcome.is_provider_trouble())
        .take_while(|t| holds(t))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
