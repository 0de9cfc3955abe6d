//! What a group may do, and the rows that it becomes.

use chrono::{DateTime, Utc};

use super::*;
use crate::domain::decide::LogEntry;
use crate::domain::definition::Definition;
use crate::domain::effect::Durable;
use crate::domain::gate::{GateReport, Verdict};
use crate::domain::outcome::{Evidence, Outcome};
use crate::domain::task::{History, StartKind, Task};
use crate::domain::tier::{Route, TierName};

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// A task in its first version after `version`, without an attempt.
fn decision(name: &str, version: u64, epoch: u64, state: State) -> Decision {
    let task = Task {
        id: TaskId::parse(name).unwrap(),
        version,
        epoch,
        definition: Definition::default(),
        definition_hash: "h1".into(),
        state,
        history: History::default(),
        created_at: at(),
        updated_at: at(),
    };
    let entry = LogEntry {
        at: at(),
        kind: "moved".into(),
        from: "here".into(),
        to: "there".into(),
        epoch,
        why: "because".into(),
    };
    Decision {
        task,
        entry,
        attempt: None,
        gate: None,
        durable: Vec::new(),
    }
}

fn pending(name: &str, version: u64, epoch: u64) -> Decision {
    decision(name, version, epoch, State::Pending { since: at() })
}

fn completed(name: &str, version: u64, epoch: u64) -> Decision {
    let end = End::Completed {
        attempt: 1,
        epoch,
        commit: "c0ffee".into(),
        landed: None,
    };
    decision(name, version, epoch, State::Ended { since: at(), end })
}

fn attempt(epoch: u64) -> Attempt {
    let route = Route {
        tier: TierName::new("haiku"),
        runtime: "demo".into(),
        model: "small".into(),
        why: "cheap".into(),
    };
    Attempt {
        n: 1,
        epoch,
        route,
        started_at: at(),
        session: None,
        start: StartKind::First,
    }
}

fn report() -> AttemptReport {
    AttemptReport {
        outcome: Outcome::Done,
        reason: "it says so".into(),
        evidence: Evidence::default(),
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        session: None,
        retry_at: None,
        touched: Vec::new(),
    }
}

fn gate(epoch: u64) -> GateRecord {
    let report = GateReport {
        commit: "c0ffee".into(),
        tree: "7ree".into(),
        receipts: Vec::new(),
        started_at: at(),
        ended_at: at(),
    };
    GateRecord {
        attempt: 1,
        epoch,
        verdict: Verdict::Passed,
        report,
    }
}

fn heads(name: &str, version: u64, epoch: u64, proven: bool) -> Heads {
    let head = Head {
        version,
        epoch,
        definition_hash: "h1".into(),
        proven,
    };
    Heads::from([(name.to_owned(), head)])
}

fn with(change: AttemptChange, decision: Decision) -> Decision {
    Decision {
        attempt: Some(change),
        ..decision
    }
}

fn judged(epoch: u64, decision: Decision) -> Decision {
    Decision {
        gate: Some(gate(epoch)),
        ..decision
    }
}

#[test]
fn what_the_head_rules_out_is_refused_by_its_name() {
    let there = heads("a", 3, 2, false);
    let opened = |epoch| AttemptChange::Opened(attempt(epoch));
    let cases: [(&str, Decision, Option<u64>, &str); 11] = [
        ("a new task", pending("new", 1, 0), None, "ok"),
        ("a known one again", pending("a", 1, 0), None, "conflict 3"),
        ("an unknown one", pending("new", 2, 0), Some(1), "unknown"),
        ("the next step", pending("a", 4, 2), Some(3), "ok"),
        ("from an older version", pending("a", 3, 2), Some(2), "conflict 3"),
        ("from a later one", pending("a", 9, 2), Some(8), "conflict 3"),
        ("of an older epoch", pending("a", 4, 1), Some(3), "fenced 2"),
        ("its own gate", judged(2, pending("a", 4, 2)), Some(3), "ok"),
        (
            "an older attempt's gate",
            judged(1, pending("a", 4, 2)),
            Some(3),
            "fenced 2",
        ),
        (
            "the next attempt",
            with(opened(3), pending("a", 4, 3)),
            Some(3),
            "ok",
        ),
        (
            "an attempt of another epoch",
            with(opened(2), pending("a", 4, 3)),
            Some(3),
            "fenced 3",
        ),
    ];
    for (name, decision, expected, wanted) in cases {
        let found = match Change::new(decision, expected).unwrap().check(&there) {
            Ok(()) => "ok".to_owned(),
            Err(CommitError::Conflict { actual }) => format!("conflict {actual}"),
            Err(CommitError::Fenced { actual }) => format!("fenced {actual}"),
            Err(CommitError::Unknown) => "unknown".to_owned(),
            Err(CommitError::Store(error)) => error.to_string(),
        };
        assert_eq!(found, wanted, "{name}");
    }
}

/// How many rows a decision on task `a` becomes (definitions, admitted, moved, rewritten), and whether a proof is asked for.
fn rows_of(decision: Decision, expected: Option<u64>, proven: bool) -> ([usize; 4], bool) {
    let heads = heads("a", 3, 2, proven);
    let change = Change::new(decision, expected).unwrap();
    let batch = Batch::of([(&change, 7)], &heads).unwrap();
    assert_eq!(batch.events.iter().map(|row| row.seq).collect::<Vec<_>>(), [7]);
    let counts = [
        batch.definitions.len(),
        batch.admitted.len(),
        batch.moved.len(),
        batch.rewritten.len(),
    ];
    (counts, batch.rewritten.iter().any(|row| row.proof.is_some()))
}

#[test]
fn a_hot_step_writes_the_narrow_row_and_everything_else_the_whole_one() {
    let admission = rows_of(pending("new", 1, 0), None, false);
    assert_eq!(admission, ([1, 1, 0, 0], false));
    let step = rows_of(pending("a", 4, 2), Some(3), false);
    assert_eq!(step, ([0, 0, 1, 0], false));
    let mut reworded = pending("a", 4, 2);
    reworded.task.definition_hash = "h2".into();
    assert_eq!(rows_of(reworded, Some(3), false), ([1, 0, 0, 1], false));
    let end = rows_of(completed("a", 4, 2), Some(3), false);
    assert_eq!(end, ([0, 0, 0, 1], true));
    let taken_up_again = rows_of(pending("a", 4, 2), Some(3), true);
    assert_eq!(taken_up_again, ([0, 0, 0, 1], false));
}

#[test]
fn an_attempt_becomes_the_rows_of_what_happened_to_it() {
    let closed = AttemptChange::Closed {
        n: 1,
        epoch: 2,
        report: Box::new(report()),
    };
    let by_hand = AttemptChange::ByHand {
        attempt: attempt(2),
        report: Box::new(report()),
    };
    let refused = |epoch| AttemptChange::Refused {
        n: 1,
        epoch,
        reason: "red".into(),
    };
    // Rows of: opened, closed, refused.
    let cases = [
        ("opened", AttemptChange::Opened(attempt(2)), [1, 0, 0]),
        ("closed", closed, [0, 1, 0]),
        ("by hand", by_hand, [1, 1, 0]),
        ("refused", refused(2), [0, 0, 1]),
        ("refused, never tried", refused(0), [0, 0, 0]),
    ];
    for (name, change, wanted) in cases {
        let change = Change::new(with(change, pending("a", 4, 2)), Some(3)).unwrap();
        let heads = heads("a", 3, 2, false);
        let batch = Batch::of([(&change, 7)], &heads).unwrap();
        assert_eq!(
            [batch.opened.len(), batch.closed.len(), batch.refused.len()],
            wanted,
            "{name}"
        );
        assert!(batch.closed.iter().all(|row| row.outcome == "done"), "{name}");
    }
}

#[test]
fn effects_are_keyed_by_task_version_and_place_and_a_gate_has_its_events_number() {
    let told = Decision {
        durable: vec![Durable::Mirror, Durable::Progress { line: "done".into() }],
        ..judged(2, completed("a", 4, 2))
    };
    let change = Change::new(told, Some(3)).unwrap();
    let heads = heads("a", 3, 2, false);
    let batch = Batch::of([(&change, 7)], &heads).unwrap();
    let effects: Vec<_> = batch
        .effects
        .iter()
        .map(|row| (row.key.as_str(), row.kind))
        .collect();
    assert_eq!(effects, [("a:4:0", "mirror"), ("a:4:1", "progress")]);
    assert_eq!(batch.gates.iter().map(|row| row.seq).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_key_comes_once_in_a_group_and_once_in_a_round() {
    let queue = vec!["a1", "b1", "a2", "c1", "a3", "b2"];
    let (now, later) = one_a_key(queue.clone(), |item| item.as_bytes()[0]);
    assert_eq!((now, later), (vec!["a1", "b1", "c1"], vec!["a2", "a3", "b2"]));
    let rounds: Vec<Vec<&str>> = rounds(&queue, |item| &item[..1])
        .into_iter()
        .map(|round| round.into_iter().copied().collect())
        .collect();
    assert_eq!(rounds, [vec!["a1", "b1", "c1"], vec!["a2", "b2"], vec!["a3"]]);
}
