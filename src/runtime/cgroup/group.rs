//! An attempt's group, over all hierarchies.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::branch::{Branch, Hierarchy, remove_below};
use super::place::Place;
use crate::runtime::process::{Identity, Pid};

/// How the names of our groups begin.
const PREFIX: &str = "orchestrator-";
/// How often a group is tried to be removed: right after its last process's end the kernel can take a moment.
const TRIES: u32 = 40;

/// What a group may use; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::runtime) struct Bounds {
    /// Bytes of memory.
    pub(in crate::runtime) memory: Option<u64>,
    /// Processes and threads.
    pub(in crate::runtime) processes: Option<u64>,
}

/// An attempt's group; empty where none could be had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime) struct Group {
    branches: Vec<Branch>,
    /// Whether its memory is limited by it.
    pub(in crate::runtime) limits_memory: bool,
    /// Whether its processes are.
    pub(in crate::runtime) limits_processes: bool,
}

impl Group {
    /// Makes one with these bounds, as far as it can be had, named after the process that makes it.
    pub(in crate::runtime) fn make(maker: &Identity, bounds: Bounds) -> Self {
        let place = Place::own();
        let name = format!("{PREFIX}{}-{}", maker.pid, maker.start_time);
        let mut group = Self::default();
        let wanted = [
            (Hierarchy::Unified, &place.unified),
            (Hierarchy::Memory, &place.memory),
            (Hierarchy::Pids, &place.pids),
        ];
        for (hierarchy, own) in wanted {
            let Some(own) = own else { continue };
            // Without the right to make one it is simply not there; the record says so.
            if let Ok(branch) = Branch::make(hierarchy, own, &name) {
                group.branches.push(branch);
            }
        }
        group.limits_memory = bounds.memory.is_some_and(|bytes| group.limit_memory(bytes));
        group.limits_processes = bounds.processes.is_some_and(|n| group.limit_processes(n));
        group
    }

    fn limit_memory(&self, bytes: u64) -> bool {
        let bytes = bytes.to_string();
        self.any(|branch| match branch.hierarchy {
            Hierarchy::Unified => {
                // Swapping would only make it slow before it ends; a kernel without swap has no such file.
                let _ = branch.put("memory.swap.max", "0");
                branch.has("memory.max") && branch.put("memory.max", &bytes).is_ok()
            }
            Hierarchy::Memory => {
                let limited = branch.put("memory.limit_in_bytes", &bytes).is_ok();
                let _ = branch.put("memory.memsw.limit_in_bytes", &bytes);
                limited
            }
            Hierarchy::Pids => false,
        })
    }

    /// A number may be lower than what runs: then nothing new starts.
    fn limit_processes(&self, n: u64) -> bool {
        let n = n.to_string();
        self.any(|branch| branch.has("pids.max") && branch.put("pids.max", &n).is_ok())
    }

    fn any(&self, mut try_one: impl FnMut(&Branch) -> bool) -> bool {
        // Not lazily: each branch is to be tried.
        self.branches.iter().map(&mut try_one).fold(false, |a, b| a | b)
    }

    /// Puts a process in; what it starts from then on is in it too. A hierarchy that refuses it is done without.
    pub(in crate::runtime) fn take_in(&mut self, pid: i32) {
        let before = self.branches.len();
        self.branches.retain(|branch| {
            let taken = branch.put("cgroup.procs", &pid.to_string()).is_ok();
            if !taken {
                let _ = branch.remove();
            }
            taken
        });
        if self.branches.len() != before {
            let limits = |memory: &str, other: &str| {
                self.branches
                    .iter()
                    .any(|branch| branch.has(memory) || branch.has(other))
            };
            self.limits_memory &= limits("memory.max", "memory.limit_in_bytes");
            self.limits_processes &= limits("pids.max", "pids.max");
        }
    }

    /// Who is in it, dead ones that nobody reaped yet included.
    pub(in crate::runtime) fn members(&self) -> io::Result<BTreeSet<i32>> {
        let mut all = BTreeSet::new();
        for branch in &self.branches {
            all.extend(branch.members()?);
        }
        Ok(all)
    }

    /// Lets nobody in it start another process or thread any more; says whether that holds.
    pub(in crate::runtime) fn forbid_forks(&self) -> bool {
        self.limit_processes(0)
    }

    /// Kills all in it in one step, where the kernel can (`cgroup.kill`, 5.14).
    pub(in crate::runtime) fn kill(&self) -> bool {
        self.any(|branch| branch.has("cgroup.kill") && branch.put("cgroup.kill", "1").is_ok())
    }

    /// How many of its processes were killed for want of memory.
    pub(in crate::runtime) fn killed_for_memory(&self) -> u64 {
        let counts = self.branches.iter().map(|branch| match branch.hierarchy {
            Hierarchy::Unified => branch.count("memory.events", "oom_kill"),
            Hierarchy::Memory => branch.count("memory.oom_control", "oom_kill"),
            Hierarchy::Pids => 0,
        });
        counts.max().unwrap_or(0)
    }

    /// Removes it. Nobody may be in it.
    pub(in crate::runtime) fn remove(&self) -> io::Result<()> {
        let mut last = Ok(());
        for branch in &self.branches {
            for _ in 0..TRIES {
                last = branch.remove();
                if last.is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        last
    }
}

/// Removes empty groups that supervisors who were killed left behind; `is_alive` knows a process by number and start.
pub(in crate::runtime) fn sweep(is_alive: impl Fn(Pid, u64) -> bool) {
    let place = Place::own();
    let is_left_over = |name: &str| {
        let maker = name.strip_prefix(PREFIX).and_then(|maker| maker.split_once('-'));
        let maker = maker.and_then(|(pid, start)| Some((pid.parse().ok()?, start.parse().ok()?)));
        maker.is_some_and(|(pid, start)| !is_alive(pid, start))
    };
    let places = [
        (Hierarchy::Unified, place.unified),
        (Hierarchy::Memory, place.memory),
        (Hierarchy::Pids, place.pids),
    ];
    for (hierarchy, own) in places {
        if let Some(own) = own {
            remove_below(hierarchy, &own, is_left_over);
        }
    }
}
