use chrono::Duration;
use proptest::prelude::*;

use super::*;
use crate::domain::definition::{Definition, Priority};
use crate::domain::gate::GateReport;
use crate::domain::stage::Stage;
use crate::domain::task::{Attempt, Claim, History, Next, StopReason};

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn task(id: &str, state: State) -> Task {
    Task {
        id: TaskId::parse(id).unwrap(),
        version: 1,
        epoch: 0,
        definition: Definition::default(),
        definition_hash: String::new(),
        state,
        history: History::default(),
        created_at: now(),
        updated_at: now(),
    }
}

fn next(tier: &str, start: StartKind) -> Next {
    Next {
        tier: TierName::new(tier),
        not_before: None,
        why: "why".into(),
        session: None,
        runtime: None,
        start,
    }
}

fn ready(id: &str, tier: &str) -> Task {
    task(
        id,
        State::Ready {
            since: now(),
            next: next(tier, StartKind::First),
        },
    )
}

fn route(tier: &TierName) -> Route {
    Route {
        tier: tier.clone(),
        runtime: "r".into(),
        model: "m".into(),
        why: "w".into(),
        node: None,
    }
}

fn running(id: &str, tier: &str) -> Task {
    let attempt = Attempt {
        n: 1,
        epoch: 1,
        route: route(&TierName::new(tier)),
        started_at: now(),
        session: None,
        start: StartKind::First,
    };
    task(
        id,
        State::Running {
            since: now(),
            attempt,
        },
    )
}

fn claimed(tasks: &[Task], policy: &Policy) -> Vec<String> {
    let used = Used::count(tasks.iter(), policy.max_concurrent);
    let by_tier = |t: &Task| match &t.state {
        State::Ready { next, .. } => Some(route(&next.tier)),
        _ => None,
    };
    claims(tasks.iter(), used, now(), policy, by_tier)
        .into_iter()
        .map(|(id, _)| id.to_string())
        .collect()
}

#[test]
fn slots_of_all_and_of_a_tier() {
    let policy = Policy {
        max_concurrent: 3,
        ..Policy::example()
    };
    let tasks = [
        ready("a", "haiku"),
        ready("b", "haiku"),
        ready("c", "haiku"),
        ready("d", "opus"),
    ];
    assert_eq!(
        claimed(&tasks, &policy),
        ["a", "b", "d"],
        "two of haiku, and the full tier holds up nobody"
    );
    let tasks = [
        running("x", "haiku"),
        running("y", "haiku"),
        ready("a", "haiku"),
        ready("d", "opus"),
    ];
    assert_eq!(claimed(&tasks, &policy), ["d"]);
    let tasks = [
        running("x", "haiku"),
        running("y", "sonnet"),
        running("z", "opus"),
        ready("a", "opus"),
    ];
    assert_eq!(claimed(&tasks, &policy), Vec::<String>::new());
}

#[test]
fn priority_first_then_age_and_age_lifts() {
    let policy = Policy {
        max_concurrent: 1,
        ageing: std::time::Duration::from_secs(3600),
        ..Policy::example()
    };
    let mut urgent = ready("urgent", "haiku");
    urgent.definition.priority = Priority::High;
    let mut old = ready("old", "haiku");
    old.definition.priority = Priority::Low;
    let waiting_since = |hours| State::Ready {
        since: now() - Duration::hours(hours),
        next: next("haiku", StartKind::First),
    };
    old.state = waiting_since(1);
    assert_eq!(claimed(&[old.clone(), urgent.clone()], &policy), ["urgent"]);
    old.state = waiting_since(3);
    assert_eq!(
        claimed(&[old, urgent], &policy),
        ["old"],
        "three hours make low more urgent than high"
    );
}

#[test]
fn breadth_first_starts_new_ones_and_depth_first_ends_begun_ones() {
    let fresh = ready("fresh", "haiku");
    let begun = task(
        "begun",
        State::Ready {
            since: now(),
            next: next("haiku", StartKind::Retry),
        },
    );
    for (order, first) in [(Order::BreadthFirst, "fresh"), (Order::DepthFirst, "begun")] {
        let policy = Policy {
            max_concurrent: 1,
            order,
            ..Policy::example()
        };
        assert_eq!(claimed(&[fresh.clone(), begun.clone()], &policy), [first]);
    }
}

fn tasks_next(tasks: &[Task]) -> Next {
    match &tasks[0].state {
        State::Ready { next, .. } => next.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_claimed_before_its_time_or_without_a_runtime() {
    let later = Next {
        not_before: Some(now() + Duration::seconds(1)),
        ..next("haiku", StartKind::Retry)
    };
    let tasks = [task(
        "later",
        State::Ready {
            since: now(),
            next: later,
        },
    )];
    assert_eq!(claimed(&tasks, &Policy::example()), Vec::<String>::new());
    let planned = State::Ready {
        since: now() + Duration::hours(1),
        next: tasks_next(&tasks),
    };
    assert_eq!(
        claimed(&[task("back", planned)], &Policy::example()),
        ["back"],
        "the clock was set back by an hour"
    );
    let tasks = [ready("a", "haiku")];
    let none = claims(
        tasks.iter(),
        Used::count([].iter(), 2),
        now(),
        &Policy::example(),
        |_| None,
    );
    assert_eq!(none, vec![]);
}

proptest! {
    #[test]
    fn slots_are_never_exceeded(tiers in prop::collection::vec(0usize..3, 0..40), live in prop::collection::vec(0usize..3, 0..4), max in 1u32..6) {
        let names = ["haiku", "sonnet", "opus"];
        let policy = Policy { max_concurrent: max, ..Policy::example() };
        let mut tasks: Vec<Task> = Vec::new();
        tasks.extend(live.iter().enumerate().map(|(i, t)| running(&format!("r{i}"), names[*t])));
        tasks.extend(tiers.iter().enumerate().map(|(i, t)| ready(&format!("t{i}"), names[*t])));
        let before = Used::count(tasks.iter(), max);
        let mut used = before.clone();
        let by_tier = |t: &Task| match &t.state { State::Ready { next, .. } => Some(route(&next.tier)), _ => None };
        let claims = claims(tasks.iter(), before.clone(), now(), &policy, by_tier);
        claims.iter().for_each(|(_, r)| used.take(&r.tier));
        prop_assert!(used.total <= max.max(before.total));
        for name in names {
            let tier = TierName::new(name);
            let (was, is) = (before.by_tier.get(&tier).copied().unwrap_or(0), used.by_tier.get(&tier).copied().unwrap_or(0));
            prop_assert!(is <= 2.max(was));
        }
    }
}

fn answer(task: &Task, world: &World<'_>, dependency: DependencyState) -> (For, Option<DateTime<Utc>>, bool) {
    let waiting = waiting(task, now(), world, |_| dependency);
    assert!(!waiting.why.is_empty());
    (waiting.what, waiting.until, waiting.who.is_some())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_waiting_task_answers() {
    let since = now();
    let at = now() + Duration::minutes(5);
    let mut dependent = task("d", State::Pending { since });
    dependent.definition.depends_on = vec![TaskId::parse("other").unwrap()];
    let retry = Next {
        not_before: Some(at),
        ..next("haiku", StartKind::Retry)
    };
    let retry = task("r", State::Ready { since, next: retry });
    let mut quota = retry.clone();
    quota.history.troubles = 1;
    let report = GateReport {
        commit: "c".into(),
        tree: "t".into(),
        receipts: vec![],
        started_at: since,
        ended_at: since,
    };
    let claim = Claim {
        attempt: 1,
        epoch: 1,
        by_hand: None,
        commit: None,
        no_change: None,
    };
    let approval = Block::Approval {
        asked: None,
        reason: "r".into(),
        claim: claim.clone(),
        report: Box::new(report),
    };
    let held = Block::Held { by: "jane".into() };
    let free = World::default();
    let stopped = World {
        stopped: Some(("jane", since)),
        ..World::default()
    };
    let unplanned = World {
        plan: Some("the plan lacks a goal"),
        ..World::default()
    };
    let bare = World {
        unavailable: Some("claude: not found"),
        ..World::default()
    };
    use DependencyState as D;
    let rows = [
        (dependent.clone(), &free, D::Live, (For::Dependency, None, false)),
        (dependent.clone(), &unplanned, D::Live, (For::Person, None, true)),
        (
            dependent.clone(),
            &free,
            D::Cancelled,
            (For::Dependency, None, true),
        ),
        (
            dependent.clone(),
            &free,
            D::Unknown,
            (For::Dependency, None, true),
        ),
        (dependent.clone(), &free, D::Completed, (For::Slot, None, false)),
        (dependent, &stopped, D::Live, (For::Person, None, true)),
        (ready("s", "haiku"), &free, D::Live, (For::Slot, None, false)),
        (ready("s", "haiku"), &bare, D::Live, (For::Person, None, true)),
        (ready("s", "haiku"), &stopped, D::Live, (For::Person, None, true)),
        (retry, &free, D::Live, (For::Retry, Some(at), false)),
        (quota, &free, D::Live, (For::Quota, Some(at), false)),
        (
            task(
                "b",
                State::Blocked {
                    since,
                    block: approval,
                },
            ),
            &free,
            D::Live,
            (For::Person, None, true),
        ),
        (
            task("b", State::Blocked { since, block: held }),
            &free,
            D::Live,
            (For::Person, None, true),
        ),
        (
            task(
                "p",
                State::Paused {
                    since,
                    by: "jane".into(),
                    next: None,
                },
            ),
            &free,
            D::Live,
            (For::Person, None, true),
        ),
        (
            task(
                "v",
                State::Validating {
                    since,
                    claim,
                    stage: Stage::Checks,
                },
            ),
            &free,
            D::Live,
            (For::Nothing, None, false),
        ),
        (running("w", "haiku"), &free, D::Live, (For::Nothing, None, false)),
    ];
    for (task, world, dependency, expected) in rows {
        assert_eq!(
            answer(&task, world, dependency),
            expected,
            "{}: {:?}",
            task.id,
            task.state
        );
    }
    let mut stopping = running("x", "haiku");
    if let State::Running { since, attempt } = stopping.state.clone() {
        stopping.state = State::Stopping {
            since,
            attempt,
            reason: StopReason::Stuck,
        };
    }
    assert!(
        waiting(&stopping, now(), &free, |_| D::Live)
            .why
            .contains("no sign of life")
    );
}
