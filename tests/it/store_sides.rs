//! The conformance story of a store, beside the path: beats, the outbox, lists, the mirror, flags, retention.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::domain::decide::Decision;
use orchestrator::domain::effect::Durable;
use orchestrator::domain::report::{Report, Surface};
use orchestrator::store::{
    Beat, Filter, Handed, Mirrored, OutboxKind, OutboxRow, ProgressMark, Scope, Standing, Store, StoreError,
};
use serde_json::json;

use crate::store_fresh::{Engine, Fresh, on_every_engine};
use crate::store_tasks::*;

on_every_engine! {
    beats_and_progress_only_move_forward_and_keep_what_they_do_not_name,
    an_effect_that_failed_holds_back_the_later_ones_of_its_task_and_kind_alone,
    an_effect_that_is_done_is_not_due_again,
    reports_are_handed_to_surfaces_once_and_each_waits_by_itself,
    what_waits_for_a_surface_can_be_given_up_by_its_age,
    lists_come_in_pages_the_last_changed_first,
    changes_are_told_once_and_in_order,
    dependencies_are_answered_for_those_that_exist,
    the_mirror_remembers_the_newest_version,
    flags_hold_over_a_restart,
    retention_takes_old_rows_of_ended_tasks_and_done_effects_alone,
}

fn due(rows: &[OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

fn later(seconds: i64) -> DateTime<Utc> {
    at() + TimeDelta::seconds(seconds)
}

async fn beats_and_progress_only_move_forward_and_keep_what_they_do_not_name(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let task = fresh.claimed("beats").await;
    let store = &*fresh.store;
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

async fn due_keys(store: &dyn Store, kind: OutboxKind, seconds: i64) -> Vec<String> {
    let rows = store.outbox_due(kind, later(seconds), 10).await.unwrap();
    rows.into_iter().map(|row| row.key).collect()
}

fn told(text: &str) -> Durable {
    Durable::Progress { line: text.into() }
}

/// Effects of two tasks: `a:2:0`, `a:2:1` (of another kind), `a:2:2` and `b:2:0`.
async fn with_effects(engine: Engine) -> Fresh {
    let fresh = Fresh::open(engine).await;
    let a = fresh.admitted("a").await;
    let b = fresh.admitted("b").await;
    let durable = vec![told("1"), Durable::Mirror, told("2")];
    fresh.commit(&Decision { durable, ..claim(&a) }).await.unwrap();
    fresh
        .commit(&Decision {
            durable: vec![told("3")],
            ..claim(&b)
        })
        .await
        .unwrap();
    fresh
}

async fn an_effect_that_failed_holds_back_the_later_ones_of_its_task_and_kind_alone(engine: Engine) {
    let fresh = with_effects(engine).await;
    let store = &*fresh.store;
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
    assert_eq!(due_keys(store, OutboxKind::Progress, 2).await, ["b:2:0"]);
    assert_eq!(due_keys(store, OutboxKind::Mirror, 2).await, ["a:2:1"]);

    let again = store
        .outbox_due(OutboxKind::Progress, later(60), 10)
        .await
        .unwrap();
    assert_eq!(due(&again), ["a:2:0", "a:2:2", "b:2:0"]);
    assert_eq!(
        (again[0].attempts, again[0].error.as_deref()),
        (1, Some("no disk"))
    );
}

async fn an_effect_that_is_done_is_not_due_again(engine: Engine) {
    let fresh = with_effects(engine).await;
    let store = &*fresh.store;
    assert_eq!(
        due_keys(store, OutboxKind::Progress, -1).await,
        ["a:2:0", "a:2:2", "b:2:0"],
        "by a clock that is behind that of whoever decided it as well"
    );
    let rows = store.outbox_due(OutboxKind::Progress, later(1), 2).await.unwrap();
    store
        .outbox_done(vec![rows[0].seq, rows[1].seq], later(2))
        .await
        .unwrap();
    store.outbox_done(vec![rows[0].seq], later(3)).await.unwrap();
    store
        .outbox_failed(rows[0].seq, "too late".into(), later(3))
        .await
        .unwrap();
    assert_eq!(due_keys(store, OutboxKind::Progress, 70).await, ["b:2:0"]);
}

async fn lists_come_in_pages_the_last_changed_first(engine: Engine) {
    let fresh = Fresh::open(engine).await;
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

async fn changes_are_told_once_and_in_order(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let a = fresh.admitted("a").await;
    fresh.admitted("b").await;
    let (all, seq) = fresh.store.changed_since(0).await.unwrap();
    assert_eq!(all.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(seq <= fresh.store.newest_seq().await.unwrap());
    let (none, same) = fresh.store.changed_since(seq).await.unwrap();
    assert!(engine.told(&none, &[]) && same >= seq, "{none:?}");
    let claimed = claim(&a);
    fresh.commit(&claimed).await.unwrap();
    let (told, newest) = fresh.store.changed_since(seq).await.unwrap();
    assert!(engine.told(&told, &[claimed.task]), "{told:?}");
    assert!(newest >= seq);
}

async fn dependencies_are_answered_for_those_that_exist(engine: Engine) {
    let fresh = Fresh::open(engine).await;
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

async fn the_mirror_remembers_the_newest_version(engine: Engine) {
    let fresh = Fresh::open(engine).await;
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

async fn flags_hold_over_a_restart(engine: Engine) {
    let fresh = Fresh::open(engine).await;
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

async fn retention_takes_old_rows_of_ended_tasks_and_done_effects_alone(engine: Engine) {
    let fresh = Fresh::open(engine).await;
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

async fn reports_are_handed_to_surfaces_once_and_each_waits_by_itself(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let store = &*fresh.store;
    for id in ["a", "b"] {
        let task = fresh.admitted(id).await;
        let durable = vec![Durable::Report(Report::Stuck), Durable::Report(Report::Stuck)];
        let decision = Decision {
            durable,
            ..claim(&task)
        };
        fresh.commit(&decision).await.unwrap();
    }
    let surface = |name| Surface::parse(name).unwrap();
    let to = |name| OutboxKind::To(surface(name));
    let rows = store.outbox_due(OutboxKind::Report, later(1), 10).await.unwrap();
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    let handed = |seq: u64, name| Handed {
        seq,
        to: surface(name),
    };
    let mut all: Vec<Handed> = seqs.iter().map(|seq| handed(*seq, "ops")).collect();
    all.push(handed(seqs[0], "team"));
    store.hand_out(seqs.clone(), all.clone(), later(1)).await.unwrap();
    // Whoever was interrupted does it again.
    store.hand_out(seqs, all, later(2)).await.unwrap();

    assert!(due_keys(store, OutboxKind::Report, 60).await.is_empty());
    let ops = ["a:2:0@ops", "a:2:1@ops", "b:2:0@ops", "b:2:1@ops"];
    assert_eq!(due_keys(store, to("ops"), 60).await, ops);
    assert_eq!(due_keys(store, to("team"), 60).await, ["a:2:0@team"]);
    assert!(due_keys(store, to("nobody"), 60).await.is_empty());

    let waiting = store.outbox_due(to("ops"), later(1), 10).await.unwrap();
    assert_eq!(waiting[0].effect, Durable::Report(Report::Stuck));
    store
        .outbox_failed(waiting[0].seq, "away".into(), later(50))
        .await
        .unwrap();
    assert_eq!(due_keys(store, to("ops"), 2).await, ["b:2:0@ops", "b:2:1@ops"]);
    assert_eq!(due_keys(store, to("team"), 2).await, ["a:2:0@team"]);
    let standing = store.outbox_waiting(to("ops")).await.unwrap().unwrap();
    assert_eq!((standing.count, standing.error.as_deref()), (4, Some("away")));
    assert_eq!(standing.since, waiting[0].created_at);
    store
        .outbox_done(waiting.iter().map(|row| row.seq).collect(), later(3))
        .await
        .unwrap();
    assert_eq!(store.outbox_waiting(to("ops")).await.unwrap(), None);
}

async fn what_waits_for_a_surface_can_be_given_up_by_its_age(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let store = &*fresh.store;
    assert_eq!(store.outbox_surfaces().await.unwrap(), []);
    let task = fresh.admitted("a").await;
    let decision = Decision {
        durable: vec![Durable::Report(Report::Stuck), Durable::Report(Report::Stuck)],
        ..claim(&task)
    };
    fresh.commit(&decision).await.unwrap();
    let surface = |name| Surface::parse(name).unwrap();
    let rows = store.outbox_due(OutboxKind::Report, later(1), 10).await.unwrap();
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    let to = |name| {
        let seqs = seqs.iter();
        seqs.map(move |seq| Handed {
            seq: *seq,
            to: surface(name),
        })
    };
    store
        .hand_out(seqs.clone(), to("old").chain(to("team")).collect(), later(1))
        .await
        .unwrap();
    assert_eq!(
        store.outbox_surfaces().await.unwrap(),
        [surface("old"), surface("team")]
    );
    let decided = rows[0].created_at;
    let (old, second) = (surface("old"), TimeDelta::seconds(1));
    assert_eq!(
        store.outbox_give_up(&old, decided, later(9)).await.unwrap(),
        0,
        "none is older"
    );
    assert_eq!(
        store
            .outbox_give_up(&old, decided + second, later(9))
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        store
            .outbox_give_up(&old, decided + second, later(9))
            .await
            .unwrap(),
        0
    );
    assert_eq!(store.outbox_surfaces().await.unwrap(), [surface("team")]);
    assert_eq!(
        due_keys(store, OutboxKind::To(surface("team")), 60).await.len(),
        2
    );
}
