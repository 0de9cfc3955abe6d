//! Ten people, a worker's end, its gate, a leader and a lost node race for one task: whatever the order in which they look and
//! commit, there is one history, and everybody is told what became of what they wanted.
//!
//! Each looks at the task, decides, and commits with the version that it decided on, as the dispatcher does; who comes too late
//! looks again. 500 interleavings in the normal run, 10,000 with `ORCHESTRATOR_NIGHTLY=1`.

use std::collections::BTreeMap;

use orchestrator::domain::decide::{Context, Decision, Ruling, decide};
use orchestrator::domain::event::{Command, Event};
use orchestrator::domain::gate::{CheckSource, CheckVerdict};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::node::NodeName;
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::policy::Policy;
use orchestrator::domain::task::{State, StopReason, Task};

use super::world::World;

const PEOPLE: usize = 10;

/// Somebody who wants something of the task.
struct Racer {
    event: Event,
    /// The task as it looked, until the commit.
    seen: Option<Task>,
    told: Option<Told>,
}

#[derive(Debug, Clone, PartialEq)]
enum Told {
    Done,
    Nothing(String),
    Refused(String),
}

#[test]
fn whoever_races_makes_one_history_and_every_loser_is_told() {
    let nightly = std::env::var_os("ORCHESTRATOR_NIGHTLY").is_some();
    let interleavings = if nightly { 10_000 } else { 500 };
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..interleavings {
        let (task, racers) = race(seed);
        for racer in racers {
            match racer.told.unwrap() {
                Told::Done => *outcomes.entry("done").or_default() += 1,
                Told::Nothing(why) | Told::Refused(why) => {
                    assert!(!why.is_empty(), "seed {seed}: nobody told why");
                    *outcomes.entry("told").or_default() += 1;
                }
            }
        }
        *outcomes.entry(task.state.name()).or_default() += 1;
    }
    // A race that nobody ever loses, or in which nothing is ever cancelled or completed, would prove nothing.
    for needed in ["done", "told", "cancelled", "completed"] {
        assert!(outcomes.get(needed).is_some_and(|n| *n > 5), "{outcomes:?}");
    }
}

fn race(seed: u64) -> (Task, Vec<Racer>) {
    let mut world = World::new(seed);
    let id = TaskId::parse("t1").unwrap();
    let early = world.dice.roll(4) == 0;
    bring_to_work(&mut world, &id, early);
    let mut task = world.tasks[&id].clone();
    let mut racers = racers(&mut world, &id, &task);
    let policy = Policy::example();
    let cx = Context {
        now: world.now,
        roll: 0.5,
        policy: &policy,
    };
    let mut history = Vec::new();
    loop {
        let open: Vec<usize> = (0..racers.len()).filter(|n| racers[*n].told.is_none()).collect();
        if open.is_empty() {
            break;
        }
        let n = world.dice.pick(&open);
        step(&mut racers[n], &mut task, &cx, &mut history);
    }
    is_one_history(seed, &history);
    (task, racers)
}

/// A task with a worker, or one whose work is being judged.
fn bring_to_work(world: &mut World, id: &TaskId, early: bool) {
    world.schedule();
    world.start(id);
    if let (false, State::Running { attempt, .. }) = (early, world.tasks[id].state.clone()) {
        world.finish_as(id, attempt.epoch, Outcome::Done);
    }
}

fn racers(world: &mut World, id: &TaskId, task: &Task) -> Vec<Racer> {
    let epoch = task.epoch;
    let green = world.gate(id, CheckVerdict::Passed, CheckSource::Task);
    let red = world.gate(id, CheckVerdict::Failed, CheckSource::Task);
    let mut events = vec![
        Event::Finished {
            epoch,
            report: world.report(Outcome::Done),
        },
        Event::Judged { epoch, report: green },
        Event::Judged { epoch, report: red },
        Event::Condemned {
            epoch,
            reason: StopReason::Stuck,
        },
        Event::NodeLost {
            epoch,
            node: NodeName::parse("a").unwrap(),
        },
    ];
    let words = [
        Command::Cancel {
            reason: "enough".into(),
        },
        Command::Retry,
        Command::Pause,
        // Most people only want it to go on.
        Command::Resume,
        Command::Resume,
        Command::Resume,
        super::approval(),
        super::approval(),
        super::approval(),
    ];
    for n in 0..PEOPLE {
        let command = world.dice.pick(&words);
        let by = format!("person {n}");
        events.push(Event::Person { by, command });
    }
    let racer = |event| Racer {
        event,
        seen: None,
        told: None,
    };
    events.into_iter().map(racer).collect()
}

/// A look, or a commit of what was decided on the last one.
fn step(racer: &mut Racer, task: &mut Task, cx: &Context<'_>, history: &mut Vec<(Task, Decision)>) {
    let Some(seen) = racer.seen.take() else {
        racer.seen = Some(task.clone());
        return;
    };
    racer.told = match decide(&seen, racer.event.clone(), cx) {
        // Somebody else was quicker: looked at again.
        Ok(Ruling::Change(_)) if seen.version != task.version => None,
        Ok(Ruling::Change(decision)) => {
            history.push((task.clone(), (*decision).clone()));
            *task = decision.task.clone();
            Some(Told::Done)
        }
        Ok(Ruling::NoChange(why)) => Some(Told::Nothing(why.to_owned())),
        Err(refused) => Some(Told::Refused(refused.to_string())),
    };
}

fn is_one_history(seed: u64, history: &[(Task, Decision)]) {
    for (before, decision) in history {
        let after = &decision.task;
        assert_eq!(after.version, before.version + 1, "seed {seed}");
        assert!(after.epoch >= before.epoch, "seed {seed}: the epoch falls");
        let kind = decision.entry.kind.as_str();
        if before.state.is_ended() {
            assert!(
                !matches!(kind, "finished" | "judged" | "node-lost" | "condemned"),
                "seed {seed}: {kind} changes what has ended"
            );
        }
        if after.state.is_completed() && !before.state.is_completed() {
            let gated = decision.gate.is_some() || kind == "approve";
            assert!(gated, "seed {seed}: completed by {kind}");
        }
    }
}
