use super::*;
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn id() -> TaskId {
    TaskId::parse("fix-smartbudget-api").unwrap()
}

fn read(text: &str) -> Result<Heartbeat, Flaw> {
    parse(
        text.as_bytes(),
        &id(),
        at("2026-02-09T22:50:00Z"),
        TimeDelta::minutes(2),
    )
}

const FULL: &str = r#"{"taskId":"fix-smartbudget-api","agentSessionKey":"claude:5f0c","attempt":2,"model":"claude-sonnet-4-5","tier":"sonnet",
 "startedAt":"2026-02-09T22:30:00Z","lastHeartbeat":"2026-02-09T22:45:00Z","status":"running",
 "currentPhase":"writing tests","progressPct":45,"pid":4242,"node":"host-1","escalationCount":1,
 "modelHistory":[{"model":"haiku","result":"failed","reason":"gate: 2 tests fail"},{"model":"sonnet","result":"running"}],
 "mood":{"deep":[1,2]}}"#;

#[test]
fn the_whole_file_reads_and_prints_back() {
    let beat = read(FULL).unwrap();
    assert_eq!(beat.attempt, Some(2));
    assert_eq!(beat.model_history.len(), 2);
    assert_eq!(beat.extra["mood"]["deep"][1], 2);
    assert_eq!(read(&beat.print()), Ok(beat.clone()));
    let same: Value = serde_json::from_str(FULL).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&beat.print()).unwrap(), same);
}

#[test]
fn two_keys_are_enough_and_a_wrong_type_elsewhere_is_kept() {
    let beat = read(
        r#"{"taskId":"fix-smartbudget-api","lastHeartbeat":"2026-02-09T23:45:00+01:00","progressPct":"half","pid":-1}"#,
    )
    .unwrap();
    assert_eq!(beat.last_heartbeat, at("2026-02-09T22:45:00Z"));
    assert_eq!((beat.progress_pct, beat.pid), (None, None));
    assert!(beat.print().contains(r#""progressPct":"half""#));
}

#[test]
fn flaws() {
    let long = " ".repeat(MAX_BYTES + 1);
    type Want = fn(&Flaw) -> bool;
    let table: [(&str, Want); 12] = [
        ("", |f| *f == Flaw::Empty),
        (" \n\0", |f| *f == Flaw::Empty),
        (&long, |f| *f == Flaw::TooLarge),
        (r#"{"taskId":"fix-smart"#, |f| matches!(f, Flaw::Torn(_))),
        ("[1]", |f| matches!(f, Flaw::Torn(_))),
        ("{} {}", |f| matches!(f, Flaw::Torn(_))),
        ("{}", |f| *f == Flaw::Incomplete("taskId")),
        (r#"{"taskId":"fix-smartbudget-api"}"#, |f| {
            *f == Flaw::Incomplete("lastHeartbeat")
        }),
        (
            r#"{"taskId":"fix-smartbudget-api","lastHeartbeat":"yesterday"}"#,
            |f| *f == Flaw::Incomplete("lastHeartbeat"),
        ),
        (
            r#"{"taskId":"other","lastHeartbeat":"2026-02-09T22:45:00Z"}"#,
            |f| *f == Flaw::Foreign("other".into()),
        ),
        (
            r#"{"taskId":"../x","lastHeartbeat":"2026-02-09T22:45:00Z"}"#,
            |f| matches!(f, Flaw::Foreign(_)),
        ),
        (
            r#"{"taskId":"fix-smartbudget-api","lastHeartbeat":"2026-02-09T22:52:01Z"}"#,
            |f| matches!(f, Flaw::Future(_)),
        ),
    ];
    for (text, want) in table {
        let flaw = read(text).unwrap_err();
        assert!(want(&flaw), "{text:.80} -> {flaw:?}");
    }
}

#[test]
fn a_merge_keeps_what_the_newer_does_not_speak_of() {
    let old = read(FULL).unwrap();
    let mut newer = Heartbeat::new(id(), at("2026-02-09T22:40:00Z"));
    newer.progress_pct = Some(60);
    newer.extra.insert("load".into(), 1.into());
    let merged = old.clone().merge(newer);
    assert_eq!(
        merged.last_heartbeat, old.last_heartbeat,
        "an older beat never sets the clock back"
    );
    assert_eq!((merged.progress_pct, merged.pid), (Some(60), Some(4242)));
    assert_eq!(merged.extra.len(), 2);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &id(), at("2026-02-09T22:50:00Z"), TimeDelta::minutes(2));
    }

    #[test]
    fn a_torn_file_is_never_believed(cut in 0..FULL.len()) {
        prop_assert!(read(&FULL[..cut]).is_err());
    }
}
