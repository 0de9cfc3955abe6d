//! Starting the worker: it stands ready, is registered, and only then runs.
//!
//! The worker's first process holds one end of a socket pair as its standard input until its program runs. It waits
//! there for the word to go; the kernel closes it when the program is loaded, and until then it carries the reason
//! why that failed.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;

use super::pump::Pump;
use super::{WORKER, role};
use crate::runtime::cgroup::{Bounds, Group};
use crate::runtime::process::{Identity, Lease, Order, Pid, Registration, boot_now, file};

/// Why there is no worker.
pub(super) enum Refusal {
    /// Its program cannot be run.
    Worker(String),
    /// The supervisor cannot do its part, or must not.
    Own(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Own(error)
    }
}

/// A worker whose program runs.
pub(super) struct Launched {
    pub(super) worker: Pid,
    pub(super) group: Group,
    pub(super) pump: Pump,
}

/// Starts the worker and registers it.
pub(super) fn launch(dir: &Path, order: &Order) -> Result<Launched, Refusal> {
    let us = Identity::of(rustix::process::getpid().as_raw_pid())?;
    let bounds = Bounds {
        memory: order.limits.memory_bytes,
        processes: order.limits.processes,
    };
    let mut group = Group::make(&us, bounds);
    let launched = launch_in(&mut group, us, dir, order);
    if launched.is_err() {
        // Nobody is in it; what stays of it is swept at the orchestrator's next start.
        let _ = group.remove();
    }
    let (worker, pump) = launched?;
    Ok(Launched { worker, group, pump })
}

fn launch_in(group: &mut Group, us: Identity, dir: &Path, order: &Order) -> Result<(Pid, Pump), Refusal> {
    let (mut line, theirs) = UnixStream::pair()?;
    let ((stdout, their_stdout), (stderr, their_stderr)) = (io::pipe()?, io::pipe()?);
    let mut child = role(WORKER, dir)
        .stdin(OwnedFd::from(theirs))
        .stdout(their_stdout)
        .stderr(their_stderr)
        .process_group(0)
        .spawn()?;
    let worker = Pid::try_from(child.id()).map_err(io::Error::other)?;
    group.take_in(worker);
    if let Err(error) = register(dir, order, us, worker, group.clone()) {
        // Without the word to go it ends by itself.
        drop(line);
        child.wait()?;
        return Err(error.into());
    }
    if is_taken_over(dir) {
        drop(line);
        child.wait()?;
        let reason = "the lease of this node ran out before it was started; its tasks are others' now";
        return Err(Refusal::Worker(reason.to_owned()));
    }
    await_program(&mut line, &mut child)?;
    let streams = [
        (stdout, file::append(&dir.join(file::STDOUT))?),
        (stderr, file::append(&dir.join(file::STDERR))?),
    ];
    let pump = Pump::new(streams, order.limits.output_bytes, order.limits.output_rate)?;
    Ok((worker, pump))
}

/// Whether others have taken the task over: whoever was on the way meanwhile starts nothing.
fn is_taken_over(dir: &Path) -> bool {
    let lease = Lease::read(dir).ok().flatten();
    let until = lease.and_then(Lease::until);
    until.is_some_and(|until| boot_now() >= until)
}

fn register(dir: &Path, order: &Order, us: Identity, worker: Pid, group: Group) -> io::Result<()> {
    let registration = Registration::Supervised {
        supervisor: us,
        worker: Identity::of(worker)?,
        key: order.key.clone(),
        group,
    };
    file::put_json_once(&dir.join(file::SUPERVISOR), &registration)
}

fn await_program(line: &mut UnixStream, child: &mut Child) -> Result<(), Refusal> {
    line.write_all(b"!")?;
    let mut reason = String::new();
    line.read_to_string(&mut reason)?;
    if reason.is_empty() {
        return Ok(());
    }
    child.wait()?;
    Err(Refusal::Worker(reason))
}
