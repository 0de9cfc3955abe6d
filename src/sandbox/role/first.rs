//! The first process of a container: takes the worker's streams from outside, starts the worker, buries whoever loses
//! its parent, and ends with the line to the outside. The kernel ends everybody else in the container with it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::container::{Errand, STOP};
use super::{handover, inside};
use crate::sandbox::landlock;
use crate::sandbox::seccomp::Walls;

const PATH: &str = "PATH";

pub(super) fn run(door: &Path) -> Result<ExitCode, String> {
    // Nobody in here looks into this process, or takes its line from it.
    let sealed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    sealed.map_err(|error| format!("cannot be sealed: {error}"))?;
    let line = UnixStream::connect(door).map_err(|error| format!("no line to the outside: {error}"))?;
    let errand = take(&line).map_err(|error| format!("no errand from outside: {error}"))?;
    let proxy = hand_out(&line, &errand.doors)?;
    landlock::drop_capabilities().map_err(|error| format!("cannot give up capabilities: {error}"))?;
    inside::fence_calls(Walls::OwnNetwork)?;
    let worker = start(&errand, proxy)?;
    let watched = line.try_clone().map_err(|error| error.to_string())?;
    let watch = std::thread::Builder::new().spawn(move || obey(watched));
    watch.map_err(|error| format!("cannot watch the line: {error}"))?;
    let code = outlive(worker)?;
    (&line)
        .write_all(&[code])
        .map_err(|error| format!("cannot tell the end: {error}"))?;
    Ok(ExitCode::from(code))
}

fn take(mut line: &UnixStream) -> std::io::Result<Errand> {
    let streams: Vec<OwnedFd> = handover::receive(line)?;
    let [stdin, stdout, stderr] = streams.as_slice() else {
        return Err(std::io::Error::other("three streams are needed"));
    };
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    let mut length = [0; 4];
    line.read_exact(&mut length)?;
    let mut text = Vec::new();
    line.take(u32::from_be_bytes(length).into())
        .read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn hand_out(line: &UnixStream, doors: &[SocketAddr]) -> Result<SocketAddr, String> {
    let listeners = inside::open(doors)?;
    let proxy = listeners[0].local_addr().map_err(|error| error.to_string())?;
    handover::send(line, &listeners).map_err(|error| format!("cannot hand the doors out: {error}"))?;
    Ok(proxy)
}

fn start(errand: &Errand, proxy: SocketAddr) -> Result<u32, String> {
    let [program, rest @ ..] = errand.argv.as_slice() else {
        return Err("there is no command".to_owned());
    };
    #[expect(clippy::disallowed_methods, reason = "the image says where its programs are")]
    let of_image = std::env::var_os(PATH);
    let mut command = inside::worker(program, rest);
    command
        .env_clear()
        .envs(environment(&errand.env, of_image.as_deref()));
    inside::lead_to(&mut command, proxy);
    command.current_dir(&errand.workspace);
    let told = |error| format!("'{}' cannot be run in the container: {error}", program.display());
    Ok(command.spawn().map_err(told)?.id())
}

/// The worker's own, where the image's programs are found first.
fn environment(given: &[(OsString, OsString)], of_image: Option<&OsStr>) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = given.iter().cloned().collect();
    let own = env.get(OsStr::new(PATH)).cloned();
    let all: Vec<OsString> = of_image.map(OsStr::to_owned).into_iter().chain(own).collect();
    if !all.is_empty() {
        env.insert(PATH.into(), all.join(OsStr::new(":")));
    }
    env
}

/// Hands stops on to all, and ends all when nobody is outside any more.
fn obey(mut line: UnixStream) {
    let mut word = [0];
    while line.read(&mut word).is_ok_and(|read| read == 1) {
        if word[0] == STOP {
            let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
        }
    }
    std::process::exit(128 + 9);
}

/// Waits for the worker's end, and buries whoever else ends. Its exit code, or 128 and its signal.
fn outlive(worker: u32) -> Result<u8, String> {
    let is_worker = |pid: Pid| u32::try_from(pid.as_raw()) == Ok(worker);
    let code = loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if is_worker(pid) => break code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if is_worker(pid) => break 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("cannot wait for the worker: {error}")),
        }
    };
    Ok(u8::try_from(code).unwrap_or(1))
}
