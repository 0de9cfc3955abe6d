//! The runtimes, each with a cast that plays the stories' parts: a small script, or a scripted model.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orchestrator::runtime::Runtime;
use orchestrator::runtime::acp::{self, Acp};
use orchestrator::runtime::claude_code::{self, ClaudeCode};
use orchestrator::runtime::codex::{self, Codex};
use orchestrator::runtime::command::{self, Command};
use orchestrator::runtime::messages::{self, Messages};
use orchestrator::scripted_model::{Fault, Scenario, Script, Server, Step};
use serde_json::json;

use super::stage::{EXE, Stage};

/// The key that a runtime is configured with, where it takes one.
pub const KEY: &str = "sk-contract-secret";

/// What the worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// Writes `done` into `work` and ends well.
    Done,
    /// Its provider limits the rate.
    Limited,
    /// Its provider is overloaded.
    Overloaded,
    /// Its provider refuses the key.
    Unauthorised,
    /// Nobody answers where its provider should be.
    Unreachable,
    /// Its context is full.
    Poisoned,
    /// Starts children that are hard to kill, writes all their numbers into `pids`, and never ends.
    Family,
}

/// A runtime that is ready to play.
pub struct Cast {
    pub runtime: Box<dyn Runtime>,
    model: Option<Server>,
}

impl Cast {
    /// Whether the last attempt went on in the session that it was given.
    pub fn resumed(&self, stage: &Stage) -> bool {
        match &self.model {
            Some(model) => model.requests().last().is_some_and(|r| r.step > 1),
            None => stage
                .read("args")
                .contains(stage.brief.session.as_deref().unwrap()),
        }
    }

    /// What the worker took for its prompt; a model is asked with it as JSON.
    pub fn heard_prompt(&self, stage: &Stage) -> String {
        match &self.model {
            Some(model) => model.requests()[0].body["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(words)
                .collect(),
            None => stage.read("prompt"),
        }
    }
}

/// The texts of a message.
fn words(message: &serde_json::Value) -> String {
    let blocks = message["content"].as_array().into_iter().flatten();
    blocks.filter_map(|block| block["text"].as_str()).collect()
}

/// A runtime under test.
#[async_trait]
pub trait Subject: Sync {
    fn name(&self) -> &'static str;

    async fn cast(&self, stage: &Stage, play: Play) -> Cast;

    /// Variables of its worker beyond the contract's.
    fn own_variables(&self) -> &'static [&'static str];

    fn has_sessions(&self) -> bool {
        true
    }
}

/// Every runtime.
pub const ALL: &[&dyn Subject] = &[&ACommand, &AClaudeCode, &ACodex, &AMessages, &AnAgent];

const FAMILY: &str = "(trap '' TERM; setsid sh -c 'echo $$ >> pids; while :; do sleep 0.2; done') & \
     echo $$ >> pids; while :; do sleep 0.2; done";

/// A program of that name; it writes down what it was given before it plays.
fn program(stage: &Stage, name: &str, play: &str) -> PathBuf {
    let path = stage.path(name);
    let text = format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo '1.0 (fake)'; exit; }}\n\
         printf '%s\\n' \"$@\" > args\ncat > prompt\n{play}\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

struct ACommand;

#[async_trait]
impl Subject for ACommand {
    fn name(&self) -> &'static str {
        "command"
    }

    async fn cast(&self, stage: &Stage, play: Play) -> Cast {
        let says = |outcome: &str| {
            format!("echo '{{\"outcome\":\"{outcome}\"}}' > \"$ORCHESTRATOR_OUTCOME_FILE\"; exit 1")
        };
        let script = match play {
            Play::Family => FAMILY.to_owned(),
            Play::Limited => says("rate_limited"),
            Play::Overloaded => says("overloaded"),
            Play::Unauthorised => says("auth"),
            Play::Unreachable => says("network"),
            Play::Done | Play::Poisoned => "echo done > work; echo some words".to_owned(),
        };
        let options = command::Options {
            command: vec![program(stage, "worker", &script).display().to_string()],
            env: Vec::new(),
            inherited: stage.brief.inherited.clone(),
        };
        Cast {
            runtime: Box::new(Command::new(options)),
            model: None,
        }
    }

    fn own_variables(&self) -> &'static [&'static str] {
        &[]
    }

    fn has_sessions(&self) -> bool {
        false
    }
}

struct AClaudeCode;

/// The client counts by session: its sums grow with every attempt.
const CLAUDE: &str = r#"
while [ $# -gt 0 ]; do case "$1" in --session-id|--resume) s=$2;; esac; shift; done
n=$ORCHESTRATOR_ATTEMPT
say() { printf '%s\n' "$1"; }
say "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"$s\",\"model\":\"claude-haiku-4-5\"}"
"#;
const CLAUDE_DONE: &str = r#"
echo done > work
say "{\"type\":\"assistant\",\"session_id\":\"$s\",\"message\":{\"id\":\"m$n\",\"model\":\"claude-haiku-4-5\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}],\"usage\":{\"input_tokens\":100}}}"
say "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"done\",\"session_id\":\"$s\",\"terminal_reason\":\"completed\",\"modelUsage\":{\"claude-haiku-4-5\":{\"inputTokens\":$((100 * n)),\"outputTokens\":$((20 * n)),\"costUSD\":0.0$n}}}"
"#;

#[async_trait]
impl Subject for AClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    async fn cast(&self, stage: &Stage, play: Play) -> Cast {
        let recorded = |name: &str| {
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/claude");
            format!("cat '{}'; exit 1", fixtures.join(name).display())
        };
        let script = match play {
            Play::Done => format!("{CLAUDE}{CLAUDE_DONE}"),
            Play::Family => format!("{CLAUDE}{FAMILY}"),
            Play::Limited => recorded("err_e429.jsonl"),
            Play::Overloaded => recorded("err_e529.jsonl"),
            Play::Unauthorised => recorded("err_e401.jsonl"),
            Play::Unreachable => recorded("err_econnrefused.jsonl"),
            Play::Poisoned => recorded("err_e400ctx.jsonl"),
        };
        let options = claude_code::Options {
            binary: program(stage, "claude", &script).display().to_string(),
            api_key: Some(KEY.into()),
            inherited: stage.brief.inherited.clone(),
            ..claude_code::Options::default()
        };
        Cast {
            runtime: Box::new(ClaudeCode::new(options)),
            model: None,
        }
    }

    fn own_variables(&self) -> &'static [&'static str] {
        &[
            "ANTHROPIC_API_KEY",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "CLAUDE_CODE_MAX_RETRIES",
            "DISABLE_AUTOUPDATER",
            "DISABLE_ERROR_REPORTING",
            "DISABLE_TELEMETRY",
        ]
    }
}

/// The address of a port at which nobody listens any more.
fn nobody() -> String {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", gone.local_addr().unwrap())
}

struct AMessages;

#[async_trait]
impl Subject for AMessages {
    fn name(&self) -> &'static str {
        "messages"
    }

    async fn cast(&self, _stage: &Stage, play: Play) -> Cast {
        let bash = |command: &str| Step::call("bash", json!({"command": command}));
        let done = || Step::call("finish", json!({"outcome": "done", "reason": "ready"}));
        let refused = |fault: Fault| Scenario::new("refused").step(done().after(fault));
        let too_long = Fault::error(400, "invalid_request_error", "prompt is too long: 9 > 1");
        let scenario = match play {
            Play::Done => {
                let once = || bash("echo done > work");
                Scenario::new("twice")
                    .step(once())
                    .step(done())
                    .step(once())
                    .step(done())
            }
            Play::Family => Scenario::new("family").step(bash(FAMILY)),
            Play::Limited => refused(Fault::rate_limited("600")),
            Play::Overloaded => refused(Fault::overloaded()),
            Play::Unauthorised => refused(Fault::error(401, "authentication_error", "invalid x-api-key")),
            Play::Unreachable => Scenario::new("never asked"),
            Play::Poisoned => refused(too_long),
        };
        let model = Server::start(Script::new().scenario(scenario)).await.unwrap();
        let options = messages::Options {
            base_url: match play {
                Play::Unreachable => nobody(),
                _ => model.base_url(),
            },
            api_key: Some(KEY.into()),
            ..messages::Options::new(PathBuf::from(EXE))
        };
        Cast {
            runtime: Box::new(Messages::new(options)),
            model: Some(model),
        }
    }

    fn own_variables(&self) -> &'static [&'static str] {
        &[
            "ANTHROPIC_API_KEY",
            "ORCHESTRATOR_MESSAGES",
            "ORCHESTRATOR_SESSION_DIR",
        ]
    }
}

struct ACodex;

/// The client counts by thread, and says in words alone why a turn failed.
const CODEX: &str = r#"
t=0199a213-81c0-7800-8aa1-bbab2a035a53
while [ $# -gt 0 ]; do [ "$1" != resume ] || t=$2; shift; done
n=$ORCHESTRATOR_ATTEMPT
say() { printf '%s\n' "$1"; }
say "{\"type\":\"thread.started\",\"thread_id\":\"$t\"}"
say '{"type":"turn.started"}'
"#;
const CODEX_DONE: &str = r#"
echo done > work
say '{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"It is done."}}'
say "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":$((100 * n)),\"cached_input_tokens\":0,\"output_tokens\":$((20 * n))}}"
"#;

#[async_trait]
impl Subject for ACodex {
    fn name(&self) -> &'static str {
        "codex"
    }

    async fn cast(&self, stage: &Stage, play: Play) -> Cast {
        let failing = |words: &str| {
            let error = json!({"type": "turn.failed", "error": {"message": words}});
            format!("{CODEX}\nsay '{error}'; exit 1")
        };
        let script = match play {
            Play::Done => format!("{CODEX}{CODEX_DONE}"),
            Play::Family => format!("{CODEX}{FAMILY}"),
            Play::Limited => failing("exceeded retry limit, last status: 429 Too Many Requests"),
            Play::Overloaded => failing("unexpected status 529 <unknown status code>: Overloaded"),
            Play::Unauthorised => failing("unexpected status 401 Unauthorized: invalid x-api-key"),
            Play::Unreachable => failing("Connection failed: error sending request"),
            Play::Poisoned => failing("prompt is too long: 210000 tokens > 200000 maximum"),
        };
        let options = codex::Options {
            binary: program(stage, "codex", &script).display().to_string(),
            api_key: Some(KEY.into()),
            // Its own sandbox wants a home that is not among temporary files.
            sandbox: codex::SandboxMode::DangerFullAccess,
            inherited: stage.brief.inherited.clone(),
            ..codex::Options::default()
        };
        Cast {
            runtime: Box::new(Codex::new(options)),
            model: None,
        }
    }

    fn own_variables(&self) -> &'static [&'static str] {
        &["CODEX_API_KEY", "TZ"]
    }
}

struct AnAgent;

/// The least agent: one session, one prompt, played by a shell. What it is asked for, it writes down.
const AGENT: &str = r#"
import json, os, subprocess, sys
play, error = sys.argv[1], sys.argv[2]
def send(**message): print(json.dumps(dict(jsonrpc="2.0", **message)), flush=True)
def tell(session, **update): send(method="session/update", params={"sessionId": session, "update": update})
for line in sys.stdin:
    ask = json.loads(line)
    if "id" not in ask or "method" not in ask: continue
    method, given, answer = ask["method"], ask.get("params", {}), {}
    if method == "initialize":
        answer = {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}, "agentInfo": {"name": "fake", "version": "1"}}
    elif method == "session/new":
        open("args", "w").write("new")
        answer = {"sessionId": "s-1"}
    elif method == "session/load":
        open("args", "w").write("load " + given["sessionId"])
    elif method == "session/prompt":
        open("prompt", "w").write("".join(block.get("text", "") for block in given["prompt"]))
        if error:
            send(id=ask["id"], error=json.loads(error))
            continue
        tell(given["sessionId"], sessionUpdate="agent_message_chunk", content={"type": "text", "text": "It is done."})
        subprocess.run(["sh", "-c", play], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        answer = {"stopReason": "end_turn", "usage": {"totalTokens": 120, "inputTokens": 100, "outputTokens": 20}}
    send(id=ask["id"], result=answer)
"#;

#[async_trait]
impl Subject for AnAgent {
    fn name(&self) -> &'static str {
        "acp"
    }

    async fn cast(&self, stage: &Stage, play: Play) -> Cast {
        let agent = stage.path("agent.py");
        fs::write(&agent, AGENT).unwrap();
        let refused = |words: &str, kind: Option<&str>| {
            let data = kind.map(|kind| json!({"errorKind": kind}));
            json!({"code": -32603, "message": words, "data": data}).to_string()
        };
        let (script, error) = match play {
            Play::Done => ("echo done > work", String::new()),
            Play::Family => (FAMILY, String::new()),
            Play::Limited => ("", refused("Internal error: 429", Some("rate_limit"))),
            Play::Overloaded => ("", refused("Internal error: 529 Overloaded", Some("overloaded"))),
            Play::Unauthorised => (
                "",
                refused("Internal error: invalid x-api-key", Some("authentication_failed")),
            ),
            Play::Unreachable => (
                "",
                refused("Internal error: connect ECONNREFUSED 127.0.0.1:1", None),
            ),
            Play::Poisoned => ("", refused("prompt is too long: 9 > 1", None)),
        };
        let command = ["python3", agent.to_str().unwrap(), script, &error];
        let options = acp::Options {
            inherited: stage.brief.inherited.clone(),
            ..acp::Options::new(PathBuf::from(EXE), command.map(str::to_owned).to_vec())
        };
        Cast {
            runtime: Box::new(Acp::new(options)),
            model: None,
        }
    }

    fn own_variables(&self) -> &'static [&'static str] {
        &["ORCHESTRATOR_ACP"]
    }
}
