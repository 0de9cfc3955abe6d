//! The progress tool: one timestamped entry in the work log of the task's progress file.
//!
//! The file is read afresh and replaced atomically. Two writers at the very same moment can still lose one
//! entry; the worker's entries are rare, and the orchestrator writes its own around attempts, not within them.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::Answer;
use super::text::printable;
use crate::format::progress::append_worker_log;

const MAX_ENTRY: usize = 2_000;

/// Adds an entry to the file at `path`, and makes the file if it is not there.
pub fn log(path: &Path, text: &str, now: DateTime<Utc>) -> Answer {
    let entry = one_line(text);
    if entry.is_empty() {
        return Answer::error("the text is empty; say in one sentence what was done");
    }
    match append(path, &entry, now) {
        Ok(()) => Answer::ok("logged"),
        Err(fault) => Answer::error(format!("the progress file cannot be written: {fault}")),
    }
}

fn append(path: &Path, entry: &str, now: DateTime<Utc>) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&temporary, append_worker_log(&text, now, entry))?;
    fs::rename(&temporary, path)
}

/// One line that starts no heading and no other entry.
fn one_line(text: &str) -> String {
    let words = printable(text.as_bytes());
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_ENTRY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_one_line_with_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress/t.md");
        let now = "2026-02-03T04:05:06Z".parse().unwrap();
        assert!(!log(&path, "did\n## Work Log\n\x1b[1mthings", now).is_error);
        assert!(!log(&path, "more", now).is_error);
        assert!(log(&path, " \n ", now).is_error);
        let expected =
            "## Work Log\n\n- 2026-02-03T04:05:06Z did ## Work Log things\n- 2026-02-03T04:05:06Z more\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(
            log(folder.path(), "x", now).is_error,
            "a folder is no progress file"
        );
    }
}
