//! Tasks and their sub-tasks: who waits for whom, how deep and how many, and what becomes of orphans.
//!
//! A task that was begun waits for its sub-tasks before it goes on and before its gate; meanwhile it holds no slot.
//! Its first attempt does not wait: that is the one that makes them.

use std::collections::{BTreeMap, BTreeSet};

use super::id::{InvalidId, TaskId};
use super::task::{End, StartKind, State, Task};

/// How deep a task may stand below the one that a person wrote.
pub const MAX_DEPTH: usize = 2;

/// Tasks that are not over, by their parent.
pub fn children<'a>(live: impl Iterator<Item = &'a Task>) -> BTreeMap<&'a TaskId, Vec<&'a TaskId>> {
    let mut families: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
    for task in live {
        if let Some(parent) = task.definition.parent.as_ref().filter(|p| **p != task.id) {
            families.entry(parent).or_default().push(&task.id);
        }
    }
    families
}

/// Whether the next step of a task has to wait while sub-tasks of it are not over.
pub fn waits(task: &Task) -> bool {
    match &task.state {
        State::Ready { next, .. } => next.start != StartKind::First,
        State::Validating { .. } => true,
        _ => false,
    }
}

/// The id of a sub-task: its parent's, a dot, and its short name.
pub fn child_id(parent: &TaskId, name: &TaskId) -> Result<TaskId, InvalidId> {
    let below = format!("{parent}.");
    if name.as_str().starts_with(&below) {
        return Ok(name.clone());
    }
    TaskId::parse(&format!("{below}{name}"))
}

/// A task's ancestors, the nearest first; a circle ends where it closes.
pub fn ancestors(task: &TaskId, parent: impl Fn(&TaskId) -> Option<TaskId>) -> Vec<TaskId> {
    let mut known = BTreeSet::from([task.clone()]);
    let mut line = Vec::new();
    let mut next = parent(task);
    while let Some(id) = next.filter(|id| known.insert(id.clone())) {
        next = parent(&id);
        line.push(id);
    }
    line
}

/// Whether a sub-task goes down with its parent: a worker made it for a task that people do not want any more.
/// Every other orphan, also one that a person wrote, goes on as a task of its own.
pub fn goes_down_with(child: &TaskId, parent: &Task) -> bool {
    let cancelled = matches!(
        &parent.state,
        State::Ended {
            end: End::Cancelled { .. },
            ..
        }
    );
    cancelled && parent.history.children.contains(child)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TaskId {
        TaskId::parse(text).unwrap()
    }

    #[test]
    fn a_sub_task_is_named_after_its_parent_once() {
        assert_eq!(child_id(&id("p"), &id("c")), Ok(id("p.c")));
        assert_eq!(child_id(&id("p"), &id("p.c")), Ok(id("p.c")));
        assert_eq!(child_id(&id("p.c"), &id("d")), Ok(id("p.c.d")));
        assert!(child_id(&id(&"p".repeat(127)), &id("c")).is_err());
    }

    #[test]
    fn a_line_of_ancestors_ends_even_in_a_circle() {
        let line = |pairs: &'static [(&str, &str)]| {
            let parent = |of: &TaskId| {
                let found = pairs.iter().find(|(child, _)| *child == of.as_str());
                found.map(|(_, parent)| id(parent))
            };
            ancestors(&id("a"), parent)
        };
        assert_eq!(line(&[]), []);
        assert_eq!(line(&[("a", "b"), ("b", "c")]), [id("b"), id("c")]);
        assert_eq!(line(&[("a", "b"), ("b", "a")]), [id("b")]);
        assert_eq!(line(&[("a", "a")]), []);
    }
}
