//! The room of a review: the checkout, the whole difference, a home, a folder for each answer; and what is shown.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Case, hex};
use crate::domain::id::TaskId;
use crate::domain::review::{Shown, prompt};
use crate::domain::tool::Tool;
use crate::format::agent;
use crate::runtime::process::{self, Adopted};
use crate::service::instance::Instance;
use crate::workspace::ReviewCheckout;

/// How much of the difference stands in the prompt, in bytes.
const DIFF: usize = 160 * 1024;
/// How much of it is written down at all, in bytes.
const WHOLE: usize = 32 * 1024 * 1024;
/// How long the processes of a broken review are hunted in one go.
const HUNT: std::time::Duration = std::time::Duration::from_secs(5);

/// Where one review takes place; what takes room in it goes with it.
pub(super) struct Room {
    pub(super) folder: PathBuf,
    pub(super) checkout: ReviewCheckout,
    pub(super) diff_file: PathBuf,
    /// What the agent's file lets a reviewer use; never a tool that edits.
    pub(super) tools: Option<Vec<Tool>>,
    personality: Option<String>,
}

/// What a reviewer is told.
pub(super) struct Prompt {
    pub(super) text: String,
    /// SHA-256 over all that is shown, in hex.
    pub(super) digest: String,
}

impl Room {
    /// Makes the room for the commit that the gate saw.
    pub(super) async fn furnish(instance: &Instance, case: Case<'_>) -> Result<Self, String> {
        let d = &case.task.definition;
        let workspace = instance
            .workspaces
            .prepare(&case.task.id, d.workspace.as_deref(), &d.title, &d.depends_on)
            .await
            .map_err(|error| error.to_string())?;
        let reviews = instance.layout.reviews(&case.task.id);
        let folder = claim(&reviews, case.claim.epoch)
            .map_err(|error| format!("cannot make a folder in {}: {error}", reviews.display()))?;
        let checkout = workspace
            .review_at(&case.report.commit, &folder.join("tree"))
            .await
            .map_err(|error| error.to_string())?;
        let name = &instance.config.review.agent;
        let file = instance
            .layout
            .agent(name)
            .and_then(|path| std::fs::read(path).ok());
        let agent = file.and_then(|bytes| agent::parse(name, name, &bytes).0);
        let tools = agent.as_ref().and_then(|agent| agent.tools.clone());
        Ok(Self {
            diff_file: folder.join("change.diff"),
            tools: Some(looking(tools)),
            personality: agent.map(|agent| agent.personality),
            folder,
            checkout,
        })
    }

    /// Writes the difference down, and puts the prompt together.
    pub(super) async fn prompt(&self, instance: &Instance, case: Case<'_>) -> Result<Prompt, String> {
        let clean = |text: &str| instance.redactor.redact(text).into_owned();
        let diff = self.checkout.diff().await.map_err(|error| error.to_string())?;
        let diff = clean(&diff[..diff.floor_char_boundary(WHOLE)]);
        std::fs::write(&self.diff_file, &diff)
            .map_err(|error| format!("cannot write {}: {error}", self.diff_file.display()))?;
        let text = prompt(&Shown {
            personality: self.personality.as_deref(),
            task: case.task.id.as_str(),
            definition: &case.task.definition,
            commit: &case.report.commit,
            diff: &diff[..diff.floor_char_boundary(DIFF)],
            diff_file: &self.diff_file.display().to_string(),
            diff_is_cut: diff.len() > DIFF,
            receipts: &case.report.receipts,
            no_change: case.claim.no_change.as_deref(),
            past: &case.task.history.reviews,
            mark: &uuid::Uuid::new_v4().simple().to_string(),
        });
        let text = clean(&text);
        let digest = Sha256::new().chain_update(&text).chain_update(&diff).finalize();
        Ok(Prompt {
            digest: hex(&digest),
            text,
        })
    }

    /// The reviewer's home.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// The folder of an answer.
    pub(super) fn of_answer(&self, n: u32) -> PathBuf {
        self.folder.join(format!("answer-{n}"))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for name in ["tree", "home", "sessions"] {
            // What cannot be deleted now goes with the next review of the task.
            let _ = std::fs::remove_dir_all(self.folder.join(name));
        }
    }
}

/// What looks and does not change.
fn looking(tools: Option<Vec<Tool>>) -> Vec<Tool> {
    let mut tools = tools.unwrap_or_else(|| vec![Tool::Read, Tool::Bash]);
    tools.retain(|tool| *tool != Tool::Edit);
    tools
}

/// The first free folder of an attempt's reviews.
fn claim(reviews: &Path, epoch: u64) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(reviews)?;
    let mut n = 1u32;
    loop {
        let folder = reviews.join(format!("{epoch}-{n}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Ends what an earlier orchestrator left of this task's reviews; nothing begins beside it.
pub(super) async fn clear(instance: &Instance, task: &TaskId) {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    for room in below(&instance.layout.reviews(task)) {
        let answers = below(&room).into_iter();
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("answer-")
        };
        for answer in answers.filter(named) {
            end(&answer).await;
        }
        for name in ["tree", "home", "sessions"] {
            // It is tried again before the next review.
            let _ = std::fs::remove_dir_all(room.join(name));
        }
    }
}

async fn end(answer: &Path) {
    match process::adopt(answer) {
        Ok(Adopted::Running(running)) => {
            if let Err(error) = running.kill_now() {
                tracing::error!(dir = %answer.display(), %error, "an old review cannot be stopped");
            }
            running.wait().await;
        }
        Ok(Adopted::Vanished) => {
            let dir = answer.to_owned();
            let hunt = tokio::task::spawn_blocking(move || process::kill_strays(&dir, HUNT));
            if let Ok(Err(error)) = hunt.await {
                tracing::warn!(dir = %answer.display(), %error, "processes of an old review are still there");
            }
        }
        Ok(Adopted::Ended(_) | Adopted::NeverStarted) => {}
        Err(error) => tracing::warn!(dir = %answer.display(), %error, "an old review cannot be looked at"),
    }
}
