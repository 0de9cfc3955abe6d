//! The demo: a fresh instance in a temporary folder, a small real repository, and a scripted model on loopback.
//!
//! Only the model's words are made up (in `story`); store, worktrees, processes, heartbeats and gate are the real ones.
//! Deliberately absent: any shortcut around the service; `demo` runs what `tick --wait` runs.

mod repository;
mod story;

use std::io;
use std::path::{Path, PathBuf};

use crate::files::atomic;
use crate::scripted_model::Server;

/// The demo's folder; removed at the end unless it is to be kept.
pub struct Root {
    path: PathBuf,
    keep: bool,
}

impl Root {
    /// Makes a new folder below the system's temporary one.
    pub fn make(keep: bool) -> io::Result<Self> {
        let name = format!("orchestrator-demo-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, keep })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed stays in the temporary folder, which the system clears.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The demo's world: its repository, its queue, its configuration and its model.
pub struct Scene {
    model: Server,
    script: Vec<String>,
}

impl Scene {
    /// Makes everything below the root, and starts the model.
    pub async fn set(root: &Root) -> anyhow::Result<Self> {
        repository::make(&root.path().join("calc"))?;
        let script = story::script();
        let lines = script.describe();
        let model = Server::start(script).await?;
        write(
            &root.path().join("orchestrator.toml"),
            &story::configuration(&model.base_url()),
        )?;
        write(&root.path().join("PROACTIVE-JOBS.md"), story::QUEUE)?;
        Ok(Self { model, script: lines })
    }

    /// What is real and what is scripted, before it begins.
    pub fn opening(&self) -> String {
        let script: String = self.script.iter().map(|line| format!("    {line}\n")).collect();
        format!(
            "{}\n  model at {}; its script:\n{script}\n",
            story::OPENING,
            self.model.base_url()
        )
    }

    /// Where to look, after it has ended.
    pub fn closing(&self, root: &Root) -> String {
        if root.keep {
            return format!("The instance is kept: cd {}\n", root.path().display());
        }
        "The instance was temporary; `orchestrator demo --keep` leaves it to be looked at.\n".to_owned()
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(atomic::write(path, text.as_bytes())?)
}
