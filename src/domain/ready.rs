//! Who may go next: dependencies, slots, ageing, and the answer to "what does it wait for?".
//!
//! Everything here is derived from the tasks as they are; nothing of it is stored.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::approval::Asked;
use super::family;
use super::id::TaskId;
use super::landing::Waits;
use super::plan;
use super::policy::{Order, Policy};
use super::share::{self, Line, Slots};
use super::stage::Stage;
use super::task::{Block, StartKind, State, Task};
use super::tier::{Route, TierName};

/// What is known of a task that another one depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyState {
    /// Completed: met.
    Completed,
    /// Not over yet.
    Live,
    /// Cancelled: never met.
    Cancelled,
    /// No such task.
    Unknown,
}

/// The dependencies of a task that are not met.
pub fn unmet<'a>(
    task: &'a Task,
    lookup: impl Fn(&TaskId) -> DependencyState,
) -> Vec<(&'a TaskId, DependencyState)> {
    let state = |id: &'a TaskId| (id, lookup(id));
    task.definition
        .depends_on
        .iter()
        .map(state)
        .filter(|(_, s)| *s != DependencyState::Completed)
        .collect()
}

/// Whether a task may be assessed: it is pending, planned as far as that is asked, and all that it depends on is met.
pub fn is_eligible(task: &Task, policy: &Policy, lookup: impl Fn(&TaskId) -> DependencyState) -> bool {
    matches!(task.state, State::Pending { .. })
        && plan::holds(task, policy).is_none()
        && unmet(task, lookup).is_empty()
}

/// Slots in use: tasks with a live attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// All tiers together.
    pub total: u32,
    /// By tier.
    pub by_tier: BTreeMap<TierName, u32>,
    /// By project.
    pub by_project: Slots,
    /// The slots that there are.
    pub slots: u32,
}

impl Used {
    /// Counts which of so many slots these tasks hold.
    pub fn count<'a>(tasks: impl Iterator<Item = &'a Task>, slots: u32) -> Self {
        let mut used = Self {
            total: 0,
            by_tier: BTreeMap::new(),
            by_project: Slots::new(),
            slots,
        };
        for (task, attempt) in tasks.filter_map(|t| Some((t, t.state.attempt()?))) {
            used.take(&attempt.route.tier);
            share::take(&mut used.by_project, task);
        }
        used
    }

    /// Takes one more of a tier.
    fn take(&mut self, tier: &TierName) {
        self.total += 1;
        *self.by_tier.entry(tier.clone()).or_default() += 1;
    }

    /// Whether none is left.
    pub fn is_full(&self) -> bool {
        self.total >= self.slots
    }

    /// Whether one more of this tier fits.
    pub fn fits(&self, policy: &Policy, tier: &TierName) -> bool {
        let at_tier = self.by_tier.get(tier).copied().unwrap_or(0);
        let limit = policy.tier(tier).and_then(|t| t.max_concurrent);
        !self.is_full() && limit.is_none_or(|limit| at_tier < limit)
    }
}

/// Whether a task's planned attempt is due.
pub fn is_due(task: &Task, now: DateTime<Utc>) -> bool {
    match &task.state {
        State::Ready { since, next } => next.not_before.is_none_or(|t| t <= now) || was_set_back(*since, now),
        _ => false,
    }
}

/// Whether the clock was set back since: a time that was planned before would be waited for far too long.
fn was_set_back(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now + TimeDelta::minutes(1) < since
}

/// A task's place among those of its project: priority less what it has waited, begun or not, age, name.
pub type Rank<'a> = (i64, u8, DateTime<Utc>, &'a TaskId);

/// The order in which due tasks of a project get slots; smaller comes first. Between projects: [`super::share`].
///
/// Waiting lifts a task by one priority each [`Policy::ageing`], so that nothing starves.
pub fn rank<'a>(task: &'a Task, now: DateTime<Utc>, policy: &Policy) -> Rank<'a> {
    let waited = (now - task.state.since()).num_milliseconds().max(0);
    let ageing = i64::try_from(policy.ageing.as_millis())
        .unwrap_or(i64::MAX)
        .max(1);
    let priority = task.definition.priority as i64 - waited / ageing;
    let first = matches!(&task.state, State::Ready { next, .. } if next.start == StartKind::First);
    let begun_rank = match (policy.order, first) {
        (Order::BreadthFirst, true) | (Order::DepthFirst, false) => 0,
        (Order::BreadthFirst, false) | (Order::DepthFirst, true) => 1,
    };
    (priority, begun_rank, task.created_at, &task.id)
}

/// Which of these tasks are claimed now, and how.
///
/// `route` answers how an attempt would run (or that no runtime of its tier, and no node, can be had now), and counts on
/// its being run. Tasks whose tier is full do not hold up those behind them.
pub fn claims<'a>(
    ready: impl Iterator<Item = &'a Task>,
    mut used: Used,
    now: DateTime<Utc>,
    policy: &Policy,
    mut route: impl FnMut(&'a Task) -> Option<Route>,
) -> Vec<(TaskId, Route)> {
    if used.is_full() {
        return Vec::new();
    }
    let projects = std::mem::take(&mut used.by_project);
    let due = ready.filter(|task| may_go(task, now, policy));
    let mut line = Line::of(due, projects, now, policy);
    let mut claims = Vec::new();
    while let Some(task) = line.next().filter(|_| !used.is_full()) {
        let fits = matches!(&task.state, State::Ready { next, .. } if used.fits(policy, &next.tier));
        if let Some(route) = fits.then(|| route(task)).flatten() {
            used.take(&route.tier);
            line.took();
            claims.push((task.id.clone(), route));
        }
    }
    claims
}

/// Whether a task wants a slot now.
pub fn may_go(task: &Task, now: DateTime<Utc>, policy: &Policy) -> bool {
    is_due(task, now) && plan::holds(task, policy).is_none()
}

/// What a task waits for, since when, until when, and who must act.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// For what.
    pub what: For,
    /// The tasks it waits for.
    pub on: Vec<TaskId>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when, where that is known.
    pub until: Option<DateTime<Utc>>,
    /// Who must act, where it is a person.
    pub who: Option<String>,
    /// In one sentence.
    pub why: String,
}

/// What a task can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Other tasks.
    Dependency,
    /// A worker slot.
    Slot,
    /// Its turn to try again.
    Retry,
    /// A provider's limit to end.
    Quota,
    /// A person.
    Person,
    /// Nothing: it is being worked on, or over.
    Nothing,
}

impl For {
    /// The word in the status document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dependency => "dependency",
            Self::Slot => "slot",
            Self::Retry => "retry",
            Self::Quota => "quota",
            Self::Person => "person",
            Self::Nothing => "nothing",
        }
    }
}

/// What the orchestrator as a whole waits for, as far as it holds a single task back.
#[derive(Debug, Clone, Default)]
pub struct World<'a> {
    /// The emergency stop: who pulled it, when.
    pub stopped: Option<(&'a str, DateTime<Utc>)>,
    /// Why no runtime of the task's tier can be had.
    pub unavailable: Option<&'a str>,
    /// The task's own sub-tasks that are not over.
    pub children: &'a [TaskId],
    /// The task that is merged into the same base before it.
    pub lane: Option<&'a TaskId>,
    /// The task at work that is likely to touch the same files, and one of them.
    pub beside: Option<(&'a TaskId, String)>,
    /// What the task's plan lacks, where it is held back for that (see [`plan::holds`]).
    pub plan: Option<&'a str>,
    /// Why it waits for its project's share of the slots (see [`share::Shares::why`]).
    pub share: Option<String>,
}

/// Answers for a task what it waits for.
pub fn waiting(
    task: &Task,
    now: DateTime<Utc>,
    world: &World<'_>,
    lookup: impl Fn(&TaskId) -> DependencyState,
) -> Waiting {
    let since = task.state.since();
    let answer = |what, why: String| Waiting {
        what,
        on: Vec::new(),
        since,
        until: None,
        who: None,
        why,
    };
    let person = |why: String| Waiting {
        who: Some("a person".to_owned()),
        ..answer(For::Person, why)
    };
    if family::waits(task) && !world.children.is_empty() && world.stopped.is_none() {
        return on_children(world.children, answer);
    }
    if let Some(lacks) = world.plan.filter(|_| world.stopped.is_none()) {
        return person(lacks.to_owned());
    }
    match &task.state {
        State::Pending { .. } | State::Ready { .. } if world.stopped.is_some() => {
            let (by, at) = world.stopped.unwrap_or(("somebody", since));
            Waiting {
                since: at,
                ..person(format!(
                    "everything is stopped by {by}; `orchestrator start` goes on"
                ))
            }
        }
        State::Pending { .. } => on_dependencies(task, lookup, answer),
        State::Ready { next, .. } => match next.not_before.filter(|t| *t > now) {
            Some(until) if task.history.troubles > 0 => Waiting {
                until: Some(until),
                ..answer(For::Quota, next.why.clone())
            },
            Some(until) => Waiting {
                until: Some(until),
                ..answer(For::Retry, next.why.clone())
            },
            None => match world.unavailable {
                Some(reason) => person(format!("no runtime for tier {}: {reason}", next.tier)),
                None => match &world.beside {
                    Some((other, path)) => on_other(other, path, answer),
                    None => answer(For::Slot, slot_words(&next.tier, world.share.as_deref())),
                },
            },
        },
        State::Blocked { block, .. } => Waiting {
            until: block.until(),
            ..person(block_words(&task.id, block))
        },
        State::Paused { by, .. } => person(format!(
            "paused by {by}; `orchestrator resume {}` goes on",
            task.id
        )),
        State::Validating { stage, .. } => judged(task, stage, world, answer),
        working => answer(For::Nothing, doing(working)),
    }
}

fn slot_words(tier: &TierName, share: Option<&str>) -> String {
    match share {
        None => format!("a free slot of tier {tier}"),
        Some(why) => format!("its project's share of the slots: {why}"),
    }
}

/// What is done for a task that waits for nothing.
fn doing(state: &State) -> String {
    match state {
        State::Assessing { .. } => "is being assessed".to_owned(),
        State::Claimed { .. } => "its worker is being started".to_owned(),
        State::Running { attempt, .. } => format!("attempt {} runs at {}", attempt.n, attempt.route.tier),
        State::Stopping { reason, .. } => format!("its worker is being stopped: {}", reason.sentence()),
        other => format!("is {}", other.name()),
    }
}

fn on_other(other: &TaskId, path: &str, answer: impl Fn(For, String) -> Waiting) -> Waiting {
    let why = format!("{other} is likely to touch the same files ({path}), and is merged first");
    Waiting {
        on: vec![other.clone()],
        ..answer(For::Dependency, why)
    }
}

/// What a task waits for whose worker says that it is done.
fn judged(task: &Task, stage: &Stage, world: &World<'_>, answer: impl Fn(For, String) -> Waiting) -> Waiting {
    match (stage, world.lane) {
        (Stage::Checks, _) => answer(For::Nothing, "the gate is running".to_owned()),
        (Stage::Review { waits: None, .. }, _) => {
            answer(For::Nothing, "is being reviewed by another model".to_owned())
        }
        (
            Stage::Review {
                waits: Some(later), ..
            },
            _,
        ) => Waiting {
            until: Some(later.at),
            ..answer(For::Quota, format!("waits for a review: {}", later.why))
        },
        (Stage::Landing { .. }, Some(first)) => Waiting {
            on: vec![first.clone()],
            ..answer(
                For::Dependency,
                format!("passed its gate; {first} is merged before it"),
            )
        },
        (Stage::Landing { .. }, None) => {
            let waits = task.history.landing.as_ref().and_then(|l| l.waits.as_ref());
            let why = |waits: &Waits| format!("its pull request waits for {}", waits.why);
            match waits {
                None => answer(For::Nothing, "is being merged".to_owned()),
                Some(waits) if waits.until.is_some() => Waiting {
                    until: waits.until,
                    ..answer(For::Nothing, why(waits))
                },
                Some(waits) => Waiting {
                    who: Some("a person".to_owned()),
                    ..answer(For::Person, why(waits))
                },
            }
        }
    }
}

/// Who has approved it already, and as what it is shown.
fn heard(asked: Option<&Asked>) -> String {
    let Some(asked) = asked else {
        return String::new();
    };
    let names: Vec<&str> = asked.words.iter().map(|word| word.by.as_str()).collect();
    let names = match names.is_empty() {
        true => String::new(),
        false => format!("; approved by {} so far", names.join(", ")),
    };
    format!(
        " (as shown: {}){names}",
        asked.shown.get(..10).unwrap_or(&asked.shown)
    )
}

fn on_children(children: &[TaskId], answer: impl Fn(For, String) -> Waiting) -> Waiting {
    let names: Vec<&str> = children.iter().map(TaskId::as_str).collect();
    Waiting {
        on: children.to_vec(),
        ..answer(For::Dependency, format!("its sub-tasks {}", names.join(", ")))
    }
}

fn block_words(id: &TaskId, block: &Block) -> String {
    match block {
        Block::Approval { reason, asked, .. } => {
            format!("{reason}; approve or reject it{}", heard(asked.as_ref()))
        }
        Block::Question { .. } => format!("{}; `orchestrator answer {id} TEXT`", block.reason()),
        Block::Landing { .. } => format!(
            "{}; `orchestrator resume {id}` when that is settled",
            block.reason()
        ),
        Block::Held { by } => format!("set to blocked by {by}; set it to pending to go on"),
        other => format!("{}; `orchestrator retry` when that is settled", other.reason()),
    }
}

fn on_dependencies(
    task: &Task,
    lookup: impl Fn(&TaskId) -> DependencyState,
    answer: impl Fn(For, String) -> Waiting,
) -> Waiting {
    let unmet = unmet(task, lookup);
    let dead = unmet
        .iter()
        .find(|(_, s)| matches!(s, DependencyState::Cancelled | DependencyState::Unknown));
    let on: Vec<TaskId> = unmet.iter().map(|(id, _)| (*id).clone()).collect();
    match (dead, on.is_empty()) {
        (_, true) => answer(For::Slot, "the next pass of the scheduler".to_owned()),
        (Some((id, state)), _) => {
            let what = if *state == DependencyState::Unknown {
                "does not exist"
            } else {
                "is cancelled"
            };
            let why = format!("depends on {id}, which {what}; edit its Depends On");
            Waiting {
                on,
                who: Some("a person".to_owned()),
                ..answer(For::Dependency, why)
            }
        }
        (None, false) => {
            let names: Vec<&str> = on.iter().map(TaskId::as_str).collect();
            let why = format!("depends on {}", names.join(", "));
            Waiting {
                on,
                ..answer(For::Dependency, why)
            }
        }
    }
}

#[cfg(test)]
mod tests;
