//! Limits that a process sets on itself before it becomes the worker, and that all its children inherit.
//!
//! Memory and processes are limited here only where the attempt's control group does not do it: these limits count for
//! each process, or for all that the user runs, and not for the tree.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

use crate::runtime::cgroup::Group;
use crate::runtime::process::Limits;

/// How readily the system ends a worker when the machine itself runs out of memory (-1000 to 1000): before us, before
/// people's programs.
const OOM_SCORE: &str = "500";

/// Applies them; a limit that is stricter already stays. Core dumps are always off: they hold secrets.
pub(super) fn apply(limits: &Limits, group: &Group) -> io::Result<()> {
    // Every process may make itself a likelier victim; where even that is refused, nothing is lost but the order.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let processes = limits.processes.filter(|_| !group.limits_processes);
    let wanted = [
        (Resource::Core, Some(0)),
        (Resource::Nproc, processes.map(|n| n.saturating_add(running()))),
        (Resource::Fsize, limits.file_bytes),
        // Not the address space: interpreters reserve hundreds of times what they use.
        (
            Resource::Data,
            limits.memory_bytes.filter(|_| !group.limits_memory),
        ),
    ];
    for (resource, limit) in wanted {
        if let Some(limit) = limit {
            lower(resource, limit)?;
        }
    }
    Ok(())
}

/// Processes and threads that this user runs now: what the system counts, since its limit is the user's.
fn running() -> u64 {
    let us = getuid().as_raw();
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = folders.filter_map(|folder| {
        folder.file_name().to_str()?.parse::<u32>().ok()?;
        threads_of(&fs::read_to_string(folder.path().join("status")).ok()?, us)
    });
    threads.sum()
}

/// The threads of a process, from its `status`, if it is this user's.
fn threads_of(status: &str, user: u32) -> Option<u64> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let owner: u32 = field("Uid:")?.split_ascii_whitespace().next()?.parse().ok()?;
    (owner == user)
        .then(|| field("Threads:")?.trim().parse().ok())
        .flatten()
}

fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let at_most = |old: Option<u64>| Some(old.map_or(limit, |old| old.min(limit)));
    let new = Rlimit {
        current: at_most(now.current),
        maximum: at_most(now.maximum),
    };
    Ok(setrlimit(resource, new)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_for_their_user() {
        let status = "Name:\tsh\nUid:\t1000\t1000\t1000\t1000\nThreads:\t7\n";
        assert_eq!(threads_of(status, 1000), Some(7));
        assert_eq!(threads_of(status, 1001), None);
        assert_eq!(threads_of("Uid:\t1", 1), None);
        assert!(running() >= 1);
    }
}
