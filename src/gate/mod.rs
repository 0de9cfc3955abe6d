//! The gate: runs the checks itself, on a fresh checkout of the exact commit, and writes a receipt for each.
//!
//! Of the adapters this is the one that stands on another: what it judges is a [`crate::workspace::Workspace`].
//!
//! Invariants: a worker's word and a worker's folder are no input; whatever is not seen to pass is red; nothing that a
//! check started is alive afterwards; checks run in a sandbox, unless whoever calls says by name that there is none. `docs/GATE.md` says what is checked, in users' words.
//!
//! Deliberately absent: the verdict (that is [`crate::domain::gate::GateReport::verdict`]) and what follows from it.

mod asked;
mod capture;
mod changes;
mod confine;
mod criteria;
mod detect;
mod empty;
mod environment;
mod exhibits;
mod feedback;
mod house;
mod judge;
mod older;
mod process_tree;
mod refusals;
mod runner;
mod select;
mod standing;
mod work;

pub use asked::{Asked, Criteria, Docs, Gallery, Kept, Without};
pub use confine::{Call, Confine, Confined, Room};
pub use detect::{RootFiles, detect};
pub use feedback::feedback;
pub use judge::{Gate, GateError, GateRequest, Keep};
pub use process_tree::kill_orphans;
pub use select::select;
pub use standing::{Standing, standings};
pub use work::Rules;
