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

use super::{WORKER, role};
use crate::runtime::process::{Identity, Order, Pid, Registration, file};

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

/// Starts the worker and registers it.
pub(super) fn launch(dir: &Path, order: &Order) -> Result<Pid, Refusal> {
    let (mut line, theirs) = UnixStream::pair()?;
    let mut child = role(WORKER, dir)
        .stdin(OwnedFd::from(theirs))
        .stdout(file::append(&dir.join(file::STDOUT))?)
        .stderr(file::append(&dir.join(file::STDERR))?)
        .process_group(0)
        .spawn()?;
    let worker = Pid::try_from(child.id()).map_err(io::Error::other)?;
    if let Err(error) = register(dir, order, worker) {
        // Without the word to go it ends by itself.
        drop(line);
        child.wait()?;
        return Err(error.into());
    }
    await_program(&mut line, &mut child)?;
    Ok(worker)
}

fn register(dir: &Path, order: &Order, worker: Pid) -> io::Result<()> {
    let supervisor = rustix::process::getpid().as_raw_pid();
    let registration = Registration::Supervised {
        supervisor: Identity::of(supervisor)?,
        worker: Identity::of(worker)?,
        key: order.key.clone(),
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
