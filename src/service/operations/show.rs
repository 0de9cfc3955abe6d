//! One task in full, and why it stands where it stands.

use super::super::engine::owner;
use super::super::instance::Instance;
use super::super::view::{EventView, Show, TaskView, VERSION, Why};
use super::evidence::of_run;
use super::task_view::{Records, event_view, question_view, waiting_view};
use super::unread;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::store::StoreError;

/// How many events are shown of a task.
const EVENTS: u32 = 200;
/// How many decisions answer "why".
const DECISIONS: u32 = 8;

/// Tasks as `status` shows them.
pub async fn views(instance: &Instance, tasks: &[Task]) -> Result<Vec<TaskView>, StoreError> {
    let records = Records::load(instance, tasks, &[]).await?;
    Ok(tasks
        .iter()
        .map(|task| records.task(instance, task, false))
        .collect())
}

/// Everything about one task; none where there is no such task.
pub async fn show(instance: &Instance, id: &TaskId) -> Result<Option<Show>, StoreError> {
    instance.fleet.recall(&*instance.store).await?;
    let Some((task, unread)) = find(instance, id).await? else {
        return Ok(None);
    };
    let records = Records::load(instance, std::slice::from_ref(&task), &unread).await?;
    let workspace = instance.workspaces.find(id).await.ok().flatten();
    let d = &task.definition;
    Ok(Some(Show {
        version: VERSION,
        description: d.description.clone(),
        acceptance: d.acceptance.iter().map(|c| c.text.clone()).collect(),
        depends_on: d.depends_on.iter().map(ToString::to_string).collect(),
        workspace: workspace
            .as_ref()
            .map(|w| w.root.display().to_string())
            .or_else(|| d.workspace.clone()),
        branch: workspace.map(|w| w.branch),
        assessment: task
            .history
            .assessment
            .as_ref()
            .map(|a| a.reasons.clone())
            .unwrap_or_default(),
        questions: task.history.questions.iter().map(question_view).collect(),
        parent: d.parent.as_ref().map(ToString::to_string),
        children: task.history.children.iter().map(ToString::to_string).collect(),
        evidence: records
            .gate(&task.id)
            .map(|run| of_run(instance, id, run))
            .unwrap_or_default(),
        progress: progress(instance, &task).await?,
        events: events(instance, &task, EVENTS).await?,
        task: records.task(instance, &task, true),
    }))
}

/// Its progress file; of a task that is with another node, the copy that this one keeps.
async fn progress(instance: &Instance, task: &Task) -> Result<Option<String>, StoreError> {
    let here = instance.files.progress_text(&task.id);
    let Some(member) = &instance.member else {
        return Ok(here);
    };
    if here.is_some() && owner(task).is_none_or(|node| node == member.name()) {
        return Ok(here);
    }
    let kept = member.roster().kept_progress(task.id.as_str()).await?;
    Ok(kept.map(|copied| copied.text).or(here))
}

/// What a task waits for, and the recorded decisions that led there; none where there is no such task.
pub async fn why(instance: &Instance, id: &TaskId) -> Result<Option<Why>, StoreError> {
    instance.fleet.recall(&*instance.store).await?;
    let Some((task, unread)) = find(instance, id).await? else {
        return Ok(None);
    };
    let records = Records::load(instance, std::slice::from_ref(&task), &unread).await?;
    let mut decisions = events(instance, &task, DECISIONS).await?;
    decisions.reverse();
    Ok(Some(Why {
        version: VERSION,
        id: id.to_string(),
        state: task.state.name().to_owned(),
        waiting: waiting_view(records.waiting(instance, &task)),
        decisions,
    }))
}

/// A task as the store has it, else as the next pass will read it, with all others that wait to be read.
async fn find(instance: &Instance, id: &TaskId) -> Result<Option<(Task, Vec<Task>)>, StoreError> {
    if let Some(task) = instance.store.task(id).await? {
        return Ok(Some((task, Vec::new())));
    }
    let unread = unread::all(instance).await?;
    let found = unread.iter().find(|task| task.id == *id).cloned();
    Ok(found.map(|task| (task, unread)))
}

async fn events(instance: &Instance, task: &Task, limit: u32) -> Result<Vec<EventView>, StoreError> {
    Ok(instance
        .store
        .events(&task.id, limit)
        .await?
        .iter()
        .map(event_view)
        .collect())
}
