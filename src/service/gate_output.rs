//! What checks said, in full: kept in the state folder beside the attempts, without secrets.
//!
//! A file an output, under the digest of the whole that the receipt names. The oldest outputs of a task go when
//! together they take more than a bounded room.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::instance::Instance;
use crate::config::Layout;
use crate::domain::id::TaskId;
use crate::files::atomic;
use crate::format::redact::Redactor;
use crate::gate::Keep;

/// What the outputs of one task may take together, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

/// The outputs of one task's checks.
pub struct GateOutput<'a> {
    folder: PathBuf,
    redactor: &'a Redactor,
}

impl<'a> GateOutput<'a> {
    /// Of this task.
    pub(super) fn new(instance: &'a Instance, task: &TaskId) -> Self {
        Self {
            folder: instance.layout.gate_output(task),
            redactor: &instance.redactor,
        }
    }
}

impl Keep for GateOutput<'_> {
    fn keep(&self, sha256: &str, output: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(sha256);
        let text = self.redactor.redact(output);
        atomic::write(&path, text.as_bytes()).map_err(|fault| io::Error::other(fault.to_string()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        trim(&self.folder, &path)
    }
}

/// The stored output with this digest; none where it is not there (any more).
pub fn stored(layout: &Layout, task: &TaskId, sha256: &str) -> io::Result<Option<String>> {
    let named = !sha256.is_empty() && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    if !named {
        return Ok(None);
    }
    match fs::read(layout.gate_output(task).join(sha256)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the oldest ones away until there is room again; never the one that was just written.
fn trim(folder: &Path, newest: &Path) -> io::Result<()> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let meta = entry.metadata()?;
        all.push((meta.modified()?, meta.len(), entry.path()));
    }
    all.sort();
    let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in all.iter().filter(|(_, _, path)| path != newest) {
        if total <= MOST {
            break;
        }
        fs::remove_file(path)?;
        total -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_kept_without_secrets_and_within_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let task: TaskId = "t".parse().unwrap();
        let redactor = Redactor::new(["sesame-sesame".to_owned()]);
        let output = GateOutput {
            folder: layout.gate_output(&task),
            redactor: &redactor,
        };
        output.keep("ab12", "open sesame-sesame\n").unwrap();
        let found = stored(&layout, &task, "ab12").unwrap().unwrap();
        assert_eq!(found, "open [redacted]\n");
        assert_eq!(stored(&layout, &task, "../ab12").unwrap(), None);
        assert_eq!(stored(&layout, &task, "cd34").unwrap(), None);
        let large = fs::File::create(output.folder.join("00")).unwrap();
        large.set_len(MOST).unwrap();
        large.set_modified(std::time::UNIX_EPOCH).unwrap();
        output.keep("ef56", "more\n").unwrap();
        assert!(!output.folder.join("00").exists(), "the oldest goes");
        assert!(output.folder.join("ab12").exists() && output.folder.join("ef56").exists());
    }
}
