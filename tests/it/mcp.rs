//! `orchestrator mcp`: a client on its standard streams, with the environment of an attempt and without.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::main_job::world::{EXE, World, section};

const PATIENCE: Duration = Duration::from_secs(20);

/// An attempt's folder and variables, made by hand as the driver makes them.
struct Desk {
    dir: tempfile::TempDir,
}

/// A running server and what it says.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<Value>,
    id: u64,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let given = desk.path("attempt/given");
        std::fs::create_dir_all(&given).unwrap();
        std::fs::create_dir(desk.path("attempt/desk")).unwrap();
        let task = json!({ "id": "fix-it", "attempt": 2, "title": "Fix it", "description": "Do it.", "checks": [],
            "acceptance_criteria": [{ "text": "it works", "checked": false }], "review": [], "context": "" });
        std::fs::write(given.join("task.json"), task.to_string()).unwrap();
        let report = json!([{ "verdict": "failed", "commit": "c0ffee", "checks": [{ "name": "tests", "category":
            "functionality", "verdict": "failed", "exit_code": 101, "duration_s": 0.5, "output": "1 != 2" }] }]);
        std::fs::write(given.join("gate.json"), report.to_string()).unwrap();
        let known = orchestrator::service::token::fingerprint("the-token");
        std::fs::write(given.join("token.sha256"), known).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, task: &str, token: &str) -> Command {
        let mut command = Command::new(EXE);
        command.arg("mcp").env_clear().current_dir(self.dir.path());
        let attempt = self.path("attempt");
        for (name, value) in [
            ("TASK_ID", task.into()),
            ("ATTEMPT", "2".into()),
            ("TOKEN", token.into()),
            ("PROMPT_FILE", attempt.join("prompt.md")),
            ("OUTCOME_FILE", attempt.join("desk/outcome.json")),
            ("HEARTBEAT_FILE", self.path("beat.json")),
            ("PROGRESS_FILE", self.path("notes/progress.md")),
        ] as [(&str, PathBuf); 7]
        {
            command.env(format!("ORCHESTRATOR_{name}"), value);
        }
        command
    }

    fn client(&self) -> Client {
        let mut client = Client::start(&mut self.command("fix-it", "the-token"));
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "0" } });
        let answer = client.ask("initialize", hello);
        assert_eq!(answer["result"]["serverInfo"]["name"], "orchestrator", "{answer}");
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    /// What the refused server says, and its exit code.
    fn refusal(&self, task: &str, token: &str) -> (i32, String) {
        let ran = self.command(task, token).stdin(Stdio::null()).output().unwrap();
        assert!(ran.stdout.is_empty(), "{ran:?}");
        let said = String::from_utf8(ran.stderr).unwrap();
        (ran.status.code().unwrap(), said)
    }
}

impl Client {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (said, lines) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || hear(stdout, &said));
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            id: 0,
        }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let answer = self.lines.recv_timeout(PATIENCE).unwrap();
            if answer["id"] == id {
                return answer;
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert!(answer["error"].is_null(), "{tool}: {answer}");
        answer["result"].clone()
    }

    /// The words of a tool that did what it was asked.
    fn done(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The words of a tool that did not.
    fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hear(stdout: ChildStdout, said: &mpsc::Sender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        // Whatever is no JSON on that stream breaks the protocol.
        let message = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "garbage": line }));
        let _ = said.send(message);
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Seen to fail with one more tool, `approve`.
#[test]
fn the_tools_are_those_of_a_worker_and_no_other() {
    let desk = Desk::new();
    let mut client = desk.client();
    let answer = client.ask("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    let mut names: Vec<&str> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let all = [
        "ask",
        "blocked",
        "continue",
        "done",
        "gate_reports",
        "heartbeat",
        "log",
        "needs_stronger_model",
        "progress",
        "spawn",
        "task",
    ];
    assert_eq!(names, all);
    for tool in tools {
        assert!(
            tool["description"].as_str().is_some_and(|d| d.len() > 20),
            "{tool}"
        );
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        let reads = ["task", "gate_reports", "progress"].contains(&tool["name"].as_str().unwrap());
        assert_eq!(tool["annotations"]["readOnlyHint"] == true, reads, "{tool}");
    }
}

/// Seen to fail with the attempt left out of the beat in `Seat::heartbeat`.
#[test]
fn what_is_said_is_written_where_the_environment_points() {
    let desk = Desk::new();
    let mut client = desk.client();
    client.done("heartbeat", json!({ "pct": 45, "phase": "writing tests" }));
    let beat = json_of(&desk.path("beat.json"));
    assert_eq!(
        (&beat["taskId"], &beat["progressPct"]),
        (&json!("fix-it"), &json!(45))
    );
    assert_eq!(
        (&beat["currentPhase"], &beat["attempt"]),
        (&json!("writing tests"), &json!(2))
    );
    client.done("log", json!({ "text": "Found the cause." }));
    assert!(client.done("progress", json!({})).contains("Found the cause."));
    let shown = json!({ "reason": "r0", "criteria": [{ "number": 1, "evidence": "check tests" }] });
    client.done("done", shown);
    let progress = client.done("progress", json!({}));
    assert!(
        progress.contains("- [x] 1. - evidence: check tests"),
        "{progress}"
    );
    for (tool, arguments, word) in [
        ("done", json!({ "reason": "r1" }), "done"),
        ("blocked", json!({ "reason": "r2" }), "blocked"),
        ("continue", json!({}), "continue"),
        (
            "needs_stronger_model",
            json!({ "reason": "r3" }),
            "needs_stronger_model",
        ),
    ] {
        client.done(tool, arguments.clone());
        let outcome = json_of(&desk.path("attempt/desk/outcome.json"));
        assert_eq!(outcome["outcome"], word);
        assert_eq!(outcome["reason"], arguments["reason"], "{outcome}");
    }
}

/// Seen to fail with the request not laid down in `Seat::request`.
#[test]
fn questions_and_sub_tasks_lie_on_the_desk() {
    let desk = Desk::new();
    let mut client = desk.client();
    client.done("ask", json!({ "text": "Which one?" }));
    client.done(
        "spawn",
        json!({ "id": "part", "description": "Do it.", "depends_on": ["other"] }),
    );
    let mut files: Vec<PathBuf> = std::fs::read_dir(desk.path("attempt/desk/requests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let requests: Vec<Value> = files.iter().map(|path| json_of(path)).collect();
    assert_eq!(requests[0], json!({ "request": "ask", "text": "Which one?" }));
    assert_eq!(
        (&requests[1]["request"], &requests[1]["id"]),
        (&json!("spawn"), &json!("part"))
    );
    assert_eq!(requests[1]["depends_on"], json!(["other"]));
}

#[test]
fn the_task_and_its_gate_can_be_read() {
    let desk = Desk::new();
    let mut client = desk.client();
    let task = client.call("task", json!({}))["structuredContent"].clone();
    assert_eq!(
        (&task["id"], &task["description"]),
        (&json!("fix-it"), &json!("Do it."))
    );
    assert_eq!(task["acceptance_criteria"][0]["text"], "it works");
    let gate = client.call("gate_reports", json!({}))["structuredContent"].clone();
    assert_eq!(gate["reports"][0]["checks"][0]["exit_code"], 101);
    assert_eq!(client.done("progress", json!({})), "", "there is no file yet");
}

/// Seen to fail without `deny_unknown_fields`: a beat for another task was heard as one for its own.
#[test]
fn wrong_arguments_are_told_to_the_model_and_change_nothing() {
    let desk = Desk::new();
    let mut client = desk.client();
    for (tool, arguments, word) in [
        ("heartbeat", json!({ "pct": 101 }), "0 to 100"),
        ("heartbeat", json!({ "pct": "much" }), "much"),
        ("heartbeat", json!({ "task": "other" }), "task"),
        ("log", json!({}), "text"),
        ("log", json!({ "text": " " }), "empty"),
        ("done", json!({}), "reason"),
        ("ask", json!({ "text": "\u{1b}" }), "empty"),
        ("spawn", json!({ "id": "../x", "description": "d" }), "no task id"),
        ("spawn", json!({ "id": "a" }), "description"),
    ] {
        let said = client.refused(tool, arguments.clone());
        assert!(said.contains(word), "{tool} {arguments}: {said}");
    }
    let answer = client.ask("tools/call", json!({ "name": "approve", "arguments": {} }));
    assert!(!answer["error"].is_null(), "{answer}");
    let left: Vec<_> = std::fs::read_dir(desk.path("attempt/desk")).unwrap().collect();
    assert!(left.is_empty() && !desk.path("beat.json").exists(), "{left:?}");
}

/// Seen to fail with `seat.prove` taken out of `Seat::of` and `Seat::proven`: the server starts for any token.
#[test]
fn whoever_has_not_the_token_of_this_attempt_and_task_is_refused() {
    let desk = Desk::new();
    for (task, token) in [("fix-it", "guess"), ("fix-it", ""), ("other-task", "the-token")] {
        let (code, said) = desk.refusal(task, token);
        let unset = token.is_empty();
        assert_eq!(code, if unset { 2 } else { 4 }, "{said}");
        assert!(said.contains("ORCHESTRATOR_TOKEN is not"), "{said}");
    }
    let (code, said) = desk.refusal("../x", "the-token");
    assert!(code == 2 && said.contains("no task id"), "{said}");
    std::fs::remove_dir_all(desk.path("attempt/given")).unwrap();
    let (code, said) = desk.refusal("fix-it", "the-token");
    assert!(code == 1 && said.contains("cannot be read"), "{said}");
}

/// The command line holds to the same token. Seen to fail with `seat.prove` taken out of `Seat::of`.
#[test]
fn the_verbs_on_the_command_line_are_refused_alike() {
    let desk = Desk::new();
    let said = |token: &str| {
        let mut command = Command::new(EXE);
        let vars = desk.command("fix-it", token);
        command.args(["agent", "done"]).env_clear();
        command.envs(vars.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap().status.code().unwrap()
    };
    assert_eq!(said("guess"), 4);
    assert!(!desk.path("attempt/desk/outcome.json").exists());
    assert_eq!(said("the-token"), 0);
    assert!(desk.path("attempt/desk/outcome.json").exists());
}

#[test]
fn it_ends_with_its_input() {
    let desk = Desk::new();
    let mut client = desk.client();
    client.done("heartbeat", json!({}));
    drop(client.stdin.take());
    assert!(client.child.wait().unwrap().success());
    let ran = desk
        .command("fix-it", "the-token")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        ran.status.success() && ran.stdout.is_empty(),
        "a client that never came: {ran:?}"
    );
    let mut noise = Client::start(&mut desk.command("fix-it", "the-token"));
    noise.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    drop(noise.stdin.take());
    assert!(noise.child.wait().unwrap().code().is_some());
}

/// The whole way: the driver hands over task, gate reports and token; the second attempt reads why the first was refused.
#[test]
fn a_worker_of_the_service_is_served() {
    let world = World::new();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let call = |id: u32, tool: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        )
    };
    let talk = [
        hello.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        call(2, "task", "{}"),
        call(3, "gate_reports", "{}"),
        call(4, "done", r#"{"reason":"said by a tool"}"#),
    ];
    let out = world.path("said-");
    // The client waits for the last answer before it goes away, like a real one.
    let script = format!(
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || touch done.txt; touch other.$ORCHESTRATOR_ATTEMPT\n\
         mkfifo in; orchestrator mcp < in > {out}$ORCHESTRATOR_ATTEMPT & exec 3> in; rm in\n\
         cat >&3 <<'TALK'\n{talk}\nTALK\n\
         until grep -q '\"id\":4' {out}$ORCHESTRATOR_ATTEMPT; do sleep 0.05; done; exec 3>&-; wait\n",
        out = out.display(),
        talk = talk.join("\n"),
    );
    world.worker("fix-it", &script);
    world.save_tasks(&[&section("fix-it", "")]);
    let _up = world.up();
    world.until_state("fix-it", "completed");
    let said = |attempt: u32| std::fs::read_to_string(format!("{}{attempt}", out.display())).unwrap();
    assert!(said(1).contains("Do it."), "{}", said(1));
    assert!(said(1).contains(r#"\"reports\":[]"#), "{}", said(1));
    for part in [r#""verdict":"failed""#, r#""name":"work""#, r#""attempt":2"#] {
        assert!(said(2).contains(part), "{part}: {}", said(2));
    }
    assert_eq!(world.outcomes("fix-it"), ["haiku:gate-failed", "sonnet:done"]);
}
