//! The live tasks in memory: a mirror of the store that the scheduler can look through at no cost.
//!
//! Only the dispatcher's results and rows read from the store get in; nothing is decided on it that the store
//! would not refuse if it were out of date.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::domain::family::ancestors;
use crate::domain::id::TaskId;
use crate::domain::ready::DependencyState;
use crate::domain::task::Task;

/// The live tasks and what is known beside them.
#[derive(Debug, Default)]
pub struct Board {
    tasks: BTreeMap<TaskId, Task>,
    /// How tasks stand that are not live but that others depend on.
    over: HashMap<TaskId, DependencyState>,
    /// Tasks whose section has a mistake: they wait.
    pub held: BTreeSet<TaskId>,
    /// Tasks of which the store refuses the next step: nothing new is begun with them before a restart.
    quarantined: BTreeSet<TaskId>,
    /// Tasks that go on though their parent is over.
    adopted: BTreeSet<TaskId>,
    /// The newest sign of life of each live attempt.
    beats: HashMap<TaskId, DateTime<Utc>>,
}

impl Board {
    /// A board of these tasks.
    pub fn new(tasks: Vec<Task>) -> Self {
        let mut board = Self::default();
        tasks.into_iter().for_each(|t| board.put(t));
        board
    }

    /// Takes in a task as it is now.
    pub fn put(&mut self, task: Task) {
        if task.state.attempt().is_none() {
            self.beats.remove(&task.id);
        }
        if task.state.is_ended() {
            let how = if task.state.is_completed() {
                DependencyState::Completed
            } else {
                DependencyState::Cancelled
            };
            self.over.insert(task.id.clone(), how);
            self.tasks.remove(&task.id);
            self.adopted.remove(&task.id);
        } else {
            self.over.remove(&task.id);
            if !self.tasks.contains_key(&task.id) {
                // Whose parent is back is no orphan any more.
                let child_of = |id: &TaskId| self.tasks.get(id)?.definition.parent.clone();
                self.adopted.retain(|id| child_of(id).as_ref() != Some(&task.id));
            }
            self.tasks.insert(task.id.clone(), task);
        }
    }

    /// A live task.
    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// All live tasks, by id.
    pub fn live(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Live tasks that the scheduler may look at.
    pub fn runnable(&self) -> impl Iterator<Item = &Task> {
        self.tasks
            .values()
            .filter(|t| !self.held.contains(&t.id) && !self.is_quarantined(&t.id))
    }

    /// Sets a task aside that the store refuses, so that it cannot hold up the others.
    pub fn quarantine(&mut self, id: &TaskId) {
        self.quarantined.insert(id.clone());
    }

    /// Whether a task is set aside.
    pub fn is_quarantined(&self, id: &TaskId) -> bool {
        self.quarantined.contains(id)
    }

    /// How a task stands that another one depends on.
    pub fn dependency(&self, id: &TaskId) -> DependencyState {
        if self.tasks.contains_key(id) {
            return DependencyState::Live;
        }
        self.over.get(id).copied().unwrap_or(DependencyState::Unknown)
    }

    /// Dependencies of live tasks of which the board knows nothing yet.
    pub fn unknown_dependencies(&self) -> Vec<TaskId> {
        let named = self.tasks.values().flat_map(|t| &t.definition.depends_on);
        let unknown: BTreeSet<&TaskId> = named
            .filter(|id| !self.tasks.contains_key(*id) && !self.over.contains_key(*id))
            .collect();
        unknown.into_iter().cloned().collect()
    }

    /// Notes how a task stands that is not live.
    pub fn note(&mut self, id: TaskId, state: DependencyState) {
        self.over.insert(id, state);
    }

    /// Notes a sign of life: of the task, and of whoever waits for it further up.
    pub fn beat(&mut self, id: &TaskId, at: DateTime<Utc>) {
        let parent = |id: &TaskId| self.tasks.get(id)?.definition.parent.clone();
        let works = |id: &TaskId| self.tasks.get(id).is_some_and(|t| t.state.attempt().is_some());
        let mut all = ancestors(id, parent);
        all.retain(works);
        all.push(id.clone());
        for id in all {
            let newest = self.beats.entry(id).or_insert(at);
            *newest = (*newest).max(at);
        }
    }

    /// Live tasks whose parent is over, or was never there, with that parent; not those that were adopted.
    pub fn orphans(&self) -> Vec<(TaskId, TaskId)> {
        let orphan = |task: &Task| {
            let parent = task.definition.parent.clone()?;
            let alone = !self.tasks.contains_key(&parent) && !self.adopted.contains(&task.id);
            alone.then(|| (task.id.clone(), parent))
        };
        self.tasks.values().filter_map(orphan).collect()
    }

    /// Lets a task go on as one of its own.
    pub fn adopt(&mut self, id: TaskId) {
        self.adopted.insert(id);
    }

    /// The newest sign of life of a task's live attempt.
    pub fn last_beat(&self, id: &TaskId) -> Option<DateTime<Utc>> {
        self.beats.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::{Attempt, History, StartKind, State};
    use crate::domain::tier::{Route, TierName};

    fn id(text: &str) -> TaskId {
        TaskId::parse(text).unwrap()
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn task(name: &str, parent: Option<&str>, works: bool) -> Task {
        let attempt = Attempt {
            n: 1,
            epoch: 1,
            route: Route {
                tier: TierName::new("haiku"),
                runtime: "r".into(),
                model: "m".into(),
                why: String::new(),
                node: None,
            },
            started_at: at(0),
            session: None,
            start: StartKind::First,
        };
        let since = at(0);
        let mut task = Task {
            id: id(name),
            version: 1,
            epoch: 1,
            definition: crate::domain::definition::Definition::default(),
            definition_hash: String::new(),
            state: State::Pending { since },
            history: History::default(),
            created_at: since,
            updated_at: since,
        };
        task.definition.parent = parent.map(id);
        if works {
            task.state = State::Running { since, attempt };
        }
        task
    }

    #[test]
    fn a_sign_of_life_is_one_for_all_who_wait_further_up() {
        let mut board = Board::new(vec![
            task("p", None, true),
            task("p.a", Some("p"), false),
            task("p.a.x", Some("p.a"), true),
            task("q", None, true),
        ]);
        board.beat(&id("p.a.x"), at(9));
        assert_eq!(board.last_beat(&id("p.a.x")), Some(at(9)));
        assert_eq!(board.last_beat(&id("p")), Some(at(9)), "two up");
        assert_eq!(board.last_beat(&id("p.a")), None, "nobody is at it");
        assert_eq!(board.last_beat(&id("q")), None, "no relative");
        board.beat(&id("p"), at(20));
        assert_eq!(board.last_beat(&id("p.a.x")), Some(at(9)), "not downwards");
    }

    #[test]
    fn an_orphan_is_one_until_it_is_adopted_and_again_when_its_parent_was_back() {
        let mut board = Board::new(vec![task("p.a", Some("p"), true)]);
        assert_eq!(board.orphans(), [(id("p.a"), id("p"))]);
        board.adopt(id("p.a"));
        assert_eq!(board.orphans(), []);
        board.put(task("p", None, false));
        let mut over = task("p", None, false);
        over.state = State::Ended {
            since: at(1),
            end: crate::domain::task::End::Cancelled {
                by: "jane".into(),
                reason: String::new(),
            },
        };
        board.put(over);
        assert_eq!(board.orphans(), [(id("p.a"), id("p"))]);
    }
}
