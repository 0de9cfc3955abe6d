//! The conformance story of a store as a random walk: whatever is asked in whatever order, the store is its model.

use std::collections::BTreeMap;

use orchestrator::domain::decide::Decision;
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::task::Task;
use orchestrator::store::{CommitError, Standing, StoreError};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rstest::rstest;

use crate::store_fresh::{Engine, Fresh};
use crate::store_tasks::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Move {
    Admit,
    Claim,
    Finish,
    Retry,
    Complete,
    CompleteUnproven,
    Cancel,
}

/// One try: on which task, what, and from how many versions ago.
type Try = (usize, Move, u64);

fn tries() -> impl Strategy<Value = Vec<Try>> {
    use Move::*;
    let what = prop::sample::select(vec![
        Admit,
        Claim,
        Claim,
        Finish,
        Retry,
        Complete,
        CompleteUnproven,
        Cancel,
    ]);
    prop::collection::vec(
        (0..3_usize, what, prop::sample::select(vec![0, 0, 0, 0, 1])),
        1..60,
    )
}

/// What the store must hold of one task.
struct Model {
    task: Task,
    attempt_open: bool,
    attempts: usize,
    events: usize,
}

impl Model {
    fn new(task: Task) -> Self {
        Self {
            task,
            attempt_open: false,
            attempts: 0,
            events: 1,
        }
    }

    fn follow(&mut self, what: Move, task: Task) {
        match what {
            Move::Claim => self.attempt_open = true,
            Move::Finish | Move::Retry => self.attempt_open = false,
            Move::Admit | Move::Complete | Move::CompleteUnproven | Move::Cancel => {}
        }
        self.attempts += usize::from(what == Move::Claim);
        self.events += 1;
        self.task = task;
    }
}

fn decision(what: Move, from: &Task) -> Decision {
    match what {
        Move::Claim => claim(from),
        Move::Finish => finish(from),
        Move::Retry => retry(from, Outcome::Failed),
        Move::Complete => complete(from),
        Move::CompleteUnproven => {
            let mut cheat = complete(from);
            if let Some(gate) = cheat.gate.as_mut() {
                gate.report.commit = "beef".into();
                gate.report.receipts.clear();
            }
            cheat
        }
        Move::Admit | Move::Cancel => cancel(from),
    }
}

/// Whether the rules of the schema allow it, from the newest version.
fn allowed(what: Move, model: &Model, proven: bool) -> bool {
    match what {
        Move::Claim => !model.attempt_open,
        Move::Finish | Move::Retry => model.attempt_open,
        // An earlier passed gate of the same attempt and commit proves it as well.
        Move::CompleteUnproven => proven,
        Move::Admit | Move::Complete | Move::Cancel => true,
    }
}

async fn walk(engine: Engine, tries: Vec<Try>) {
    let fresh = Fresh::open(engine).await;
    let mut models: BTreeMap<usize, Model> = BTreeMap::new();
    let mut proofs: Vec<(usize, u64)> = Vec::new();
    for (name, what, behind) in tries {
        let Some(model) = models.get_mut(&name) else {
            let absent = fresh.commit(&claim(&task(&format!("t{name}")))).await;
            assert!(matches!(absent, Err(CommitError::Unknown)), "{absent:?}");
            let task = fresh.admitted(&format!("t{name}")).await;
            models.insert(name, Model::new(task));
            continue;
        };
        let actual = model.task.version;
        if what == Move::Admit {
            let again = fresh
                .store
                .admit(&model.task, entry("read", &model.task), vec![])
                .await;
            assert!(
                matches!(again, Err(CommitError::Conflict { actual: a }) if a == actual),
                "{again:?}"
            );
            continue;
        }
        let made_from = Task {
            version: actual.saturating_sub(behind),
            ..model.task.clone()
        };
        let decision = decision(what, &made_from);
        let answer = fresh.commit(&decision).await;
        let proven = proofs.contains(&(name, model.task.epoch));
        match answer {
            Err(CommitError::Conflict { actual: a }) => assert!(behind > 0 && a == actual),
            Err(CommitError::Fenced { .. }) => assert!(!allowed(what, model, proven), "{what:?}"),
            Err(CommitError::Store(StoreError::Refused { .. })) => {
                assert!(!allowed(what, model, proven), "{what:?}")
            }
            Err(other) => panic!("{what:?}: {other}"),
            Ok(_) => {
                assert!(
                    behind == 0 && allowed(what, model, proven),
                    "{what:?} from {behind} behind"
                );
                if what == Move::Complete {
                    proofs.push((name, decision.task.epoch));
                }
                model.follow(what, decision.task);
            }
        }
    }
    compare(&fresh, &models).await;
}

async fn compare(fresh: &Fresh, models: &BTreeMap<usize, Model>) {
    let store = &fresh.store;
    let live: Vec<Task> = models
        .values()
        .map(|m| m.task.clone())
        .filter(|t| !t.state.is_ended())
        .collect();
    assert_eq!(store.live().await.unwrap(), live);
    for model in models.values() {
        let id = &model.task.id;
        assert_eq!(store.task(id).await.unwrap().as_ref(), Some(&model.task));
        assert_eq!(store.events(id, 1000).await.unwrap().len(), model.events);
        let attempts = store.attempts(id).await.unwrap();
        assert_eq!(attempts.len(), model.attempts);
        assert_eq!(
            attempts.iter().filter(|a| a.ended_at.is_none()).count(),
            usize::from(model.attempt_open)
        );
        let standing = match (model.task.state.is_completed(), model.task.state.is_ended()) {
            (true, _) => Standing::Completed,
            (false, true) => Standing::Cancelled,
            (false, false) => Standing::Live,
        };
        assert_eq!(
            store.dependency_states(std::slice::from_ref(id)).await.unwrap()[id],
            standing
        );
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite, 24)]
#[case::postgres(Engine::Postgres, 8)]
fn the_store_is_its_model(#[case] engine: Engine, #[case] cases: u32) {
    if matches!(engine, Engine::Postgres) && !crate::postgres::is_there() {
        return;
    }
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let walked = TestRunner::new(config).run(&tries(), |tries| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(walk(engine, tries));
        Ok(())
    });
    assert_eq!(walked, Ok(()));
}
