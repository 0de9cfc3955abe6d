//! A worker with an agent that plays a recording.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{EndKind, Ending};
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::acp::{Acp, Options, Permission};
use orchestrator::runtime::process::{Cause, Exit, Status};
use orchestrator::runtime::{Account, Brief, Launch, OutcomeFile, Runtime, Signal};
use serde_json::{Value, json};

pub const EXE: &str = env!("CARGO_BIN_EXE_orchestrator");

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/acp")
}

/// One attempt that is set up and not started.
pub struct Rig {
    folder: tempfile::TempDir,
    pub options: Options,
    pub brief: Brief,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub lines: Vec<Value>,
    pub signals: Vec<Signal>,
    pub ending: Ending,
    pub account: Account,
    /// What the agent was told.
    pub heard: Vec<Value>,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Rig {
    /// An agent that plays a recording of the fixtures.
    pub fn recorded(name: &str) -> Self {
        Self::of(&fs::read_to_string(fixtures().join(name)).unwrap())
    }

    /// An agent that plays these steps; `{workspace}` in them is the real one.
    pub fn steps(steps: &[Value]) -> Self {
        Self::of(&steps.iter().map(|step| format!("{step}\n")).collect::<String>())
    }

    fn of(recording: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("workspace")).unwrap();
        let workspace = path("workspace").display().to_string();
        fs::write(path("recording"), recording.replace("{workspace}", &workspace)).unwrap();
        let words = [
            "python3".to_owned(),
            fixtures().join("agent.py").display().to_string(),
            path("recording").display().to_string(),
            path("heard").display().to_string(),
        ];
        let mut options = Options::new(EXE.into(), words.to_vec());
        options.inherited = std::env::vars_os().collect();
        Self {
            brief: brief(folder.path()),
            options,
            folder,
        }
    }

    pub fn permission(mut self, permission: Permission, contained: bool) -> Self {
        self.options.permission = permission;
        self.brief.contained = contained;
        self
    }

    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.brief.model);
        self
    }

    pub fn resume(mut self, session: &str) -> Self {
        self.brief.session = Some(session.to_owned());
        self
    }

    pub fn launch(&self) -> Launch {
        Acp::new(self.options.clone()).launch(&self.brief)
    }

    pub fn workspace(&self) -> &Path {
        &self.brief.workspace
    }

    pub fn run(&self) -> Ran {
        self.start().wait()
    }

    pub fn start(&self) -> Started<'_> {
        let launch = self.launch();
        let file = |name| File::create(self.folder.path().join(name)).unwrap();
        fs::write(self.folder.path().join("prompt"), &launch.stdin).unwrap();
        let child = Command::new(&launch.argv[0])
            .args(&launch.argv[1..])
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.cwd)
            .stdin(File::open(self.folder.path().join("prompt")).unwrap())
            .stdout(Stdio::from(file("stdout")))
            .stderr(Stdio::from(file("stderr")))
            .spawn()
            .unwrap();
        Started { rig: self, child }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn heard(&self) -> Vec<Value> {
        lines(&self.read("heard"))
    }

    fn ran(&self, status: ExitStatus) -> Ran {
        use std::os::unix::process::ExitStatusExt;
        let (stdout, stderr) = (self.read("stdout"), self.read("stderr"));
        let mut reader = Acp::new(self.options.clone()).reader(&self.brief);
        let signals = stdout
            .lines()
            .flat_map(|line| reader.read(line.as_bytes()))
            .collect();
        let code = status.code();
        let status = code.map(Status::Code).or(status.signal().map(Status::Signal));
        let exit = Exit {
            cause: Cause::Exited,
            status,
            ended_at: chrono::DateTime::UNIX_EPOCH,
            stragglers_killed: 0,
        };
        let outcome = OutcomeFile::load(&self.brief.outcome_file).unwrap();
        Ran {
            lines: lines(&stdout),
            signals,
            ending: reader.ending(&exit, outcome.as_ref(), &stderr),
            account: reader.account(),
            heard: self.heard(),
            stderr,
            code,
        }
    }
}

/// A worker that runs.
pub struct Started<'a> {
    rig: &'a Rig,
    child: Child,
}

impl Started<'_> {
    /// Waits until the agent was told by this method.
    pub fn await_method(&self, method: &str) {
        until(|| self.rig.heard().iter().any(|message| message["method"] == method));
    }

    /// Waits until the worker wrote a line of this type.
    pub fn await_line(&self, kind: &str) {
        until(|| {
            lines(&self.rig.read("stdout"))
                .iter()
                .any(|line| line["type"] == kind)
        });
    }

    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    pub fn wait(mut self) -> Ran {
        let mut status = None;
        until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.rig.ran(status.unwrap())
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    pub fn kind(&self) -> EndKind {
        self.ending.kind
    }

    /// What the agent was told by a method, once.
    pub fn told(&self, method: &str) -> &Value {
        let found: Vec<&Value> = self.heard.iter().filter(|m| m["method"] == method).collect();
        assert_eq!(found.len(), 1, "{method}: {:#?}", self.heard);
        &found[0]["params"]
    }

    pub fn was_told(&self, method: &str) -> bool {
        self.heard.iter().any(|message| message["method"] == method)
    }

    /// The lines of a type.
    pub fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    /// How the agent's questions were answered.
    pub fn answers(&self) -> Vec<&Value> {
        let results = self.heard.iter().filter(|m| m.get("method").is_none());
        results
            .map(|message| message.get("result").unwrap_or(&message["error"]))
            .collect()
    }

    pub fn calls(&self) -> Vec<(&str, &str)> {
        let all = self.signals.iter();
        all.filter_map(|signal| match signal {
            Signal::Tool { name, call } => Some((name.as_str(), call.as_str())),
            _ => None,
        })
        .collect()
    }
}

fn lines(text: &str) -> Vec<Value> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Polls until it holds, for twenty seconds at most.
fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it did not come in twenty seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn brief(folder: &Path) -> Brief {
    let path = |name: &str| folder.join(name);
    Brief {
        task: TaskId::parse("a-task").unwrap(),
        attempt: 1,
        epoch: 1,
        tier: TierName::new("haiku"),
        model: "default".to_owned(),
        workspace: path("workspace"),
        attempt_dir: path("attempt"),
        prompt: "Do it.".to_owned(),
        heartbeat_file: path("heartbeat.json"),
        progress_file: path("progress.md"),
        outcome_file: path("outcome.json"),
        token: "the-token".to_owned(),
        url: None,
        timeout: Duration::from_secs(60),
        session: None,
        session_cost_usd_before: None,
        session_tokens_before: None,
        budget_usd: None,
        max_turns: None,
        attachments: Vec::new(),
        mcp: Vec::new(),
        contained: true,
        tools: None,
        inherited: std::env::vars_os().collect(),
    }
}

/// What the client sends, as a step.
pub fn client(id: u64, method: &str) -> Value {
    json!({"dir":"client->agent","msg":{"jsonrpc":"2.0","id":id,"method":method}})
}

/// The agent's answer.
pub fn answer(id: u64, result: Value) -> Value {
    json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","id":id,"result":result}})
}

/// The agent's refusal.
pub fn refuse(id: u64, error: Value) -> Value {
    json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","id":id,"error":error}})
}

/// Something that the agent tells.
pub fn update(update: Value) -> Value {
    json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","method":"session/update",
        "params":{"sessionId":"s1","update":update}}})
}

/// Up to the prompt, with an agent of these capabilities.
pub fn opening(capabilities: Value) -> Vec<Value> {
    vec![
        client(0, "initialize"),
        answer(0, json!({"protocolVersion":1,"agentCapabilities":capabilities})),
        client(1, "session/new"),
        answer(1, json!({"sessionId":"s1"})),
        client(2, "session/prompt"),
    ]
}

/// A whole conversation with these steps after the prompt.
pub fn after_prompt(steps: &[Value]) -> Rig {
    let mut all = opening(json!({}));
    all.extend_from_slice(steps);
    Rig::steps(&all)
}

/// The end of a prompt.
pub fn stop(reason: &str) -> Value {
    answer(2, json!({"stopReason":reason}))
}
