use super::*;
use serde_json::json;

const LIMITED: EndKind = EndKind::RateLimited { until: None };

fn kind(step: Step, code: i32, message: &str, data: Value) -> EndKind {
    let error = Error::new(code, message).data((!data.is_null()).then_some(data));
    let ending = of_error(step, &error, None);
    assert!(
        ending.reason.starts_with("the agent refused "),
        "{}",
        ending.reason
    );
    ending.kind
}

#[test]
fn the_adapters_kind_decides_first() {
    let rows = [
        ("rate_limit", LIMITED),
        ("overloaded", EndKind::Overloaded),
        ("server_error", EndKind::Overloaded),
        ("authentication_failed", EndKind::Auth),
        ("billing_error", EndKind::Auth),
        ("invalid_request", EndKind::Poisoned),
        ("unknown", EndKind::Network),
    ];
    for (word, expected) in rows {
        let data = json!({ "errorKind": word });
        assert_eq!(
            kind(Step::Prompt, -32603, "fetch failed", data),
            expected,
            "{word}"
        );
    }
}

#[test]
fn then_the_code() {
    let rows = [
        (-32000, EndKind::Auth),
        (-32002, EndKind::Poisoned),
        (401, EndKind::Auth),
        (429, LIMITED),
        (503, EndKind::Overloaded),
        (-32602, EndKind::Failed),
    ];
    for (code, expected) in rows {
        assert_eq!(kind(Step::Prompt, code, "no", Value::Null), expected, "{code}");
    }
}

#[test]
fn and_last_the_words() {
    let rows = [
        ("You have hit your limit", LIMITED),
        ("Reached maximum number of turns (2)", EndKind::MaxTurns),
        ("API Error: Request rejected (429)", LIMITED),
        ("prompt is too long: 300000 tokens", EndKind::Poisoned),
        (
            "It exceeds the model's maximum context of 200k",
            EndKind::Poisoned,
        ),
        ("API Error (529) Overloaded", EndKind::Overloaded),
        ("fetch failed", EndKind::Network),
        ("connect ECONNREFUSED 127.0.0.1:1", EndKind::Network),
        ("Invalid API key · Please run /login", EndKind::Auth),
        ("something else", EndKind::Failed),
    ];
    for (words, expected) in rows {
        assert_eq!(
            kind(Step::Prompt, -32603, words, Value::Null),
            expected,
            "{words}"
        );
        let details = json!({ "details": words });
        assert_eq!(
            kind(Step::Prompt, -32603, "Internal error", details),
            expected,
            "{words}"
        );
    }
}

#[test]
fn a_session_that_cannot_be_opened_again_is_poisoned_or_gone_unless_the_provider_is_to_blame() {
    let null = Value::Null;
    assert_eq!(
        kind(Step::Reopening, -32603, "no such session", null.clone()),
        EndKind::Poisoned
    );
    assert_eq!(
        kind(Step::Reopening, -32002, "Resource not found", null.clone()),
        EndKind::Vanished
    );
    assert_eq!(
        kind(Step::Reopening, -32000, "sign in", null.clone()),
        EndKind::Auth
    );
    assert_eq!(kind(Step::Reopening, 429, "slow down", null.clone()), LIMITED);
    assert_eq!(
        kind(Step::Opening, -32002, "no such folder", null),
        EndKind::Failed
    );
}

#[test]
fn the_time_of_the_limit_is_handed_on() {
    let until = DateTime::from_timestamp(1_800_000_000, 0);
    let error = Error::new(-32603, "x").data(json!({"errorKind":"rate_limit"}));
    assert_eq!(
        of_error(Step::Prompt, &error, until).kind,
        EndKind::RateLimited { until }
    );
}

#[test]
fn stop_reasons() {
    let rows = [
        (StopReason::EndTurn, false, EndKind::Claimed, "All done."),
        (StopReason::EndTurn, true, EndKind::Claimed, "All done."),
        (
            StopReason::MaxTokens,
            false,
            EndKind::MaxTurns,
            "it reached its limit of tokens",
        ),
        (
            StopReason::MaxTurnRequests,
            false,
            EndKind::MaxTurns,
            "it reached its limit of turns",
        ),
        (
            StopReason::MaxTurnRequests,
            true,
            EndKind::Budget,
            "it has used up its budget",
        ),
        (
            StopReason::Refusal,
            false,
            EndKind::Failed,
            "it refused: All done.",
        ),
        (
            StopReason::Cancelled,
            false,
            EndKind::Interrupted,
            "it was cancelled",
        ),
        (
            StopReason::Cancelled,
            true,
            EndKind::Budget,
            "it has used up its budget",
        ),
    ];
    for (stop, over, kind, reason) in rows {
        let ending = of_stop(stop, " All\ndone. ", over);
        assert_eq!((ending.kind, ending.reason), (kind, reason.to_owned()));
    }
    assert_eq!(
        of_stop(StopReason::EndTurn, "", false).reason,
        "it ended well, without a word"
    );
}

#[test]
fn a_death_tells_where_and_how() {
    let ending = of_death(Step::Greeting, "exit code 3", false, Some("npm ERR! x"));
    assert_eq!(ending.kind, EndKind::Failed);
    assert_eq!(
        ending.reason,
        "the agent ended (exit code 3) before it answered its greeting (initialize); its output was no protocol: npm ERR! x"
    );
    assert_eq!(
        of_death(Step::Prompt, "signal 9", true, None).kind,
        EndKind::Interrupted
    );
}
