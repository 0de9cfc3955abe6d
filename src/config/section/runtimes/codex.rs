//! The keys of a `codex` runtime.

use super::{check_url, no_texts};
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::setting::words;

/// Settings of a `codex` runtime.
#[derive(Debug, Clone)]
pub struct Codex {
    /// The program.
    pub binary: String,
    /// Arguments that are added to its own.
    pub args: Vec<String>,
    /// What the tool's own sandbox lets commands do.
    pub sandbox: CodexSandbox,
    /// Whether the person's own `config.toml` and rules count.
    pub user_config: bool,
    /// Another API to talk to.
    pub base_url: Option<String>,
    /// A key, where the tool is not signed in by itself.
    pub api_key: Option<Secret>,
}

/// What the sandbox of the Codex tool lets commands do (its `--sandbox`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodexSandbox {
    /// Look, change nothing.
    ReadOnly,
    /// Write in the workspace and for temporary files; no network.
    WorkspaceWrite,
    /// Everything.
    DangerFullAccess,
}

words!(CodexSandbox {
    "read-only" => ReadOnly,
    "workspace-write" => WorkspaceWrite,
    "danger-full-access" => DangerFullAccess,
});

/// Found on the PATH.
fn binary() -> String {
    "codex".to_owned()
}

/// Its own sandbox lets commands write where they work.
fn sandbox() -> CodexSandbox {
    CodexSandbox::WorkspaceWrite
}

/// With it, a repository that the person trusts may run commands of its own.
fn user_config() -> bool {
    false
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Codex {
    Codex {
        binary: section.get("binary", binary),
        args: section.get("args", no_texts),
        sandbox: section.get("sandbox", sandbox),
        user_config: section.get("user_config", user_config),
        base_url: section
            .maybe::<String>("base_url")
            .filter(|url| check_url(section, url)),
        api_key: section.secret("api_key", None),
    }
}
