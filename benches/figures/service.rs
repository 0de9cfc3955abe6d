//! The program as a process of its own: `up` in the background, verbs in the foreground, waiting with a deadline.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::machine::field;
use super::scene::{PROGRAM, Scene};

/// A running `up`; dropping it ends it.
pub struct Up {
    child: Child,
}

impl Up {
    /// Starts it and waits until it has the lock and watches.
    pub fn start(scene: &Scene) -> anyhow::Result<Self> {
        let log = File::create(scene.root().join(".orchestrator/up.log"))?;
        let child = Command::new(PROGRAM)
            .arg("up")
            .current_dir(scene.root())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let up = Self { child };
        let wake = scene.root().join(".orchestrator/wake");
        until("`up` watches", Duration::from_secs(60), || wake.exists())?;
        Ok(up)
    }

    /// Time on a core so far, all threads together.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += text
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> anyhow::Result<f64> {
        let text = field(&format!("/proc/{}/status", self.child.id()), "VmRSS");
        let text = text.ok_or_else(|| anyhow::anyhow!("`up` has ended"))?;
        Ok(text.trim_end_matches(" kB").trim().parse::<f64>()? * 1024.0)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Runs a verb to its end; gives its output and how long it took.
pub fn run(root: &Path, args: &[&str]) -> anyhow::Result<(Vec<u8>, Duration)> {
    let begun = Instant::now();
    let out = Command::new(PROGRAM).args(args).current_dir(root).output()?;
    let took = begun.elapsed();
    anyhow::ensure!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    Ok((out.stdout, took))
}

/// Looks every few milliseconds whether something holds.
pub fn until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let give_up = Instant::now() + patience;
    while !holds() {
        anyhow::ensure!(
            Instant::now() < give_up,
            "waited {patience:?} in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
