//! The conformance story of a store: what every engine must do, told by the public verbs alone.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::domain::decide::{AttemptChange, Decision};
use orchestrator::domain::effect::Durable;
use orchestrator::domain::gate::Verdict;
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::task::{End, State, Task};
use orchestrator::store::{
    Beat, CommitError, Filter, Mirrored, OpenMode, OutboxKind, ProgressMark, Scope, Standing, Store,
    StoreError,
};
use serde_json::json;
use tempfile::TempDir;

use crate::store_tasks::*;

/// A store in a folder of its own.
pub struct Fresh {
    pub store: Store,
    pub folder: TempDir,
}

impl Fresh {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state/orchestrator.db"), OpenMode::Migrate)
            .await
            .unwrap();
        Self { store, folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("state/orchestrator.db")
    }

    pub async fn second(&self) -> Store {
        Store::open(&self.path(), OpenMode::Existing).await.unwrap()
    }

    pub async fn admitted(&self, id: &str) -> Task {
        let task = task(id);
        self.store
            .admit(&task, entry("read", &task), vec![])
            .await
            .unwrap();
        task
    }

    pub async fn commit(&self, decision: &Decision) -> Result<u64, CommitError> {
        let expected = decision.task.version - 1;
        self.store
            .commit(decision.clone(), expected)
            .await
            .map(|done| done.seq)
    }

    pub async fn claimed(&self, id: &str) -> Task {
        let decision = claim(&self.admitted(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }

    pub async fn validating(&self, id: &str) -> Task {
        let decision = finish(&self.claimed(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }

    pub async fn completed(&self, id: &str) -> Task {
        let decision = complete(&self.validating(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }
}

fn due(rows: &[orchestrator::store::OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

fn later(seconds: i64) -> DateTime<Utc> {
    at() + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn a_task_goes_its_whole_way_and_every_trace_is_found_again() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn a_task_is_admitted_once() {
    let fresh = Fresh::open().await;
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
            .outbox_due(OutboxKind::Mirror, later(1), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn of_two_decisions_from_one_version_one_wins_and_the_other_leaves_nothing() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn a_refused_decision_does_not_hold_up_the_others_of_its_group() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn an_unknown_task_is_told_from_a_conflict() {
    let fresh = Fresh::open().await;
    let answer = fresh.commit(&claim(&task("nobody"))).await;
    assert!(matches!(answer, Err(CommitError::Unknown)), "{answer:?}");
}

#[tokio::test]
async fn a_stale_attempt_is_fenced_off_from_every_row() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn two_attempts_of_a_task_are_never_open_at_once() {
    let fresh = Fresh::open().await;
    let first = fresh.claimed("twice").await;
    let answer = fresh.commit(&claim(&first)).await;
    assert!(
        matches!(answer, Err(CommitError::Store(StoreError::Refused { .. }))),
        "{answer:?}"
    );
    assert_eq!(fresh.store.attempts(&first.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn beats_and_progress_only_move_forward_and_keep_what_they_do_not_name() {
    let fresh = Fresh::open().await;
    let task = fresh.claimed("beats").await;
    let store = &fresh.store;
    assert!(store.beat(vec![beat(&task, 1, 60)]).await.unwrap().is_empty());
    let old = Beat {
        pct: None,
        phase: None,
        ..beat(&task, 1, 30)
    };
    assert!(store.beat(vec![old]).await.unwrap().is_empty());
    assert!(
        store
            .progress(vec![mark(&task, 1, 900)])
            .await
            .unwrap()
            .is_empty()
    );
    let less = ProgressMark {
        session: None,
        cost_usd: None,
        ..mark(&task, 1, 100)
    };
    assert!(store.progress(vec![less]).await.unwrap().is_empty());

    let facts = store.attempt_facts(&task.id).await.unwrap().unwrap();
    assert_eq!((facts.beat_at, facts.progress_pct), (Some(later(60)), Some(60)));
    assert_eq!(
        (facts.phase.as_deref(), facts.transcript_offset),
        (Some("testing"), 900)
    );
    assert_eq!(
        (facts.session.as_deref(), facts.cost_usd),
        (Some("s-1"), Some(0.25))
    );
    assert_eq!(
        store.open_facts().await.unwrap(),
        HashMap::from([(task.id.clone(), facts.clone())])
    );
    assert_eq!(store.attempts(&task.id).await.unwrap()[0].facts, facts);

    fresh.commit(&finish(&task)).await.unwrap();
    assert_eq!(
        store.beat(vec![beat(&task, 1, 90)]).await.unwrap(),
        vec![task.id.clone()],
        "it has ended"
    );
    assert!(store.open_facts().await.unwrap().is_empty());
    assert_eq!(
        store.task(&task.id).await.unwrap().unwrap().version,
        3,
        "beats are outside the version"
    );
}

#[tokio::test]
async fn a_refused_claim_becomes_gate_failed_and_keeps_its_report() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn nothing_is_completed_without_a_passed_gate_of_the_same_attempt_and_commit() {
    let fresh = Fresh::open().await;
    let task = fresh.validating("proof").await;
    let good = complete(&task);
    let cheats: [(&str, fn(&mut Decision)); 5] = [
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

#[tokio::test]
async fn the_outbox_keeps_its_order_within_a_task_and_its_keys() {
    let fresh = Fresh::open().await;
    let store = &fresh.store;
    let a = fresh.admitted("a").await;
    let b = fresh.admitted("b").await;
    let told = |text: &str| Durable::Progress { line: text.into() };
    fresh
        .commit(&Decision {
            durable: vec![told("1"), Durable::Mirror, told("2")],
            ..claim(&a)
        })
        .await
        .unwrap();
    fresh
        .commit(&Decision {
            durable: vec![told("3")],
            ..claim(&b)
        })
        .await
        .unwrap();

    let rows = store
        .outbox_due(OutboxKind::Progress, later(1), 10)
        .await
        .unwrap();
    assert_eq!(due(&rows), ["a:2:0", "a:2:2", "b:2:0"]);
    assert_eq!(rows[1].effect, told("2"));
    store
        .outbox_failed(rows[0].seq, "no disk".into(), later(60))
        .await
        .unwrap();
    let now = store
        .outbox_due(OutboxKind::Progress, later(2), 10)
        .await
        .unwrap();
    assert_eq!(due(&now), ["b:2:0"], "a later row went before an earlier one");
    assert_eq!(
        due(&store.outbox_due(OutboxKind::Mirror, later(2), 10).await.unwrap()),
        ["a:2:1"]
    );

    let again = store
        .outbox_due(OutboxKind::Progress, later(60), 10)
        .await
        .unwrap();
    assert_eq!(due(&again), ["a:2:0", "a:2:2", "b:2:0"]);
    assert_eq!(
        (again[0].attempts, again[0].error.as_deref()),
        (1, Some("no disk"))
    );
    store
        .outbox_done(vec![again[0].seq, again[1].seq], later(61))
        .await
        .unwrap();
    store.outbox_done(vec![again[0].seq], later(62)).await.unwrap();
    assert_eq!(
        due(&store
            .outbox_due(OutboxKind::Progress, later(70), 10)
            .await
            .unwrap()),
        ["b:2:0"]
    );
    assert_eq!(
        store
            .outbox_due(OutboxKind::Progress, at() - TimeDelta::seconds(1), 10)
            .await
            .unwrap(),
        vec![]
    );
}

#[tokio::test]
async fn a_changed_definition_is_kept_beside_the_old_one() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn lists_come_in_pages_the_last_changed_first() {
    let fresh = Fresh::open().await;
    for n in 0..5 {
        fresh.completed(&format!("done-{n}")).await;
        fresh.admitted(&format!("live-{n}")).await;
    }
    for (scope, count) in [(Scope::Live, 5), (Scope::Ended, 5), (Scope::All, 10)] {
        let mut filter = Filter {
            scope,
            limit: 2,
            ..Filter::default()
        };
        let mut found = Vec::new();
        loop {
            let page = fresh.store.tasks(&filter).await.unwrap();
            found.extend(page.rows.into_iter().map(|t| t.id.to_string()));
            match page.next {
                Some(next) => filter.before = Some(next),
                None => break,
            }
        }
        assert_eq!(found.len(), count, "{scope:?}");
        assert!(
            found[0].ends_with('4') && found[count - 1].ends_with('0'),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn changes_are_told_once_and_in_order() {
    let fresh = Fresh::open().await;
    let a = fresh.admitted("a").await;
    fresh.admitted("b").await;
    let (all, seq) = fresh.store.changed_since(0).await.unwrap();
    assert_eq!(all.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(seq, fresh.store.newest_seq().await.unwrap());
    assert_eq!(fresh.store.changed_since(seq).await.unwrap(), (vec![], seq));
    let claimed = claim(&a);
    let newest = fresh.commit(&claimed).await.unwrap();
    assert_eq!(
        fresh.store.changed_since(seq).await.unwrap(),
        (vec![claimed.task], newest)
    );
}

#[tokio::test]
async fn another_process_is_seen_and_ones_own_writes_are_not() {
    let fresh = Fresh::open().await;
    let task = fresh.admitted("shared").await;
    let before = fresh.store.data_version().await.unwrap();
    fresh.admitted("own").await;
    assert_eq!(fresh.store.data_version().await.unwrap(), before);
    let seq = fresh.store.newest_seq().await.unwrap();

    let other = fresh.second().await;
    other.commit(claim(&task), 1).await.unwrap();
    assert_ne!(fresh.store.data_version().await.unwrap(), before);
    let (changed, _) = fresh.store.changed_since(seq).await.unwrap();
    assert_eq!(changed, vec![claim(&task).task]);
    let stale = fresh.commit(&claim(&task)).await;
    assert!(
        matches!(stale, Err(CommitError::Conflict { actual: 2 })),
        "{stale:?}"
    );
}

#[tokio::test]
async fn two_processes_write_at_once_and_nothing_is_lost() {
    let fresh = Fresh::open().await;
    let other = fresh.second().await;
    let admit = async |store: &Store, name: &str| {
        for n in 0..150 {
            let task = task(&format!("{name}-{n}"));
            store.admit(&task, entry("read", &task), vec![]).await.unwrap();
        }
    };
    tokio::join!(admit(&fresh.store, "one"), admit(&other, "two"));
    assert_eq!(fresh.store.live().await.unwrap().len(), 300);
}

#[tokio::test]
async fn dependencies_are_answered_for_those_that_exist() {
    let fresh = Fresh::open().await;
    let done = fresh.completed("done").await;
    let live = fresh.admitted("live").await;
    let gone = cancel(&fresh.admitted("gone").await);
    fresh.commit(&gone).await.unwrap();
    let asked = [
        done.id.clone(),
        live.id.clone(),
        gone.task.id.clone(),
        id("never"),
    ];
    let expected = HashMap::from([
        (done.id, Standing::Completed),
        (live.id, Standing::Live),
        (gone.task.id, Standing::Cancelled),
    ]);
    assert_eq!(fresh.store.dependency_states(&asked).await.unwrap(), expected);
}

#[tokio::test]
async fn the_mirror_remembers_the_newest_version() {
    let fresh = Fresh::open().await;
    let task = fresh.admitted("mirror").await;
    let told = |version, status| Mirrored {
        version,
        body: json!({ "status": status }),
    };
    assert_eq!(fresh.store.mirrored(&task.id).await.unwrap(), None);
    fresh
        .store
        .set_mirrored(&task.id, told(2, "in-progress"))
        .await
        .unwrap();
    fresh
        .store
        .set_mirrored(&task.id, told(1, "pending"))
        .await
        .unwrap();
    let newest = told(2, "in-progress");
    assert_eq!(
        fresh.store.mirrored(&task.id).await.unwrap().as_ref(),
        Some(&newest)
    );
    assert_eq!(
        fresh.store.mirrored_live().await.unwrap(),
        HashMap::from([(task.id, newest)])
    );
    let unknown = fresh.store.set_mirrored(&id("never"), told(1, "pending")).await;
    assert!(matches!(unknown, Err(StoreError::Refused { .. })), "{unknown:?}");
}

#[tokio::test]
async fn flags_hold_over_a_restart() {
    let fresh = Fresh::open().await;
    let stop = json!({ "by": "cli:jane" });
    fresh
        .store
        .set_flag("stop", Some(stop.clone()), at())
        .await
        .unwrap();
    fresh.store.set_flag("tick", Some(json!(1)), at()).await.unwrap();
    fresh.store.set_flag("tick", None, at()).await.unwrap();
    fresh.store.close().await;
    let again = fresh.second().await;
    let flag = again.flag("stop").await.unwrap().unwrap();
    assert_eq!((flag.value, flag.set_at), (stop, at()));
    assert_eq!(again.flag("tick").await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_store_says_so_and_a_reopened_one_has_everything() {
    let fresh = Fresh::open().await;
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

#[tokio::test]
async fn retention_takes_old_rows_of_ended_tasks_and_done_effects_alone() {
    let fresh = Fresh::open().await;
    let done = fresh.completed("done").await;
    let live = fresh.admitted("live").await;
    let told = Decision {
        durable: vec![Durable::Mirror, Durable::Mirror],
        ..claim(&live)
    };
    fresh.commit(&told).await.unwrap();
    let rows = fresh
        .store
        .outbox_due(OutboxKind::Mirror, later(1), 10)
        .await
        .unwrap();
    fresh
        .store
        .outbox_done(vec![rows[0].seq], later(1))
        .await
        .unwrap();

    let young = fresh.store.trim(later(10), TimeDelta::seconds(60)).await.unwrap();
    assert_eq!((young.events, young.outbox), (0, 0));
    let old = fresh
        .store
        .trim(later(100), TimeDelta::seconds(60))
        .await
        .unwrap();
    assert_eq!((old.events, old.outbox), (3, 1));
    assert_eq!(
        fresh.store.events(&done.id, 10).await.unwrap()[0].entry.kind,
        "judged"
    );
    assert_eq!(fresh.store.events(&live.id, 10).await.unwrap().len(), 2);
    assert_eq!(
        fresh
            .store
            .outbox_due(OutboxKind::Mirror, later(1), 10)
            .await
            .unwrap()
            .len(),
        1
    );
}
