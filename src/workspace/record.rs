//! What is remembered of each workspace between starts: `places/<task-id>.json` below the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::WorkspaceError;
use super::fence;
use super::place::Workspace;
use crate::domain::id::TaskId;

/// A workspace and what it was made from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// What the task named.
    pub(super) source: String,
    /// What was made.
    pub(super) workspace: Workspace,
}

fn file(state: &Path, task: &TaskId) -> Result<PathBuf, WorkspaceError> {
    fence::beneath(state, "places", &format!("{task}.json"))
}

/// The record of a task; none where there is none, or where it cannot be read (it is made anew then).
pub(super) fn read(state: &Path, task: &TaskId) -> Result<Option<Record>, WorkspaceError> {
    let path = file(state, task)?;
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .ok()
            .filter(|r: &Record| r.workspace.task == *task && r.workspace.state == state)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(WorkspaceError::io(&path)(e)),
    }
}

/// All records that can be read.
pub(super) fn all(state: &Path) -> Result<Vec<Record>, WorkspaceError> {
    let folder = state.join("places");
    fence::refuse_link(&folder)?;
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(WorkspaceError::io(&folder))?,
    };
    let task = |entry: fs::DirEntry| TaskId::parse(entry.file_name().to_str()?.strip_suffix(".json")?).ok();
    let tasks = entries.flatten().filter_map(task);
    Ok(tasks
        .filter_map(|task| read(state, &task).ok().flatten())
        .collect())
}

/// Remembers it; the file is whole or not there.
pub(super) fn write(state: &Path, record: &Record) -> Result<(), WorkspaceError> {
    let path = file(state, &record.workspace.task)?;
    let torn = path.with_extension("json.tmp");
    let bytes = serde_json::to_vec(record).map_err(|e| WorkspaceError::io(&path)(e.into()))?;
    fs::write(&torn, bytes).map_err(WorkspaceError::io(&torn))?;
    fs::rename(&torn, &path).map_err(WorkspaceError::io(&path))
}

/// Forgets it.
pub(super) fn remove(state: &Path, task: &TaskId) -> Result<(), WorkspaceError> {
    let path = file(state, task)?;
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(WorkspaceError::io(&path)(e)),
        _ => Ok(()),
    }
}
