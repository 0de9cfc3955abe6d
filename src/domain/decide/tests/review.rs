//! What follows from reviews, and from none.

use chrono::TimeDelta;

use super::super::super::gate::{CheckSource, GateReport};
use super::super::super::review::{CriterionAnswer, Held, Point, Review, Rules};
use super::*;

fn under_review(report: GateReport) -> Task {
    let stage = Stage::Review {
        report: Box::new(report),
        waits: None,
    };
    task(State::Validating {
        since: now(),
        claim: claim(),
        stage,
    })
}

fn with(rules: Rules, task: &Task, event: Event) -> Decision {
    let policy = Policy {
        review: rules,
        ..Policy::example()
    };
    let cx = Context {
        now: now() + TimeDelta::minutes(1),
        roll: 0.5,
        policy: &policy,
    };
    match decide(task, event, &cx).unwrap() {
        Ruling::Change(decision) => *decision,
        Ruling::NoChange(why) => panic!("{why}"),
    }
}

fn on() -> Rules {
    Rules {
        on: true,
        ..Rules::default()
    }
}

fn judged(report: GateReport) -> Event {
    Event::Judged {
        epoch: 7,
        report: Box::new(report),
    }
}

/// What of the decision's receipts is the reviewer's.
fn word(decision: &Decision) -> CheckVerdict {
    let receipts = &decision.gate.as_ref().unwrap().report.receipts;
    receipts
        .iter()
        .find(|r| r.source == CheckSource::Reviewer)
        .unwrap()
        .verdict
}

#[test]
fn what_is_not_red_is_reviewed_where_that_is_wanted() {
    let validating = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let mut unwanted = validating.clone();
    unwanted.definition.reviewed = Some(false);
    let mut wanted = validating.clone();
    wanted.definition.reviewed = Some(true);
    let is_reviewed = |rules, task: &Task, verdict| {
        let after = with(rules, task, judged(gate_report(verdict))).task.state;
        matches!(
            after,
            State::Validating {
                stage: Stage::Review { .. },
                ..
            }
        )
    };
    for (rules, task, verdict, reviewed) in [
        (on(), &validating, CheckVerdict::Passed, true),
        (on(), &validating, CheckVerdict::NeedsPerson, true),
        (on(), &validating, CheckVerdict::Failed, false),
        (on(), &unwanted, CheckVerdict::Passed, false),
        (Rules::default(), &validating, CheckVerdict::Passed, false),
        (Rules::default(), &wanted, CheckVerdict::Passed, true),
    ] {
        assert_eq!(is_reviewed(rules, task, verdict), reviewed, "{verdict:?}");
    }
}

#[test]
fn an_acceptance_completes_and_its_cost_counts() {
    let before = under_review(gate_report(CheckVerdict::Passed));
    let after = with(on(), &before, reviewed(true));
    assert!(after.task.state.is_completed());
    assert_eq!(word(&after), CheckVerdict::Passed);
    assert!((after.task.history.cost_usd() - 0.5).abs() < 1e-9);
    let told = after
        .durable
        .iter()
        .any(|d| matches!(d, Durable::Report(Report::Reviewed { .. })));
    assert!(told);
}

#[test]
fn a_review_of_another_commit_is_no_review() {
    let before = under_review(gate_report(CheckVerdict::Passed));
    let other = Review {
        commit: "c2".into(),
        ..review(true)
    };
    let stale = Event::Reviewed {
        epoch: 7,
        review: Box::new(other),
    };
    assert!(matches!(decided(&before, stale), Ok(Ruling::NoChange(_))));
}

#[test]
fn a_rejection_goes_back_and_the_second_one_to_a_person() {
    let before = under_review(gate_report(CheckVerdict::Passed));
    let first = with(on(), &before, reviewed(false));
    assert!(
        matches!(first.task.state, State::Ready { .. }),
        "{:?}",
        first.task.state
    );
    assert_eq!(word(&first), CheckVerdict::Failed);
    assert_eq!(first.task.history.reviews.len(), 1);
    let mut again = before;
    again.history.reviews.clone_from(&first.task.history.reviews);
    let mut second = review(false);
    second.opinion.blockers[0] = Point {
        what: "another thing altogether".into(),
        ..second.opinion.blockers[0].clone()
    };
    let event = Event::Reviewed {
        epoch: 7,
        review: Box::new(second),
    };
    let second = with(on(), &again, event);
    let State::Blocked { block, .. } = &second.task.state else {
        panic!("{:?}", second.task.state)
    };
    let reason = block.reason();
    assert!(
        reason.contains("codex/gpt and the worker do not agree"),
        "{reason}"
    );
    assert!(
        reason.contains("another thing altogether") && reason.contains("the worker says: "),
        "{reason}"
    );
    assert_eq!(word(&second), CheckVerdict::NeedsPerson);
    let yes = Event::Person {
        by: "jane".into(),
        command: Command::Approve {
            comment: "good enough".into(),
            seen: None,
        },
    };
    assert!(with(on(), &second.task, yes).task.state.is_completed());
    let no = Event::Person {
        by: "jane".into(),
        command: Command::Reject {
            comment: "mend it".into(),
        },
    };
    let back = with(on(), &second.task, no).task;
    assert!(matches!(back.state, State::Ready { .. }) && back.history.reviews.is_empty());
}

#[test]
fn a_review_that_cannot_be_had_is_waited_for_and_never_passed_over() {
    let before = under_review(gate_report(CheckVerdict::Passed));
    let soon = Event::NotReviewed {
        epoch: 7,
        not_had: not_had(Some(now() + TimeDelta::minutes(5))),
    };
    let waits = with(on(), &before, soon.clone()).task;
    assert_eq!(waits.state.review_waits().unwrap().why, "codex rests");
    assert_eq!(
        waits.state.since(),
        before.state.since(),
        "it is bounded from its beginning"
    );
    let short = Rules {
        wait: std::time::Duration::from_secs(60),
        ..on()
    };
    for (rules, event) in [
        (short, soon),
        (
            on(),
            Event::NotReviewed {
                epoch: 7,
                not_had: not_had(None),
            },
        ),
    ] {
        let asked = with(rules, &before, event);
        let State::Blocked { block, .. } = &asked.task.state else {
            panic!("{:?}", asked.task.state)
        };
        assert!(block.reason().contains("no review was had: codex rests"));
        assert_eq!(word(&asked), CheckVerdict::NeedsPerson);
    }
}

#[test]
fn another_models_word_settles_changed_tests_and_nothing_else() {
    let asking = |name: &str| {
        let mut report = gate_report(CheckVerdict::Passed);
        report.receipts[1].name = name.into();
        report.receipts[1].verdict = CheckVerdict::NeedsPerson;
        under_review(report)
    };
    for (may, name, completes) in [
        (true, "tests-and-checks", true),
        (false, "tests-and-checks", false),
        (true, "scope", false),
    ] {
        let rules = Rules {
            may_vouch_tests: may,
            ..on()
        };
        let after = with(rules, &asking(name), reviewed(true)).task;
        assert_eq!(after.state.is_completed(), completes, "{may} {name}");
    }
}

#[test]
fn another_models_word_alone_completes_nothing() {
    let mut report = gate_report(CheckVerdict::Passed);
    report.receipts.retain(|r| r.source == CheckSource::House);
    let after = with(on(), &under_review(report), reviewed(true)).task;
    assert!(matches!(
        after.state,
        State::Blocked {
            block: Block::Approval { .. },
            ..
        }
    ));
}

/// A report in which the worker showed both criteria.
fn shown() -> GateReport {
    let mut report = gate_report(CheckVerdict::Passed);
    let house = report.receipts.iter().find(|r| r.source == CheckSource::House);
    let mut criteria = house.unwrap().clone();
    "criteria".clone_into(&mut criteria.name);
    "- 1. It runs: check tests\n- 2. It ends: a.rs:3".clone_into(&mut criteria.output_tail);
    report.receipts.push(criteria);
    report
}

fn about(held: [Held; 2]) -> Event {
    let mut review = review(held == [Held::Met; 2]);
    review.opinion.criteria = held
        .into_iter()
        .zip(1..)
        .map(|(held, number)| CriterionAnswer {
            number,
            held,
            place: Some(("a.rs".to_owned(), 3)),
            note: "as I read it".to_owned(),
        })
        .collect();
    Event::Reviewed {
        epoch: 7,
        review: Box::new(review),
    }
}

#[test]
fn what_a_reviewer_says_of_a_criterion_stands_in_its_receipt() {
    let before = under_review(shown());
    let seen = |rules, before: &Task, held| {
        let after = with(rules, before, about(held));
        let receipts = after.gate.unwrap().report.receipts;
        let receipt = receipts.into_iter().find(|r| r.name == "criteria").unwrap();
        (receipt.verdict, receipt.output_tail)
    };
    let (verdict, words) = seen(on(), &before, [Held::Met, Held::Met]);
    assert_eq!(verdict, CheckVerdict::Passed);
    assert!(
        words.contains("- 1. It runs: check tests\n  codex/gpt: met (a.rs:3): as I read it\n"),
        "{words}"
    );
    let (verdict, words) = seen(on(), &before, [Held::Met, Held::NotMet]);
    assert_eq!(verdict, CheckVerdict::Failed);
    assert!(
        words.starts_with("by codex/gpt these criteria are not met: 2\n"),
        "{words}"
    );
    let once = Rules { rounds: 1, ..on() };
    let (verdict, _) = seen(once, &before, [Held::NotMet, Held::Met]);
    assert_eq!(verdict, CheckVerdict::NeedsPerson, "the two do not agree");
}

#[test]
fn a_check_that_lacks_a_host_is_a_person_s_before_any_review_and_can_be_run_again() {
    let mut report = gate_report(CheckVerdict::Passed);
    report.receipts[1].verdict = CheckVerdict::NeedsPerson;
    report.receipts[1].trace.refused = vec!["registry.example".to_owned()];
    "it needs registry.example\nmuch\nelse".clone_into(&mut report.receipts[1].output_tail);
    let validating = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let asked = with(on(), &validating, judged(report)).task;
    let State::Blocked { block, .. } = &asked.state else {
        panic!("{:?}", asked.state)
    };
    assert!(
        block.reason().starts_with("it needs registry.example;"),
        "{}",
        block.reason()
    );
    let resume = Event::Person {
        by: "jane".into(),
        command: Command::Resume,
    };
    let again = with(on(), &asked, resume).task;
    let State::Validating {
        claim: same,
        stage: Stage::Checks,
        ..
    } = &again.state
    else {
        panic!("{:?}", again.state)
    };
    assert_eq!((same.attempt, same.epoch), (claim().attempt, claim().epoch));
    assert_eq!(again.history.tries.len(), validating.history.tries.len());
}
