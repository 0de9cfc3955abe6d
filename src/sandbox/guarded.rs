//! What in a workspace runs code for whoever opens it: it stays as it is, so that a worker plants nothing for the
//! person, or for the orchestrator's own git, that comes after it.

use std::path::{Path, PathBuf};

/// Configuration of agents, editors and git in a checkout. What is there is frozen; what is not there may be made, is
/// part of the diff, and is seen by the gate and by whoever reviews it.
const CONFIGURATION: [&str; 13] = [
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".claude/hooks",
    ".claude/agents",
    ".claude/commands",
    ".mcp.json",
    ".codex",
    ".gemini/settings.json",
    ".gitmodules",
    ".idea",
    ".opencode",
    ".vscode",
    "opencode.json",
];

/// Of a git folder that may be written: what names or is a program. Frozen where it is there.
const GIT: [&str; 4] = ["config", "config.worktree", "info/attributes", "commondir"];

/// What of a checkout stays as it is; `top` is the checkout, `except` what a person lets be changed.
pub fn configuration(top: &Path, except: &[PathBuf]) -> Vec<PathBuf> {
    let names = CONFIGURATION.iter().map(Path::new);
    let wanted = names.filter(|name| !except.iter().any(|own| name.starts_with(own)));
    let mut all: Vec<PathBuf> = wanted
        .filter(|name| is_solid(top, name))
        .map(|name| top.join(name))
        .collect();
    // In a worktree this is a file that leads to the repository.
    let pointer = top.join(".git");
    if std::fs::symlink_metadata(&pointer).is_ok_and(|meta| meta.is_file()) {
        all.push(pointer);
    }
    all
}

/// What of a git folder that may be written stays as it is, and what stays empty.
pub fn git_folder(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let frozen = GIT.iter().filter(|name| is_solid(folder, Path::new(name)));
    let frozen = frozen.map(|name| folder.join(name)).collect();
    let hooks = folder.join("hooks");
    let is_link = std::fs::symlink_metadata(&hooks).is_ok_and(|meta| meta.is_symlink());
    (frozen, if is_link { Vec::new() } else { vec![hooks] })
}

/// Whether something is there, with no symbolic link on the way: a link that the repository brought would have
/// another place mounted.
fn is_solid(top: &Path, name: &Path) -> bool {
    let mut at = top.to_owned();
    name.components().all(|part| {
        at.push(part);
        std::fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_dir() || meta.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_frozen_and_links_are_left() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        std::fs::create_dir_all(at(".claude/hooks")).unwrap();
        std::fs::write(at(".claude/settings.json"), "{}").unwrap();
        std::fs::write(at(".git"), "gitdir: x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at(".mcp.json")).unwrap();
        std::os::unix::fs::symlink("/etc", at(".vscode")).unwrap();
        let found = configuration(top.path(), &[]);
        assert_eq!(
            found,
            [at(".claude/settings.json"), at(".claude/hooks"), at(".git")]
        );
        let except = [PathBuf::from(".claude")];
        assert_eq!(configuration(top.path(), &except), [at(".git")]);
    }
}
