//! One struct a section of orchestrator.toml, each with its keys, their defaults and their rules.

mod approvals;
mod bus;
mod chat;
mod containment;
mod fleet;
mod forge;
mod gate;
mod landing;
mod limits;
mod logging;
mod policy;
pub(in crate::config) mod projects;
mod queue;
mod reports;
mod retention;
mod review;
mod runtimes;
mod scheduler;
mod server;
mod store;
mod tiers;

use std::time::Duration;

pub use approvals::Approvals;
pub use bus::Bus;
pub use chat::{Chat, ChatKind, Matrix, Slack};
pub use containment::{Containment, SandboxChoice, Tier as ContainmentTier};
pub use fleet::Fleet;
pub use forge::{Forge, ForgeKind};
pub use gate::{Containment as GateContainment, Criteria as GateCriteria, Gate, PlanGate};
pub use landing::Landing;
pub use limits::Limits;
pub use logging::{Format, Logging};
pub use policy::PolicyRules;
pub use queue::{Author, Queue, QueueAddress};
pub use reports::{Console, Reports};
pub use retention::Retention;
pub use review::{Mode as ReviewMode, Review};
pub use runtimes::{
    Acp, ClaudeCode, Codex, CodexSandbox, Kind, Messages, Permission, PermissionMode, Runtime,
};
pub use scheduler::Scheduler;
pub use server::Server;
pub use store::{PostgresLimits, PostgresServer, Store, StoreAddress};
pub use tiers::Tier;

/// A rule of several sections: a wait that must pass.
fn longer_than_zero(duration: &Duration) -> Result<(), String> {
    if duration.is_zero() {
        Err("must be longer than 0s".to_owned())
    } else {
        Ok(())
    }
}
