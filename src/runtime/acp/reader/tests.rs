use super::*;
use crate::runtime::outcome_file::Claim;
use serde_json::json;

fn exit(cause: Cause, code: i32) -> Exit {
    Exit {
        cause,
        status: Some(Status::Code(code)),
        ended_at: chrono::DateTime::UNIX_EPOCH,
        stragglers_killed: 0,
    }
}

fn closing(kind: EndKind, died: bool) -> Vec<u8> {
    let closing = Closing {
        kind,
        reason: "its reason".into(),
        died,
        usage: Used::default(),
    };
    serde_json::to_vec(&Line::Result(closing)).unwrap()
}

fn after(lines: &[Vec<u8>]) -> LineReader {
    let mut reader = LineReader::default();
    for line in lines {
        reader.read(line);
    }
    reader
}

fn claims(claim: Claim) -> OutcomeFile {
    OutcomeFile {
        claim: Some(claim),
        ..OutcomeFile::default()
    }
}

#[test]
fn a_poisoned_session_is_not_handed_on() {
    let init = json!({"type":"init","session":"s","model":"m","agent":"a","resumed":false});
    let init = init.to_string().into_bytes();
    let session = |kind| after(&[init.clone(), closing(kind, false)]).account().session;
    assert_eq!(session(EndKind::Interrupted).as_deref(), Some("s"));
    assert_eq!(session(EndKind::Poisoned), None);
    assert_eq!(session(EndKind::Vanished), None);
    assert_eq!(after(&[init]).account().model.as_deref(), Some("m"));
}

#[test]
fn the_four_witnesses() {
    use EndKind::{Blocked, Claimed, Continue, Failed, Interrupted, Vanished};
    let rows = [
        (Some(Claimed), Cause::Exited, 0, None, Claimed),
        (Some(Claimed), Cause::Exited, 0, Some(Claim::Continue), Continue),
        (Some(Claimed), Cause::Exited, 0, Some(Claim::Blocked), Blocked),
        (Some(Failed), Cause::Exited, 1, Some(Claim::Continue), Failed),
        (Some(Failed), Cause::Exited, 1, Some(Claim::Done), Claimed),
        (
            Some(Interrupted),
            Cause::Stopped,
            1,
            Some(Claim::Done),
            Interrupted,
        ),
        (None, Cause::Exited, 0, None, Interrupted),
        (None, Cause::Exited, 1, None, Failed),
        (None, Cause::Exited, 1, Some(Claim::Done), Claimed),
        (None, Cause::Stopped, 143, None, Interrupted),
        (None, Cause::Vanished, 0, None, Vanished),
        (Some(Claimed), Cause::Vanished, 0, None, Vanished),
        (Some(Claimed), Cause::Timeout, 0, None, Interrupted),
    ];
    for (said, cause, code, claim, expected) in rows {
        let lines: Vec<Vec<u8>> = said.map(|kind| closing(kind, false)).into_iter().collect();
        let file = claim.map(claims);
        let ending = after(&lines).ending(&exit(cause.clone(), code), file.as_ref(), "");
        assert_eq!(ending.kind, expected, "{said:?} {cause:?} {code} {claim:?}");
        assert!(!ending.reason.is_empty());
    }
}

#[test]
fn standard_error_speaks_for_the_dead_alone() {
    let reason = |died| {
        let reader = after(&[closing(EndKind::Failed, died)]);
        reader
            .ending(&exit(Cause::Exited, 1), None, "a\nlast words\n")
            .reason
    };
    assert_eq!(reason(true), "its reason: last words");
    assert_eq!(reason(false), "its reason");
}

#[test]
fn equal_calls_are_equal_and_a_plan_is_the_better_phase() {
    let mut reader = LineReader::default();
    let answer = br#"{"type":"tool_result","name":"Bash","is_error":false,"text":"src"}"#;
    assert!(reader.read(answer).contains(&Signal::Answered("src".into())));
    let tool = br#"{"type":"tool_use","name":"Bash","input":"{\"command\":\"ls\"}"}"#;
    let first = reader.read(tool);
    assert_eq!(first, reader.read(tool));
    assert!(first.contains(&Signal::Phase(r#"Bash: {"command":"ls"}"#.into())));
    reader.read(br#"{"type":"phase","text":"step two"}"#);
    assert!(
        reader
            .read(tool)
            .iter()
            .all(|signal| !matches!(signal, Signal::Phase(_)))
    );
}

proptest::proptest! {
    #[test]
    fn whatever_comes_nothing_is_claimed_without_a_result(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let reader = after(&[bytes]);
        let ending = reader.ending(&exit(Cause::Exited, 0), None, "");
        proptest::prop_assert_eq!(ending.kind, EndKind::Interrupted);
    }
}
