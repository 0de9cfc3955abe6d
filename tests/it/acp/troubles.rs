//! Agents that die, hang, babble or refuse; and the probe that looks before.

use std::time::Duration;

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::acp::Acp;
use orchestrator::runtime::{Runtime, Signal};
use serde_json::{Value, json};

use super::rig::{Ran, Rig, after_prompt, answer, client, refuse, stop, update};

fn complain(text: &str) -> Value {
    json!({"do":"complain","text":text})
}

fn write(text: &str) -> Value {
    json!({"do":"write","text":text})
}

#[test]
fn the_stop_reasons() {
    let rows = [
        ("end_turn", EndKind::Claimed, Some(0)),
        ("max_tokens", EndKind::MaxTurns, Some(1)),
        ("max_turn_requests", EndKind::MaxTurns, Some(1)),
        ("refusal", EndKind::Failed, Some(1)),
        ("cancelled", EndKind::Interrupted, Some(1)),
    ];
    for (reason, kind, code) in rows {
        let ran = after_prompt(&[stop(reason)]).run();
        assert_eq!((ran.kind(), ran.code), (kind, code), "{reason}");
    }
}

#[test]
fn a_refused_prompt() {
    let refused = |error: Value| after_prompt(&[refuse(2, error)]).run();
    let ran = refused(json!({"code":-32603,"message":"Internal error","data":{"errorKind":"overloaded"}}));
    assert_eq!(ran.kind(), EndKind::Overloaded);
    let ran = refused(json!({"code":-32603,"message":"Prompt is too long"}));
    assert_eq!((ran.kind(), ran.account.session), (EndKind::Poisoned, None));
}

#[test]
fn the_providers_word_for_when_the_limit_ends_is_handed_on() {
    let notice = update(
        json!({"sessionUpdate":"usage_update","used":1,"size":2,"_meta":{"_claude/rateLimit":
        {"status":"rejected","resetsAt":1_800_000_000,"rateLimitType":"five_hour","utilization":1.0}}}),
    );
    let refused = refuse(
        2,
        json!({"code":-32603,"message":"x","data":{"errorKind":"rate_limit"}}),
    );
    let ran = after_prompt(&[notice, refused]).run();
    let until = chrono::DateTime::from_timestamp(1_800_000_000, 0);
    assert_eq!(ran.kind(), EndKind::RateLimited { until });
}

#[test]
fn an_agent_that_dies_is_told_by_its_last_words() {
    let ran = after_prompt(&[
        complain("Traceback\nout of luck\n"),
        json!({"do":"exit","code":3}),
    ])
    .run();
    assert_eq!(ran.kind(), EndKind::Failed);
    let expected =
        "the agent ended (exit code 3) before it answered the prompt (session/prompt): out of luck";
    assert_eq!(ran.ending.reason, expected);
    assert_eq!(ran.account.session.as_deref(), Some("s1"));

    let ran = after_prompt(&[json!({"do":"die"})]).run();
    assert_eq!(ran.kind(), EndKind::Interrupted);
    assert!(ran.ending.reason.contains("signal 9"), "{}", ran.ending.reason);
}

const LIMITED: &str = "Attempt 1 failed with status 429. Retrying with backoff...\n";

/// Seen to fail with standard error handed on unheard.
#[test]
fn a_silent_agent_that_complains_of_its_provider_waits_for_it() {
    let rig = after_prompt(&[complain(LIMITED), json!({"do":"hang"})]);
    let running = rig.start();
    running.await_line("retrying");
    running.terminate();
    let ran = running.wait();
    let waits = ran.signals.iter().find_map(|signal| match signal {
        Signal::Retrying {
            attempt,
            delay,
            status,
            error,
        } => Some((*attempt, delay.as_secs(), *status, error.as_str())),
        _ => None,
    });
    assert_eq!(waits, Some((1, 20, Some(429), "rate_limit")));
    assert_eq!(ran.kind(), EndKind::Interrupted);
    assert!(ran.stderr.contains(LIMITED), "{}", ran.stderr);
}

#[test]
fn what_it_gets_over_is_no_wait() {
    let said =
        update(json!({"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"I go on."}}));
    let ran = after_prompt(&[complain(LIMITED), said, stop("end_turn")]).run();
    assert_eq!(ran.kind(), EndKind::Claimed);
    assert!(ran.of_type("retrying").is_empty(), "{:?}", ran.lines);
}

/// Seen to fail with standard error handed on unheard.
#[test]
fn an_agent_that_gives_up_after_a_complaint_was_refused_by_its_provider() {
    let gone = after_prompt(&[complain(LIMITED), json!({"do":"exit","code":1})]).run();
    assert_eq!(gone.kind(), EndKind::RateLimited { until: None });
    assert!(
        gone.ending.reason.contains("status 429"),
        "{}",
        gone.ending.reason
    );
    let error = json!({"code":-32603,"message":"Internal error"});
    let refused = after_prompt(&[complain(LIMITED), refuse(2, error)]).run();
    assert_eq!(refused.kind(), EndKind::RateLimited { until: None });
    assert!(refused.ending.reason.contains("it had complained: Attempt 1"));
}

/// A megabyte: more than any pipe holds.
#[test]
fn an_agent_never_waits_for_its_standard_error_to_be_read() {
    let flood = "words and words\n".repeat(1 << 16);
    let ran = after_prompt(&[complain(&flood), stop("end_turn"), complain("last words")]).run();
    assert_eq!(ran.kind(), EndKind::Claimed);
    assert_eq!(ran.stderr, format!("{flood}last words"));
}

#[test]
fn the_adapter_of_claude_code_does_not_ask_a_dead_provider_for_minutes() {
    let retries = |command: &str| {
        let mut rig = after_prompt(&[]);
        rig.options.command = command.split(' ').map(str::to_owned).collect();
        let env = rig.launch().env;
        env.get(std::ffi::OsStr::new("CLAUDE_CODE_MAX_RETRIES")).cloned()
    };
    assert_eq!(retries("env A=b claude-agent-acp"), Some("1".into()));
    assert_eq!(retries("opencode acp"), None);
}

#[test]
fn a_program_that_is_no_agent() {
    let babble = |rig: &Rig| -> Ran { rig.run() };
    let ran = babble(&Rig::steps(&[
        write(&"Welcome to the shop!\n".repeat(200)),
        json!({"do":"hang"}),
    ]));
    assert_eq!(ran.kind(), EndKind::Failed);
    let reason = &ran.ending.reason;
    assert!(
        reason.starts_with("the agent does not speak the Agent Client Protocol"),
        "{reason}"
    );
    assert!(reason.contains("Welcome to the shop!"), "{reason}");

    let ran = babble(&Rig::steps(&[
        write("usage: agent [--acp]\n"),
        json!({"do":"exit","code":2}),
    ]));
    assert!(ran.ending.reason.contains("exit code 2") && ran.ending.reason.contains("usage: agent"));

    let mut rig = Rig::steps(&[]);
    rig.options.command = vec!["/no/such/agent".into()];
    let ran = babble(&rig);
    assert_eq!(ran.kind(), EndKind::Failed);
    assert!(
        ran.ending.reason.contains("'/no/such/agent' cannot be started"),
        "{}",
        ran.ending.reason
    );
}

#[test]
fn a_little_noise_and_unknown_updates_are_forgiven() {
    let odd = update(json!({"sessionUpdate":"from_the_future","x":1}));
    let foreign = json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","method":"_vendor/thing","params":{}}});
    let noise = write("npm warn old\n{\"jsonrpc\":\"2.0\",\"torn\n[1,2]\n\n");
    let ran = after_prompt(&[noise, odd, foreign, stop("end_turn")]).run();
    assert_eq!(ran.kind(), EndKind::Claimed, "{ran:#?}");
}

#[test]
fn an_agent_that_never_greets_is_not_waited_for() {
    let mut rig = Rig::steps(&[json!({"do":"hang"})]);
    rig.options.patience = Duration::from_millis(100);
    rig.options.grace = Duration::from_millis(100);
    let ran = rig.run();
    assert_eq!(ran.kind(), EndKind::Failed);
    assert_eq!(
        ran.ending.reason,
        "the agent did not answer its greeting (initialize) within 0.1 s"
    );
}

#[test]
fn another_version_of_the_protocol_is_refused() {
    let ran = Rig::steps(&[client(0, "initialize"), answer(0, json!({"protocolVersion":2}))]).run();
    assert_eq!(ran.kind(), EndKind::Failed);
    assert!(ran.ending.reason.contains("version"), "{}", ran.ending.reason);
}

#[test]
fn what_the_agent_may_not_see() {
    let mut rig = after_prompt(&[stop("end_turn")]);
    rig.brief.inherited.insert("IS_SANDBOX".into(), "yes".into());
    rig.brief.inherited.insert("SECRET".into(), "s".into());
    rig.options.env = vec!["IS_SANDBOX".into()];
    let env = rig.launch().env;
    assert_eq!(
        env.get(std::ffi::OsStr::new("IS_SANDBOX")),
        Some(&"1".into()),
        "contained, and said so properly"
    );
    assert!(!env.contains_key(std::ffi::OsStr::new("SECRET")));
    rig.brief.contained = false;
    assert!(!rig.launch().env.contains_key(std::ffi::OsStr::new("IS_SANDBOX")));
}

#[tokio::test]
async fn the_probe_greets_and_spends_nothing() {
    let rig = Rig::recorded("claude_agent_acp_0.49.0.jsonl");
    let found = Acp::new(rig.options.clone()).probe().await.unwrap();
    assert_eq!(found.version, "Claude Agent 0.49.0");

    let probe = async |command: &[&str]| {
        let mut options = rig.options.clone();
        options.command = command.iter().map(|word| (*word).to_owned()).collect();
        Acp::new(options).probe().await.unwrap_err().to_string()
    };
    assert!(
        probe(&["no-such-agent"])
            .await
            .starts_with("there is no program 'no-such-agent'; install")
    );
    assert!(
        probe(&["echo", "hello there"])
            .await
            .contains("no Agent Client Protocol: hello there")
    );
    assert!(probe(&["true"]).await.contains("'true' is no agent"));
}
