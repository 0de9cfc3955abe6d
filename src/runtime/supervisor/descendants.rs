//! The supervisor's descendants: reap the dead, signal the living.
//!
//! As a subreaper it gets every orphan of its tree as a child, so "no child left" (ECHILD) is the kernel's word that
//! no descendant is left; looks at `/proc` only serve to find whom to signal.

use std::collections::HashSet;
use std::io;

use rustix::process::{Signal, WaitOptions, getpid, wait};

use crate::runtime::process::{Census, Pid, Status};

/// What reaping found.
pub(super) struct Reaped {
    /// How the worker's first process ended, if it did now.
    pub(super) worker: Option<Status>,
    /// Whether nobody is left.
    pub(super) nobody_left: bool,
}

/// Reaps whoever has ended.
pub(super) fn reap(worker: Pid) -> io::Result<Reaped> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_pid() == worker => {
                let code = status.exit_status().map(Status::Code);
                found = code.or_else(|| status.terminating_signal().map(Status::Signal));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => {
                return Ok(Reaped {
                    worker: found,
                    nobody_left: false,
                });
            }
            Err(rustix::io::Errno::CHILD) => {
                return Ok(Reaped {
                    worker: found,
                    nobody_left: true,
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Signals all that live now, and returns who they were.
pub(super) fn signal_all(signal: Signal) -> io::Result<HashSet<(Pid, u64)>> {
    let census = Census::take()?;
    let mut reached = HashSet::new();
    for process in census.descendants(&[getpid().as_raw_pid()]) {
        // One that refuses the signal (another user's, by setuid) must not save the others.
        if process.signal(signal).unwrap_or(false) {
            reached.insert((process.pid, process.start_time));
        }
    }
    Ok(reached)
}
