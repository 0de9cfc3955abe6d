//! Configuration: defaults < orchestrator.toml < `ORCHESTRATOR__SECTION__KEY` < flags, read once, every mistake at once.
//!
//! Invariants: unknown keys are refused; each part of the program gets its section by value; secrets are never shown.
//! Deliberately absent: reloading (a restart is cheap, and workers survive it), and any reading of the environment
//! outside [`environment`].

pub mod environment;
pub mod fault;
pub mod home;
pub mod layout;
mod load;
pub mod quantity;
mod reader;
pub mod secret;
pub mod section;
mod setting;
pub mod template;

use std::collections::BTreeMap;

pub use environment::Environment;
pub use fault::{Fault, Origin};
pub use home::Home;
pub use layout::Layout;
pub use load::{load, parse};
pub use secret::Secret;
pub use section::{
    Approvals, Bus, Chat, Containment, Fleet, Forge, Gate, GateCriteria, Landing, Limits, Logging,
    PolicyRules, Queue, Reports, Retention, Review, Runtime, Scheduler, Server, Store, Tier,
};

use self::section::PlanGate;
use crate::domain::policy::{Policy, TierPolicy};
use crate::domain::report::Surface;
use crate::domain::share::ProjectPolicy;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[scheduler]`
    pub scheduler: Scheduler,
    /// `[policy]`
    pub policy: PolicyRules,
    /// `[store]`
    pub store: Store,
    /// `[bus]`
    pub bus: Bus,
    /// `[fleet]`
    pub fleet: Fleet,
    /// `[queue]`
    pub queue: Queue,
    /// `[[tiers]]`, cheapest first; never empty.
    pub tiers: Vec<Tier>,
    /// `[projects.NAME]`
    pub projects: BTreeMap<String, ProjectPolicy>,
    /// `[runtimes.NAME]`, the built-in ones among them.
    pub runtimes: BTreeMap<String, Runtime>,
    /// `[gate]`
    pub gate: Gate,
    /// `[approvals]`
    pub approvals: Approvals,
    /// `[review]`
    pub review: Review,
    /// `[landing]`
    pub landing: Landing,
    /// `[forge]`
    pub forge: Forge,
    /// `[server]`
    pub server: Server,
    /// `[reports]`
    pub reports: Reports,
    /// `[chat.NAME]`
    pub chat: BTreeMap<Surface, Chat>,
    /// `[retention]`
    pub retention: Retention,
    /// `[logging]`
    pub logging: Logging,
    /// `[limits]`
    pub limits: Limits,
    /// `[containment]`
    pub containment: Containment,
}

/// A configuration with where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    effective: Vec<Effective>,
}

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its key, for example `scheduler.cron` or `tiers.haiku.model`.
    pub key: String,
    /// Its value as text; `[secret]` for a secret.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A value that wins over the file: a variable's or a flag's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key, for example `scheduler.max_concurrent`.
    pub key: String,
    /// The value: TOML, or plain text where that is no TOML of the right type.
    pub text: String,
    /// Who says so.
    pub origin: Origin,
}

impl Override {
    /// A flag's.
    pub fn flag(name: &str, key: &str, text: impl Into<String>) -> Self {
        Self {
            key: reader::normal(key),
            text: text.into(),
            origin: Origin::Flag(name.to_owned()),
        }
    }
}

/// Every value in force, in the order of the sections, for `orchestrator config show`.
pub fn show(loaded: &Loaded) -> &[Effective] {
    &loaded.effective
}

impl Config {
    /// What decisions depend on.
    pub fn policy(&self) -> Policy {
        let (scheduler, rules) = (&self.scheduler, &self.policy);
        Policy {
            tiers: self.tiers.iter().map(tier_policy).collect(),
            max_concurrent: scheduler.max_concurrent.get(),
            attempts_per_tier: scheduler.attempts_per_tier.get(),
            lifetime_attempts: scheduler.lifetime_attempts.get(),
            reworks: rules.reworks,
            idle_runs: rules.idle_runs.get(),
            start: rules.start,
            order: rules.order,
            stop_if_first_attempt_cost_over: rules.stop_if_first_attempt_cost_over,
            skip_to_top_if_attempt_cost_over: rules.skip_to_top_if_attempt_cost_over,
            medic: rules.medic,
            landing: self.landing.to,
            max_children: rules.max_children,
            plan_gate: self.gate.plan == PlanGate::On,
            continuation_delay: rules.continuation_delay,
            backoff_initial: rules.backoff_initial,
            backoff_max: rules.backoff_max,
            ageing: rules.ageing,
            projects: self.projects.clone(),
            heartbeat_stale_after: scheduler.heartbeat_stale_after,
            kill_grace: rules.kill_grace,
            approvals: self.approvals.rules.clone(),
            review: self.review.rules(),
        }
    }
}

fn tier_policy(tier: &Tier) -> TierPolicy {
    TierPolicy {
        name: tier.name.clone(),
        max_concurrent: tier.max_concurrent.map(std::num::NonZeroU32::get),
        timeout: tier.timeout,
        budget_usd: tier.budget_usd,
    }
}
