//! Assessment: a look at the workspace for what the rules want to know, then the rules.

use std::path::Path;

use tokio::sync::mpsc::Sender;

use super::engine::Input;
use super::instance::Instance;
use crate::domain::assess::{Survey, assess as by_rules, named_paths};
use crate::domain::event::Event;
use crate::domain::policy::is_failure;
use crate::domain::task::Task;

/// Looks, applies the rules and reports.
pub async fn assess(instance: &Instance, task: &Task, inbox: &Sender<Input>) {
    let survey = survey(instance, task);
    let event = Event::Assessed(by_rules(&task.definition, &survey));
    // A closed inbox is a service that goes down; the next one assesses again.
    let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
}

/// What the rules want to know; a workspace that cannot be looked into simply has no named files.
pub fn survey(instance: &Instance, task: &Task) -> Survey {
    let failures = task
        .history
        .tries
        .iter()
        .filter(|t| is_failure(t.outcome))
        .count();
    Survey {
        named_files: local_folder(instance, task).map_or(0, |folder| count_named(&folder, task)),
        earlier_failures: u32::try_from(failures).unwrap_or(u32::MAX),
    }
}

fn local_folder(instance: &Instance, task: &Task) -> Option<std::path::PathBuf> {
    let workspace = task.definition.workspace.as_deref()?;
    let folder = instance.layout.root().join(workspace);
    folder.is_dir().then_some(folder)
}

fn count_named(folder: &Path, task: &Task) -> u32 {
    let there = named_paths(&task.definition)
        .into_iter()
        .filter(|path| folder.join(path).is_file())
        .count();
    u32::try_from(there).unwrap_or(u32::MAX)
}
