//! The conformance story of a store: what every engine must do, told by the public verbs alone.

use orchestrator::domain::decide::{AttemptChange, Decision};
use orchestrator::domain::effect::Durable;
use orchestrator::domain::gate::Verdict;
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::task::{End, State};
use orchestrator::store::{CommitError, Filter, OutboxKind, Store, StoreError};

use crate::store_fresh::{Engine, Fresh, on_every_engine};
use crate::store_tasks::*;

on_every_engine! {
    a_task_goes_its_whole_way_and_every_trace_is_found_again,
    a_task_is_admitted_once,
    of_two_decisions_from_one_version_one_wins_and_the_other_leaves_nothing,
    a_refused_decision_does_not_hold_up_the_others_of_its_group,
    an_unknown_task_is_told_from_a_conflict,
    a_stale_attempt_is_fenced_off_from_every_row,
    two_attempts_of_a_task_are_never_open_at_once,
    a_refused_claim_becomes_gate_failed_and_keeps_its_report,
    nothing_is_completed_without_a_passed_gate_of_the_same_attempt_and_commit,
    a_changed_definition_is_kept_beside_the_old_one,
    another_process_is_seen_and_ones_own_writes_are_not,
    two_processes_write_at_once_and_nothing_is_lost,
    a_closed_store_says_so_and_a_reopened_one_has_everything,
}

async fn a_task_goes_its_whole_way_and_every_trace_is_found_again(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let done = fresh.completed("way").await;
    let store = &fresh.store;
    assert_eq!(store.task(&done.id).await.unwrap().as_ref(), Some(&done));
    assert_eq!(store.live().await.unwrap(), vec![]);

    let events = store.events(&done.id, 10).await.unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|e| (e.entry.kind.as_str(), e.version))
        .collect();
    assert_eq!(
        kinds,
        [("read", 1), ("claimed", 2), ("finished", 3), ("judged", 4)]
    );
    assert!(events.is_sorted_by_key(|e| e.seq));

    let attempts = store.attempts(&done.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].attempt, live_attempt(1, 1));
    assert_eq!(
        (attempts[0].outcome, attempts[0].ended_at),
        (Some(Outcome::Done), Some(at()))
    );
    assert_eq!(attempts[0].report.as_ref(), Some(&report(Outcome::Done)));

    let gate = store.latest_gate(&done.id).await.unwrap().unwrap();
    assert_eq!(gate.record, gate_record(1, 1, Verdict::Passed));
    assert_eq!(store.gates(&done.id).await.unwrap(), vec![gate]);
}

async fn a_task_is_admitted_once(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.admitted("once").await;
    let again = fresh
        .store
        .admit(&task, entry("read", &task), vec![Durable::Mirror])
        .await;
    assert!(
        matches!(again, Err(CommitError::Conflict { actual: 1 })),
        "{again:?}"
    );
    assert_eq!(fresh.store.events(&task.id, 10).await.unwrap().len(), 1);
    assert!(
        fresh
            .store
            .outbox_due(OutboxKind::Mirror, at(), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn of_two_decisions_from_one_version_one_wins_and_the_other_leaves_nothing(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.admitted("race").await;
    let (one, two) = (claim(&task), claim(&task));
    let both = fresh.store.commit_all(vec![(one, 1), (two, 1)]).await;
    assert_eq!(both.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(
        both.iter()
            .any(|r| matches!(r, Err(CommitError::Conflict { actual: 2 }))),
        "{both:?}"
    );
    assert_eq!(fresh.store.events(&task.id, 10).await.unwrap().len(), 2);
    assert_eq!(fresh.store.attempts(&task.id).await.unwrap().len(), 1);
}

async fn a_refused_decision_does_not_hold_up_the_others_of_its_group(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let mut decisions = Vec::new();
    for n in 0..300 {
        let task = fresh.admitted(&format!("t{n}")).await;
        decisions.push((claim(&task), if n % 3 == 0 { 7 } else { 1 }));
    }
    let answers = fresh.store.commit_all(decisions).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_err(), n % 3 == 0, "{n}: {answer:?}");
    }
    let claimed = fresh
        .store
        .live()
        .await
        .unwrap()
        .iter()
        .filter(|t| t.epoch == 1)
        .count();
    assert_eq!(claimed, 200);
}

async fn an_unknown_task_is_told_from_a_conflict(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let answer = fresh.commit(&claim(&task("nobody"))).await;
    assert!(matches!(answer, Err(CommitError::Unknown)), "{answer:?}");
}

async fn a_stale_attempt_is_fenced_off_from_every_row(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let first = fresh.claimed("fence").await;
    let retried = retry(&first, Outcome::Lost);
    fresh.commit(&retried).await.unwrap();
    let second = claim(&retried.task);
    fresh.commit(&second).await.unwrap();
    let now = second.task;

    let mut lower = finish(&now);
    lower.task.epoch = 1;
    assert!(matches!(
        fresh.commit(&lower).await,
        Err(CommitError::Fenced { actual: 2 })
    ));
    let mut close_old = finish(&now);
    close_old.attempt = Some(closed(1, 1, Outcome::Done));
    assert!(matches!(
        fresh.commit(&close_old).await,
        Err(CommitError::Fenced { actual: 2 })
    ));
    let mut judge_old = finish(&now);
    judge_old.gate = Some(gate_record(1, 1, Verdict::Passed));
    assert!(matches!(
        fresh.commit(&judge_old).await,
        Err(CommitError::Fenced { actual: 2 })
    ));

    assert_eq!(
        fresh.store.beat(vec![beat(&now, 1, 5)]).await.unwrap(),
        vec![now.id.clone()]
    );
    assert_eq!(
        fresh.store.progress(vec![mark(&now, 1, 5)]).await.unwrap(),
        vec![now.id.clone()]
    );
    assert_eq!(
        fresh.store.task(&now.id).await.unwrap().as_ref(),
        Some(&now),
        "something stuck"
    );
    let facts = fresh.store.attempt_facts(&now.id).await.unwrap().unwrap();
    assert_eq!(
        (facts.epoch, facts.beat_at, facts.transcript_offset),
        (2, None, 0)
    );
}

async fn two_attempts_of_a_task_are_never_open_at_once(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let first = fresh.claimed("twice").await;
    let answer = fresh.commit(&claim(&first)).await;
    assert!(
        matches!(answer, Err(CommitError::Store(StoreError::Refused { .. }))),
        "{answer:?}"
    );
    assert_eq!(fresh.store.attempts(&first.id).await.unwrap().len(), 1);
}

async fn a_refused_claim_becomes_gate_failed_and_keeps_its_report(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let mut refused = retry(&fresh.validating("red").await, Outcome::GateFailed);
    refused.attempt = Some(AttemptChange::Refused {
        n: 1,
        epoch: 1,
        reason: "2 of 5 checks failed".into(),
    });
    refused.gate = Some(gate_record(1, 1, Verdict::Failed));
    fresh.commit(&refused).await.unwrap();
    let record = fresh.store.attempts(&refused.task.id).await.unwrap().remove(0);
    assert_eq!(
        (record.outcome, record.reason.as_deref()),
        (Some(Outcome::GateFailed), Some("2 of 5 checks failed"))
    );
    assert_eq!(record.report, Some(report(Outcome::Done)));
    assert_eq!(
        fresh
            .store
            .latest_gate(&refused.task.id)
            .await
            .unwrap()
            .unwrap()
            .record
            .verdict,
        Verdict::Failed
    );
}

async fn nothing_is_completed_without_a_passed_gate_of_the_same_attempt_and_commit(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.validating("proof").await;
    let good = complete(&task);
    type Cheat = fn(&mut Decision);
    let cheats: [(&str, Cheat); 5] = [
        ("no gate", |d| d.gate = None),
        ("a failed gate", |d| {
            d.gate = Some(gate_record(1, 1, Verdict::Failed))
        }),
        ("a gate that asks for a person", |d| {
            d.gate = Some(gate_record(1, 1, Verdict::NeedsPerson))
        }),
        ("another attempt's gate", |d| {
            d.gate = Some(gate_record(7, 1, Verdict::Passed))
        }),
        ("another commit", |d| {
            d.task.state = State::Ended {
                since: at(),
                end: End::Completed {
                    attempt: 1,
                    epoch: 1,
                    commit: "beef".into(),
                    landed: None,
                },
            }
        }),
    ];
    for (name, cheat) in cheats {
        let mut bad = good.clone();
        cheat(&mut bad);
        let answer = fresh.commit(&bad).await;
        assert!(
            matches!(answer, Err(CommitError::Store(StoreError::Refused { .. }))),
            "{name}: {answer:?}"
        );
        assert!(
            fresh.store.gates(&task.id).await.unwrap().is_empty(),
            "{name} left a gate"
        );
    }
    assert_eq!(fresh.store.task(&task.id).await.unwrap(), Some(task));
    fresh.commit(&good).await.unwrap();
}

async fn a_changed_definition_is_kept_beside_the_old_one(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.admitted("words").await;
    let mut redefined = claim(&task);
    redefined.task.definition.description = "other words".into();
    redefined.task.definition.project = "elsewhere".into();
    redefined.task.definition_hash = "h2".into();
    fresh.commit(&redefined).await.unwrap();
    assert_eq!(fresh.store.task(&task.id).await.unwrap(), Some(redefined.task));
    let filter = Filter {
        project: Some("elsewhere".into()),
        ..Filter::default()
    };
    assert_eq!(fresh.store.tasks(&filter).await.unwrap().rows.len(), 1);
}

async fn another_process_is_seen_and_ones_own_writes_are_not(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.admitted("shared").await;
    let before = fresh.store.data_version().await.unwrap();
    fresh.admitted("own").await;
    assert_eq!(fresh.store.data_version().await.unwrap(), before);
    let seq = fresh.store.newest_seq().await.unwrap();

    let other = fresh.second().await;
    other.commit(claim(&task), 1).await.unwrap();
    assert_ne!(fresh.store.data_version().await.unwrap(), before);
    let (changed, _) = fresh.store.changed_since(seq).await.unwrap();
    assert!(engine.told(&changed, &[claim(&task).task]), "{changed:?}");
    let stale = fresh.commit(&claim(&task)).await;
    assert!(
        matches!(stale, Err(CommitError::Conflict { actual: 2 })),
        "{stale:?}"
    );
}

async fn two_processes_write_at_once_and_nothing_is_lost(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let other = fresh.second().await;
    let admit = async |store: &dyn Store, name: &str| {
        for n in 0..150 {
            let task = task(&format!("{name}-{n}"));
            store.admit(&task, entry("read", &task), vec![]).await.unwrap();
        }
    };
    tokio::join!(admit(&*fresh.store, "one"), admit(&*other, "two"));
    assert_eq!(fresh.store.live().await.unwrap().len(), 300);
}

async fn a_closed_store_says_so_and_a_reopened_one_has_everything(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.claimed("again").await;
    fresh.store.close().await;
    let closed = fresh.commit(&finish(&task)).await;
    assert!(
        matches!(closed, Err(CommitError::Store(StoreError::Closed))),
        "{closed:?}"
    );
    let again = fresh.second().await;
    assert_eq!(again.live().await.unwrap(), vec![task.clone()]);
    again.commit(finish(&task), task.version).await.unwrap();
}
