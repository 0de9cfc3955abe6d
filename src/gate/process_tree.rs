//! Everything that a check started, and its end.
//!
//! Three nets: the process group, a mark in the environment that children inherit (also those that called setsid),
//! and a current folder in the gate's checkout (also those that cleaned their environment). In a sandbox of namespaces
//! there is no escape: killing what holds it ends all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The variable that marks a check's processes.
pub(super) const MARK: &str = "ORCHESTRATOR_CHECK_RUN";
/// How long it may take until killed processes are gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked when there is no time to wait.
const LAST_LOOKS: u32 = 20;
/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(10);

/// Kills what the checks of a service that died left behind: all that runs below this folder of gate checkouts. Tells
/// whether nobody is left. To be called before a new gate runs there.
pub async fn kill_orphans(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return true;
    };
    ProcessTree {
        leader: None,
        mark: mark_of(&folder, ""),
        folder,
    }
    .clear()
    .await
}

/// The beginning of the environment entry by which the processes of a run are found.
fn mark_of(home: &Path, run: &str) -> Vec<u8> {
    format!("{MARK}={}/{run}", home.display()).into_bytes()
}

/// The processes of one check. Dropping it kills them.
#[derive(Debug)]
pub(super) struct ProcessTree {
    /// The group's leader, as long as it is not reaped: afterwards its number may belong to somebody else.
    leader: Option<Pid>,
    mark: Vec<u8>,
    folder: PathBuf,
}

impl ProcessTree {
    /// The tree below this process, of this run in this folder.
    pub(super) fn new(leader: Option<u32>, run: &str, folder: &Path) -> Self {
        Self {
            leader: leader.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw),
            mark: mark_of(folder, run),
            folder: folder.to_path_buf(),
        }
    }

    /// Asks the group to end, and whoever is in a session of its own: what runs in a sandbox is.
    pub(super) fn ask(&self) {
        self.signal_group(Signal::SIGTERM);
        self.signal_strays(Signal::SIGTERM);
    }

    /// Kills the group.
    pub(super) fn kill(&self) {
        self.signal_group(Signal::SIGKILL);
    }

    /// The leader has been waited for.
    pub(super) fn reaped(&mut self) {
        self.leader = None;
    }

    /// Kills what is left until nothing is; tells whether that was reached.
    pub(super) async fn clear(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.kill_strays() == 0 {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn signal_group(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // The group may be gone already; then there is nothing to do.
            let _ = killpg(leader, signal);
        }
    }

    fn kill_strays(&self) -> usize {
        self.signal_strays(Signal::SIGKILL)
    }

    fn signal_strays(&self, signal: Signal) -> usize {
        let strays: Vec<Pid> = pids().filter(|pid| self.is_mine(*pid)).collect();
        for pid in &strays {
            let _ = kill(*pid, signal);
        }
        strays.len()
    }

    fn is_mine(&self, pid: Pid) -> bool {
        let of = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let marked = || {
            let environ = fs::read(of("environ")).unwrap_or_default();
            environ
                .split(|b| *b == 0)
                .any(|entry| entry.starts_with(&self.mark))
        };
        fs::read_link(of("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.folder)) || marked()
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        self.kill();
        // A process that forks while it is looked for is found by the next look; waiting is not possible here.
        for _ in 0..LAST_LOOKS {
            if self.kill_strays() == 0 {
                break;
            }
        }
    }
}

fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}
