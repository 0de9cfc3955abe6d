//! A worker's process tree: started, adopted, stopped, and gone, whatever it does to stay.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

mod adopt;
mod command;
mod lease;
mod limits;
mod start;
mod stop;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::EndKind;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::command::{Command, Options};
use orchestrator::runtime::process::{
    Adopted, Cause, Death, Exit, Limits, Running, Spec, StartError, Status, adopt, confirm_dead, file,
    kill_strays, start,
};
use orchestrator::runtime::{Brief, Launch, OutcomeFile, Runtime};

const EXE: &str = env!("CARGO_BIN_EXE_orchestrator");

/// One attempt in a folder of its own; whatever it started is killed with it.
struct Attempt {
    _folder: tempfile::TempDir,
    spec: Spec,
}

impl Attempt {
    fn of(argv: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        let env = [("PATH", std::env::var_os("PATH").unwrap())];
        let spec = Spec {
            attempt_dir: folder.path().join("attempt"),
            launch: Launch {
                argv: argv.iter().map(OsString::from).collect(),
                env: env.into_iter().map(|(k, v)| (k.into(), v)).collect(),
                stdin: Vec::new(),
                cwd: workspace,
            },
            prompt: "the prompt".to_owned(),
            timeout: Duration::from_secs(60),
            grace: Duration::from_millis(100),
            lease: None,
            limits: Limits::default(),
            key: format!("test-{:x}", unguessed()),
        };
        Self {
            _folder: folder,
            spec,
        }
    }

    fn sh(script: &str) -> Self {
        Self::of(&["sh", "-c", script])
    }

    fn dir(&self) -> &Path {
        &self.spec.attempt_dir
    }

    fn in_workspace(&self, name: &str) -> PathBuf {
        self.spec.launch.cwd.join(name)
    }

    async fn start(&self) -> Running {
        start(Path::new(EXE), &self.spec).await.unwrap()
    }

    async fn run(&self) -> Exit {
        finish(&self.start().await).await
    }

    fn stdout(&self) -> String {
        fs::read_to_string(self.dir().join(file::STDOUT)).unwrap()
    }

    /// Waits until this many processes have written their number to the file `pids` in the workspace.
    fn await_pids(&self, n: usize) -> Vec<i32> {
        let path = self.in_workspace("pids");
        until(|| {
            let text = fs::read_to_string(&path).ok()?;
            let found: Vec<i32> = text
                .split_whitespace()
                .map(|word| word.parse().unwrap())
                .collect();
            (text.ends_with('\n') && found.len() >= n).then_some(found)
        })
    }

    fn rewrite_registration(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.dir().join(file::SUPERVISOR);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let _ = kill_strays(self.dir(), Duration::from_secs(5));
    }
}

fn unguessed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// Polls until there is an answer, for ten seconds at most.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come in ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn finish(running: &Running) -> Exit {
    tokio::time::timeout(Duration::from_secs(20), running.wait())
        .await
        .expect("it ends in time")
}

fn is_alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat
        .rsplit(')')
        .next()
        .unwrap()
        .trim_start()
        .starts_with(['Z', 'X'])
}

fn living(pids: Vec<i32>) -> Vec<i32> {
    pids.into_iter().filter(|pid| is_alive(*pid)).collect()
}
