//! The first process in a cell: from this program to the worker's.
//!
//! It has one thread and no secret but its environment, which is the worker's.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::set_parent_process_death_signal;

use super::contained::Plan;
use super::{first, handover};
use crate::sandbox::landlock;
use crate::sandbox::seccomp::{Walls, filter, no_clone3};

/// Variables by which programs find a proxy, in both spellings.
const PROXY: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];
/// What is in the cell itself, or offered at its own address.
const DIRECT: &str = "localhost,127.0.0.1,::1";

pub(super) fn run(args: &[OsString]) -> Result<ExitCode, String> {
    if let [door] = args {
        return first::run(Path::new(door));
    }
    let dashes = args
        .iter()
        .position(|arg| arg == "--")
        .ok_or("needs -- and a command")?;
    let ([number, places @ ..], [_, program, rest @ ..]) = args.split_at(dashes) else {
        return Err("needs a descriptor and a command".to_owned());
    };
    let line = take(number)?;
    let plan = match places {
        [path] if Path::new(path).is_absolute() => Some(Plan::load(Path::new(path))?),
        _ => None,
    };
    let doors: Vec<SocketAddr> = match &plan {
        Some(_) => Vec::new(),
        None => places
            .iter()
            .filter_map(|place| place.to_str()?.parse().ok())
            .collect(),
    };
    let listeners = open(&doors)?;
    let proxy = listeners[0].local_addr().map_err(|error| error.to_string())?;
    handover::send(&line, &listeners).map_err(|error| format!("cannot hand the doors out: {error}"))?;
    drop((line, listeners));
    let walls = match &plan {
        Some(plan) => {
            restrict(plan, proxy.port())?;
            Walls::SharedNetwork
        }
        None => Walls::OwnNetwork,
    };
    fence_calls(walls)?;
    let mut command = worker(program, rest);
    lead_to(&mut command, proxy);
    hear_again()?;
    let error = command.exec();
    Err(format!("'{}' cannot be run: {error}", program.display()))
}

fn take(number: &OsString) -> Result<OwnedFd, String> {
    let number: Option<RawFd> = number.to_str().and_then(|text| text.parse().ok());
    let number = number.filter(|n| *n > 2).ok_or("the descriptor is no number")?;
    #[expect(
        unsafe_code,
        reason = "there is no owned handle for a descriptor that came by inheritance"
    )]
    // SAFETY: the process that started this one left exactly this descriptor open for it, and nobody else here uses it.
    let line = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&line, FdFlags::CLOEXEC).map_err(|error| format!("the descriptor is not open: {error}"))?;
    Ok(line)
}

/// The proxy's door first, then one at each address that is handed on.
pub(super) fn open(doors: &[SocketAddr]) -> Result<Vec<TcpListener>, String> {
    let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bind =
        |at: &SocketAddr| TcpListener::bind(at).map_err(|error| format!("cannot offer {at} inside: {error}"));
    // The listed doors first, so that the proxy's free port is none of theirs.
    let mut others = doors.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    others.insert(0, bind(&proxy)?);
    Ok(others)
}

fn restrict(plan: &Plan, proxy: u16) -> Result<(), String> {
    // There is no supervising bubblewrap between: this one dies with its parent by itself.
    let kill = Some(rustix::process::Signal::KILL);
    set_parent_process_death_signal(kill).map_err(|error| error.to_string())?;
    let loopback = plan.cell.hosts.iter().filter_map(|rule| rule.loopback());
    let ports: Vec<u16> = loopback.map(|at| at.port()).chain([proxy]).collect();
    landlock::drop_capabilities().map_err(|error| format!("cannot give up capabilities: {error}"))?;
    landlock::restrict(&plan.cell, &ports).map_err(|error| format!("landlock: {error}"))
}

pub(super) fn fence_calls(walls: Walls) -> Result<(), String> {
    let load = |program: Result<seccompiler::BpfProgram, seccompiler::BackendError>| {
        let program = program.map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())
    };
    load(filter(walls))
        .and_then(|()| load(no_clone3()))
        .map_err(|error| format!("seccomp: {error}"))
}

pub(super) fn worker(program: &OsString, rest: &[OsString]) -> Command {
    #[expect(clippy::disallowed_methods, reason = "a home of processes: the worker's")]
    let mut command = Command::new(program);
    command.args(rest);
    command
}

/// Tells it of the proxy.
pub(super) fn lead_to(command: &mut Command, proxy: SocketAddr) {
    for name in PROXY {
        command.env(name, format!("http://{proxy}"));
    }
    command.env("NO_PROXY", DIRECT).env("no_proxy", DIRECT);
    // Node listens to the variables above only when it is told to.
    command.env("NODE_USE_ENV_PROXY", "1");
}

/// What the processes outside ignore, the worker hears.
#[expect(unsafe_code, reason = "the disposition of a signal has no safe call")]
fn hear_again() -> Result<(), String> {
    for heard in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: the default disposition runs no code of this program.
        unsafe { signal(heard, SigHandler::SigDfl) }.map_err(|error| format!("{heard}: {error}"))?;
    }
    Ok(())
}
