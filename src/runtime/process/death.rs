//! Knowing that an attempt's processes are gone, also when their supervisor cannot say so any more.
//!
//! Three ways lead to a process: descent from the worker, the attempt's key in its environment, the attempt's control
//! group. Known limit: with the supervisor killed from outside and no control group to be had, a process that left the
//! tree *and* wiped its environment is not found.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::file;
use super::identity::Identity;
use super::record::Registration;
use super::running::request_stop;
use super::spec::{KEY_VARIABLE, Order};
use super::tree::{Census, Pid, Stat};
use crate::runtime::cgroup::{self, Group};

/// Whether anybody of an attempt's tree lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// Nobody.
    Confirmed,
    /// These do.
    StillAlive(Vec<Pid>),
}

/// Why an attempt's processes are not known to be gone.
#[derive(Debug, thiserror::Error)]
pub enum StillThere {
    /// They do not die: stopped in the kernel, or another user's.
    #[error(
        "processes {pids:?} of the attempt do not end on SIGKILL; look at them with ps, and free what they wait for"
    )]
    Stubborn {
        /// Their numbers.
        pids: Vec<Pid>,
    },
    /// The process table or the attempt's files cannot be read.
    #[error("cannot tell whether the attempt's processes are gone: {0}")]
    Unknown(#[from] io::Error),
}

/// Looks whether anybody of the attempt's tree lives: the supervisor, the worker, their descendants, and any process
/// with the attempt's key in its environment.
pub fn confirm_dead(dir: &Path) -> io::Result<Death> {
    let found = survivors(dir)?;
    if found.is_empty() {
        return Ok(Death::Confirmed);
    }
    Ok(Death::StillAlive(
        found.into_iter().map(|process| process.pid).collect(),
    ))
}

/// Kills whoever of the attempt's tree lives, and returns how many it killed once nobody does.
///
/// A living supervisor is asked first, since it finds every descendant. Blocks for `patience` at most.
pub fn kill_strays(dir: &Path, patience: Duration) -> Result<u32, StillThere> {
    let deadline = Instant::now() + patience;
    if let Some(Registration::Supervised { supervisor, .. }) = file::get_json(&dir.join(file::SUPERVISOR))? {
        request_stop(dir, &supervisor, Duration::ZERO)?;
        await_end(&supervisor, patience / 2)?;
    }
    let mut killed: HashSet<(Pid, u64)> = HashSet::new();
    loop {
        let found = survivors(dir)?;
        if found.is_empty() {
            remove_group(dir);
            return Ok(u32::try_from(killed.len()).unwrap_or(u32::MAX));
        }
        if Instant::now() > deadline {
            return Err(StillThere::Stubborn {
                pids: found.iter().map(|process| process.pid).collect(),
            });
        }
        if let Some(group) = group(dir)? {
            group.forbid_forks();
        }
        for process in &found {
            if process.signal(Signal::KILL)? {
                killed.insert((process.pid, process.start_time));
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A supervisor that is stopped or stuck is no reason to wait for longer.
fn await_end(supervisor: &Identity, patience: Duration) -> io::Result<()> {
    let Some(fd) = supervisor.pidfd()? else {
        return Ok(());
    };
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    let patience = rustix::time::Timespec::try_from(patience).map_err(io::Error::other)?;
    rustix::event::poll(&mut fds, Some(&patience))?;
    Ok(())
}

/// One look can miss a process whose parent dies meanwhile, so an empty one is repeated.
fn survivors(dir: &Path) -> io::Result<Vec<Identity>> {
    let found = look(dir)?;
    if found.is_empty() { look(dir) } else { Ok(found) }
}

/// Removes empty control groups that supervisors who were killed left behind on this machine.
pub fn sweep_groups() {
    cgroup::sweep(|pid, start_time| Stat::read(pid).is_ok_and(|stat| stat.start_time == start_time));
}

/// The attempt's control group, where one is written down.
fn group(dir: &Path) -> io::Result<Option<Group>> {
    Ok(match file::get_json(&dir.join(file::SUPERVISOR))? {
        Some(Registration::Supervised { group, .. }) => Some(group),
        _ => None,
    })
}

/// The supervisor does it where it lives to see the end.
fn remove_group(dir: &Path) {
    let removed = group(dir).and_then(|group| group.map_or(Ok(()), |group| group.remove()));
    if let Err(error) = removed {
        tracing::debug!(dir = %dir.display(), %error, "its control group stays until the next start");
    }
}

fn look(dir: &Path) -> io::Result<Vec<Identity>> {
    // Torn by a power cut it is no help, and none is needed: its processes went with the power too.
    let order: Option<Order> = file::get_json(&dir.join(file::SPEC)).unwrap_or_default();
    let registration: Option<Registration> = file::get_json(&dir.join(file::SUPERVISOR))?;
    let census = Census::take()?;
    let mut found = Vec::new();
    let mut key = order.map(|order| order.key);
    if let Some(Registration::Supervised {
        supervisor,
        worker,
        key: registered,
        group,
    }) = registration
    {
        found.extend([supervisor, worker].into_iter().filter(Identity::is_alive));
        let members = group.members()?;
        found.extend(
            members
                .into_iter()
                .filter_map(|pid| Identity::of(pid).ok().filter(Identity::is_alive)),
        );
        key = Some(registered);
    }
    // A scan for an empty key would be a scan for nobody's processes.
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        found.extend(census.with_variable(KEY_VARIABLE, &key));
    }
    let roots: Vec<Pid> = found.iter().map(|process| process.pid).collect();
    found.extend(census.descendants(&roots));
    found.retain(|process| process.pid != own_pid());
    found.sort_by_key(|process| process.pid);
    found.dedup_by_key(|process| process.pid);
    Ok(found)
}

/// Never this program, even if it was itself started by a worker.
fn own_pid() -> Pid {
    rustix::process::getpid().as_raw_pid()
}
