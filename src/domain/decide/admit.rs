//! Admission: a section that was not known before becomes a task.

use super::super::definition::{Declared, Definition};
use super::super::effect::Durable;
use super::super::id::TaskId;
use super::super::task::{Block, History, State, Task};
use super::{Context, Decision, LogEntry};

/// Makes a task of a section, or nothing where there is nothing to do (`cancelled`).
///
/// A status such as `in-progress` in a file that the orchestrator never wrote is a leftover: the task is pending.
/// `completed` is admitted as pending too; the claim in it is the caller's next event (`Command::Claim`).
pub fn admit(
    id: TaskId,
    definition: Definition,
    hash: String,
    declared: Declared,
    by: &str,
    cx: &Context<'_>,
) -> Option<Decision> {
    let since = cx.now;
    let state = match declared {
        Declared::Cancelled => return None,
        Declared::Pending
        | Declared::InProgress
        | Declared::Validating
        | Declared::Completed
        | Declared::Claimed => State::Pending { since },
        Declared::Paused => State::Paused {
            since,
            by: by.to_owned(),
            next: None,
        },
        Declared::Blocked => State::Blocked {
            since,
            block: Block::Held { by: by.to_owned() },
        },
    };
    let entry = LogEntry {
        at: cx.now,
        kind: "admitted".to_owned(),
        from: "none".to_owned(),
        to: state.name().to_owned(),
        epoch: 0,
        why: format!("read from the {by}"),
    };
    let task = Task {
        id,
        version: 1,
        epoch: 0,
        definition,
        definition_hash: hash,
        state,
        history: History::default(),
        created_at: cx.now,
        updated_at: cx.now,
    };
    Some(Decision {
        task,
        entry,
        attempt: None,
        gate: None,
        durable: vec![Durable::Mirror],
        led: None,
    })
}
