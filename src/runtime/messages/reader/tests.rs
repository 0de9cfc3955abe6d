use super::*;
use proptest::prelude::*;
use serde_json::json;

fn exit(cause: Cause, code: Option<i32>, signal: Option<i32>) -> Exit {
    let status = code.map(Status::Code).or(signal.map(Status::Signal));
    Exit {
        cause,
        status,
        ended_at: DateTime::UNIX_EPOCH,
        stragglers_killed: 0,
    }
}

fn file(outcome: &str, reason: &str) -> OutcomeFile {
    OutcomeFile::parse(
        json!({"outcome": outcome, "reason": reason})
            .to_string()
            .as_bytes(),
    )
    .unwrap_or_default()
}

fn closed(kind: EndKind, finished: bool) -> LineReader {
    let mut reader = LineReader::default();
    let closing = Closing {
        kind,
        reason: "said".into(),
        finished,
        http_status: None,
        turns: 3,
        usage: Totals {
            input_tokens: 5,
            output_tokens: 6,
            cached_tokens: 0,
            cost_usd: Some(0.5),
        },
        session: Some("s2".into()),
    };
    reader.read(&serde_json::to_vec(&Line::Result(closing)).unwrap());
    reader
}

#[test]
fn without_a_result_line_the_exit_decides() {
    use Cause::*;
    let rows = [
        (exit(Exited, None, Some(9)), EndKind::Interrupted, "signal 9"),
        (exit(Exited, Some(0), None), EndKind::Silent, "without a result"),
        (exit(Exited, Some(101), None), EndKind::Failed, "thread panicked"),
        (exit(Stopped, None, Some(15)), EndKind::Interrupted, "stopped"),
        (exit(Timeout, None, Some(9)), EndKind::Interrupted, "longer than"),
        (
            exit(OutputLimit { limit: 1 << 20 }, None, Some(9)),
            EndKind::Failed,
            "of output",
        ),
        (
            exit(
                SpawnFailed {
                    reason: "no such file".into(),
                },
                None,
                None,
            ),
            EndKind::Failed,
            "could not be started",
        ),
        (exit(Vanished, None, None), EndKind::Vanished, "vanished"),
    ];
    for (exit, kind, word) in rows {
        for outcome in [None, Some(file("done", "sure"))] {
            let ending = LineReader::default().ending(&exit, outcome.as_ref(), "x\nthread panicked\n\n");
            assert_eq!(ending.kind, kind, "{exit:?}");
            assert!(ending.reason.contains(word), "{}", ending.reason);
        }
    }
}

#[test]
fn the_result_line_outranks_the_exit() {
    let until = DateTime::<Utc>::UNIX_EPOCH;
    for kind in [
        EndKind::Claimed,
        EndKind::NoChangeNeeded,
        EndKind::Continue,
        EndKind::Blocked,
        EndKind::NeedsStrongerModel,
        EndKind::Failed,
        EndKind::RateLimited { until: Some(until) },
        EndKind::Overloaded,
        EndKind::Auth,
        EndKind::Network,
        EndKind::Budget,
        EndKind::MaxTurns,
        EndKind::Poisoned,
    ] {
        let ending = closed(kind, true).ending(&exit(Cause::Exited, Some(1), None), None, "");
        assert_eq!(
            ending,
            Ending {
                kind,
                reason: "said".into()
            }
        );
    }
}

#[test]
fn the_outcome_file_speaks_for_a_worker_that_just_ended() {
    let ok = exit(Cause::Exited, Some(0), None);
    let rows = [
        ("done", EndKind::Claimed),
        ("no_change_needed", EndKind::NoChangeNeeded),
        ("continue", EndKind::Continue),
        ("blocked", EndKind::Blocked),
        ("needs_stronger_model", EndKind::NeedsStrongerModel),
        ("failed", EndKind::Failed),
        ("nonsense", EndKind::Claimed),
    ];
    for (word, kind) in rows {
        let ending = closed(EndKind::Claimed, false).ending(&ok, Some(&file(word, "")), "");
        assert_eq!(ending.kind, kind);
        assert!(!ending.reason.is_empty());
        for (said, finished) in [
            (EndKind::Continue, true),
            (EndKind::Overloaded, false),
            (EndKind::Claimed, true),
        ] {
            assert_eq!(
                closed(said, finished)
                    .ending(&ok, Some(&file(word, "x")), "")
                    .kind,
                said
            );
        }
    }
}

fn waits(attempt: u32, status: u16) -> Signal {
    Signal::Retrying {
        attempt,
        delay: Duration::from_millis(1),
        status: Some(status),
        error: "r".into(),
    }
}

#[test]
fn lines_become_signals() {
    let mut reader = LineReader::default();
    let until: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let rows = [
        (
            json!({"type":"init","session":"s","model":"m","resumed":false,"new_field":1}),
            vec![
                Signal::Alive,
                Signal::Session("s".into()),
                Signal::Model("m".into()),
            ],
        ),
        (
            json!({"type":"text","text":"x"}),
            vec![Signal::Alive, Signal::Said("x".into())],
        ),
        (
            json!({"type":"tool_result","name":"bash","is_error":false,"text":"y"}),
            vec![Signal::Alive, Signal::Answered("y".into())],
        ),
        (json!({"type":"alive"}), vec![Signal::Alive]),
        (
            json!({"type":"tool_use","name":"bash","input":"{}"}),
            vec![
                Signal::Alive,
                Signal::Tool {
                    name: "bash".into(),
                    call: "{}".into(),
                },
            ],
        ),
        (
            json!({"type":"phase","text":"testing"}),
            vec![Signal::Alive, Signal::Phase("testing".into())],
        ),
        (
            json!({"type":"retry","reason":"r","status":529,"delay_ms":1,"rate_limit":null}),
            vec![waits(1, 529)],
        ),
        (
            json!({"type":"retry","reason":"r","status":429,"delay_ms":1,"rate_limit":{"until":until}}),
            vec![refused(Some(until)), waits(2, 429)],
        ),
        (json!({"type":"from_the_future"}), vec![]),
        (json!({"no":"type"}), vec![]),
        (json!(null), vec![]),
    ];
    for (line, signals) in rows {
        assert_eq!(reader.read(line.to_string().as_bytes()), signals, "{line}");
    }
}

#[test]
fn a_cut_last_line_claims_nothing() {
    let mut whole = closed(EndKind::Claimed, true);
    assert_eq!(whole.account().spent.cost_usd, Some(0.5));
    assert_eq!(whole.account().session.as_deref(), Some("s2"));
    assert!(whole.read(b"{\"type\":\"res").is_empty());
    let mut cut = LineReader::default();
    assert!(
        cut.read(br#"{"type":"result","kind":"claimed","reason":"do"#)
            .is_empty()
    );
    assert!(cut.read(&[0xff, 0xfe, b'{']).is_empty());
    let ending = cut.ending(&exit(Cause::Exited, None, Some(9)), None, "");
    assert_eq!(ending.kind, EndKind::Interrupted);
    assert_eq!(cut.account(), Account::default());
}

#[test]
fn a_killed_worker_still_has_an_account() {
    let mut reader = LineReader::default();
    reader.read(br#"{"type":"init","session":"s","model":"m","resumed":false}"#);
    reader.read(br#"{"type":"usage","input_tokens":10,"output_tokens":2,"cached_tokens":0,"cost_usd":null}"#);
    reader.read(br#"{"type":"usage","input_tokens":30,"output_tokens":5,"cached_tokens":0,"cost_usd":0.25}"#);
    let account = reader.account();
    assert_eq!(
        (
            account.spent.input_tokens,
            account.spent.output_tokens,
            account.spent.cost_usd
        ),
        (Some(30), Some(5), Some(0.25))
    );
    assert_eq!(
        (account.session.as_deref(), account.model.as_deref()),
        (Some("s"), Some("m"))
    );
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut reader = LineReader::default();
        for line in lines {
            reader.read(&line);
        }
        let ending = reader.ending(&exit(Cause::Exited, Some(0), None), None, "");
        prop_assert_eq!(ending.kind, EndKind::Silent);
    }

    #[test]
    fn a_line_cut_anywhere_is_skipped(at in 0usize..60) {
        let line = br#"{"type":"tool_use","name":"bash","input":"{}"}"#;
        let at = at.min(line.len() - 1);
        prop_assert!(LineReader::default().read(&line[..at]).is_empty());
    }
}
