//! The files of an attempt's folder, by name, and how they are written: whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is to be run (no environment, no secret).
pub const SPEC: &str = "spec.json";
/// The prompt, for people and for workers that read it from a file.
pub const PROMPT: &str = "prompt.md";
/// What the worker reads on its standard input.
pub const STDIN: &str = "stdin";
/// What the worker wrote to its standard output.
pub const STDOUT: &str = "stdout.log";
/// What the worker wrote to its standard error.
pub const STDERR: &str = "stderr.log";
/// Who supervises whom; written once, before the worker runs.
pub const SUPERVISOR: &str = "supervisor.json";
/// How it ended; written once, when nobody is left.
pub const EXIT: &str = "exit.json";
/// That somebody wants it stopped, and how patiently.
pub const STOP: &str = "stop.json";
/// How long it may run on after an orchestrator last touched this file.
pub const LEASE: &str = "lease.json";
/// The folder that is the worker's own to write in; nothing in it is trusted.
pub const DESK: &str = "desk";
/// Where the worker may say how it ended, on its desk.
pub const OUTCOME: &str = "outcome.json";
/// The folder of what the worker is given to read: its task, its gate reports, the digest of its token.
pub const GIVEN: &str = "given";
/// What the supervisor itself had to complain about.
pub const COMPLAINTS: &str = "supervisor.log";

/// Opens a file for its owner alone, new or emptied.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Opens a file for its owner alone, to be written at its end.
pub(in crate::runtime) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// Writes a file in one piece: a reader sees the old content or the new. It may be lost with the power, like the
/// processes that it is for.
pub(super) fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let (draft, _) = write_draft(path, content)?;
    std::fs::rename(draft, path)
}

/// Writes a value as JSON in one piece, to stay.
pub(in crate::runtime) fn put_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let (draft, file) = write_draft(path, &serde_json::to_vec(value)?)?;
    file.sync_data()?;
    std::fs::rename(draft, path)
}

/// Writes a value as JSON in one piece, to stay, unless the file is there: then [`io::ErrorKind::AlreadyExists`].
pub(in crate::runtime) fn put_json_once(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let (draft, file) = write_draft(path, &serde_json::to_vec(value)?)?;
    file.sync_data()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(draft)?;
    linked
}

/// Reads a value; a file that is not there is `None`.
pub(in crate::runtime) fn get_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_draft(path: &Path, content: &[u8]) -> io::Result<(PathBuf, File)> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = path.with_file_name(name);
    let mut file = create(&draft)?;
    file.write_all(content)?;
    Ok((draft, file))
}
