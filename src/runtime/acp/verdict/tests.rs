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
fn refused_requests_by_kind_code_and_words() {
    let null = Value::Null;
    let rows = [
        // Recorded: an adapter's kind outranks its words.
        (
            -32603,
            "Internal error: API Error: Request rejected (429)",
            json!({"errorKind":"rate_limit"}),
            LIMITED,
        ),
        (
            -32603,
            "Internal error",
            json!({"errorKind":"overloaded"}),
            EndKind::Overloaded,
        ),
        (
            -32603,
            "Internal error",
            json!({"errorKind":"server_error"}),
            EndKind::Overloaded,
        ),
        (
            -32603,
            "Internal error",
            json!({"errorKind":"authentication_failed"}),
            EndKind::Auth,
        ),
        (
            -32603,
            "Internal error",
            json!({"errorKind":"billing_error"}),
            EndKind::Auth,
        ),
        (
            -32603,
            "Internal error",
            json!({"errorKind":"invalid_request"}),
            EndKind::Poisoned,
        ),
        (-32603, "rate limit", json!({"errorKind":"unknown"}), LIMITED),
        (-32000, "Authentication required", null.clone(), EndKind::Auth),
        (-32002, "Resource not found", null.clone(), EndKind::Poisoned),
        (429, "Resource exhausted", null.clone(), LIMITED),
        (401, "no", null.clone(), EndKind::Auth),
        (503, "no", null.clone(), EndKind::Overloaded),
        (
            -32603,
            "Internal error",
            json!({"details":"You have hit your limit"}),
            LIMITED,
        ),
        (
            -32603,
            "Internal error",
            json!("prompt is too long: 300000 tokens"),
            EndKind::Poisoned,
        ),
        (
            -32603,
            "This exceeds the model's maximum context of 200k",
            null.clone(),
            EndKind::Poisoned,
        ),
        (
            -32603,
            "API Error (529) Overloaded",
            null.clone(),
            EndKind::Overloaded,
        ),
        (-32603, "fetch failed", null.clone(), EndKind::Network),
        (
            -32603,
            "connect ECONNREFUSED 127.0.0.1:1",
            null.clone(),
            EndKind::Network,
        ),
        (
            -32603,
            "Invalid API key · Please run /login",
            null.clone(),
            EndKind::Auth,
        ),
        (-32603, "something else", null.clone(), EndKind::Failed),
        (-32602, "Invalid params", null, EndKind::Failed),
    ];
    for (code, message, data, expected) in rows {
        assert_eq!(
            kind(Step::Prompt, code, message, data),
            expected,
            "{code} {message}"
        );
    }
}

#[test]
fn a_session_that_cannot_be_opened_again_is_poisoned_unless_the_provider_is_to_blame() {
    let null = Value::Null;
    assert_eq!(
        kind(Step::Reopening, -32603, "no such session", null.clone()),
        EndKind::Poisoned
    );
    assert_eq!(
        kind(Step::Reopening, -32002, "Resource not found", null.clone()),
        EndKind::Poisoned
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
        assert_eq!(
            (ending.kind, ending.reason.replace("All done.", "All done.")),
            (kind, reason.to_owned())
        );
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
