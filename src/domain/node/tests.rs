use proptest::prelude::*;

use super::*;
use crate::domain::definition::Definition;
use crate::domain::id::TaskId;
use crate::domain::task::{Attempt, History, Next, StartKind, State};
use crate::domain::tier::{Route, TierName};

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn node(text: &str, slots: u32) -> Node {
    Node {
        announcement: Announcement {
            name: name(text),
            role: Role::All,
            labels: BTreeSet::new(),
            slots,
            runtimes: [("r".to_owned(), Offer::Usable)].into(),
            version: "1".into(),
            host: "h".into(),
            pid: 1,
            bus: None,
        },
        term: 1,
        joined_at: now(),
        lease: Lease::Held(Duration::from_secs(9)),
        cordoned: None,
    }
}

fn ready(id: &str, project: &str) -> Task {
    Task {
        id: TaskId::parse(id).unwrap(),
        version: 1,
        epoch: 0,
        definition: Definition {
            project: project.into(),
            ..Definition::default()
        },
        definition_hash: String::new(),
        state: State::Ready {
            since: now(),
            next: Next {
                tier: TierName::new("haiku"),
                not_before: None,
                why: "w".into(),
                session: None,
                runtime: None,
                start: StartKind::First,
            },
        },
        history: History::default(),
        created_at: now(),
        updated_at: now(),
    }
}

fn running(id: &str, project: &str, on: &str) -> Task {
    let attempt = Attempt {
        n: 1,
        epoch: 1,
        route: Route {
            tier: TierName::new("haiku"),
            runtime: "r".into(),
            model: "m".into(),
            why: "w".into(),
            node: Some(name(on)),
        },
        started_at: now(),
        session: None,
        start: StartKind::First,
    };
    Task {
        state: State::Running {
            since: now(),
            attempt,
        },
        ..ready(id, project)
    }
}

fn placed(task: &Task, nodes: &[Node], live: &[Task]) -> Option<String> {
    let crew = Crew::new(nodes, live.iter());
    let found = crew.place(task, |node| node.fit(&["r"], now()));
    found.map(|node| node.name().to_string())
}

#[test]
fn names_are_those_of_hosts() {
    for good in ["a", "host-1", "10.0.0.1", "A_b"] {
        assert_eq!(NodeName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "-a", ".a", "a b", "a/b", "é", &"x".repeat(64)] {
        assert!(NodeName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_largest_share_of_free_slots_wins_and_then_the_name() {
    let nodes = [node("b", 2), node("a", 2), node("big", 10)];
    let task = ready("t", "p");
    assert_eq!(placed(&task, &nodes, &[]).as_deref(), Some("a"), "all are empty");
    let live = [running("x", "q", "a"), running("y", "q", "big")];
    assert_eq!(placed(&task, &nodes, &live).as_deref(), Some("b"));
    let live = [
        running("x", "q", "a"),
        running("y", "q", "b"),
        running("z", "q", "big"),
    ];
    assert_eq!(
        placed(&task, &nodes, &live).as_deref(),
        Some("big"),
        "a tenth is less than a half"
    );
}

#[test]
fn who_works_for_the_project_already_is_preferred() {
    let nodes = [node("a", 2), node("b", 2)];
    let live = [running("x", "p", "b")];
    assert_eq!(placed(&ready("t", "p"), &nodes, &live).as_deref(), Some("b"));
    assert_eq!(placed(&ready("t", "other"), &nodes, &live).as_deref(), Some("a"));
    let mut waits = ready("y", "q");
    waits.history.last_node = Some(name("b"));
    let live = [running("x", "other", "b"), waits];
    let who_knows = placed(&ready("t", "q"), &nodes, &live);
    assert_eq!(
        who_knows.as_deref(),
        Some("b"),
        "a checkout counts more than an idle node"
    );
}

#[test]
fn a_task_stays_where_its_workspace_is_while_that_node_is_open() {
    let mut task = ready("t", "p");
    task.history.last_node = Some(name("b"));
    let nodes = [node("a", 2), node("b", 1)];
    assert_eq!(placed(&task, &nodes, &[]).as_deref(), Some("b"));
    let full = [running("x", "q", "b")];
    assert_eq!(placed(&task, &nodes, &full), None, "a slot is waited for");
    let mut rests = nodes.clone();
    let until = now() + Duration::from_secs(60);
    rests[1].announcement.runtimes = [("r".to_owned(), Offer::Rests { until })].into();
    assert_eq!(placed(&task, &rests, &[]), None, "so is the end of a rest");
    type Change = fn(&mut Node);
    let gone: [(&str, Change); 5] = [
        ("lost", |n| n.lease = Lease::Expired(Duration::ZERO)),
        ("left", |n| n.lease = Lease::Left),
        ("cordoned", |n| n.cordoned = Some("jane".into())),
        ("has no runtime any more", |n| n.announcement.runtimes.clear()),
        ("schedules alone", |n| n.announcement.role = Role::Scheduler),
    ];
    for (what, change) in gone {
        let mut nodes = nodes.clone();
        change(&mut nodes[1]);
        assert_eq!(placed(&task, &nodes, &[]).as_deref(), Some("a"), "{what}");
    }
}

#[test]
fn labels_are_asked_for() {
    let mut task = ready("t", "p");
    task.definition.runs_on = vec!["gpu".into(), "linux".into()];
    let mut nodes = [node("a", 2), node("b", 2)];
    assert_eq!(placed(&task, &nodes, &[]), None);
    nodes[1].announcement.labels = ["gpu".to_owned(), "linux".to_owned(), "big".to_owned()].into();
    assert_eq!(placed(&task, &nodes, &[]).as_deref(), Some("b"));
}

proptest! {
    /// Whatever was placed before, no node gets more than it has slots, and what can be placed is.
    #[test]
    fn slots_are_never_exceeded(slots in prop::collection::vec(0u32..4, 1..5), tasks in 0usize..20) {
        let nodes: Vec<Node> = slots.iter().enumerate().map(|(i, n)| node(&format!("n{i}"), *n)).collect();
        let tasks: Vec<Task> = (0..tasks).map(|i| ready(&format!("t{i}"), &format!("p{}", i % 3))).collect();
        let mut crew = Crew::new(&nodes, [].iter());
        let mut count: BTreeMap<NodeName, u32> = BTreeMap::new();
        for task in &tasks {
            if let Some(found) = crew.place(task, |node| node.fit(&["r"], now())) {
                crew.take(found.name(), task);
                *count.entry(found.name().clone()).or_default() += 1;
            }
        }
        for node in &nodes {
            prop_assert!(count.get(node.name()).copied().unwrap_or(0) <= node.announcement.slots);
        }
        let all: u32 = slots.iter().sum();
        prop_assert_eq!(count.values().sum::<u32>(), all.min(tasks.len() as u32));
    }
}
