//! The process that stands between the orchestrator and a worker.
//!
//! It is this program run anew, three times over, each in its own role:
//!
//! 1. `__supervise DIR`, a child of the orchestrator: starts the next one and ends, so that it is nobody's child;
//! 2. `__supervisor DIR`: leads a session of its own, is the subreaper of all its descendants (so that `setsid` and
//!    double forks do not escape), starts the worker, watches it, and writes how it ended;
//! 3. `__worker DIR`: sets limits and a death signal on itself and becomes the worker's program. This is the place
//!    for whatever else must hold from a worker's first instruction on.
//!
//! The second one stands for the attempt when nobody else does: it moves the worker's output within its rate, holds its
//! limits and its timeout, ends it when no orchestrator renews its lease, and ends whoever of its tree is left.
//!
//! Invariants: no threads, no async, little memory; the registration is on disk before the worker's program runs;
//! the end is on disk only when no descendant is left. It survives the orchestrator; the worker does not survive it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

mod descendants;
mod disk;
mod launch;
mod lease;
mod limits;
mod pump;
mod session;
mod timer;
mod watch;
mod worker;

/// The role that [`super::process::start`] asks for.
pub const SUPERVISE: &str = "__supervise";
const SUPERVISOR: &str = "__supervisor";
const WORKER: &str = "__worker";

/// Plays one of the roles above if the arguments (the program's name first) ask for it; `None` otherwise.
///
/// To be called first thing in `main`, before any thread is started.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let role = args.next()?;
    if ![SUPERVISE, SUPERVISOR, WORKER]
        .map(OsStr::new)
        .contains(&role.as_os_str())
    {
        return None;
    }
    let Some(dir) = args.next().map(PathBuf::from) else {
        eprintln!("{} needs the folder of an attempt", role.display());
        return Some(ExitCode::from(2));
    };
    Some(match role.to_str() {
        Some(SUPERVISE) => detach(&dir),
        Some(SUPERVISOR) => session::run(&dir),
        _ => worker::become_worker(&dir),
    })
}

/// This program in another role.
fn role(role: &str, dir: &Path) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "a home of processes: the supervisor's own roles"
    )]
    let mut command = Command::new("/proc/self/exe");
    command.arg0("orchestrator").arg(role).arg(dir);
    command
}

fn detach(dir: &Path) -> ExitCode {
    match role(SUPERVISOR, dir).stdin(Stdio::null()).spawn() {
        Ok(_child) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot start the supervisor of {}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}
