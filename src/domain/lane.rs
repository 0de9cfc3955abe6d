//! The merge lane: of all tasks that go into the same base, one at a time, in the order in which they passed.
//!
//! Derived from the tasks as they are; nothing of it is stored. Two names of one repository make two lanes, and what is
//! done in them stays right: a base is only ever moved forward from where it was seen.

use std::collections::BTreeMap;

use super::id::TaskId;
use super::stage::{Destination, Stage};
use super::task::{State, Task};

/// Of the tasks that wait to be merged, each with the one that is merged before it.
pub fn waiting<'a>(live: impl Iterator<Item = &'a Task>) -> BTreeMap<TaskId, TaskId> {
    let mut lanes: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
    for task in live.filter(|t| is_landing(t)) {
        if let Some(workspace) = &task.definition.workspace {
            lanes.entry(workspace).or_default().push(task);
        }
    }
    let mut behind = BTreeMap::new();
    for lane in lanes.values_mut() {
        lane.sort_by_key(|t| (t.state.since(), &t.id));
        let pairs = lane
            .windows(2)
            .map(|pair| (pair[1].id.clone(), pair[0].id.clone()));
        behind.extend(pairs);
    }
    behind
}

fn is_landing(task: &Task) -> bool {
    matches!(
        task.state,
        State::Validating {
            stage: Stage::Landing {
                to: Destination::Base,
                ..
            },
            ..
        }
    )
}
