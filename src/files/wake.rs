//! .orchestrator/wake: touched by commands, so that a running service looks at once.

use std::path::Path;

use super::error::FileError;

/// Wakes the service of the instance whose wake file is at `path`. Losing it costs one tick, nothing else.
pub fn touch(path: &Path) -> Result<(), FileError> {
    let fault = |fault| FileError::from_io(path, "write", fault);
    super::heartbeats::make_folder(super::atomic::folder_of(path))?;
    std::fs::write(path, format!("{}\n", std::process::id())).map_err(fault)
}
