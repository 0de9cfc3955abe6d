//! A world for tests: an instance, a home, repositories, all in one temporary folder.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::domain::id::TaskId;
use orchestrator::workspace::{Workspace, WorkspaceError, Workspaces};
use tempfile::TempDir;

/// A temporary instance beside a temporary repository with one commit.
pub struct World {
    dir: TempDir,
    pub all: Workspaces,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["instance", "home"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let at = |name: &str| dir.path().join(name);
        let all = Workspaces::new(&at("instance"), &at("instance/.orchestrator"), Some(&at("home"))).unwrap();
        let world = Self { dir, all };
        world.repository("repo");
        world
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(below)
    }

    pub fn state(&self, below: &str) -> PathBuf {
        self.path("instance/.orchestrator").join(below)
    }

    /// A repository with `a.txt` and one commit on `main`.
    pub fn repository(&self, name: &str) -> PathBuf {
        let repo = self.path(name);
        fs::create_dir_all(&repo).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        fs::write(repo.join("a.txt"), "one\n").unwrap();
        commit_all(&repo, "first");
        repo
    }

    pub async fn prepare(&self, task: &str, workspace: &str) -> Result<Workspace, WorkspaceError> {
        self.all.prepare(&id(task), Some(workspace), "A title", &[]).await
    }
}

pub fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

/// Runs git as a person would, and gives its output.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

pub fn commit_all(dir: &Path, message: &str) -> String {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
    git(dir, &["rev-parse", "HEAD"])
}
