//! The queue's repository, for commands: what it was last seen to hold, and what is wrong with it.

use super::super::instance::Instance;
use super::super::queue_repository::{QueueError, Standing};
use super::super::view::Problem;
use super::status::of_file;
use crate::files::InstanceLock;
use crate::store::StoreError;

/// Has the files beside the state be those of the branch as it is now, where no service sees to that. What the store
/// remembers of the file is not touched.
pub async fn look(instance: &Instance) -> Result<(), QueueError> {
    let Some(repository) = &instance.queue_repository else {
        return Ok(());
    };
    let Ok(_lock) = InstanceLock::acquire(&instance.layout.lock()) else {
        return Ok(());
    };
    let head = repository.fetch().await?;
    let snapshot = repository.snapshot(&head).await?;
    repository.write(&snapshot)
}

/// What is wrong with it.
pub(super) async fn problems(instance: &Instance) -> Result<Vec<Problem>, StoreError> {
    let Some(repository) = &instance.queue_repository else {
        return Ok(Vec::new());
    };
    let standing = Standing::recall(&*instance.store).await?;
    let since = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let mut problems = Vec::new();
    if let Some(trouble) = standing.trouble {
        let message = format!("{} (since {})", trouble.words, since(trouble.since));
        problems.push(Problem {
            help: Some(
                "what was read last stays in force, and edits wait; it is tried again by itself".to_owned(),
            ),
            ..of_file(repository.url(), &trouble.code, message)
        });
    }
    if let Some(rewritten) = standing.rewritten.filter(|r| r.is_new(instance.clock.now())) {
        let short = |commit: &str| commit.get(..10).unwrap_or(commit).to_owned();
        let (from, to) = (short(&rewritten.from), short(&rewritten.to));
        let message = format!(
            "the history of '{}' was written anew: {from} does not lead to {to} (seen {})",
            repository.branch(),
            since(rewritten.at)
        );
        problems.push(Problem {
            severity: "warning".to_owned(),
            help: Some("it was followed; look whether all tasks are still in the file".to_owned()),
            ..of_file(repository.url(), "queue-repository-rewritten", message)
        });
    }
    Ok(problems)
}

/// Whether the repository was not read yet.
pub(super) fn is_unread(instance: &Instance) -> bool {
    instance.queue_repository.is_some() && !instance.layout.queue_file().exists()
}
