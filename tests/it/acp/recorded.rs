//! Recordings of real agents: a change of what they write shows here.

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::{RateLimit, Signal};
use serde_json::{Value, json};

use super::rig::{Ran, Rig};

fn texts(ran: &Ran) -> Vec<&str> {
    ran.of_type("text")
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect()
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

#[test]
fn the_claude_adapter_writes_a_file() {
    let ran = Rig::recorded("claude_agent_acp_0.49.0.jsonl").run();
    assert_eq!((ran.kind(), ran.code), (EndKind::Claimed, Some(0)), "{ran:#?}");
    assert_eq!(ran.ending.reason, "Created the file with one line.");
    assert_eq!(
        ran.calls(),
        [
            ("Write", r#"{"file_path":"/workspace/b.txt","content":"hello\n"}"#),
            (
                "Bash",
                r#"{"command":"cat /workspace/b.txt","description":"Show the file"}"#
            ),
        ]
    );
    let said = [
        "I'll create the file.",
        "Checking it.",
        "Created the file with one line.",
    ];
    assert_eq!(texts(&ran), said);
    assert_eq!(ran.of_type("thought").len(), 1);
    assert_eq!(ran.of_type("tool_result").len(), 2);
    assert_eq!(
        ran.answers(),
        [&json!({"outcome":{"outcome":"selected","optionId":"allow"}})]
    );
    let (spent, account) = (ran.account.spent, &ran.account);
    assert!(
        near(spent.cost_usd, 0.0394) && near(account.session_cost_usd, 0.0394),
        "{account:?}"
    );
    assert_eq!(
        (spent.input_tokens, spent.output_tokens),
        (Some(18_900), Some(160))
    );
    assert_eq!(
        account.session.as_deref(),
        Some("699c93ef-f19a-44cc-bf45-fa053101011c")
    );
    assert_eq!(account.model.as_deref(), Some("default"));
    assert_eq!(ran.of_type("init")[0]["agent"], "Claude Agent 0.49.0");
    assert!(!ran.signals.contains(&Signal::Unreadable));
}

#[test]
fn the_claude_adapter_is_refused_a_tool() {
    let rig = Rig::recorded("claude_agent_acp_deny.jsonl");
    let ran = rig
        .permission(orchestrator::runtime::acp::Permission::ReadOnly, true)
        .run();
    assert_eq!(ran.kind(), EndKind::Claimed);
    assert_eq!(
        ran.answers(),
        [&json!({"outcome":{"outcome":"selected","optionId":"reject"}})]
    );
    assert!(
        ran.ending.reason.ends_with("(refused tools: Write)"),
        "{}",
        ran.ending.reason
    );
    let denied = Signal::Denied {
        tool: "Write".into(),
        reason: "permission is \"read-only\"".into(),
    };
    assert!(ran.signals.contains(&denied));
    assert_eq!(ran.of_type("tool_result")[0]["is_error"], true);
}

#[test]
fn the_claude_adapter_meets_a_rate_limit() {
    let ran = Rig::recorded("claude_agent_acp_e429.jsonl").run();
    assert_eq!(
        (ran.kind(), ran.code),
        (EndKind::RateLimited { until: None }, Some(1))
    );
    assert!(
        ran.ending.reason.contains("exceed your account's rate limit"),
        "{}",
        ran.ending.reason
    );
    let limit = RateLimit {
        status: "rejected".into(),
        limit: "rate".into(),
        utilization: None,
        until: None,
    };
    assert!(ran.signals.contains(&Signal::RateLimit(limit)));
    assert!(near(ran.account.spent.cost_usd, 0.0));
}

#[test]
fn the_claude_adapter_is_cancelled() {
    let rig = Rig::recorded("claude_agent_acp_cancel.jsonl");
    let started = rig.start();
    started.await_line("usage");
    started.terminate();
    let ran = started.wait();
    assert_eq!(
        (ran.kind(), ran.ending.reason.as_str()),
        (EndKind::Interrupted, "it was cancelled")
    );
    assert_eq!(
        ran.told("session/cancel")["sessionId"],
        "26147dd3-abb9-4b3a-9931-b61ca9abbf1a"
    );
    assert!(ran.account.session.is_some(), "the session can go on");
}

#[test]
fn opencode_writes_a_file() {
    let ran = Rig::recorded("opencode_acp.jsonl").model("stub-1").run();
    assert_eq!(ran.kind(), EndKind::Claimed, "{ran:#?}");
    assert_eq!(
        ran.calls(),
        [("edit", r#"{"filePath":"/workspace/a.txt","content":"hello\n"}"#)]
    );
    let refused: Vec<Option<i64>> = ran
        .answers()
        .iter()
        .map(|answer| answer.get("code").and_then(Value::as_i64))
        .collect();
    assert_eq!(
        refused,
        [None, Some(-32601)],
        "its wish to write through the client, which was never offered"
    );
    assert_eq!(ran.account.model.as_deref(), Some("stub/stub-1"));
    assert_eq!(ran.account.spent.input_tokens, Some(1_200));
    assert!(near(ran.account.spent.cost_usd, 0.0084));
    let capabilities = &ran.told("initialize")["clientCapabilities"];
    assert_ne!(capabilities["fs"]["writeTextFile"], true);
    assert_ne!(capabilities["terminal"], true);
}
