//! Paths of the orchestrator's own: made below the state folder, and really there.
//!
//! A worker may have planted a symbolic link where a folder of ours belongs; each component is looked at, none followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;

/// The path `state/kind/name`, its parent made; refused where any part of it below `state` is a link.
///
/// `state` must exist and be canonical.
pub(super) fn beneath(state: &Path, kind: &str, name: &str) -> Result<PathBuf, WorkspaceError> {
    let parent = state.join(kind);
    refuse_link(&parent)?;
    fs::create_dir_all(&parent).map_err(WorkspaceError::io(&parent))?;
    let path = parent.join(name);
    refuse_link(&path)?;
    Ok(path)
}

/// Refuses a path that is a symbolic link; one that is not there is fine.
pub(super) fn refuse_link(path: &Path) -> Result<(), WorkspaceError> {
    match fs::symlink_metadata(path) {
        Ok(seen) if seen.file_type().is_symlink() => Err(WorkspaceError::tampered(
            path,
            "it is a symbolic link where a folder of the orchestrator's own belongs",
        )),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(WorkspaceError::io(path)(e)),
    }
}

/// The path with all links resolved, where it is `top` or below it.
pub(super) fn inside(top: &Path, path: &Path) -> Result<PathBuf, WorkspaceError> {
    let real = path.canonicalize().map_err(WorkspaceError::io(path))?;
    let top = top.canonicalize().map_err(WorkspaceError::io(top))?;
    if real.starts_with(&top) {
        Ok(real)
    } else {
        Err(WorkspaceError::tampered(
            path,
            "a symbolic link leads out of the workspace",
        ))
    }
}

/// Moves something that is in the way to `state/stray/`, where it is kept.
pub(super) fn set_aside(state: &Path, path: &Path) -> Result<(), WorkspaceError> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for n in 1u32.. {
        let target = beneath(state, "stray", &format!("{name}-{n}"))?;
        if !target.exists() {
            return fs::rename(path, &target).map_err(WorkspaceError::io(path));
        }
    }
    Ok(())
}
