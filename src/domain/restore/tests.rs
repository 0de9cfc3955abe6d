use chrono::TimeDelta;

use super::*;
use crate::domain::definition::Definition;
use crate::domain::task::{Attempt, Claim, History, StartKind};
use crate::domain::tier::{Route, TierName};

fn now() -> DateTime<Utc> {
    "2026-02-02T02:00:00Z".parse().unwrap()
}

fn task(state: State) -> Task {
    Task {
        id: TaskId::parse("t").unwrap(),
        version: 5,
        epoch: 3,
        definition: Definition::default(),
        definition_hash: "h".into(),
        state,
        history: History::default(),
        created_at: now(),
        updated_at: now(),
    }
}

fn running() -> State {
    let route = Route {
        tier: TierName::new("haiku"),
        runtime: "script".into(),
        model: "m".into(),
        why: String::new(),
        node: None,
    };
    let attempt = Attempt {
        n: 3,
        epoch: 3,
        route,
        started_at: now(),
        session: None,
        start: StartKind::First,
    };
    State::Running {
        since: now(),
        attempt,
    }
}

fn pending() -> State {
    State::Pending { since: now() }
}

fn completed() -> State {
    let end = End::Completed {
        attempt: 3,
        epoch: 3,
        commit: "c0ffee".into(),
        landed: None,
    };
    State::Ended { since: now(), end }
}

fn validating() -> State {
    let claim = Claim {
        attempt: 3,
        epoch: 3,
        by_hand: None,
        commit: Some("c0ffee".into()),
        no_change: None,
    };
    State::Validating {
        since: now(),
        claim,
        stage: crate::domain::stage::Stage::Checks,
    }
}

/// About which store and world agree.
fn known(task: &Task) -> Known<'_> {
    let worker = match task.state.attempt() {
        Some(_) => Worker::Alive,
        None => Worker::None,
    };
    Known {
        id: &task.id,
        task: Some(task),
        shown: shown(Declared::Pending, Place::Active),
        worker,
        epoch_on_disk: task.epoch,
        unknown_workers: Vec::new(),
        beat: None,
        progress: None,
        branch: None,
    }
}

fn shown(status: Declared, place: Place) -> Option<Shown> {
    let file = match place {
        Place::Away => "archive/2026-02.md".into(),
        Place::Active | Place::Archived => "PROACTIVE-JOBS.md".into(),
    };
    let status = Some(status);
    Some(Shown { file, status, place })
}

fn branch(minutes: i64, merged: bool) -> Option<Branch> {
    Some(Branch {
        name: "orchestrator/t".into(),
        head: "beef".repeat(10),
        at: now() + TimeDelta::minutes(minutes),
        ahead: 2,
        merged,
    })
}

fn found(known: &Known<'_>) -> Vec<(&'static str, Remedy)> {
    let found = compare(known).into_iter();
    found.map(|one| (one.kind.as_str(), one.remedy)).collect()
}

const TELL: Remedy = Remedy::Tell;

#[test]
fn where_store_and_world_agree_nothing_is_said() {
    for state in [pending(), validating(), completed()] {
        let task = task(state);
        let place = match task.state.is_ended() {
            true => shown(Declared::Completed, Place::Archived),
            false => shown(Declared::Pending, Place::Active),
        };
        let old = branch(-5, false);
        let known = Known {
            shown: place,
            branch: old,
            ..known(&task)
        };
        assert_eq!(found(&known), [], "{:?}", task.state);
    }
}

#[test]
fn the_worker_of_an_open_attempt_is_looked_for() {
    let task = task(running());
    for (worker, kind, remedy) in [
        (Worker::Alive, "worker-alive", TELL),
        (Worker::Ended, "worker-ended", TELL),
        (Worker::Gone, "worker-gone", Remedy::Raise(3)),
    ] {
        let known = Known {
            worker,
            ..known(&task)
        };
        assert_eq!(found(&known), [(kind, remedy)]);
    }
}

#[test]
fn later_attempts_raise_the_number_whatever_the_worker_does() {
    for (state, worker, remedy) in [
        (pending(), Worker::None, Remedy::Raise(6)),
        (running(), Worker::Alive, Remedy::Raise(6)),
        (running(), Worker::Ended, Remedy::Raise(6)),
        (running(), Worker::Gone, Remedy::Raise(6)),
        (validating(), Worker::None, Remedy::Raise(6)),
        (completed(), Worker::None, TELL),
    ] {
        let task = task(state);
        let known = Known {
            worker,
            epoch_on_disk: 6,
            ..known(&task)
        };
        assert_eq!(found(&known), [("later-attempts", remedy)], "{:?}", task.state);
    }
}

#[test]
fn what_is_complete_elsewhere_is_judged_and_never_run_again() {
    let archived = shown(Declared::Completed, Place::Archived);
    let away = shown(Declared::Completed, Place::Away);
    let words = "archive/2026-02.md has it as completed; the store was restored from before that";
    for (state, worker, shown, remedies) in [
        (pending(), Worker::None, &archived, vec![Remedy::Judge]),
        (pending(), Worker::None, &away, vec![Remedy::End(words.into())]),
        (validating(), Worker::None, &archived, vec![TELL]),
        (
            running(),
            Worker::Ended,
            &archived,
            vec![Remedy::Raise(3), Remedy::Judge],
        ),
        (
            running(),
            Worker::Gone,
            &archived,
            vec![Remedy::Raise(3), Remedy::Judge],
        ),
        (completed(), Worker::None, &archived, vec![]),
    ] {
        let task = task(state);
        let known = Known {
            worker,
            shown: shown.clone(),
            ..known(&task)
        };
        let found: Vec<Remedy> = found(&known).into_iter().map(|(_, remedy)| remedy).collect();
        assert_eq!(found, remedies, "{:?} {worker:?}", task.state);
    }
}

#[test]
fn a_person_s_word_in_the_file_is_told_and_the_course_of_things_is_not() {
    let task = task(pending());
    for (status, kinds) in [
        (Declared::Paused, vec!["state-differs"]),
        (Declared::Cancelled, vec!["state-differs"]),
        (Declared::Blocked, vec!["state-differs"]),
        (Declared::InProgress, vec![]),
        (Declared::Validating, vec![]),
    ] {
        let known = Known {
            shown: shown(status, Place::Active),
            ..known(&task)
        };
        let found: Vec<_> = found(&known).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, kinds, "{status:?}");
    }
    let gone = Known {
        shown: None,
        ..known(&task)
    };
    assert_eq!(found(&gone), [("no-section", TELL)]);
}

#[test]
fn tasks_that_the_store_does_not_know_are_named_and_their_workers_ended() {
    let task = task(pending());
    let unknown = Known {
        task: None,
        unknown_workers: vec![4, 5],
        shown: shown(Declared::Completed, Place::Archived),
        ..known(&task)
    };
    let ended = Remedy::EndWorkers(vec![4, 5]);
    assert_eq!(
        found(&unknown),
        [("unknown-worker", ended), ("unknown-task", TELL)]
    );
    let then = &compare(&unknown)[1].then;
    assert!(then.contains("stays archived"), "{then}");
}

#[test]
fn work_and_signs_that_are_newer_than_the_store_are_told() {
    let waiting = task(pending());
    let later = Some(now() + TimeDelta::minutes(9));
    let known_of = |task| Known {
        beat: later,
        progress: later,
        ..known(task)
    };
    let both = [("newer-heartbeat", TELL), ("newer-progress", TELL)];
    assert_eq!(found(&known_of(&waiting)), both);
    let live = task(running());
    assert_eq!(
        found(&known_of(&live)),
        [("worker-alive", TELL)],
        "a worker writes them"
    );
    for (minutes, merged, kind) in [
        (9, false, "branch-ahead"),
        (9, true, "branch-merged"),
        (-9, true, "branch-merged"),
    ] {
        let known = Known {
            branch: branch(minutes, merged),
            ..known(&waiting)
        };
        assert_eq!(found(&known), [(kind, TELL)]);
    }
    let done = task(completed());
    let shown = shown(Declared::Completed, Place::Archived);
    let landed = Known {
        branch: branch(-9, true),
        shown,
        ..known(&done)
    };
    assert_eq!(found(&landed), []);
}

#[test]
fn waiting_reports_are_counted() {
    assert_eq!(untold(0), None);
    let told = |n| untold(n).unwrap().what;
    assert!(told(1).starts_with("1 report waits") && told(7).starts_with("7 reports wait"));
}
