use super::*;

const INVALID: &str = "invalid_request_error";

#[test]
fn every_row_of_the_table() {
    let rows = [
        (401, "authentication_error", "invalid x-api-key", true, Kind::Auth),
        (403, "permission_error", "no", true, Kind::Auth),
        (402, "billing_error", "pay", true, Kind::Billing),
        (429, "rate_limit_error", "slow down", true, Kind::RateLimited),
        (
            429,
            "rate_limit_error",
            "enforced_spend_limit_reached",
            true,
            Kind::Billing,
        ),
        (529, "overloaded_error", "Overloaded", true, Kind::Overloaded),
        (500, "api_error", "oops", true, Kind::Overloaded),
        (408, "", "", true, Kind::Overloaded),
        (413, "request_too_large", "big", true, Kind::Poisoned),
        (
            400,
            INVALID,
            "prompt is too long: 210000 tokens > 200000",
            true,
            Kind::Poisoned,
        ),
        (
            400,
            INVALID,
            "Your credit balance is too low",
            true,
            Kind::Billing,
        ),
        (
            400,
            INVALID,
            "messages.1: tool_use without result",
            false,
            Kind::Poisoned,
        ),
        (400, INVALID, "max_tokens: too big", true, Kind::Refused),
        (404, "not_found_error", "model: nope", false, Kind::Refused),
        (302, "", "", true, Kind::Refused),
    ];
    for (status, word, message, first, kind) in rows {
        let body = format!(r#"{{"type":"error","error":{{"type":"{word}","message":"{message}"}}}}"#);
        let trouble = Trouble::from_answer(status, body.as_bytes(), None, first);
        assert_eq!(trouble.kind, kind, "{status} {body}");
        assert!(trouble.text.contains(&status.to_string()) && trouble.text.contains(message));
    }
}

#[test]
fn a_body_that_is_no_error_document_is_quoted() {
    let trouble = Trouble::from_answer(503, b"<html>\x1bdown</html>", None, true);
    assert_eq!(trouble.kind, Kind::Overloaded);
    assert!(trouble.text.contains("<html>down</html>"));
    assert!(
        Trouble::from_answer(500, b"", None, true)
            .text
            .contains("no explanation")
    );
}

#[test]
fn every_kind_has_its_end() {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let rows = [
        (Kind::RateLimited, EndKind::RateLimited { until: None }),
        (Kind::Overloaded, EndKind::Overloaded),
        (Kind::Cut, EndKind::Overloaded),
        (Kind::Auth, EndKind::Auth),
        (Kind::Billing, EndKind::Auth),
        (Kind::Network, EndKind::Network),
        (Kind::Idle, EndKind::Network),
        (Kind::Poisoned, EndKind::Poisoned),
        (Kind::Refused, EndKind::Failed),
    ];
    for (kind, end) in rows {
        assert_eq!(Trouble::new(kind, "x").ending(now).kind, end);
    }
    let mut limited = Trouble::new(Kind::RateLimited, "x");
    limited.retry_after = Some(Duration::from_secs(7999));
    let until = now + chrono::Duration::seconds(7999);
    assert_eq!(
        limited.ending(now).kind,
        EndKind::RateLimited { until: Some(until) }
    );
    limited.retry_after = Some(Duration::MAX);
    assert_eq!(limited.ending(now).kind, EndKind::RateLimited { until: None });
}

#[test]
fn events_in_mid_stream() {
    for (word, kind) in [
        ("overloaded_error", Kind::Overloaded),
        ("api_error", Kind::Overloaded),
        ("rate_limit_error", Kind::RateLimited),
        ("authentication_error", Kind::Auth),
        ("invalid_request_error", Kind::Refused),
    ] {
        let error = ApiError {
            kind: word.into(),
            message: "m".into(),
        };
        assert_eq!(Trouble::from_event(&error).kind, kind);
    }
}
