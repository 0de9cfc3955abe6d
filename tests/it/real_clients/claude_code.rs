//! The Claude Code command line tool.

use std::fs;

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::claude_code::{ClaudeCode, Options, RECORDED_FROM};
use orchestrator::runtime::{Runtime, Signal};
use orchestrator::scripted_model::{Fault, Scenario, Script, Server, Step};
use serde_json::{Value, json};

use super::client;
use super::whole;
use crate::runtime_contract::stage::{Ran, Stage, until};

const KEY: &str = "sk-ant-scripted";

fn bash(command: &str) -> Step {
    Step::call("Bash", json!({"command": command, "description": "work"}))
}

/// A stage, a model and the client between them; `None` where there is no client.
struct Rig {
    stage: Stage,
    model: Server,
    client: ClaudeCode,
}

impl Rig {
    async fn new(scenario: Scenario) -> Option<Self> {
        let binary = client("claude")?;
        let model = Server::start(Script::new().scenario(scenario).requires_key(KEY))
            .await
            .unwrap();
        let options = Options {
            binary,
            base_url: Some(model.base_url()),
            api_key: Some(KEY.into()),
            inherited: std::env::vars_os().collect(),
            ..Options::default()
        };
        Some(Self {
            stage: Stage::new(),
            model,
            client: ClaudeCode::new(options),
        })
    }

    async fn run(&self) -> Ran {
        self.stage.run(&self.client).await
    }

    /// The messages of the last request.
    fn history(&self) -> Vec<Value> {
        let last = self.model.requests().pop().expect("a request");
        last.body["messages"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn its_version_is_the_recorded_one() {
    let Some(rig) = Rig::new(Scenario::new("none")).await else {
        return;
    };
    let found = rig.client.probe().await.unwrap().version;
    println!("claude: {found}");
    assert!(
        found.starts_with(RECORDED_FROM),
        "{found}: record the transcripts anew"
    );
}

#[tokio::test]
async fn tools_work_and_a_later_attempt_goes_on_in_the_session() {
    let scenario = Scenario::new("two attempts")
        .step(bash("echo one >> log"))
        .step(Step::say("The first half is done."))
        .step(bash("echo two >> log"))
        .step(Step::say("All is done."));
    let Some(mut rig) = Rig::new(scenario).await else {
        return;
    };
    let first = rig.run().await;
    assert_eq!(first.ending.kind, EndKind::Claimed, "{}", first.stdout);
    assert!(
        first
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Tool { name, call } if name == "Bash" && call == "echo one >> log"))
    );
    rig.stage.next(&first);
    rig.stage.brief.prompt = "-- $(touch /tmp/never) `x` \"go on\"".to_owned();
    let second = rig.run().await;
    assert_eq!(second.ending.kind, EndKind::Claimed, "{}", second.stdout);
    assert_eq!(second.account.session, first.account.session);
    assert_eq!(rig.stage.read("log"), "one\ntwo\n");
    assert!(
        rig.history()
            .iter()
            .any(|m| m.to_string().contains("touch /tmp/never")),
        "{:#?}",
        rig.history()
    );
    // The session's sum is not this attempt's.
    let (a, b) = (first.account.spent, second.account.spent);
    assert_eq!((a.input_tokens, b.input_tokens), (Some(200), Some(200)));
    assert!(b.cost_usd.unwrap() < a.cost_usd.unwrap() * 1.01, "{a:?} {b:?}");
}

/// Rate limit, overload, auth, a bad request, a request that is too long: what each is, after at most two requests.
#[tokio::test]
async fn every_refusal_of_the_provider_has_its_end() {
    let limited = EndKind::RateLimited { until: None };
    let rows = [
        (Fault::rate_limited("1"), limited, 2, true),
        (Fault::overloaded(), EndKind::Overloaded, 2, true),
        (
            Fault::error(401, "authentication_error", "invalid x-api-key"),
            EndKind::Auth,
            2,
            true,
        ),
        (
            Fault::error(
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
            ),
            EndKind::Poisoned,
            9,
            false,
        ),
        (
            Fault::error(400, "invalid_request_error", "messages.3: unexpected block"),
            EndKind::Poisoned,
            9,
            false,
        ),
    ];
    for (fault, kind, at_most, keeps_session) in rows {
        let Some(rig) =
            Rig::new(Scenario::new("refused").step(Step::say("never").after(fault.clone()))).await
        else {
            return;
        };
        let ran = rig.run().await;
        assert_eq!(ran.ending.kind, kind, "{fault:?}: {}", ran.stdout);
        let asked = rig.model.requests().len();
        assert!(asked <= at_most, "{fault:?}: asked {asked} times");
        assert_eq!(ran.account.session.is_some(), keeps_session, "{fault:?}");
    }
}

#[tokio::test]
async fn a_session_that_was_refused_at_once_can_be_gone_on_in() {
    let fault = Fault::rate_limited("1").first(2);
    let scenario = Scenario::new("refused, then not")
        .step(bash("echo one >> log").after(fault))
        .step(Step::say("Done."));
    let Some(mut rig) = Rig::new(scenario).await else {
        return;
    };
    let first = rig.run().await;
    assert!(
        matches!(first.ending.kind, EndKind::RateLimited { .. }),
        "{}",
        first.stdout
    );
    rig.stage.next(&first);
    let second = rig.run().await;
    assert_eq!(second.ending.kind, EndKind::Claimed, "{}", second.stdout);
    assert_eq!(rig.stage.read("log"), "one\n");
}

#[tokio::test]
async fn the_limit_of_turns_and_the_budget_hold() {
    let endless = || {
        (0..9).fold(Scenario::new("endless"), |all, n| {
            all.step(bash(&format!("echo {n} >> log")))
        })
    };
    let Some(mut rig) = Rig::new(endless()).await else {
        return;
    };
    rig.stage.brief.max_turns = Some(2);
    let ran = rig.run().await;
    assert_eq!(ran.ending.kind, EndKind::MaxTurns, "{}", ran.stdout);
    assert_eq!(rig.stage.read("log").lines().count(), 2);
    let Some(mut rig) = Rig::new(endless()).await else {
        return;
    };
    rig.stage.brief.budget_usd = Some(0.0001);
    let ran = rig.run().await;
    assert_eq!(ran.ending.kind, EndKind::Budget, "{}", ran.stdout);
    assert!(rig.model.requests().len() < 4);
}

/// Killed while the model is silent: the next attempt knows what was done.
#[tokio::test]
async fn a_kill_in_the_middle_is_gone_on_from_in_the_same_session() {
    let scenario = Scenario::new("silent")
        .step(bash("echo one >> log"))
        .step(Step::say("Done.").after(Fault::hang().first(1)));
    let Some(mut rig) = Rig::new(scenario).await else {
        return;
    };
    let running = rig.stage.start(&rig.client).await;
    until("the silent request", || {
        (rig.model.requests().len() > 1).then_some(())
    })
    .await;
    running.kill_now().unwrap();
    let killed = rig.stage.finish(&running, &rig.client).await;
    assert_eq!(killed.ending.kind, EndKind::Interrupted, "{}", killed.stdout);
    rig.stage.next(&killed);
    let second = rig.run().await;
    assert_eq!(
        second.ending.kind,
        EndKind::Claimed,
        "{} {}",
        second.stdout,
        second.stderr
    );
    assert_eq!(second.account.session, killed.account.session);
    assert_eq!(rig.stage.read("log"), "one\n", "what was done is not done again");
}

/// Killed before it was written down, or in another home: lost, which is nobody's failure, and begun anew.
#[tokio::test]
async fn a_session_that_is_gone_is_lost_and_not_handed_on() {
    let Some(mut rig) = Rig::new(Scenario::new("any").step(Step::say("Done."))).await else {
        return;
    };
    rig.stage.brief.session = Some("00000000-0000-4000-8000-000000000000".to_owned());
    let lost = rig.run().await;
    assert_eq!(lost.ending.kind, EndKind::Vanished, "{}", lost.stdout);
    assert_eq!(lost.account.session, None);
    rig.stage.next(&lost);
    assert_eq!(rig.run().await.ending.kind, EndKind::Claimed);
}

/// Code that a repository brings along. Seen to fail without `--setting-sources` and `--strict-mcp-config`.
#[tokio::test]
async fn nothing_that_a_repository_configures_is_run() {
    let scenario = Scenario::new("hooks")
        .step(bash("echo one >> log"))
        .step(Step::say("Done."));
    let Some(rig) = Rig::new(scenario).await else {
        return;
    };
    let canary = rig.stage.path("canary");
    let command = format!("echo ran >> {}", canary.display());
    let hook = json!([{"matcher": "*", "hooks": [{"type": "command", "command": command}]}]);
    let hooks = json!({"PreToolUse": hook, "SessionStart": hook, "UserPromptSubmit": hook, "Stop": hook});
    let settings = json!({"hooks": hooks, "enableAllProjectMcpServers": true, "apiKeyHelper": command});
    let servers = json!({"mcpServers": {"evil": {"command": "sh", "args": ["-c", command]}}});
    fs::create_dir(rig.stage.in_workspace(".claude")).unwrap();
    for (file, text) in [
        (".claude/settings.json", &settings),
        (".claude/settings.local.json", &settings),
        (".mcp.json", &servers),
    ] {
        fs::write(rig.stage.in_workspace(file), text.to_string()).unwrap();
    }
    let ran = rig.run().await;
    assert_eq!(ran.ending.kind, EndKind::Claimed, "{}", ran.stdout);
    assert!(!canary.exists(), "{}", fs::read_to_string(canary).unwrap());
}

#[tokio::test]
async fn pictures_are_shown_and_only_once() {
    let scenario = Scenario::new("picture")
        .marked("Fix")
        .step(Step::say("I see."))
        .step(Step::say("Still."));
    let Some(mut rig) = Rig::new(scenario).await else {
        return;
    };
    let picture = rig.stage.in_workspace("shot.png");
    fs::write(&picture, PNG).unwrap();
    rig.stage.brief.attachments = vec![picture];
    let first = rig.run().await;
    assert_eq!(first.ending.kind, EndKind::Claimed, "{}", first.stdout);
    let pictures = |rig: &Rig| {
        rig.history()
            .iter()
            .filter_map(|m| m["content"].as_array())
            .flatten()
            .filter(|b| b["type"] == "image")
            .count()
    };
    assert_eq!(pictures(&rig), 1);
    rig.stage.next(&first);
    let second = rig.run().await;
    assert_eq!(second.ending.kind, EndKind::Claimed, "{}", second.stdout);
    assert_eq!(pictures(&rig), 1);
}

/// A red dot.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00,
    0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01,
    0x01, 0x00, 0xf7, 0x03, 0x41, 0x43, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60,
    0x82,
];

/// The orchestrator's own tools, without a question, and with the attempt's token in their environment.
#[tokio::test]
async fn the_orchestrators_tools_are_given() {
    let call = Step::call("mcp__orchestrator__note", json!({"text": "hello"}));
    let Some(mut rig) = Rig::new(Scenario::new("tools").step(call).step(Step::say("Done."))).await else {
        return;
    };
    let server = rig.stage.path("server.py");
    fs::write(&server, SERVER).unwrap();
    rig.stage.brief.mcp = ["python3".into(), server.into()].into();
    let ran = rig.run().await;
    assert_eq!(ran.ending.kind, EndKind::Claimed, "{}", ran.stdout);
    assert_eq!(
        rig.stage.read("note"),
        "hello the-attempts-token\n",
        "{}",
        ran.stdout
    );
}

/// The least MCP server with one tool: it writes its text and its token into the workspace.
const SERVER: &str = r#"
import json, os, sys
for line in sys.stdin:
    ask = json.loads(line)
    if "id" not in ask: continue
    method = ask["method"]
    if method == "initialize":
        result = {"protocolVersion": ask["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "t", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "note", "description": "n", "inputSchema":
                  {"type": "object", "properties": {"text": {"type": "string"}}}}]}
    elif method == "tools/call":
        with open(os.environ["ORCHESTRATOR_WORKSPACE"] + "/note", "w") as f:
            f.write(ask["params"]["arguments"]["text"] + " " + os.environ.get("ORCHESTRATOR_TOKEN", "no token") + "\n")
        result = {"content": [{"type": "text", "text": "ok"}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": ask["id"], "result": result}), flush=True)
"#;

/// Contained, it may do everything, as root too; else it is refused what nobody allowed.
#[tokio::test]
async fn a_contained_worker_is_not_asked_for_permission() {
    for contained in [true, false] {
        let fetch = Step::call("WebFetch", json!({"url": "http://127.0.0.1:1/", "prompt": "x"}));
        let Some(mut rig) = Rig::new(Scenario::new("fetch").step(fetch).step(Step::say("Done."))).await
        else {
            return;
        };
        rig.stage.brief.contained = contained;
        let ran = rig.run().await;
        assert_eq!(ran.ending.kind, EndKind::Claimed, "{}", ran.stdout);
        let denied = ran.signals.iter().any(|s| matches!(s, Signal::Denied { .. }));
        assert_eq!(denied, !contained, "{}", ran.stdout);
    }
}

/// The runtime in an instance's configuration.
fn lines(base_url: &str) -> Option<String> {
    let binary = client("claude")?;
    Some(format!(
        "kind = \"claude-code\"\nbinary = {binary:?}\nbase_url = {base_url:?}\napi_key = {KEY:?}\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_goes_the_whole_way() {
    whole::a_task_goes_the_whole_way(lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_costs_no_attempt_and_holds_no_slot() {
    whole::a_rate_limit_costs_no_attempt_and_holds_no_slot(lines, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_of_a_killed_service_goes_on_in_its_session() {
    whole::a_killed_worker_of_a_killed_service_goes_on_in_its_session(lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_a_person_and_its_answer_the_session() {
    let ask = Step::call("mcp__orchestrator__ask", json!({"text": whole::QUESTION}));
    whole::a_question_reaches_a_person_and_its_answer_the_session(lines, ask, Step::say).await;
}
