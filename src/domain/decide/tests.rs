mod approval;
mod node;
mod remark;
mod review;
mod scene;
mod table;

use super::super::definition::{Declared, Kind};
use super::super::event::Command;
use super::super::gate::{CheckSource, CheckVerdict};
use super::super::id::TaskId;
use super::super::mirror::mirror;
use super::super::outcome::Outcome;
use super::super::report::Report;
use super::super::stage::Stage;
use super::super::task::{Block, Claim, Try};
use super::super::tier::TierName;
use super::*;
use scene::*;
use table::*;

fn kind(state: &State) -> String {
    let json = serde_json::to_value(state).unwrap();
    json["kind"].as_str().unwrap().to_owned()
}

/// Every event in every state. A cell that changes must be looked at and accepted.
#[test]
fn the_whole_table() {
    let mut table = String::new();
    for (state_name, state) in states() {
        let subject = task(state);
        table.push_str(&format!("{state_name}\n"));
        for (event_name, event) in events() {
            let cell = match decided(&subject, event) {
                Ok(Ruling::NoChange(_)) => continue,
                Ok(Ruling::Change(d)) => kind(&d.task.state),
                Err(_) => "REFUSED".to_owned(),
            };
            table.push_str(&format!("    {event_name} -> {cell}\n"));
        }
    }
    insta::assert_snapshot!("table", table);
}

/// What holds of every single change, whatever the state and the event.
#[test]
fn every_change_keeps_the_books() {
    for (state_name, state) in states() {
        let before = task(state);
        for (event_name, event) in events() {
            let Ok(Ruling::Change(d)) = decided(&before, event) else {
                continue;
            };
            let place = format!("{event_name} in {state_name}");
            assert_eq!(d.task.version, before.version + 1, "{place}");
            // A restore goes above all the numbers that were seen.
            let highest = match event_name {
                "restored (later)" => 9,
                _ => before.epoch + 1,
            };
            assert!((before.epoch..=highest).contains(&d.task.epoch), "{place}");
            assert!(
                !d.entry.kind.is_empty() && d.entry.from == before.state.name(),
                "{place}"
            );
            assert_eq!(d.entry.to, d.task.state.name(), "{place}");
            let heard = d.durable.contains(&Durable::Mirror);
            assert_eq!(
                heard,
                mirror(&d.task) != mirror(&before),
                "{place}: does the file hear of it?"
            );
            if d.task.state.name() != before.state.name() {
                assert!(!d.entry.why.is_empty(), "{place}: why?");
            }
            if d.task.state.is_completed() && !before.state.is_completed() {
                let gate = d
                    .gate
                    .or_else(|| recorded(&before))
                    .expect("completed without a gate");
                assert_eq!(
                    (gate.verdict, gate.epoch, gate.report.commit.as_str()),
                    (Verdict::Passed, 7, "c1"),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn the_verdict_of_another_commit_or_epoch_is_no_verdict() {
    let subject = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let other = GateReport {
        commit: "c2".into(),
        ..gate_report(CheckVerdict::Passed)
    };
    for (epoch, report) in [(7, other), (6, gate_report(CheckVerdict::Passed))] {
        let ruling = decided(
            &subject,
            Event::Judged {
                epoch,
                report: Box::new(report),
            },
        );
        assert!(matches!(ruling, Ok(Ruling::NoChange(_))));
    }
}

#[test]
fn nothing_to_run_waits_for_a_person_and_the_approval_is_on_record() {
    let mut report = gate_report(CheckVerdict::Passed);
    report.receipts.retain(|r| r.source == CheckSource::House);
    let subject = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let waits = changed(
        &subject,
        Event::Judged {
            epoch: 7,
            report: Box::new(report),
        },
    );
    assert!(matches!(
        waits.task.state,
        State::Blocked {
            block: Block::Approval { .. },
            ..
        }
    ));
    assert_eq!(waits.gate.as_ref().map(|g| g.verdict), Some(Verdict::NeedsPerson));
    let command = Command::Approve {
        comment: "looks right".into(),
        seen: None,
    };
    let approved = changed(
        &waits.task,
        Event::Person {
            by: "jane".into(),
            command,
        },
    );
    assert!(approved.task.state.is_completed());
    let gate = approved.gate.unwrap();
    assert_eq!(gate.report.verdict(), Verdict::Passed);
    assert!(
        gate.report
            .receipts
            .iter()
            .any(|r| r.source == CheckSource::Person && r.output_tail == "looks right")
    );
}

/// Seen to fail with `vouched` as a mere push: a passed gate would hold a receipt that is not.
#[test]
fn what_asks_for_a_persons_word_waits_for_it_and_is_passed_by_it() {
    let mut report = gate_report(CheckVerdict::Passed);
    report.receipts[1].verdict = CheckVerdict::NeedsPerson;
    report.receipts[1].output_tail = "a change needs a word:\n- t.rs:1: test deleted\n".into();
    let since = now();
    let claim = claim();
    let subject = task(State::Validating {
        since,
        claim,
        stage: Stage::Checks,
    });
    let report = Box::new(report);
    let waits = changed(&subject, Event::Judged { epoch: 7, report });
    let State::Blocked { block, .. } = &waits.task.state else {
        panic!("{:?}", waits.task.state);
    };
    assert!(
        matches!(block, Block::Approval { reason, .. } if reason == "a change needs a word: t.rs:1: test deleted")
    );
    let command = Command::Approve {
        comment: String::new(),
        seen: None,
    };
    let by = "jane".into();
    let approved = changed(&waits.task, Event::Person { by, command });
    assert!(approved.task.state.is_completed());
    let receipts = approved.gate.unwrap().report.receipts;
    assert!(receipts.iter().all(|r| r.verdict == CheckVerdict::Passed));
}

#[test]
fn no_change_needed_is_a_persons_to_accept() {
    let no_change = Some("it works already".to_owned());
    let subject = task(State::Validating {
        since: now(),
        claim: Claim { no_change, ..claim() },
        stage: Stage::Checks,
    });
    let report = Box::new(gate_report(CheckVerdict::Passed));
    let waits = changed(&subject, Event::Judged { epoch: 7, report });
    assert!(
        matches!(&waits.task.state, State::Blocked { block: Block::Approval { reason, .. }, .. } if reason.contains("it works already"))
    );
    let mut nothing_ran = gate_report(CheckVerdict::Passed);
    nothing_ran.receipts.retain(|r| r.source == CheckSource::House);
    assert_eq!(nothing_ran.verdict(), Verdict::NeedsPerson);
    let report = Box::new(nothing_ran);
    let waits = changed(&subject, Event::Judged { epoch: 7, report });
    assert!(
        matches!(&waits.task.state, State::Blocked { block: Block::Approval { reason, .. }, .. } if reason.contains("it works already"))
    );
}

#[test]
fn escalation_is_told_and_mirrored() {
    let subject = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let d = changed(
        &subject,
        Event::Judged {
            epoch: 7,
            report: Box::new(gate_report(CheckVerdict::Failed)),
        },
    );
    assert!(
        matches!(&d.task.state, State::Ready { next, .. } if next.tier.as_str() == "sonnet" && next.session.is_none())
    );
    assert!(
        d.durable
            .iter()
            .any(|e| matches!(e, Durable::Report(Report::Escalating { to, .. }) if to.as_str() == "sonnet"))
    );
    assert_eq!(mirror(&d.task).escalation, "sonnet");
    assert_eq!(
        d.task.history.tries.last().map(|t| t.outcome),
        Some(Outcome::GateFailed)
    );
}

#[test]
fn a_provider_time_that_cannot_be_meant_is_not_waited_for() {
    let subject = task(State::Running {
        since: now(),
        attempt: attempt(),
    });
    let report = Box::new(AttemptReport {
        retry_at: DateTime::from_timestamp(1_770_000_000_000, 0),
        ..finished(Outcome::RateLimited, "")
    });
    let d = changed(&subject, Event::Finished { epoch: 7, report });
    let latest = now() + chrono::Duration::days(8);
    assert!(
        matches!(&d.task.state, State::Ready { next, .. } if next.not_before.is_some_and(|t| t <= latest)),
        "{:?}",
        d.task.state
    );
}

#[test]
fn a_provider_time_is_kept_and_costs_nothing() {
    let subject = task(State::Running {
        since: now(),
        attempt: attempt(),
    });
    let retry_at = Some(now() + chrono::Duration::hours(3));
    let report = AttemptReport {
        retry_at,
        ..finished(Outcome::RateLimited, "")
    };
    let d = changed(
        &subject,
        Event::Finished {
            epoch: 7,
            report: Box::new(report),
        },
    );
    assert!(
        matches!(&d.task.state, State::Ready { next, .. } if next.not_before == retry_at && next.session.as_deref() == Some("s2"))
    );
    assert_eq!((d.task.history.spent, d.task.history.troubles), (0, 1));
}

/// However it comes to light: told by the runtime, or because the orchestrator would not wait any longer.
#[test]
fn provider_trouble_costs_no_attempt_and_no_tier() {
    for trouble in [
        Outcome::RateLimited,
        Outcome::Overloaded,
        Outcome::Auth,
        Outcome::Network,
    ] {
        let until = Some(now() + chrono::Duration::hours(3));
        let running = task(State::Running {
            since: now(),
            attempt: attempt(),
        });
        let reason = StopReason::ProviderWait {
            trouble,
            until,
            what: "waits".into(),
        };
        let epoch = 7;
        let stopping = changed(&running, Event::Condemned { epoch, reason }).task;
        for (subject, outcome) in [(running, trouble), (stopping, Outcome::Killed)] {
            let report = AttemptReport {
                retry_at: until,
                ..finished(outcome, "")
            };
            let report = Box::new(report);
            let d = changed(&subject, Event::Finished { epoch, report });
            let State::Ready { next, .. } = &d.task.state else {
                panic!("{trouble:?}: {:?}", d.task.state)
            };
            assert_eq!((next.tier.as_str(), next.start), ("haiku", StartKind::Resume));
            assert_eq!((next.not_before, next.session.as_deref()), (until, Some("s2")));
            let history = &d.task.history;
            assert_eq!((history.spent, history.troubles), (0, 1), "{trouble:?}");
            assert_eq!(history.tries.last().map(|t| t.outcome), Some(trouble));
            assert!(
                !d.durable
                    .iter()
                    .any(|e| matches!(e, Durable::Report(Report::Stuck)))
            );
        }
    }
}

#[test]
fn red_checks_become_part_of_what_a_try_is_known_by() {
    let subject = task(State::Validating {
        since: now(),
        claim: claim(),
        stage: Stage::Checks,
    });
    let report = Box::new(gate_report(CheckVerdict::Failed));
    let d = changed(&subject, Event::Judged { epoch: 7, report });
    let print = &d.task.history.tries[0].fingerprint;
    assert!(print.starts_with("diff:f red:"), "{print}");
}

#[test]
fn continuous_runs_with_progress_are_free_and_a_repeated_fingerprint_is_no_progress() {
    let mut subject = task(State::Running {
        since: now(),
        attempt: attempt(),
    });
    subject.definition.kind = Kind::Continuous;
    let run = |task: &Task, fingerprint: &str| {
        let report = Box::new(finished(Outcome::Continue, fingerprint));
        changed(task, Event::Finished { epoch: 7, report }).task.history
    };
    let fresh = run(&subject, "new");
    assert_eq!(
        (fresh.spent, fresh.tries.last().map(|t| t.progressed)),
        (0, Some(true))
    );
    let seen = run(&subject, "f");
    assert_eq!(
        (seen.spent, seen.tries.last().map(|t| t.progressed)),
        (1, Some(false))
    );
}

#[test]
fn admission_by_declared_status() {
    let policy = Policy::example();
    let cx = Context {
        now: now(),
        roll: 0.0,
        policy: &policy,
    };
    let rows = [
        (Declared::Pending, Some("pending")),
        (Declared::InProgress, Some("pending")),
        (Declared::Completed, Some("pending")),
        (Declared::Blocked, Some("blocked")),
        (Declared::Paused, Some("paused")),
        (Declared::Cancelled, None),
    ];
    for (declared, expected) in rows {
        let id = TaskId::parse("t").unwrap();
        let admitted = admit(id, Definition::default(), "h".into(), declared, "queue file", &cx);
        assert_eq!(admitted.map(|d| d.task.state.name()), expected, "{declared:?}");
    }
}

#[test]
fn a_retry_by_a_person_resets_what_only_a_person_may() {
    let mut subject = task(State::Blocked {
        since: now(),
        block: Block::Exhausted { reason: "r".into() },
    });
    subject.history.spent = 15;
    subject.history.escalated_to = Some(TierName::new("opus"));
    let d = changed(
        &subject,
        Event::Person {
            by: "jane".into(),
            command: Command::Retry,
        },
    );
    assert_eq!(
        (
            d.task.history.spent,
            d.task.history.opened,
            d.task.history.tries.len()
        ),
        (0, 3, 0)
    );
    assert_eq!(d.task.history.escalated_to, None);
    assert!(matches!(d.task.state, State::Pending { .. }));
}

#[test]
fn what_a_held_task_may_use_can_be_edited_before_it_is_resumed() {
    let planned = Next {
        tier: TierName::new("opus"),
        start: StartKind::Retry,
        ..scene::next()
    };
    let subject = task(State::Paused {
        since: now(),
        by: "jane".into(),
        next: Some(planned),
    });
    let definition = Box::new(Definition {
        max_tier: Some(TierName::new("sonnet")),
        ..Definition::default()
    });
    let hash = "h2".to_owned();
    let d = changed(&subject, Event::Redefined { definition, hash });
    assert!(
        matches!(&d.task.state, State::Paused { next: Some(next), .. } if next.tier == TierName::new("sonnet")),
        "{:?}",
        d.task.state
    );
}

/// A worker that made sub-tasks and then has nothing to add has not bailed, also where the next attempt was interrupted.
#[test]
fn who_comes_after_its_sub_tasks_may_have_nothing_to_add() {
    let lost = |before: &Try| Try {
        n: before.n + 1,
        outcome: Outcome::Lost,
        waited: false,
        ..before.clone()
    };
    let outcome_of = |change: &dyn Fn(&mut Task)| {
        let mut task = task(State::Running {
            since: now(),
            attempt: attempt(),
        });
        task.history.spawned_in = Some(3);
        task.history.tries[0].outcome = Outcome::Continue;
        task.history.tries[0].waited = true;
        change(&mut task);
        let event = Event::Finished {
            epoch: 7,
            report: Box::new(finished(Outcome::Bailed, "")),
        };
        let after = changed(&task, event).task;
        let last = after.history.tries.last().unwrap();
        (last.outcome, last.waited)
    };
    let done = (Outcome::Done, false);
    let bailed = (Outcome::Bailed, false);
    assert_eq!(outcome_of(&|_| ()), done);
    let interrupted = |t: &mut Task| t.history.tries.push(lost(&t.history.tries[0]));
    assert_eq!(outcome_of(&interrupted), done);
    let tried_again = |t: &mut Task| {
        let failed = Try {
            outcome: Outcome::Failed,
            ..lost(&t.history.tries[0])
        };
        t.history.tries.push(failed);
    };
    assert_eq!(outcome_of(&tried_again), bailed);
    assert_eq!(outcome_of(&|t| t.history.spawned_in = None), bailed);
    let just_now = (Outcome::Continue, true);
    assert_eq!(outcome_of(&|t| t.history.spawned_in = Some(7)), just_now);
}
