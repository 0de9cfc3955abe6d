//! The checker is checked: a sound story passes, and each planted violation is found by its rule.

use std::time::Duration;

use rstest::rstest;

use super::super::evidence::{AttemptRow, GateRow, Pause};
use super::*;

fn line(task: &str, epoch: u64, what: What) -> Line {
    Line {
        at: Duration::from_secs(epoch),
        task: task.to_owned(),
        epoch,
        node: "a".to_owned(),
        pid: 7,
        what,
    }
}

fn event(seq: i64, version: i64, epoch: i64, from: &str, to: &str) -> EventRow {
    EventRow {
        seq,
        task_id: "t".to_owned(),
        version,
        epoch,
        from_state: from.to_owned(),
        to_state: to.to_owned(),
    }
}

fn message(seq: i64, key: &str, line: &str) -> MessageRow {
    MessageRow {
        seq,
        key: key.to_owned(),
        task: "t".to_owned(),
        is_done: true,
        line: Some(format!("[t] - {line}")),
    }
}

/// A task whose first attempt was lost, and whose second one was good.
fn sound() -> Evidence {
    Evidence {
        accepted: ["t".to_owned()].into(),
        ledger: vec![
            line("t", 1, What::Begins),
            line("t", 1, What::Lives),
            line("t", 2, What::Begins),
            line("t", 2, What::Ends),
        ],
        tasks: vec![TaskRow {
            id: "t".to_owned(),
            version: 5,
            epoch: 2,
            kind: "completed".to_owned(),
            done_gate: Some(5),
            done_attempt: Some(2),
            done_epoch: Some(2),
            done_commit: Some("c".to_owned()),
        }],
        attempts: [1, 2]
            .map(|epoch| AttemptRow {
                task_id: "t".to_owned(),
                epoch,
                is_open: false,
            })
            .into(),
        gates: vec![GateRow {
            seq: 5,
            task_id: "t".to_owned(),
            attempt: 2,
            epoch: 2,
            commit_id: "c".to_owned(),
            verdict: "passed".to_owned(),
            receipts: 1,
            passed_receipts: 1,
        }],
        events: vec![
            event(1, 1, 0, "pending", "pending"),
            event(2, 2, 1, "pending", "running"),
            event(3, 3, 1, "running", "ready"),
            event(4, 4, 2, "ready", "running"),
            event(5, 5, 2, "running", "completed"),
        ],
        outbox: vec![
            message(1, "t:2:0", "one"),
            message(2, "t:4:0", "two"),
            message(3, "t:5:0", "three"),
        ],
        sections: [("t".to_owned(), 1)].into(),
        printed: ["[t] - one", "[t] - two", "[t] - three"]
            .map(str::to_owned)
            .into(),
        paused: Vec::new(),
        may_repeat: false,
    }
}

#[test]
fn a_sound_story_passes() {
    assert_eq!(check(&sound()), []);
}

#[rstest]
#[case::accepted_and_gone(Rule::Lost, |e: &mut Evidence| { e.accepted.insert("u".to_owned()); })]
#[case::never_ended(Rule::Lost, |e: &mut Evidence| {
    e.tasks[0].kind = "ready".to_owned();
    e.events[4].to_state = "ready".to_owned();
})]
#[case::ended_twice(Rule::Lost, |e: &mut Evidence| {
    e.events[2] = event(3, 3, 1, "running", "completed");
})]
#[case::gone_from_the_file(Rule::Lost, |e: &mut Evidence| { e.sections.clear(); })]
#[case::twice_in_the_file(Rule::Lost, |e: &mut Evidence| { e.sections.insert("t".to_owned(), 2); })]
#[case::attempt_left_open(Rule::Lost, |e: &mut Evidence| { e.attempts[0].is_open = true; })]
#[case::lock_was_held(Rule::Overlap, |e: &mut Evidence| { e.ledger[2].what = What::Overlaps; })]
#[case::older_one_lives(Rule::Overlap, |e: &mut Evidence| { e.ledger.insert(3, line("t", 1, What::Lives)); })]
#[case::started_twice(Rule::Overlap, |e: &mut Evidence| { e.ledger.insert(1, line("t", 1, What::Begins)); })]
#[case::unknown_worker(Rule::Overlap, |e: &mut Evidence| { e.attempts.remove(0); })]
#[case::stale_completion(Rule::Overlap, |e: &mut Evidence| { e.ledger[3].what = What::Lives; })]
#[case::later_one_at_work(Rule::Overlap, |e: &mut Evidence| {
    e.ledger.push(line("t", 3, What::Begins));
    e.attempts.push(AttemptRow { task_id: "t".to_owned(), epoch: 3, is_open: false });
})]
#[case::no_gate(Rule::Unproven, |e: &mut Evidence| { e.gates.clear(); })]
#[case::gate_of_another_commit(Rule::Unproven, |e: &mut Evidence| { e.gates[0].commit_id = "d".to_owned(); })]
#[case::gate_of_another_attempt(Rule::Unproven, |e: &mut Evidence| { e.gates[0].epoch = 1; })]
#[case::gate_that_failed(Rule::Unproven, |e: &mut Evidence| { e.gates[0].verdict = "failed".to_owned(); })]
#[case::gate_without_receipts(Rule::Unproven, |e: &mut Evidence| { e.gates[0].receipts = 0; })]
#[case::red_receipt(Rule::Unproven, |e: &mut Evidence| { e.gates[0].passed_receipts = 0; })]
#[case::event_missing(Rule::Twice, |e: &mut Evidence| { e.events.remove(2); })]
#[case::event_doubled(Rule::Twice, |e: &mut Evidence| { e.events.insert(3, event(9, 3, 1, "running", "ready")); })]
#[case::event_without_its_change(Rule::Twice, |e: &mut Evidence| {
    e.events.push(event(6, 6, 2, "completed", "ready"));
})]
#[case::event_of_nobody(Rule::Twice, |e: &mut Evidence| { e.tasks.clear(); e.accepted.clear(); e.attempts.clear(); e.ledger.clear(); })]
#[case::epoch_falls(Rule::Twice, |e: &mut Evidence| { e.events[3].epoch = 0; })]
#[case::two_histories(Rule::Twice, |e: &mut Evidence| { e.events[3].from_state = "paused".to_owned(); })]
#[case::another_end(Rule::Twice, |e: &mut Evidence| { e.tasks[0].kind = "cancelled".to_owned(); })]
#[case::message_doubled(Rule::Twice, |e: &mut Evidence| { e.outbox.push(message(4, "t:5:0", "three")); })]
#[case::message_overtaken(Rule::Twice, |e: &mut Evidence| { e.outbox.swap(0, 1); })]
#[case::message_never_told(Rule::Twice, |e: &mut Evidence| { e.outbox[1].is_done = false; })]
#[case::message_of_no_change(Rule::Twice, |e: &mut Evidence| { e.outbox[2].key = "t:9:0".to_owned(); })]
#[case::message_of_no_key(Rule::Twice, |e: &mut Evidence| { e.outbox[2].key = "x".to_owned(); })]
#[case::never_printed(Rule::Twice, |e: &mut Evidence| { e.printed.remove(1); })]
#[case::printed_out_of_order(Rule::Twice, |e: &mut Evidence| { e.printed.swap(0, 1); })]
#[case::printed_twice(Rule::Twice, |e: &mut Evidence| { e.printed.push("[t] - three".to_owned()); })]
#[case::printed_by_nobody(Rule::Twice, |e: &mut Evidence| { e.printed.push("[t] - four".to_owned()); })]
fn a_planted_violation_is_found(#[case] rule: Rule, #[case] plant: fn(&mut Evidence)) {
    let mut evidence = sound();
    plant(&mut evidence);
    let found = check(&evidence);
    assert!(found.iter().any(|violation| violation.rule == rule), "{found:?}");
}

#[test]
fn after_a_death_messages_may_come_again_and_in_their_order() {
    let mut evidence = sound();
    evidence.may_repeat = true;
    evidence.printed = ["one", "two", "one", "two", "three"]
        .map(|l| format!("[t] - {l}"))
        .into();
    assert_eq!(check(&evidence), []);
    assert_eq!(repeats(&evidence), 2);
    evidence.printed = ["one", "two", "one", "three"]
        .map(|l| format!("[t] - {l}"))
        .into();
    assert!(!check(&evidence).is_empty(), "one was skipped");
}

#[test]
fn a_machine_that_stood_still_is_forgiven_for_a_moment_after_it() {
    let mut evidence = sound();
    evidence.ledger[2].what = What::Overlaps;
    evidence.ledger.insert(3, line("t", 1, What::Lives));
    evidence.paused.push(Pause {
        task: "t".to_owned(),
        epoch: 1,
        thawed_at: Duration::from_secs(2),
    });
    assert_eq!(check(&evidence), []);
    evidence.ledger[3].at = Duration::from_secs(4);
    assert_eq!(check(&evidence).len(), 1);
}
