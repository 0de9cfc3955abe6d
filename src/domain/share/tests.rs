use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::definition::{Definition, Priority};
use crate::domain::id::TaskId;
use crate::domain::ready::{Used, claims};
use crate::domain::task::{Attempt, History, Next, StartKind, State};
use crate::domain::tier::{Route, TierName};

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn route() -> Route {
    Route {
        tier: TierName::new("haiku"),
        runtime: "r".into(),
        model: "m".into(),
        why: "w".into(),
        node: None,
    }
}

/// A task that has waited for so many hours.
fn ready(id: &str, project: &str, priority: Priority, hours: i64) -> Task {
    let since = now() - TimeDelta::hours(hours);
    let next = Next {
        tier: TierName::new("haiku"),
        not_before: None,
        why: "w".into(),
        session: None,
        runtime: None,
        start: StartKind::First,
    };
    Task {
        id: TaskId::parse(id).unwrap(),
        version: 1,
        epoch: 0,
        definition: Definition {
            project: project.into(),
            priority,
            ..Definition::default()
        },
        definition_hash: String::new(),
        state: State::Ready { since, next },
        history: History::default(),
        created_at: since,
        updated_at: since,
    }
}

fn started(mut task: Task) -> Task {
    let attempt = Attempt {
        n: 1,
        epoch: 1,
        route: route(),
        started_at: now(),
        session: None,
        start: StartKind::First,
    };
    let since = now();
    task.state = State::Running { since, attempt };
    task
}

/// One tier without a limit of its own; `projects`: name, weight, the most slots (0: no limit).
fn policy(projects: &[(&str, u32, u32)]) -> Policy {
    let may = |(name, weight, most): &(&str, u32, u32)| {
        let max_concurrent = Some(*most).filter(|most| *most > 0);
        let weight = *weight;
        let may = ProjectPolicy {
            weight,
            max_concurrent,
        };
        ((*name).to_owned(), may)
    };
    let mut policy = Policy::example();
    policy.tiers[0].max_concurrent = None;
    policy.projects = projects.iter().map(may).collect();
    policy
}

fn claimed(tasks: &[Task], slots: u32, at: DateTime<Utc>, policy: &Policy) -> Vec<String> {
    let used = Used::count(tasks.iter(), slots);
    let claims = claims(tasks.iter(), used, at, policy, |_| Some(route()));
    claims.into_iter().map(|(id, _)| id.to_string()).collect()
}

/// What it shows, what waits and runs, the projects' weights and limits, the slots, and who gets them.
type Row<'a> = (&'a str, Vec<Task>, &'a [(&'a str, u32, u32)], u32, &'a [&'a str]);

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_class_then_the_share_then_the_age() {
    use Priority::{Critical, High, Low, Medium};
    let many = |project: &str, n: u32, priority, hours| {
        (0..n)
            .map(move |i| ready(&format!("{project}{i}"), project, priority, hours))
            .collect::<Vec<_>>()
    };
    let all = |groups: Vec<Vec<Task>>| groups.concat();
    let table: [Row<'_>; 8] = [
        (
            "turn by turn, the older first",
            all(vec![many("a", 4, Medium, 2), many("b", 4, Medium, 1)]),
            &[],
            4,
            &["a0", "b0", "a1", "b1"],
        ),
        (
            "by weight",
            all(vec![many("a", 9, Medium, 2), many("b", 9, Medium, 1)]),
            &[("b", 3, 0)],
            8,
            &["a0", "b0", "b1", "b2", "a1", "b3", "b4", "b5"],
        ),
        (
            "what runs counts",
            all(vec![
                many("a", 3, Medium, 9).into_iter().map(started).collect(),
                vec![ready("ax", "a", Medium, 2)],
                many("b", 2, Medium, 1),
            ]),
            &[],
            5,
            &["b0", "b1"],
        ),
        (
            "a more urgent class goes before, whoever has more",
            all(vec![
                many("a", 2, Medium, 1).into_iter().map(started).collect(),
                vec![ready("ax", "a", Critical, 0)],
                many("b", 2, High, 0),
            ]),
            &[],
            4,
            &["ax", "b0"],
        ),
        (
            "waiting lifts up to the first class and no further",
            all(vec![many("a", 3, Low, 99), many("b", 2, Critical, 0)]),
            &[],
            4,
            &["a0", "b0", "a1", "b1"],
        ),
        (
            "a limit",
            all(vec![many("a", 4, High, 2), many("b", 1, Low, 1)]),
            &[("a", 9, 2)],
            4,
            &["a0", "a1", "b0"],
        ),
        (
            "what a project does not want, others have",
            all(vec![many("a", 1, Medium, 1), many("b", 4, Medium, 1)]),
            &[("a", 9, 0)],
            4,
            &["a0", "b0", "b1", "b2"],
        ),
        ("no slot", many("a", 2, Medium, 1), &[], 0, &[]),
    ];
    for (what, tasks, projects, slots, wanted) in table {
        assert_eq!(claimed(&tasks, slots, now(), &policy(projects)), wanted, "{what}");
    }
}

#[test]
fn a_limit_counts_in_every_class() {
    let tasks = [
        ready("a0", "a", Priority::Critical, 0),
        ready("a1", "a", Priority::Low, 0),
        ready("b0", "b", Priority::Low, 0),
    ];
    assert_eq!(claimed(&tasks, 3, now(), &policy(&[("a", 1, 1)])), ["a0", "b0"]);
}

#[test]
fn a_task_that_no_node_takes_holds_up_nobody_of_its_project() {
    let tasks = [
        ready("a0", "a", Priority::High, 0),
        ready("a1", "a", Priority::Medium, 0),
        ready("b0", "b", Priority::Medium, 1),
    ];
    let policy = policy(&[]);
    let used = Used::count(tasks.iter(), 2);
    let place = |task: &Task| (task.id.as_str() != "a0").then(route);
    let claims = claims(tasks.iter(), used, now(), &policy, place);
    let ids: Vec<&str> = claims.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["b0", "a1"], "and it costs its project no turn");
}

#[test]
fn why_names_the_limit_or_who_goes_first() {
    let mut tasks = vec![
        started(ready("a0", "a", Priority::Medium, 0)),
        started(ready("a1", "a", Priority::Medium, 0)),
        ready("a2", "a", Priority::Medium, 0),
        ready("b0", "b", Priority::Medium, 0),
    ];
    let said = |tasks: &[Task], id: &str, policy: &Policy| {
        let shares = Shares::of(tasks.iter(), now(), policy);
        let task = tasks.iter().find(|t| t.id.as_str() == id).unwrap();
        shares.why(task, now(), policy)
    };
    let plain = policy(&[]);
    assert_eq!(
        said(&tasks, "a2", &plain).as_deref(),
        Some("project a has 2, and b, which waits too, 0")
    );
    assert_eq!(said(&tasks, "b0", &plain), None, "it is its turn");
    let limited = policy(&[("a", 1, 2)]);
    let why = said(&tasks, "a2", &limited).unwrap();
    assert_eq!(
        why,
        "project a has the 2 that it may have (projects.a.max_concurrent)"
    );
    let weighty = policy(&[("a", 5, 0)]);
    tasks.push(started(ready("b1", "b", Priority::Medium, 0)));
    assert_eq!(said(&tasks, "a2", &weighty), None);
    let why = said(&tasks, "b0", &weighty).unwrap();
    assert_eq!(why, "project b has 1, and a, which waits too, 2 at weight 5");
    tasks[2].definition.priority = Priority::Low;
    assert_eq!(
        said(&tasks, "b0", &weighty),
        None,
        "less urgent work holds up nobody"
    );
}

/// A run of a busy fleet: in each step some tasks end, some arrive, and the free slots are given away.
struct Run {
    tasks: Vec<Task>,
    at: DateTime<Utc>,
    made: u32,
    policy: Policy,
    slots: u32,
}

impl Run {
    fn arrive(&mut self, project: &str, priority: Priority) {
        let mut task = ready(&format!("{project}-{}", self.made), project, priority, 0);
        self.made += 1;
        (task.created_at, task.updated_at) = (self.at, self.at);
        if let State::Ready { since, .. } = &mut task.state {
            *since = self.at;
        }
        self.tasks.push(task);
    }

    fn give(&mut self) -> Vec<String> {
        let ids = claimed(&self.tasks, self.slots, self.at, &self.policy);
        for task in self
            .tasks
            .iter_mut()
            .filter(|t| ids.iter().any(|id| *id == t.id.as_str()))
        {
            *task = started(task.clone());
        }
        ids
    }

    /// Every `n`th of what runs ends, beginning with this one.
    fn end(&mut self, first: usize, n: usize) {
        let mut running = 0;
        self.tasks.retain(|task| {
            let runs = task.state.attempt().is_some();
            running += usize::from(runs);
            !runs || !(running + first).is_multiple_of(n)
        });
    }

    fn slots_of(&self, project: &str) -> u32 {
        let mine = |t: &&Task| t.state.attempt().is_some() && t.definition.project == project;
        u32::try_from(self.tasks.iter().filter(mine).count()).unwrap()
    }
}

fn priority(n: u8) -> Priority {
    [
        Priority::Critical,
        Priority::High,
        Priority::Medium,
        Priority::Low,
    ][usize::from(n % 4)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_project_is_served_as_if_there_were_none(
        tasks in prop::collection::vec((0u8..4, 0i64..60, any::<bool>()), 1..40),
        slots in 0u32..50,
    ) {
        let mut tasks: Vec<Task> = tasks.iter().enumerate().map(|(n, (p, hours, begun))| {
            let mut task = ready(&format!("t{n}"), "a", priority(*p), *hours);
            if let (State::Ready { next, .. }, true) = (&mut task.state, begun) {
                next.start = StartKind::Retry;
            }
            task
        }).collect();
        let policy = policy(&[]);
        let got = claimed(&tasks, slots, now(), &policy);
        tasks.sort_by(|a, b| rank(a, now(), &policy).cmp(&rank(b, now(), &policy)));
        let wanted: Vec<String> = tasks.iter().take(slots as usize).map(|t| t.id.to_string()).collect();
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn shares_come_to_the_weights_and_limits_hold(
        weights in prop::collection::vec(1u32..6, 2..5),
        limit in 0u32..8,
        salt in 0usize..5,
    ) {
        let names = ["a", "b", "c", "d"];
        let mut projects: Vec<(&str, u32, u32)> =
            weights.iter().zip(names).map(|(weight, name)| (name, *weight, 0)).collect();
        // The last one has a limit; the others share what it leaves.
        if let Some(last) = projects.last_mut() { last.2 = limit; }
        let mut run = Run { tasks: Vec::new(), at: now(), made: 0, policy: policy(&projects), slots: 120 };
        for step in 0..20 {
            run.at += TimeDelta::minutes(10);
            // The first project asks for far more than the others.
            for (n, (name, ..)) in projects.iter().enumerate() {
                let many = if n == 0 { 90 } else { 60 };
                (0..many).for_each(|_| run.arrive(name, Priority::Medium));
            }
            run.end(step + salt, 2);
            run.give();
            for (name, _, most) in &projects {
                prop_assert!(*most == 0 || run.slots_of(name) <= *most, "{} at {}", name, step);
            }
        }
        let total: u32 = projects.iter().map(|(name, ..)| run.slots_of(name)).sum();
        prop_assert_eq!(total, 120, "no slot is left free while somebody waits");
        let bound = |most: u32, weight: u32, sum: u32| most > 0 && most * sum < weight * 120;
        let sum: u32 = weights.iter().sum();
        let (capped, free): (Vec<_>, Vec<_>) = projects.iter().partition(|(_, w, most)| bound(*most, *w, sum));
        let left = 120 - capped.iter().map(|(_, _, most)| *most).sum::<u32>();
        let sum: u32 = free.iter().map(|(_, weight, _)| *weight).sum();
        for (name, weight, _) in free {
            let (got, fair) = (f64::from(run.slots_of(name)), f64::from(left * weight) / f64::from(sum));
            prop_assert!((got - fair).abs() <= (fair * 0.1).max(1.0), "{}: {} instead of {}", name, got, fair);
        }
    }

    #[test]
    fn nobody_starves_while_others_arrive_without_end(
        slots in 1u32..4,
        weight in 1u32..100,
        flood in 0u8..4,
        own in 0u8..4,
        same_project in any::<bool>(),
    ) {
        let mut run = Run { tasks: Vec::new(), at: now(), made: 0, policy: policy(&[("b", weight, 0), ("c", weight, 0)]), slots };
        (0..20).for_each(|_| run.arrive("b", priority(flood)));
        run.arrive(if same_project { "b" } else { "a" }, priority(own));
        let victim = run.tasks.last().unwrap().id.to_string();
        let mut waited = 0u32;
        loop {
            if run.give().contains(&victim) { break; }
            waited += 1;
            // Whatever came before it, and within the three classes of four hours that it may be behind.
            let before = 20 + 2 * (slots + 1) * 24;
            prop_assert!(waited <= before + 4, "still waiting after {} rounds", waited);
            run.at += TimeDelta::minutes(30);
            run.end(0, 1);
            (0..slots + 1).for_each(|_| { run.arrive("b", priority(flood)); run.arrive("c", priority(flood)); });
        }
    }
}
