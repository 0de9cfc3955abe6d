//! The supervisor's life: prepare, launch, greet, watch, record.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{getpid, set_child_subreaper, setsid};
use rustix::stdio::dup2_stdout;

use super::launch::{Refusal, launch};
use super::watch::Watch;
use crate::runtime::process::{Cause, Exit, Greeting, Order, file, wall_now};

pub(super) fn run(dir: &Path) -> ExitCode {
    match supervise(dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the supervisor of {} ends: {error}", dir.display());
            greet(&Greeting::Failed {
                reason: error.to_string(),
            });
            ExitCode::FAILURE
        }
    }
}

fn supervise(dir: &Path) -> io::Result<()> {
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    let signals = catch_signals()?;
    let order: Order = file::get_json(&dir.join(file::SPEC))?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} is missing", file::SPEC)))?;
    let launched = match launch(dir, &order) {
        Ok(launched) => launched,
        Err(Refusal::Worker(reason)) => return refuse(dir, reason),
        Err(Refusal::Own(error)) => return Err(error),
    };
    greet(&Greeting::Running);
    let exit = Watch::new(dir, &order, launched, signals)?.until_nobody_is_left()?;
    record(dir, &exit)
}

fn refuse(dir: &Path, reason: String) -> io::Result<()> {
    let cause = Cause::SpawnFailed {
        reason: reason.clone(),
    };
    record(
        dir,
        &Exit {
            cause,
            status: None,
            ended_at: wall_now(),
            stragglers_killed: 0,
        },
    )?;
    greet(&Greeting::Refused { reason });
    Ok(())
}

/// A hangup or an interrupt is not for this process: they are blocked and never read.
fn catch_signals() -> io::Result<SignalFd> {
    let mut read = SigSet::empty();
    read.add(Signal::SIGTERM);
    read.add(Signal::SIGCHLD);
    let mut blocked = read;
    blocked.add(Signal::SIGINT);
    blocked.add(Signal::SIGHUP);
    blocked.add(Signal::SIGPIPE);
    blocked.thread_block()?;
    Ok(SignalFd::with_flags(
        &read,
        SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
    )?)
}

/// Says its one line and lets go of the pipe, whose other end may be gone already.
fn greet(greeting: &Greeting) {
    if let Ok(line) = serde_json::to_vec(greeting) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = dup2_stdout(nowhere);
    }
}

/// A full disk may have room again in a moment, and this record is worth a wait.
fn record(dir: &Path, exit: &Exit) -> io::Result<()> {
    let path = dir.join(file::EXIT);
    let mut tries = 0;
    loop {
        match file::put_json(&path, exit) {
            Err(error) if tries < 50 => {
                eprintln!("cannot write {}: {error}", path.display());
                tries += 1;
                std::thread::sleep(Duration::from_millis(200));
            }
            written => return written,
        }
    }
}
