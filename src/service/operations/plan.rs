//! What the next tick would do, found out by the very code that would do it, without doing it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::assessor::survey;
use super::super::board::Board;
use super::super::dispatcher::NewSection;
use super::super::family;
use super::super::instance::Instance;
use super::super::intake::{Intake, QUEUE_FILE, compare};
use super::super::view::{Plan, PlanStep, VERSION};
use super::super::{reading, standing};
use super::status::problems;
use crate::domain::assess::assess;
use crate::domain::decide::{Context, Ruling, admit, decide};
use crate::domain::event::{Command, Event};
use crate::domain::family::children;
use crate::domain::id::TaskId;
use crate::domain::lane;
use crate::domain::node::{Crew, Node};
use crate::domain::overlap;
use crate::domain::plan as plan_gate;
use crate::domain::ready::{self, DependencyState, Used, World};
use crate::domain::share::{Line, Shares};
use crate::domain::task::Task;
use crate::domain::tier::Route;
use crate::store::StoreError;

/// Makes the plan.
pub async fn plan(instance: &Instance) -> Result<Plan, StoreError> {
    instance.fleet.probe().await;
    let mut board = Board::new(instance.store.live().await?);
    let mut steps = Vec::new();
    if let Err(error) = super::look(instance).await {
        tracing::warn!(%error, "the plan is made from what the queue's repository held when it was last seen");
    }
    let loaded = reading::load(instance).await?;
    if let Ok(loaded) = &loaded {
        let (over, mirrored) = remembered(instance, &board, &loaded.reading).await?;
        let intake = compare(&loaded.reading, &board, &over, &mirrored);
        take_in(instance, intake, &over, &mut board, &mut steps);
    }
    for id in board.unknown_dependencies() {
        let found = instance
            .store
            .dependency_states(std::slice::from_ref(&id))
            .await?;
        let state = found.get(&id).map_or(DependencyState::Unknown, |s| standing(*s));
        board.note(id, state);
    }
    let nodes = match &instance.member {
        Some(member) => Some(member.roster().nodes().await?),
        None => None,
    };
    let stopped = instance.stopped().await?;
    if stopped.is_none() {
        schedule(instance, nodes.as_deref(), &mut board, &mut steps);
    }
    waits(
        instance,
        nodes.as_deref(),
        &board,
        stopped.as_ref().map(|s| (s.by.as_str(), s.at)),
        &mut steps,
    );
    Ok(Plan {
        version: VERSION,
        steps,
        problems: problems(instance, &loaded),
    })
}

type Remembered = (
    BTreeMap<TaskId, Task>,
    BTreeMap<TaskId, crate::domain::mirror::Mirror>,
);

async fn remembered(
    instance: &Instance,
    board: &Board,
    reading: &crate::format::queue::Reading,
) -> Result<Remembered, StoreError> {
    let (mut over, mut mirrored) = (BTreeMap::new(), BTreeMap::new());
    for section in &reading.tasks {
        if let Some(told) = instance.store.mirrored(&section.id).await? {
            mirrored.extend(
                serde_json::from_value(told.body)
                    .ok()
                    .map(|m| (section.id.clone(), m)),
            );
        }
        if board.get(&section.id).is_none() {
            over.extend(
                instance
                    .store
                    .task(&section.id)
                    .await?
                    .map(|t| (section.id.clone(), t)),
            );
        }
    }
    Ok((over, mirrored))
}

fn step(steps: &mut Vec<PlanStep>, id: &TaskId, action: &str, why: impl Into<String>) {
    steps.push(PlanStep {
        id: id.to_string(),
        action: action.to_owned(),
        why: why.into(),
    });
}

fn take_in(
    instance: &Instance,
    intake: Intake,
    over: &BTreeMap<TaskId, Task>,
    board: &mut Board,
    steps: &mut Vec<PlanStep>,
) {
    let cx = Context {
        now: instance.clock.now(),
        roll: 0.0,
        policy: &instance.policy,
    };
    board.held = intake.held;
    for section in intake.new {
        let NewSection {
            id,
            definition,
            hash,
            declared,
        } = section;
        if let Some(decision) = admit(id, definition, hash, declared, QUEUE_FILE, &cx) {
            step(
                steps,
                &decision.task.id,
                "admit",
                format!("new in the queue file, {}", declared.as_str()),
            );
            board.put(decision.task);
        }
    }
    let removed = intake.vanished.into_iter().map(|id| (id, Event::Removed));
    for (id, event) in intake.events.into_iter().chain(removed) {
        let Some(task) = board.get(&id).or_else(|| over.get(&id)).cloned() else {
            continue;
        };
        let action = if matches!(
            event,
            Event::Removed
                | Event::Person {
                    command: Command::Cancel { .. },
                    ..
                }
        ) {
            "cancel"
        } else {
            "change"
        };
        if let Ok(Ruling::Change(decision)) = decide(&task, event, &cx) {
            step(steps, &id, action, decision.entry.why.clone());
            board.put(decision.task);
        }
    }
}

fn schedule(instance: &Instance, nodes: Option<&[Node]>, board: &mut Board, steps: &mut Vec<PlanStep>) {
    let now = instance.clock.now();
    let cx = Context {
        now,
        roll: 0.0,
        policy: &instance.policy,
    };
    let eligible = |t: &&Task| ready::is_eligible(t, &instance.policy, |id| board.dependency(id));
    let eligible: Vec<Task> = board.runnable().filter(eligible).cloned().collect();
    for task in eligible {
        let Ok(Ruling::Change(taken)) = decide(&task, Event::Eligible, &cx) else {
            continue;
        };
        let assessment = assess(&task.definition, &survey(instance, &task));
        if let Ok(Ruling::Change(decision)) = decide(&taken.task, Event::Assessed(assessment), &cx) {
            step(steps, &task.id, "assess", decision.entry.why.clone());
            board.put(decision.task);
        }
    }
    for (id, route) in claims(instance, nodes, board) {
        let place = { route.node.as_ref() }.map(|node| format!(" on {node}"));
        let place = place.unwrap_or_default();
        let why = format!("at {} by {} ({}){place}", route.tier, route.runtime, route.model);
        step(steps, &id, "start", why);
        let claimed = board
            .get(&id)
            .map(|task| decide(task, Event::Claimed(route), &cx));
        if let Some(Ok(Ruling::Change(decision))) = claimed {
            board.put(decision.task);
        }
    }
}

/// Who gets a slot, in order, as the engine gives them.
fn claims(instance: &Instance, nodes: Option<&[Node]>, board: &Board) -> Vec<(TaskId, Route)> {
    let (now, policy, fleet) = (instance.clock.now(), &instance.policy, &instance.fleet);
    let mut crew = nodes.map(|nodes| Crew::new(nodes, board.live()));
    let slots = { crew.as_ref() }.map_or(policy.max_concurrent, Crew::slots);
    let used = Used::count(board.live(), slots);
    let held = family::waiting(board);
    let due = board.runnable().filter(|t| !held.contains(&t.id));
    let due = due.filter(|t| overlap::before(t, board.live(), policy).is_none());
    ready::claims(due, used, now, policy, |task| match &mut crew {
        None => fleet.route(task, now),
        Some(crew) => {
            let (node, route) = fleet.place(task, crew, now)?;
            crew.take(node, task);
            Some(route)
        }
    })
}

/// The tasks that get nothing now: those that wait for a slot in the order in which they get one, then the others.
fn in_line<'a>(instance: &Instance, board: &'a Board, held: &BTreeSet<TaskId>) -> Vec<&'a Task> {
    let (now, policy) = (instance.clock.now(), &instance.policy);
    let waits = |t: &&Task| !held.contains(&t.id) && ready::may_go(t, now, policy);
    let slots = Used::count(board.live(), 0).by_project;
    let mut line = Line::of(board.runnable().filter(waits), slots, now, policy);
    let mut all = Vec::new();
    while let Some(task) = line.next() {
        line.took();
        all.push(task);
    }
    let known: BTreeSet<&TaskId> = all.iter().map(|task| &task.id).collect();
    let others: Vec<&Task> = board.live().filter(|task| !known.contains(&task.id)).collect();
    all.extend(others);
    all
}

fn waits(
    instance: &Instance,
    nodes: Option<&[Node]>,
    board: &Board,
    stopped: Option<(&str, chrono::DateTime<chrono::Utc>)>,
    steps: &mut Vec<PlanStep>,
) {
    let now = instance.clock.now();
    let families = children(board.live());
    let lane = lane::waiting(board.live());
    let held = family::waiting(board);
    let shares = Shares::of(
        board.live().filter(|t| !held.contains(&t.id)),
        now,
        &instance.policy,
    );
    for task in in_line(instance, board, &held) {
        if board.held.contains(&task.id) {
            step(
                steps,
                &task.id,
                "wait",
                "its section has a mistake; see the problems",
            );
        } else if task.state.attempt().is_none() {
            let obstacle = match nodes {
                None => instance.fleet.obstacle(task, now),
                Some(nodes) => instance.fleet.obstacle_in(task, nodes, now),
            };
            let children = families.get(&task.id).into_iter().flatten();
            let children: Vec<TaskId> = children.map(|id| (*id).clone()).collect();
            let lacks = plan_gate::holds(task, &instance.policy);
            let world = World {
                stopped,
                unavailable: obstacle.as_deref(),
                children: &children,
                lane: lane.get(&task.id),
                beside: overlap::before(task, board.live(), &instance.policy),
                plan: lacks.as_deref(),
                share: shares.why(task, now, &instance.policy),
            };
            step(
                steps,
                &task.id,
                "wait",
                ready::waiting(task, now, &world, |id| board.dependency(id)).why,
            );
        }
    }
}
