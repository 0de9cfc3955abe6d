//! The parts that this program plays beside and inside a cell.
//!
//! 1. `__contained PLAN -- COMMAND`, outside: starts the cell, is its proxy, and ends as it ends. When it dies the cell
//!    dies with it.
//! 2. `__inside ...`, the first process in the cell: opens the proxy's door, hands it out, and becomes the worker
//!    (or, in a container, starts it).
//! 3. `__trial TASKS`, in the place of a worker: tries what must not work, and tells.

use std::ffi::OsString;
use std::process::ExitCode;

mod contained;
mod container;
mod first;
mod handover;
mod inside;
mod trial;

pub(super) use contained::{Means, Plan};
pub(super) use trial::{Findings, Tasks};

/// Starts a cell.
pub(super) const CONTAINED: &str = "__contained";
/// The first process inside.
pub(super) const INSIDE: &str = "__inside";
/// The probe.
pub(super) const TRIAL: &str = "__trial";

/// The exit code of a cell that could not be set up.
pub const NO_CELL: u8 = 125;

/// Plays one of the parts if the arguments (the program's name first) ask for it; `None` otherwise.
///
/// To be called first thing in `main`, before any thread is started.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let role = args.next()?;
    let rest: Vec<OsString> = match role.to_str() {
        Some(CONTAINED | INSIDE | TRIAL) => args.collect(),
        _ => return None,
    };
    let outcome = match role.to_str() {
        Some(CONTAINED) => contained::run(&rest),
        Some(INSIDE) => inside::run(&rest),
        _ => trial::run(&rest),
    };
    Some(outcome.unwrap_or_else(|reason| {
        eprintln!("sandbox: {reason}");
        ExitCode::from(NO_CELL)
    }))
}
