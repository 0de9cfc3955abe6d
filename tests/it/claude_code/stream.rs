//! What is heard while it runs, and what it costs.

use super::*;

fn account(name: &str, brief: &Brief) -> Account {
    heard(name, brief).0.account()
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

/// U06: the CLI's costs are the session's; an attempt's are the difference.
#[test]
fn costs_are_of_this_attempt_alone() {
    let first = account("success_tools", &brief());
    assert!(near(first.spent.cost_usd, 0.02364), "{first:?}");
    assert_eq!(
        (first.spent.input_tokens, first.spent.output_tokens),
        (Some(18_900), Some(160))
    );
    let resumed = Brief {
        session: first.session.clone(),
        session_cost_usd_before: first.session_cost_usd,
        session_tokens_before: first.session_tokens,
        ..brief()
    };
    let second = account("resume", &resumed);
    assert!(near(second.spent.cost_usd, 0.003_532_5), "{second:?}");
    assert_eq!(
        (second.spent.input_tokens, second.spent.output_tokens),
        (Some(1350), Some(12))
    );
    assert!(near(second.session_cost_usd, 0.027_172_5));
    // Two results in one run: the last holds the sum.
    assert!(near(account("stdin_stream", &brief()).spent.cost_usd, 0.007_065));
    // Nothing was spent, so the session's sum stays what it was.
    let refused = account("err_e429", &resumed);
    assert!(
        near(refused.spent.cost_usd, 0.0) && near(refused.session_cost_usd, 0.02364),
        "{refused:?}"
    );
}

#[test]
fn counters_that_start_anew_cost_nothing_twice() {
    let resumed = Brief {
        session: Some("s".into()),
        session_cost_usd_before: Some(9.0),
        session_tokens_before: Some((90_000, 900)),
        ..brief()
    };
    assert!(
        near(account("success_text", &resumed).spent.cost_usd, 0.003_532_5),
        "a new session under the old name"
    );
    let mut reader = ClaudeCode::new(Options::default()).reader(&resumed);
    let result = |cost: f64, tokens: u64| {
        format!(
            r#"{{"type":"result","subtype":"success","modelUsage":{{"m":{{"costUSD":{cost},"inputTokens":{tokens},"outputTokens":{tokens}}}}}}}"#
        )
    };
    reader.read(result(10.0, 90_100).as_bytes());
    reader.read(br#"{"type":"system","subtype":"conversation_reset"}"#);
    reader.read(result(0.5, 10).as_bytes());
    assert!(
        near(reader.account().spent.cost_usd, 1.5),
        "{:?}",
        reader.account()
    );
    assert_eq!(reader.account().spent.input_tokens, Some(110));
}

#[test]
fn a_killed_run_tells_what_it_read_once_a_message() {
    let killed = account("sigterm_tool", &brief());
    assert_eq!((killed.spent.cost_usd, killed.spent.output_tokens), (None, None));
    assert!(killed.spent.input_tokens.is_some_and(|n| n > 0), "{killed:?}");
    assert!(killed.session.is_some());
    let mut reader = ClaudeCode::new(Options::default()).reader(&brief());
    let line = br#"{"type":"assistant","message":{"id":"m1","model":"x","usage":{"input_tokens":5}}}"#;
    reader.read(line);
    reader.read(line);
    assert_eq!(reader.account().spent.input_tokens, Some(5));
}

#[test]
fn a_session_that_cannot_go_on_is_not_offered_again() {
    for (name, offered) in [
        ("success_text", true),
        ("err_e429", true),
        ("sigterm_stream", true),
        ("bad_resume", false),
        ("err_e400ctx", false),
        ("refusal", false),
    ] {
        assert_eq!(account(name, &brief()).session.is_some(), offered, "{name}");
    }
}

#[test]
fn signals_tell_what_it_is_doing() {
    let (_, signals) = heard("success_tools", &brief());
    assert!(signals.contains(&Signal::Session("11111111-2222-4333-8444-555555555555".into())));
    assert!(signals.contains(&Signal::Model("claude-sonnet-4-5".into())));
    let tools: Vec<_> = signals
        .iter()
        .filter_map(|s| {
            if let Signal::Tool { name, call } = s {
                Some((name.as_str(), call.as_str()))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(
        tools,
        [
            ("Write", "/workspace/hello.txt #f8b418490d0cdea9"),
            ("Bash", "cat /workspace/hello.txt")
        ]
    );
    assert!(signals.contains(&Signal::Said("Created the file with one line.".into())));
    assert!(!signals.contains(&Signal::Unreadable));
    let (_, denied) = heard("denied", &brief());
    assert!(denied.iter().any(
        |s| matches!(s, Signal::Denied { tool, reason } if tool == "Write" && reason.contains("granted"))
    ));
    let (_, waiting) = heard("recover_529x2", &brief());
    let retries: Vec<_> = waiting
        .iter()
        .filter_map(|s| {
            if let Signal::Retrying {
                attempt,
                delay,
                status,
                ..
            } = s
            {
                Some((*attempt, *status, !delay.is_zero()))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(retries, [(1, Some(529), true), (2, Some(529), true)]);
}

#[test]
fn limits_of_the_account_are_heard_and_date_the_refusal() {
    let mut reader = ClaudeCode::new(Options::default()).reader(&brief());
    let event = |status: &str, at: u64| {
        format!(
            r#"{{"type":"rate_limit_event","rate_limit_info":{{"status":"{status}","resetsAt":{at},"rateLimitType":"five_hour","utilization":0.9,"new":1}}}}"#
        )
    };
    let signals = reader.read(event("allowed_warning", 1_800_000_000).as_bytes());
    assert!(
        matches!(&signals[1], Signal::RateLimit(limit) if limit.limit == "five_hour" && limit.utilization == Some(0.9))
    );
    // Two windows are full: the later one decides.
    reader.read(event("rejected", 1_900_000_000).as_bytes());
    reader.read(event("rejected", 1_850_000_000).as_bytes());
    reader.read(br#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"API Error"}"#);
    let ending = reader.ending(&exited(Status::Code(1)), None, "");
    assert_eq!(
        ending.kind,
        E::RateLimited {
            until: DateTime::from_timestamp(1_900_000_000, 0)
        }
    );
    let mut old = ClaudeCode::new(Options::default()).reader(&brief());
    old.read(br#"{"type":"result","subtype":"success","is_error":true,"result":"Claude AI usage limit reached|1850000000"}"#);
    let ending = old.ending(&exited(Status::Code(1)), None, "");
    assert_eq!(
        ending.kind,
        E::RateLimited {
            until: DateTime::from_timestamp(1_850_000_000, 0)
        }
    );
}
