//! The paths of an instance: the one place that knows which file is where.
//!
//! Invariant: names from the queue become paths only as a [`TaskId`] or through the same rule.

use std::path::{Path, PathBuf};

use crate::domain::id::TaskId;

/// The folder, in that of the state, of a queue that is a git repository.
pub const QUEUE_REPOSITORY: &str = "queue";

/// The paths of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    /// Where the queue is.
    queue: PathBuf,
}

impl Layout {
    /// The paths below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            queue: root.to_owned(),
        }
    }

    /// The same where the queue, with its jobs and agents, is what a repository was last seen to hold.
    #[must_use]
    pub fn with_queue_of_repository(self) -> Self {
        let queue = self.state().join(QUEUE_REPOSITORY).join("files");
        Self { queue, ..self }
    }

    /// The folder of the queue file, of the jobs and of the agents.
    pub fn queue(&self) -> &Path {
        &self.queue
    }

    /// The instance's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration.
    pub fn config_file(&self) -> PathBuf {
        self.root.join(super::home::CONFIG_FILE)
    }

    /// The queue.
    pub fn queue_file(&self) -> PathBuf {
        self.queue.join("PROACTIVE-JOBS.md")
    }

    /// Job definitions, one file each.
    pub fn jobs(&self) -> PathBuf {
        self.queue.join("jobs")
    }

    /// Named agents, one file each.
    pub fn agents(&self) -> PathBuf {
        self.queue.join("agents")
    }

    /// The file of a named agent; `None` where the name is unsafe as a file's.
    pub fn agent(&self, name: &str) -> Option<PathBuf> {
        safe(name).map(|name| self.agents().join(format!("{name}.md")))
    }

    /// Liveness of running attempts.
    pub fn heartbeats(&self) -> PathBuf {
        self.root.join("heartbeats")
    }

    /// Liveness of a task's running attempt.
    pub fn heartbeat(&self, task: &TaskId) -> PathBuf {
        self.heartbeats().join(format!("{task}.json"))
    }

    /// What was done and what is left.
    pub fn progress(&self) -> PathBuf {
        self.root.join("progress")
    }

    /// What was done and what is left of a task.
    pub fn progress_of(&self, task: &TaskId) -> PathBuf {
        self.progress().join(format!("{task}.md"))
    }

    /// Archived tasks that no longer fit in the queue file, a file a month.
    pub fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }

    /// What is remembered of a project; `None` where the name is unsafe as a folder's.
    pub fn project_memory(&self, project: &str) -> Option<PathBuf> {
        let project = safe(project)?;
        Some(
            self.root
                .join("memory/projects")
                .join(project.as_str())
                .join("_overview.md"),
        )
    }

    /// What was done on a day.
    pub fn daily_memory(&self, day: chrono::NaiveDate) -> PathBuf {
        self.root.join("memory/daily").join(format!("{day}.md"))
    }

    /// State that is not for hands.
    pub fn state(&self) -> PathBuf {
        self.root.join(".orchestrator")
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.state().join("orchestrator.db")
    }

    /// What the tokens of attempts are made from.
    pub fn token_key(&self) -> PathBuf {
        self.state().join("key")
    }

    /// Held by the one service of the instance.
    pub fn lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// Touched by commands to wake the service.
    pub fn wake(&self) -> PathBuf {
        self.state().join("wake")
    }

    /// The checkouts that the gate's checks run in.
    pub fn gates(&self) -> PathBuf {
        self.state().join("gate")
    }

    /// What the checks of a task said, by the digest of their outputs.
    pub fn gate_output(&self, task: &TaskId) -> PathBuf {
        self.state().join("gate-output").join(task.as_str())
    }

    /// The lock of whoever judges a task.
    pub fn bench(&self, task: &TaskId) -> PathBuf {
        self.state().join("benches").join(task.as_str())
    }

    /// The reviews of a task's work.
    pub fn reviews(&self, task: &TaskId) -> PathBuf {
        self.state().join("reviews").join(task.as_str())
    }

    /// What a chat keeps for itself: its device and keys.
    pub fn chat(&self, surface: &str) -> PathBuf {
        self.state().join("chat").join(surface)
    }

    /// Files that people handed to a task while it was being worked on.
    pub fn given(&self, task: &TaskId) -> PathBuf {
        self.state().join("given").join(task.as_str())
    }

    /// What the gate kept of a task for people to look at, a folder a commit.
    pub fn evidence(&self, task: &TaskId) -> PathBuf {
        self.state().join("evidence").join(task.as_str())
    }

    /// The attempts of a task.
    pub fn attempts(&self, task: &TaskId) -> PathBuf {
        self.state().join("attempts").join(task.as_str())
    }

    /// What one attempt was given and what it wrote, by its fencing number.
    pub fn attempt(&self, task: &TaskId, epoch: u64) -> PathBuf {
        self.attempts(task).join(epoch.to_string())
    }

    /// The private home of a task's contained workers, the same for all its attempts.
    pub fn home_of(&self, task: &TaskId) -> PathBuf {
        self.state().join("homes").join(task.as_str())
    }

    /// The folders that `init` makes and the service needs.
    pub fn folders(&self) -> [PathBuf; 6] {
        [
            self.jobs(),
            self.agents(),
            self.heartbeats(),
            self.progress(),
            self.archive(),
            self.state(),
        ]
    }
}

/// A name that is safe as one component of a path.
fn safe(name: &str) -> Option<TaskId> {
    TaskId::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_leave_the_instance() {
        let layout = Layout::new(Path::new("/home/x"));
        for name in ["../up", "/etc/passwd", "a/b", "", ".hidden", "a\0b"] {
            assert_eq!(layout.agent(name), None, "{name}");
            assert_eq!(layout.project_memory(name), None, "{name}");
        }
        assert_eq!(layout.agent("mary"), Some("/home/x/agents/mary.md".into()));
    }

    #[test]
    fn paths_are_those_of_the_contract() {
        let layout = Layout::new(Path::new("/i"));
        let task = TaskId::parse("fix-it").unwrap();
        assert_eq!(layout.heartbeat(&task), Path::new("/i/heartbeats/fix-it.json"));
        assert_eq!(layout.progress_of(&task), Path::new("/i/progress/fix-it.md"));
        assert_eq!(layout.queue_file(), Path::new("/i/PROACTIVE-JOBS.md"));
        let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 9).unwrap();
        assert_eq!(
            layout.daily_memory(day),
            Path::new("/i/memory/daily/2026-02-09.md")
        );
    }
}
