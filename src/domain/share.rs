//! Slots shared between projects: the line in which due tasks wait, and why one waits for its project's share.
//!
//! A class of urgency goes before the next one; within a class the project that has the fewest slots for its weight goes
//! next, and among equals whoever ranks first. Waiting lifts a task class by class to the first one, so that nothing
//! starves and a project with a long backlog does not take over the others. Derived from the tasks as they are: nothing is
//! remembered. One project alone is in exactly the order of [`super::ready::rank`].

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_map};
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::ready::{Rank, is_due, rank};
use super::task::Task;

/// The slots that each project has.
pub type Slots = BTreeMap<String, u32>;

/// What a project may have of the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectPolicy {
    /// Its weight beside the other projects'; never 0.
    pub weight: u32,
    /// The most slots that it may have; `None` leaves only the total.
    pub max_concurrent: Option<u32>,
}

impl Default for ProjectPolicy {
    fn default() -> Self {
        Self {
            weight: 1,
            max_concurrent: None,
        }
    }
}

impl Policy {
    /// What a project may have; one that nobody configured is as any other one.
    pub fn project(&self, name: &str) -> ProjectPolicy {
        self.projects.get(name).copied().unwrap_or_default()
    }
}

impl ProjectPolicy {
    /// Whether it may have one more than these.
    pub fn fits(self, slots: u32) -> bool {
        self.max_concurrent.is_none_or(|most| slots < most)
    }
}

/// Slots for each unit of weight. Compared by multiplying crosswise: no rounding.
#[derive(Debug, Clone, Copy)]
struct Load {
    slots: u32,
    weight: u32,
}

impl Load {
    fn of(slots: u32, may: ProjectPolicy) -> Self {
        let weight = may.weight.max(1);
        Self { slots, weight }
    }

    fn crosswise(self, other: Self) -> (u64, u64) {
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        (
            product(self.slots, other.weight),
            product(other.slots, self.weight),
        )
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = self.crosswise(*other);
        mine.cmp(&theirs)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            1 => write!(f, "{}", self.slots),
            weight => write!(f, "{} at weight {weight}", self.slots),
        }
    }
}

/// The class of urgency of a task by its rank: its priority, lifted by waiting, up to the first one.
fn class(rank: &Rank<'_>) -> i64 {
    rank.0.max(0)
}

/// Tasks of one project and class, the first one on top.
type Waiting<'a> = BinaryHeap<Reverse<(Rank<'a>, ByPlace<'a>)>>;

/// A task that is compared by its rank alone.
#[derive(Debug, Clone, Copy)]
struct ByPlace<'a>(&'a Task);

impl PartialEq for ByPlace<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ByPlace<'_> {}

impl PartialOrd for ByPlace<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByPlace<'_> {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

/// The tasks of one class, by their projects.
type Class<'a> = BTreeMap<&'a str, Waiting<'a>>;

/// The line of the due tasks. Whoever gives the task that it took from the line a slot says so ([`Line::took`]): who
/// goes next depends on it. Tasks of a project that may have no more slots are left out.
#[derive(Debug)]
pub struct Line<'a, 'p> {
    policy: &'p Policy,
    slots: Slots,
    /// The first class.
    class: Class<'a>,
    /// The projects of the first class, by who goes next.
    front: BTreeSet<(Load, Rank<'a>, &'a str)>,
    /// The other classes.
    behind: btree_map::IntoValues<i64, Class<'a>>,
    /// Whose task was taken from the line last.
    last: Option<&'a str>,
}

impl<'a, 'p> Line<'a, 'p> {
    /// Of these tasks, where the projects have so many slots already.
    pub fn of(
        due: impl Iterator<Item = &'a Task>,
        slots: Slots,
        now: DateTime<Utc>,
        policy: &'p Policy,
    ) -> Self {
        let mut classes: BTreeMap<i64, BTreeMap<&str, Vec<_>>> = BTreeMap::new();
        for task in due {
            let rank = rank(task, now, policy);
            let projects = classes.entry(class(&rank)).or_default();
            let waiting = projects.entry(project(task)).or_default();
            waiting.push(Reverse((rank, ByPlace(task))));
        }
        let heaps = |projects: BTreeMap<&'a str, Vec<_>>| -> Class<'a> {
            let heap = |(name, all)| (name, Waiting::from(all));
            projects.into_iter().map(heap).collect()
        };
        let classes = classes.into_iter().map(|(class, all)| (class, heaps(all)));
        Self {
            policy,
            slots,
            class: Class::new(),
            front: BTreeSet::new(),
            behind: classes.collect::<BTreeMap<_, _>>().into_values(),
            last: None,
        }
    }

    /// The task that was taken last got a slot.
    pub fn took(&mut self) {
        if let Some(project) = self.last {
            count(&mut self.slots, project);
        }
    }

    /// Has a project wait at the front, where it may have one more slot and a task of the first class waits.
    fn line_up(&mut self, project: &'a str) {
        let slots = self.slots.get(project).copied().unwrap_or(0);
        let may = self.policy.project(project);
        let head = self.class.get(project).and_then(BinaryHeap::peek);
        if let Some(Reverse((rank, _))) = head
            && may.fits(slots)
        {
            let load = Load::of(slots, may);
            self.front.insert((load, *rank, project));
        }
    }
}

impl<'a> Iterator for Line<'a, '_> {
    type Item = &'a Task;

    fn next(&mut self) -> Option<&'a Task> {
        if let Some(project) = self.last.take() {
            self.line_up(project);
        }
        while self.front.is_empty() {
            self.class = self.behind.next()?;
            let projects: Vec<&str> = self.class.keys().copied().collect();
            projects.into_iter().for_each(|project| self.line_up(project));
        }
        let (_, _, project) = self.front.pop_first()?;
        self.last = Some(project);
        let Reverse((_, ByPlace(task))) = self.class.get_mut(project)?.pop()?;
        Some(task)
    }
}

/// The project of a task.
fn project(task: &Task) -> &str {
    match task.definition.project.as_str() {
        "" => "default",
        name => name,
    }
}

/// Counts the slots of the projects.
pub(super) fn take(slots: &mut Slots, task: &Task) {
    count(slots, project(task));
}

fn count(slots: &mut Slots, name: &str) {
    match slots.get_mut(name) {
        Some(slots) => *slots += 1,
        None => drop(slots.insert(name.to_owned(), 1)),
    }
}

/// Who has how many slots, and who waits for one: what it takes to say why a task waits for its project's share.
#[derive(Debug, Default)]
pub struct Shares {
    slots: Slots,
    /// The most urgent class in which a project has a task that is due.
    waiting: BTreeMap<String, i64>,
}

impl Shares {
    /// As the live tasks are now.
    pub fn of<'a>(live: impl Iterator<Item = &'a Task>, now: DateTime<Utc>, policy: &Policy) -> Self {
        let mut shares = Self::default();
        for task in live {
            if task.state.attempt().is_some() {
                take(&mut shares.slots, task);
            } else if is_due(task, now) {
                let class = class(&rank(task, now, policy));
                let first = shares.waiting.entry(project(task).to_owned()).or_insert(class);
                *first = class.min(*first);
            }
        }
        shares
    }

    /// Why a task that is due waits for its project's share, in a clause; none where it is the project's own turn.
    pub fn why(&self, task: &Task, now: DateTime<Utc>, policy: &Policy) -> Option<String> {
        let name = project(task);
        let may = policy.project(name);
        let slots = self.slots.get(name).copied().unwrap_or(0);
        if !may.fits(slots) {
            return Some(format!(
                "project {name} has the {slots} that it may have (projects.{name}.max_concurrent)"
            ));
        }
        let class = class(&rank(task, now, policy));
        let load = Load::of(slots, may);
        let first = self.waiting.iter().filter(|(other, _)| *other != name);
        let first = first.filter(|(_, theirs)| **theirs <= class);
        let first = first.filter_map(|(other, _)| {
            let may = policy.project(other);
            let slots = self.slots.get(other).copied().unwrap_or(0);
            (may.fits(slots) && Load::of(slots, may) < load).then_some((Load::of(slots, may), other))
        });
        let (less, other) = first.min()?;
        Some(format!(
            "project {name} has {load}, and {other}, which waits too, {less}"
        ))
    }
}

#[cfg(test)]
mod tests;
