//! Outside of a container: makes it, hands the worker's streams and environment in, stands at its door as the proxy,
//! and removes it.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::contained::{Plan, attend, doorkeeper};
use super::handover;
use crate::sandbox::container::{DOOR_FILE, Engine, Fault, House, prepare, request};

/// How long the first process may take until it calls.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the container is looked at meanwhile.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};
/// The word for the worker's end.
pub(super) const STOP: u8 = b'T';

/// What the first process is told once it has called. It goes over the line, and not into the engine's records: the
/// environment holds keys.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Errand {
    /// The worker's command.
    pub(super) argv: Vec<OsString>,
    /// Its environment.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(super) workspace: PathBuf,
    /// Addresses to be offered inside.
    pub(super) doors: Vec<SocketAddr>,
}

/// A container that was made.
struct Made<'a> {
    plan: &'a Plan,
    runtime: Runtime,
    engine: Engine,
    id: String,
}

pub(super) fn run(plan: &Plan, house: &House, command: &[OsString]) -> Result<ExitCode, String> {
    // Blocked before any thread is there, so that each of them leaves the signals to the one that waits for them.
    let stops: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
        .into_iter()
        .collect();
    stops
        .thread_block()
        .map_err(|error| format!("signals: {error}"))?;
    let door = open(&plan.cell.folder).map_err(|error| format!("cannot open a door: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let engine = Engine::new(&house.socket).map_err(|fault| fault.to_string())?;
    let made = async {
        let (uid, gid) = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        // Root in there is this very user out here.
        let user = if engine.is_rootless().await? {
            (0, 0)
        } else {
            (uid, gid)
        };
        Ok((user, prepare(&plan.cell, user), request(&plan.cell, house, user)))
    };
    let told = |fault: Fault| fault.to_string();
    let (_, prepared, wanted) = runtime.block_on(made).map_err(told)?;
    prepared.map_err(|error| format!("cannot prepare the container's files: {error}"))?;
    let id = runtime.block_on(engine.create(&wanted)).map_err(told)?;
    let made = Made {
        plan,
        runtime,
        engine,
        id,
    };
    let lived = made.live(&door, stops, command);
    let removed = made.runtime.block_on(made.engine.remove(&made.id));
    // It is dead in any case: what is left of it is swept by its label.
    if let Err(fault) = removed {
        eprintln!("sandbox: {fault}");
    }
    let _ = std::fs::remove_file(plan.cell.folder.join(DOOR_FILE));
    lived
}

/// A socket in the attempt's folder, for this user alone. Addressed by the folder's descriptor: paths of sockets may
/// not be long.
fn open(folder: &Path) -> std::io::Result<UnixListener> {
    let path = folder.join(DOOR_FILE);
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let folder = File::open(folder)?;
    let short = format!("/proc/self/fd/{}/{DOOR_FILE}", folder.as_raw_fd());
    let listener = UnixListener::bind(short)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Made<'_> {
    fn live(&self, door: &UnixListener, stops: SigSet, command: &[OsString]) -> Result<ExitCode, String> {
        let started = self.runtime.block_on(self.engine.start(&self.id));
        started.map_err(|fault| self.unfit(&fault.to_string()))?;
        let line = self.welcome(door)?;
        let doors = self.plan.doors();
        self.send_off(&line, &doors, command)
            .map_err(|error| format!("cannot talk to the container: {error}"))?;
        let listeners = handover::receive(&line).map_err(|error| format!("no word from inside: {error}"))?;
        if listeners.len() != 1 + doors.len() {
            return Err("the cell could not be set up in the container".to_owned());
        }
        attend(&doorkeeper(self.plan)?, listeners, &doors)?;
        let errands = line.try_clone().map_err(|error| error.to_string())?;
        let pass_on = move || {
            while stops.wait().is_ok() && (&errands).write_all(&[STOP]).is_ok() {}
        };
        let heard = std::thread::Builder::new().spawn(pass_on);
        heard.map_err(|error| format!("cannot listen to signals: {error}"))?;
        let mut code = [0];
        match (&line).read(&mut code) {
            Ok(1) => Ok(ExitCode::from(code[0])),
            _ => Ok(ExitCode::from(self.ended_from_outside())),
        }
    }

    /// Waits for the first process to call, as long as it can.
    fn welcome(&self, door: &UnixListener) -> Result<UnixStream, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut waited = [PollFd::new(door, PollFlags::IN)];
            if poll(&mut waited, Some(&LOOK)).is_ok_and(|ready| ready > 0) {
                let (line, _) = door.accept().map_err(|error| error.to_string())?;
                return Ok(line);
            }
            let state = self.runtime.block_on(self.engine.state(&self.id));
            let runs = state
                .map_err(|fault| fault.to_string())?
                .is_some_and(|state| state.running);
            if !runs {
                let said = self.runtime.block_on(self.engine.said(&self.id));
                return Err(self.unfit(&said.unwrap_or_else(|fault| fault.to_string())));
            }
            if Instant::now() > deadline {
                return Err(format!("the container said nothing for {} s", PATIENCE.as_secs()));
            }
        }
    }

    fn unfit(&self, why: &str) -> String {
        // The reason is one line of many to whoever reads the end of it.
        let why: Vec<&str> = why.lines().collect();
        format!("this program cannot be run in the image: {}", why.join(", "))
    }

    fn send_off(&self, line: &UnixStream, doors: &[SocketAddr], command: &[OsString]) -> std::io::Result<()> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        handover::send(line, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this process has the worker's environment"
        )]
        let env = std::env::vars_os().collect();
        let errand = Errand {
            argv: command.to_vec(),
            env,
            workspace: self.plan.cell.workspace.clone(),
            doors: doors.to_vec(),
        };
        let text = serde_json::to_vec(&errand)?;
        let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
        let mut line = line;
        line.write_all(&length.to_be_bytes())?;
        line.write_all(&text)
    }

    /// It ended without a word: by the engine, by the kernel, by somebody.
    fn ended_from_outside(&self) -> u8 {
        match self.runtime.block_on(self.engine.state(&self.id)) {
            Ok(Some(state)) if state.out_of_memory => eprintln!("sandbox: the container ran out of memory"),
            Ok(Some(state)) if !state.running => {
                eprintln!(
                    "sandbox: the container was ended from outside ({})",
                    state.exit_code
                );
            }
            Ok(_) => eprintln!("sandbox: the container was ended from outside"),
            Err(fault) => eprintln!("sandbox: the container ended; {fault}"),
        }
        128 + 9
    }
}
