//! What the engine does for families of tasks: who waits for sub-tasks, and what becomes of those whose parent is over.

use std::collections::BTreeSet;

use super::board::Board;
use crate::domain::event::{Command, Event};
use crate::domain::family::{children, goes_down_with, waits};
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::store::{Store, StoreError};

/// Who cancels the sub-tasks of a cancelled task.
const BY: &str = "orchestrator";
/// How much of a sub-task's log is looked through for a person's word.
const EVENTS: u32 = 100;

/// Tasks whose next step waits for sub-tasks that are not over.
pub fn waiting(board: &Board) -> BTreeSet<TaskId> {
    let families = children(board.live());
    let waits = |id: &&&TaskId| board.get(id).is_some_and(waits);
    families.keys().filter(waits).map(|id| (*id).clone()).collect()
}

/// What is to happen to sub-tasks whose parent is over. What goes on as a task of its own is noted on the board.
pub async fn orphans(board: &mut Board, store: &dyn Store) -> Result<Vec<(TaskId, Event)>, StoreError> {
    let mut down = Vec::new();
    for (child, parent) in board.orphans() {
        match store.task(&parent).await? {
            Some(parent) if goes_down_with(&child, &parent) && !is_wanted(store, &child, &parent).await? => {
                let command = Command::Cancel {
                    reason: format!("its parent {} is cancelled", parent.id),
                };
                let by = BY.to_owned();
                down.push((child, Event::Person { by, command }));
            }
            _ => board.adopt(child),
        }
    }
    Ok(down)
}

/// Whether a person has set it to run after its parent was cancelled.
async fn is_wanted(store: &dyn Store, child: &TaskId, parent: &Task) -> Result<bool, StoreError> {
    let since = parent.state.since();
    let events = store.events(child, EVENTS).await?;
    let said = |kind: &str| matches!(kind, "retried" | "resumed" | "answered");
    Ok(events.iter().any(|e| e.entry.at > since && said(&e.entry.kind)))
}
