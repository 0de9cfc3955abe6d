//! The use cases of every surface: what can be asked of an instance, with or without a running service.
//!
//! Invariant: a change goes through the dispatcher and is on disk before it is answered; a running service is woken.
//! Deliberately absent: arguments, rendering, exit codes.

mod add;
mod bus;
mod doctor;
mod evidence;
mod health;
mod node;
mod plan;
mod repository;
pub mod restore;
mod show;
mod status;
mod steer;
mod surface;
mod task_view;
mod unread;
mod validate;

pub use add::{AddError, add};
pub use bus::{ParkedError, parked};
pub use doctor::{Finding, Level, doctor};
pub use evidence::evidence;
pub use health::{Trouble, figures, health, readiness};
pub use node::{NodeError, cordon, drain, give_queue, nodes, remove};
pub use plan::plan;
pub use repository::look;
pub use show::{show, views, why};
pub use status::{Scope, problem, status};
pub use steer::{apply, flush, start, stop_all};
pub use validate::{ByHand, Judged, validate};
