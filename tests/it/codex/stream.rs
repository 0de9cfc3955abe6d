//! What is heard while it runs, and what it used.

use super::*;

fn account(name: &str, brief: &Brief) -> Account {
    heard(name, brief).0.account()
}

/// The CLI's tokens are the thread's; an attempt's are the difference. It reports no money.
#[test]
fn tokens_are_of_this_attempt_alone() {
    let first = account("success_tools", &brief());
    assert_eq!(first.spent.cost_usd, None);
    assert_eq!(
        (first.spent.input_tokens, first.spent.output_tokens),
        (Some(12_000), Some(100))
    );
    let resumed = Brief {
        session: first.session.clone(),
        session_tokens_before: first.session_tokens,
        ..brief()
    };
    let second = account("resume", &resumed);
    assert_eq!(
        (second.spent.input_tokens, second.spent.output_tokens),
        (Some(1200), Some(12))
    );
    assert_eq!(second.session_tokens, Some((13_200, 112)));
    // Another thread than the one that was to go on starts from zero.
    let elsewhere = account("success_text", &resumed);
    assert_eq!(elsewhere.spent.input_tokens, Some(1200));
    assert_eq!(elsewhere.session_tokens, Some((1200, 12)));
}

#[test]
fn a_killed_run_keeps_the_sum_of_its_thread() {
    let mut reader = Codex::new(Options::default()).reader(&Brief {
        session: Some("t".into()),
        session_tokens_before: Some((500, 5)),
        ..brief()
    });
    reader.read(br#"{"type":"thread.started","thread_id":"t"}"#);
    let killed = reader.account();
    assert_eq!(killed.spent.input_tokens, None);
    assert_eq!(killed.session_tokens, Some((500, 5)));
    assert_eq!(killed.session.as_deref(), Some("t"));
}

#[test]
fn a_thread_that_cannot_go_on_is_not_offered_again() {
    for (name, offered) in [
        ("success_text", true),
        ("err_e429", true),
        ("sigTERM", true),
        ("err_context_window", false),
        ("err_e400ctx", false),
    ] {
        assert_eq!(account(name, &brief()).session.is_some(), offered, "{name}");
    }
}

fn tools(name: &str) -> Vec<(String, String)> {
    let tool = |signal| match signal {
        Signal::Tool { name, call } => Some((name, call)),
        _ => None,
    };
    heard(name, &brief()).1.into_iter().filter_map(tool).collect()
}

#[test]
fn signals_tell_what_it_is_doing() {
    let (_, signals) = heard("success_tools", &brief());
    assert!(signals.contains(&Signal::Session("01a1fcc0-3dad-75c2-a583-043268bc29c8".into())));
    assert!(signals.contains(&Signal::Said("Created the file with one line.".into())));
    assert!(signals.contains(&Signal::Phase("thinks: Write the file with the shell.".into())));
    let pair = |name: &str, call: &str| (name.to_owned(), call.to_owned());
    assert_eq!(tools("cmd_fail"), [pair("shell", "echo oops >&2; exit 3")]);
    assert_eq!(tools("patch"), [pair("edit", "add /workspace/p.txt (item_2)")]);
    assert_eq!(
        tools("mcp"),
        [pair("mcp__orchestrator__heartbeat", r#"{"pct":3}"#)]
    );
}

#[test]
fn an_item_of_type_error_is_a_remark() {
    let line = br#"{"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata not found"}}"#;
    let mut reader = Codex::new(Options::default()).reader(&brief());
    assert_eq!(reader.read(line), [Signal::Alive]);
}

#[test]
fn retries_plans_and_refusals_are_heard() {
    let mut reader = Codex::new(Options::default()).reader(&brief());
    let mut hear = |line: &str| reader.read(line.as_bytes()).split_off(1);
    let retry = hear(
        r#"{"type":"error","message":"Reconnecting... 2/5 (unexpected status 529 <unknown status code>: Overloaded)"}"#,
    );
    assert!(
        matches!(&retry[..], [Signal::Retrying { attempt: 2, status: Some(529), error, .. }] if error.ends_with("Overloaded")),
        "{retry:?}"
    );
    let waiting = hear(
        r#"{"type":"error","message":"Reconnecting... waiting for network (Connection failed: error sending request)"}"#,
    );
    assert!(
        matches!(&waiting[..], [Signal::Retrying { attempt: 0, status: None, error, .. }] if error.contains("Connection failed")),
        "{waiting:?}"
    );
    let plan = r#"{"type":"item.updated","item":{"id":"i","type":"todo_list","items":[{"text":"look","completed":true},{"text":"fix","completed":false}]}}"#;
    assert_eq!(hear(plan), [Signal::Phase("2 of 2: fix".into())]);
    let declined = r#"{"type":"item.completed","item":{"id":"j","type":"command_execution","command":"rm","status":"declined"}}"#;
    assert!(matches!(&hear(declined)[0], Signal::Denied { tool, .. } if tool == "shell"));
}
