//! A folder with a workspace, the attempts in it, and everything that one worker left.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::Ending;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::process::{Running, Spec, file, kill_strays, start};
use orchestrator::runtime::transcript::{Tail, last_words};
use orchestrator::runtime::{Account, Brief, Exit, OutcomeFile, Reader, Runtime, Signal};

pub const EXE: &str = env!("CARGO_BIN_EXE_orchestrator");

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// One task's attempts; whatever they started is killed with it.
pub struct Stage {
    folder: tempfile::TempDir,
    pub brief: Brief,
}

/// All that one worker left.
pub struct Ran {
    pub exit: Exit,
    pub ending: Ending,
    pub account: Account,
    pub signals: Vec<Signal>,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "workspace"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let inherited = [
            ("PATH", std::env::var_os("PATH").unwrap()),
            ("HOME", path("home").into()),
            ("LANG", "C.UTF-8".into()),
        ];
        let mut brief = Brief {
            task: TaskId::parse("fix-it").unwrap(),
            attempt: 0,
            epoch: 0,
            tier: TierName::new("haiku"),
            model: "claude-haiku-4-5".to_owned(),
            workspace: path("workspace"),
            attempt_dir: PathBuf::new(),
            prompt: "Fix the calculator.".to_owned(),
            heartbeat_file: path("heartbeat.json"),
            progress_file: path("progress.md"),
            outcome_file: PathBuf::new(),
            token: "the-attempts-token".to_owned(),
            url: None,
            timeout: Duration::from_secs(60),
            session: None,
            session_cost_usd_before: None,
            session_tokens_before: None,
            budget_usd: None,
            max_turns: None,
            attachments: Vec::new(),
            mcp: Vec::new(),
            contained: false,
            tools: None,
            inherited: inherited.map(|(k, v)| (OsString::from(k), v)).into(),
        };
        set_attempt(&mut brief, folder.path(), 1);
        Self { folder, brief }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn in_workspace(&self, name: &str) -> PathBuf {
        self.brief.workspace.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.in_workspace(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The next attempt, in the session that the last one left.
    pub fn next(&mut self, last: &Ran) {
        self.brief.session = last.account.session.clone();
        self.brief.session_cost_usd_before = last.account.session_cost_usd;
        self.brief.session_tokens_before = last.account.session_tokens;
        let n = self.brief.attempt + 1;
        set_attempt(&mut self.brief, self.folder.path(), n);
    }

    pub async fn start(&self, runtime: &dyn Runtime) -> Running {
        let spec = Spec {
            grace: Duration::from_millis(300),
            ..Spec::new(&self.brief, runtime.launch(&self.brief), Default::default())
        };
        start(Path::new(EXE), &spec).await.unwrap()
    }

    pub async fn run(&self, runtime: &dyn Runtime) -> Ran {
        let running = self.start(runtime).await;
        self.finish(&running, runtime).await
    }

    pub async fn finish(&self, running: &Running, runtime: &dyn Runtime) -> Ran {
        let exit = tokio::time::timeout(PATIENCE, running.wait());
        let exit = exit.await.unwrap_or_else(|_| {
            panic!("it does not end: {}", self.text(file::STDOUT));
        });
        let (reader, signals) = self.hear(runtime);
        let stderr = last_words(&self.brief.attempt_dir.join(file::STDERR), 8192).unwrap();
        let word = OutcomeFile::load(&self.brief.outcome_file).unwrap();
        Ran {
            ending: reader.ending(&exit, word.as_ref(), &stderr),
            account: reader.account(),
            exit,
            signals,
            stdout: self.text(file::STDOUT),
            stderr,
        }
    }

    /// Reads the worker's output so far from its start, as the orchestrator does.
    pub fn hear(&self, runtime: &dyn Runtime) -> (Box<dyn Reader>, Vec<Signal>) {
        let mut reader = runtime.reader(&self.brief);
        let mut tail = Tail::new(&self.brief.attempt_dir.join(file::STDOUT), 0);
        let mut signals = Vec::new();
        loop {
            let lines = tail.read().unwrap();
            if lines.is_empty() {
                return (reader, signals);
            }
            signals.extend(lines.iter().flat_map(|line| reader.read(&line.bytes)));
        }
    }

    pub fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.brief.attempt_dir.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for n in 1..=self.brief.attempt {
            let _ = kill_strays(&attempt_dir(self.folder.path(), n), Duration::from_secs(5));
        }
    }
}

fn attempt_dir(folder: &Path, n: u32) -> PathBuf {
    folder.join("attempts").join(n.to_string())
}

fn set_attempt(brief: &mut Brief, folder: &Path, n: u32) {
    brief.attempt = n;
    brief.epoch = u64::from(n);
    brief.attempt_dir = attempt_dir(folder, n);
    let desk = brief.attempt_dir.join(file::DESK);
    fs::create_dir_all(&desk).unwrap();
    brief.outcome_file = desk.join(file::OUTCOME);
}

/// Polls until there is an answer.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
