//! The worker's tree as its supervisor sees it: reap the dead, signal the living.
//!
//! As a subreaper it gets every orphan of its tree as a child, so "no child left" (ECHILD) is the kernel's word that
//! no descendant is left; looks at `/proc` only serve to find whom to signal.

use std::collections::HashSet;
use std::io;

use rustix::process::{Signal, WaitOptions, getpid, wait};

use crate::runtime::cgroup::Group;
use crate::runtime::process::{Census, Identity, Pid, Status};

/// Rounds of stopping, at most; whoever is not stopped then is killed all the same.
const SWEEPS: u32 = 20;

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

/// The worker's tree, by descent and by control group.
pub(super) struct Tree {
    group: Group,
    /// Whether the killing has begun.
    doomed: bool,
}

impl Tree {
    pub(super) fn new(group: Group) -> Self {
        Self { group, doomed: false }
    }

    /// Whether nobody is in the group; one that cannot be read is no reason to wait for.
    pub(super) fn is_empty(&self) -> bool {
        self.group.members().is_ok_and(|members| members.is_empty())
    }

    /// The polite signal. One that was stopped does not hear it before it goes on.
    pub(super) fn ask_to_end(&self) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT).map(|_reached| ())
    }

    /// One round of killing; returns who was reached by it. The first one sees to it that nobody starts another before.
    pub(super) fn kill(&mut self) -> io::Result<HashSet<(Pid, u64)>> {
        if !std::mem::replace(&mut self.doomed, true) && !self.group.forbid_forks() {
            self.hold_still()?;
        }
        let found = self.signal(Signal::KILL)?;
        self.group.kill();
        Ok(found)
    }

    /// Stops all, until a look finds nobody new: what is stopped starts nobody.
    fn hold_still(&self) -> io::Result<()> {
        let mut still = HashSet::new();
        for _ in 0..SWEEPS {
            let before = still.len();
            still.extend(self.signal(Signal::STOP)?);
            if still.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// Signals all that live now, and returns who they were.
    fn signal(&self, signal: Signal) -> io::Result<HashSet<(Pid, u64)>> {
        let mut reached = HashSet::new();
        for process in self.living()? {
            // One that refuses the signal (another user's, by setuid) must not save the others.
            if process.signal(signal).unwrap_or(false) {
                reached.insert((process.pid, process.start_time));
            }
        }
        Ok(reached)
    }

    fn living(&self) -> io::Result<Vec<Identity>> {
        let mut living = Census::take()?.descendants(&[getpid().as_raw_pid()]);
        // The group can only add to them; without a word of it they are all that is known.
        let members = self.group.members().unwrap_or_default();
        let known: HashSet<Pid> = living.iter().map(|process| process.pid).collect();
        let others = members.into_iter().filter(|pid| !known.contains(pid));
        living.extend(others.filter_map(|pid| Identity::of(pid).ok()));
        Ok(living)
    }

    /// How many of them were killed for want of memory.
    pub(super) fn killed_for_memory(&self) -> u64 {
        self.group.killed_for_memory()
    }

    /// Nobody is left; an empty group that stays is swept at the orchestrator's next start.
    pub(super) fn remove(&self) {
        if let Err(error) = self.group.remove() {
            eprintln!("the control group stays: {error}");
        }
    }
}
