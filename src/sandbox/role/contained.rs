//! Outside of the cell: starts it, stands at its door as the proxy, and ends as it ends.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::{INSIDE, container, handover};
use crate::sandbox::bubblewrap;
use crate::sandbox::cell::Cell;
use crate::sandbox::container::House;
use crate::sandbox::proxy::{LEDGER, Ledger, Proxy};

/// What is written down for this process: the cell, and by what it is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Plan {
    /// The cell.
    pub(in crate::sandbox) cell: Cell,
    /// By what it is made.
    pub(in crate::sandbox) means: Means,
}

/// By what a cell is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) enum Means {
    /// This program, bubblewrap.
    Bubblewrap(PathBuf),
    /// Landlock and seccomp.
    Landlock,
    /// A container.
    Container(House),
}

impl Plan {
    /// The loopback addresses that are offered inside at the same port, each once.
    pub(super) fn doors(&self) -> Vec<SocketAddr> {
        let mut doors: Vec<SocketAddr> = self
            .cell
            .hosts
            .iter()
            .filter_map(|rule| rule.loopback())
            .collect();
        doors.sort();
        doors.dedup();
        // One is the proxy's.
        doors.truncate(handover::MOST - 1);
        doors
    }

    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let bytes =
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{} is no cell: {error}", path.display()))
    }
}

pub(super) fn run(args: &[OsString]) -> Result<ExitCode, String> {
    let [path, dashes, command @ ..] = args else {
        return Err("needs a plan, -- and a command".to_owned());
    };
    if dashes != "--" || command.is_empty() {
        return Err("needs -- and a command behind the plan".to_owned());
    }
    let path = Path::new(path);
    let plan = Plan::load(path)?;
    let program = match &plan.means {
        Means::Container(house) => return container::run(&plan, house, command),
        Means::Bubblewrap(program) => Some(program.as_path()),
        Means::Landlock => None,
    };
    hold_out()?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| format!("no socket pair: {error}"))?;
    let mut child = start(&plan, program, path, OwnedFd::from(theirs), command)?;
    let doors = plan.doors();
    let listeners =
        handover::receive(&OwnedFd::from(ours)).map_err(|error| format!("no word from inside: {error}"))?;
    let shared = program.is_none();
    let expected = if shared { 1 } else { 1 + doors.len() };
    if listeners.len() != expected {
        let status = child.wait().map_err(|error| error.to_string())?;
        return Err(format!("the cell could not be set up ({status})"));
    }
    attend(&doorkeeper(&plan)?, listeners, &doors)?;
    end_as(&mut child)
}

/// The proxy of the plan's cell, with its ledger.
pub(super) fn doorkeeper(plan: &Plan) -> Result<Arc<Proxy>, String> {
    let ledger = plan.cell.folder.join(LEDGER);
    let ledger =
        Ledger::open(&ledger, &plan.cell.task).map_err(|error| format!("{}: {error}", ledger.display()))?;
    Ok(Proxy::new(plan.cell.hosts.clone(), ledger))
}

/// A stop is for the worker: it gets its grace, and this process, which holds the cell, ends after it.
#[expect(unsafe_code, reason = "the disposition of a signal has no safe call")]
fn hold_out() -> Result<(), String> {
    for ignored in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: ignoring installs no handler, so no code runs in a signal's context.
        unsafe { signal(ignored, SigHandler::SigIgn) }.map_err(|error| format!("{ignored}: {error}"))?;
    }
    Ok(())
}

fn start(
    plan: &Plan,
    program: Option<&Path>,
    path: &Path,
    door: OwnedFd,
    command: &[OsString],
) -> Result<Child, String> {
    let cell = &plan.cell;
    let number = door.as_raw_fd().to_string();
    // It must reach the first process inside, by way of bubblewrap.
    fcntl_setfd(&door, FdFlags::empty()).map_err(|error| error.to_string())?;
    let inside = |start: &mut Command| {
        start.arg(INSIDE).arg(&number);
        match program {
            // The plan itself is not seen inside; the doors are all that is needed of it.
            Some(_) => start.args(plan.doors().iter().map(SocketAddr::to_string)),
            None => start.arg(path),
        };
        start.arg("--").args(command);
    };
    #[expect(clippy::disallowed_methods, reason = "a home of processes: the cell's own")]
    let mut start = match program {
        Some(program) => {
            let (uid, gid) = bubblewrap::user();
            bubblewrap::write_people(cell, uid, gid).map_err(|error| error.to_string())?;
            let mut start = Command::new(program);
            start.args(bubblewrap::arguments(cell, rustix::process::geteuid().is_root()));
            start.arg("--").arg(&cell.exe);
            start
        }
        None => Command::new(&cell.exe),
    };
    inside(&mut start);
    start.arg0(if program.is_some() {
        "bwrap"
    } else {
        "orchestrator"
    });
    // Dropping `door` on return leaves the one inside as the only end: its death is heard.
    start
        .spawn()
        .map_err(|error| format!("cannot start the cell: {error}"))
}

/// One thread a listener. A door that falls shut ends all: a worker without its proxy is not what was started.
pub(super) fn attend(
    proxy: &Arc<Proxy>,
    listeners: Vec<TcpListener>,
    doors: &[SocketAddr],
) -> Result<(), String> {
    let targets = std::iter::once(None).chain(doors.iter().copied().map(Some));
    for (listener, target) in listeners.into_iter().zip(targets) {
        let proxy = proxy.clone();
        let serve = move || {
            let _fall = Fall;
            let error = match target {
                None => proxy.serve(&listener),
                Some(to) => proxy.hand_on(&listener, to),
            };
            eprintln!("sandbox: the proxy failed: {error}");
        };
        let started = std::thread::Builder::new().spawn(serve);
        started.map_err(|error| format!("cannot start the proxy: {error}"))?;
    }
    Ok(())
}

/// Ends this process, and with it the cell, when its thread ends for whatever reason.
struct Fall;

impl Drop for Fall {
    fn drop(&mut self) {
        std::process::exit(super::NO_CELL.into());
    }
}

fn end_as(child: &mut Child) -> Result<ExitCode, String> {
    let status = loop {
        match child.wait() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other.map_err(|error| format!("cannot wait for the cell: {error}"))?,
        }
    };
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    ))
}
