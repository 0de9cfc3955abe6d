//! A folder, a runtime, and the real worker process in it.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::Ending;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::messages::{Messages, Options};
use orchestrator::runtime::process::{Cause, Status};
use orchestrator::runtime::{Account, Brief, Exit, Runtime, Signal};
use orchestrator::scripted_model::{Script, Server};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// The key that the scripted provider is given.
pub const KEY: &str = "sk-scripted-secret";

pub struct Rig {
    folder: tempfile::TempDir,
    pub server: Server,
    pub options: Options,
    pub brief: Brief,
}

/// All that one worker left.
pub struct Run {
    pub ending: Ending,
    pub account: Account,
    pub signals: Vec<Signal>,
    pub lines: Vec<Value>,
    pub exit: Exit,
}

impl Rig {
    pub async fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(script).await.unwrap();
        let mut options = Options::new(PathBuf::from(env!("CARGO_BIN_EXE_orchestrator")));
        options.base_url = server.base_url();
        options.api_key = Some(SecretString::from(KEY.to_owned()));
        let brief = brief(folder.path());
        std::fs::create_dir_all(&brief.workspace).unwrap();
        Self {
            folder,
            server,
            options,
            brief,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn in_workspace(&self, name: &str) -> String {
        std::fs::read_to_string(self.brief.workspace.join(name)).unwrap()
    }

    pub async fn start(&self) -> Child {
        let launch = Messages::new(self.options.clone()).launch(&self.brief);
        let mut child = Command::new(&launch.argv[0])
            .args(&launch.argv[1..])
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&launch.stdin).await.unwrap();
        child
    }

    pub async fn run(&self) -> Run {
        let child = self.start().await;
        self.finish(child).await
    }

    pub async fn finish(&self, child: Child) -> Run {
        let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output());
        let output = output.await.expect("the worker ends within a minute").unwrap();
        let mut reader = Messages::new(self.options.clone()).reader(&self.brief);
        let status = output.status;
        let exit = Exit {
            cause: Cause::Exited,
            status: status
                .code()
                .map(Status::Code)
                .or_else(|| status.signal().map(Status::Signal)),
            ended_at: chrono::DateTime::UNIX_EPOCH,
            stragglers_killed: 0,
        };
        let raw: Vec<&[u8]> = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .collect();
        let signals = raw.iter().flat_map(|line| reader.read(line)).collect();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{stderr}");
        Run {
            ending: reader.ending(&exit, None, &stderr),
            account: reader.account(),
            signals,
            lines: raw
                .iter()
                .map(|line| serde_json::from_slice(line).expect("whole JSON lines"))
                .collect(),
            exit,
        }
    }
}

impl Run {
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    /// The text of the tool results in turn.
    pub fn results(&self) -> Vec<&str> {
        self.of("tool_result")
            .iter()
            .map(|line| line["text"].as_str().unwrap())
            .collect()
    }
}

fn brief(folder: &Path) -> Brief {
    Brief {
        task: TaskId::parse("fix-calc").unwrap(),
        attempt: 1,
        epoch: 1,
        tier: TierName::new("haiku"),
        model: "scripted-haiku".to_owned(),
        workspace: folder.join("ws"),
        attempt_dir: folder.join("state/fix-calc/1"),
        prompt: "Fix the calculator. [calc]".to_owned(),
        heartbeat_file: folder.join("heartbeats/fix-calc.json"),
        progress_file: folder.join("progress/fix-calc.md"),
        outcome_file: folder.join("outcome.json"),
        token: "token".to_owned(),
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
        inherited: std::env::vars_os().collect(),
    }
}
