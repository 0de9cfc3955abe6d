//! Sections of the queue file that nobody has taken in yet, because no service runs: shown as the next pass will
//! take them in, and taken in by whoever steers one of them.

use std::collections::BTreeMap;

use super::super::board::Board;
use super::super::dispatcher::{ApplyError, NewSection};
use super::super::instance::Instance;
use super::super::intake::{Intake, QUEUE_FILE, compare};
use super::super::reading;
use super::node;
use crate::domain::decide::{Context, admit};
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::files::InstanceLock;
use crate::format::queue::Reading;
use crate::store::StoreError;

/// The tasks that the next pass will make of a reading. Nothing is written.
pub(super) async fn tasks(instance: &Instance, reading: &Reading) -> Result<Vec<Task>, StoreError> {
    let cx = Context {
        now: instance.clock.now(),
        roll: 0.0,
        policy: &instance.policy,
    };
    let task = |section: NewSection| {
        let NewSection {
            id,
            definition,
            hash,
            declared,
        } = section;
        admit(id, definition, hash, declared, QUEUE_FILE, &cx).map(|decision| decision.task)
    };
    if node::keeper_elsewhere(instance).await?.is_some() {
        return Ok(Vec::new());
    }
    let intake = asked(instance, reading).await?;
    Ok(intake.new.into_iter().filter_map(task).collect())
}

/// All of them; none where the file cannot be read.
pub(super) async fn all(instance: &Instance) -> Result<Vec<Task>, StoreError> {
    match reading::load(instance).await? {
        Ok(loaded) => tasks(instance, &loaded.reading).await,
        Err(_unreadable) => Ok(Vec::new()),
    }
}

/// Takes in one section where no service does.
pub(super) async fn take_in(instance: &Instance, id: &TaskId) -> Result<(), ApplyError> {
    let Ok(_lock) = InstanceLock::acquire(&instance.layout.lock()) else {
        return Ok(());
    };
    if node::keeper_elsewhere(instance).await?.is_some() {
        return Ok(());
    }
    let Ok(loaded) = reading::load(instance).await? else {
        return Ok(());
    };
    let intake = asked(instance, &loaded.reading).await?;
    let dispatcher = instance.dispatcher();
    let section = intake.new.into_iter().filter(|section| section.id == *id);
    dispatcher.admit(section.collect(), QUEUE_FILE).await?;
    for (_, event) in intake.events.into_iter().filter(|(of, _)| of == id) {
        let _applied = dispatcher.apply_stored(id, event).await?;
    }
    Ok(())
}

/// What the sections ask for that the store does not know.
async fn asked(instance: &Instance, reading: &Reading) -> Result<Intake, StoreError> {
    let ids: Vec<TaskId> = reading.tasks.iter().map(|section| section.id.clone()).collect();
    let known = instance.store.dependency_states(&ids).await?;
    let mut unknown = reading.clone();
    unknown.tasks.retain(|section| !known.contains_key(&section.id));
    Ok(compare(
        &unknown,
        &Board::default(),
        &BTreeMap::new(),
        &BTreeMap::new(),
    ))
}
