//! Whose word counts, about what, how long, and how often.

use super::scene::*;
use crate::domain::decide::*;
use crate::domain::event::Command;
use crate::domain::gate::CheckVerdict;
use crate::domain::stage::Stage;
use crate::domain::task::Block;

fn strict() -> Policy {
    let mut policy = Policy::example();
    policy.approvals.required = true;
    policy.approvals.people = vec!["jane".into(), "joe".into(), "ann".into()];
    policy.approvals.eyes = 2;
    policy
}

fn decide_at(policy: &Policy, days: i64, task: &Task, event: Event) -> Result<Ruling, Refused> {
    let now = now() + chrono::TimeDelta::days(days);
    decide(
        task,
        event,
        &Context {
            now,
            roll: 0.0,
            policy,
        },
    )
}

fn approve(by: &str, seen: Option<&str>) -> Event {
    Event::Person {
        by: by.into(),
        command: Command::Approve {
            comment: "fine".into(),
            seen: seen.map(str::to_owned),
        },
    }
}

/// A task whose gate has passed under this policy.
fn waiting(policy: &Policy) -> Task {
    let subject = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let report = Box::new(gate_report(CheckVerdict::Passed));
    task_of(decide_at(policy, 0, &subject, Event::Judged { epoch: 7, report }))
}

fn task_of(ruling: Result<Ruling, Refused>) -> Task {
    match ruling {
        Ok(Ruling::Change(decision)) => decision.task,
        other => panic!("{other:?}"),
    }
}

fn why(ruling: Result<Ruling, Refused>) -> String {
    ruling.expect_err("it was allowed").why
}

#[test]
fn green_work_waits_where_a_person_is_wanted_and_two_must_say_it() {
    let policy = strict();
    let waits = waiting(&policy);
    let State::Blocked {
        block: Block::Approval {
            asked: Some(asked), ..
        },
        ..
    } = &waits.state
    else {
        panic!("{:?}", waits.state);
    };
    let shown = asked.shown.clone();
    let no = |by: &str, seen: Option<&str>| why(decide_at(&policy, 0, &waits, approve(by, seen)));
    assert!(no("cli:mallory", None).contains("does not count"));
    assert!(no("cli:jane", Some("feedbee")).contains("look at it first"));
    assert!(
        no("cli:jane", Some("c1")).contains("look at it first"),
        "too short to tell"
    );

    let once = task_of(decide_at(
        &policy,
        0,
        &waits,
        approve("cli:jane", Some(&shown[..12])),
    ));
    assert_eq!(once.state.name(), "blocked");
    assert!(why(decide_at(&policy, 0, &once, approve("cli:jane", None))).contains("somebody else"));
    let done = decide_at(&policy, 0, &once, approve("cli:joe", None));
    let Ok(Ruling::Change(done)) = done else { panic!() };
    assert!(done.task.state.is_completed());
    let names: Vec<String> = done
        .gate
        .unwrap()
        .report
        .receipts
        .iter()
        .map(|r| r.name.clone())
        .collect();
    assert!(
        names.contains(&"approval by cli:jane".to_owned())
            && names.contains(&"approval by cli:joe".to_owned())
    );
    assert!(
        why(decide_at(&policy, 0, &done.task, approve("cli:ann", None))).contains("nothing waits"),
        "once"
    );
}

#[test]
fn what_was_shown_expires_and_changes_with_the_task() {
    let policy = strict();
    let waits = waiting(&policy);
    assert!(why(decide_at(&policy, 8, &waits, approve("jane", None))).contains("could be approved until"));
    let resumed = |days: i64, task: &Task| {
        let command = Command::Resume;
        decide_at(
            &policy,
            days,
            task,
            Event::Person {
                by: "jane".into(),
                command,
            },
        )
    };
    assert!(why(resumed(1, &waits)).contains("approve or reject"));
    assert_eq!(task_of(resumed(8, &waits)).state.name(), "validating");
    let other = Task {
        definition_hash: "another".into(),
        ..waits
    };
    assert!(why(decide_at(&policy, 0, &other, approve("jane", None))).contains("changed since it was shown"));
    assert_eq!(task_of(resumed(0, &other)).state.name(), "validating");
}

#[test]
fn who_says_that_it_is_complete_is_no_second_pair_of_eyes() {
    let policy = strict();
    let mut waits = waiting(&policy);
    if let State::Blocked {
        block: Block::Approval { claim, .. },
        ..
    } = &mut waits.state
    {
        claim.by_hand = Some("cli:jane".into());
    }
    assert!(why(decide_at(&policy, 0, &waits, approve("cli:jane", None))).contains("somebody else"));
}

#[test]
fn a_task_may_ask_and_may_spare_it() {
    let mut policy = Policy::example();
    let mut definition = Definition::default();
    assert!(!policy.asks_person(&definition));
    definition.approval = Some(true);
    assert!(policy.asks_person(&definition));
    policy.approvals.required = true;
    definition.approval = Some(false);
    assert!(!policy.asks_person(&definition));
    definition.approval = None;
    assert!(policy.asks_person(&definition));
    definition.parent = Some("p".parse().unwrap());
    assert!(
        !policy.asks_person(&definition),
        "a sub-task is a part of its parent's work"
    );
}

#[test]
fn an_approval_is_of_one_commit_also_where_its_base_moves() {
    let mut policy = Policy::example();
    policy.approvals.required = true;
    policy.landing = crate::domain::stage::Destination::Base;
    let waits = waiting(&policy);
    let landing = task_of(decide_at(&policy, 0, &waits, approve("jane", None)));
    let mut merged = gate_report(CheckVerdict::Passed);
    merged.commit = "m1".into();
    merged.receipts.iter_mut().for_each(|r| r.commit = "m1".into());
    let report = Box::new(merged);
    let again = task_of(decide_at(
        &policy,
        0,
        &landing,
        Event::Rejudged { epoch: 7, report },
    ));
    assert_eq!(again.state.name(), "blocked", "{:?}", again.state);
}
