//! From a reading of the queue file to what is asked: compare, do not remember. Pure.
//!
//! Invariants: a section that cannot be read asks for nothing and its task waits; a file that looks half-written
//! deletes nothing; the orchestrator's own writing asks for nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::board::Board;
use super::dispatcher::NewSection;
use crate::domain::definition::Declared;
use crate::domain::event::{Command, Event};
use crate::domain::id::TaskId;
use crate::domain::mirror::{Mirror, asked};
use crate::domain::task::{State, Task};
use crate::format::queue::{Place, QueuedTask, Reading};

/// Who asks when the file does.
pub const QUEUE_FILE: &str = "queue file";

/// What a reading asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Intake {
    /// Sections without a task.
    pub new: Vec<NewSection>,
    /// Events for tasks that are there, or will be once the new ones are admitted; in order.
    pub events: Vec<(TaskId, Event)>,
    /// Tasks whose section cannot be run as it is.
    pub held: BTreeSet<TaskId>,
    /// Live tasks without a section.
    pub vanished: BTreeSet<TaskId>,
    /// Tasks whose section is as it was earlier.
    pub outdated: BTreeSet<TaskId>,
}

/// Compares a reading with what is known.
///
/// `known` gives a task that is over where one of that id is asked for; `mirrored` is what the file was last told.
pub fn compare(
    reading: &Reading,
    board: &Board,
    over: &BTreeMap<TaskId, Task>,
    mirrored: &BTreeMap<TaskId, Mirror>,
) -> Intake {
    let mut intake = Intake::default();
    for section in reading.tasks.iter().filter(|s| s.place == Place::Active) {
        let Some(declared) = section.declared.filter(|_| section.runnable) else {
            intake.held.insert(section.id.clone());
            continue;
        };
        match board.get(&section.id).or_else(|| over.get(&section.id)) {
            None => admission(section, declared, &mut intake),
            Some(task) => changes(section, declared, task, mirrored.get(&section.id), &mut intake),
        }
    }
    if reading.whole {
        let present: BTreeSet<&TaskId> = reading.tasks.iter().map(|s| &s.id).collect();
        intake.vanished = board
            .live()
            .map(|t| &t.id)
            .filter(|id| !present.contains(id))
            .cloned()
            .collect();
    }
    intake
}

fn admission(section: &QueuedTask, declared: Declared, intake: &mut Intake) {
    intake.new.push(NewSection {
        id: section.id.clone(),
        definition: section.definition.clone(),
        hash: section.hash.clone(),
        declared,
    });
    if matches!(declared, Declared::Completed | Declared::Claimed) {
        intake
            .events
            .push((section.id.clone(), from_the_file(Command::Claim)));
    }
}

fn changes(
    section: &QueuedTask,
    declared: Declared,
    task: &Task,
    mirrored: Option<&Mirror>,
    intake: &mut Intake,
) {
    let id = || section.id.clone();
    if section.hash != task.definition_hash {
        let definition = Box::new(section.definition.clone());
        intake.events.push((
            id(),
            Event::Redefined {
                definition,
                hash: section.hash.clone(),
            },
        ));
    }
    if is_outdated(section, declared, task) {
        intake.outdated.insert(id());
        return;
    }
    if let Some(command) = asked(declared, mirrored.map(|m| m.status), &task.state) {
        intake.events.push((id(), from_the_file(command)));
    }
}

/// Whether a status is nobody's word, but the file's as it was once: under a `git checkout`, or in an editor that was opened
/// before the work began. Whoever asks for a task again changes the status in a section that bears its times, or its text.
fn is_outdated(section: &QueuedTask, declared: Declared, task: &Task) -> bool {
    let has_begun = task.history.started_at.is_some();
    let is_untouched = declared == Declared::Pending && !section.bears_times && has_begun;
    match &task.state {
        State::Claimed { .. } | State::Running { .. } | State::Validating { .. } => is_untouched,
        state if state.is_completed() => {
            matches!(declared, Declared::InProgress | Declared::Validating)
                || is_untouched && section.hash == task.definition_hash
        }
        _ => false,
    }
}

fn from_the_file(command: Command) -> Event {
    Event::Person {
        by: QUEUE_FILE.to_owned(),
        command,
    }
}
