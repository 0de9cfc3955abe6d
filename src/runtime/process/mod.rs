//! A worker's process tree: start it, find it again, stop it, and know that it is gone.
//!
//! Every attempt has a folder (see [`mod@file`]) and a supervisor process ([`super::supervisor`]) that is nobody's child,
//! so a worker outlives the orchestrator and a normal start and an adoption after a restart go the same way: a pidfd
//! on the supervisor, then `exit.json`.
//!
//! Invariants: a pid is never signalled unless its start time and the boot id are those written down; `exit.json`
//! is written only when no descendant is left; an attempt folder is registered once, by a start or by [`fn@adopt`].
//! Deliberately absent: what the worker says (readers), whether it should be stopped (domain).

mod adopt;
mod clock;
mod death;
pub mod file;
mod identity;
mod lease;
mod lineage;
pub(in crate::runtime) mod probe;
mod record;
mod running;
mod spec;
mod start;
mod tree;

pub use adopt::{Adopted, adopt, is_alive};
pub use death::{Death, StillThere, confirm_dead, kill_strays, sweep_groups};
pub use identity::{BootId, Identity, host};
pub use lease::{LeaseTerms, entrust};
pub use lineage::values_above;
pub use record::{Cause, Exit, Status};
pub use running::Running;
pub use spec::{KEY_VARIABLE, Limits, Spec};
pub use start::{StartError, start};

pub(in crate::runtime) use clock::{boot_now, wall_now};
pub(in crate::runtime) use lease::{Lease, Mark as LeaseMark};
pub(in crate::runtime) use record::{Registration, StopRequest};
pub(in crate::runtime) use spec::Order;
pub(in crate::runtime) use start::Greeting;
pub(in crate::runtime) use tree::{Census, Pid};
