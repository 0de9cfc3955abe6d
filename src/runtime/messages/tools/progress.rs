//! The progress tool: one timestamped entry in the work log of the task's progress file.
//!
//! The file is read afresh and replaced atomically. Two writers at the very same moment can still lose one
//! entry; the worker's entries are rare, and the orchestrator writes its own around attempts, not within them.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Answer;
use super::text::printable;

const HEADING: &str = "## Work Log";
const MAX_ENTRY: usize = 2_000;

/// Adds an entry to the file at `path`, and makes the file if it is not there.
pub fn log(path: &Path, text: &str, now: DateTime<Utc>) -> Answer {
    let entry = one_line(text);
    if entry.is_empty() {
        return Answer::error("the text is empty; say in one sentence what was done");
    }
    let line = format!("- {} {entry}", now.to_rfc3339_opts(SecondsFormat::Secs, true));
    match append(path, &line) {
        Ok(()) => Answer::ok("logged"),
        Err(fault) => Answer::error(format!("the progress file cannot be written: {fault}")),
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&temporary, with_entry(&text, line))?;
    fs::rename(&temporary, path)
}

/// One line that starts no heading and no other entry.
fn one_line(text: &str) -> String {
    let words = printable(text.as_bytes());
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_ENTRY).collect()
}

/// The text with `line` at the end of its work log; a lone `none` there gives way.
fn with_entry(text: &str, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(heading) = lines.iter().position(|candidate| candidate.trim_end() == HEADING) else {
        let gap = if text.is_empty() || text.ends_with("\n\n") {
            ""
        } else if text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        return format!("{text}{gap}{HEADING}\n\n{line}\n");
    };
    let body = heading + 1;
    let end = lines[body..]
        .iter()
        .position(|line| starts_section(line))
        .map_or(lines.len(), |at| body + at);
    let last = lines[body..end]
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map(|at| body + at);
    match last {
        Some(at)
            if lines[body..end]
                .iter()
                .filter(|line| !line.trim().is_empty())
                .count()
                == 1
                && is_none(lines[at]) =>
        {
            lines[at] = line;
        }
        Some(at) => lines.insert(at + 1, line),
        None => {
            lines.splice(body..body, ["", line]);
        }
    }
    lines.join("\n") + "\n"
}

fn starts_section(line: &str) -> bool {
    line.starts_with("# ") || line.starts_with("## ")
}

fn is_none(line: &str) -> bool {
    line.trim()
        .trim_matches(['_', '*', '(', ')', '-', ' ', '.'])
        .eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_finds_its_place() {
        for (before, after) in [
            ("", "## Work Log\n\n- E\n"),
            ("# t", "# t\n\n## Work Log\n\n- E\n"),
            (
                "# t\n\n## Work Log\n\nnone\n\n## Files Changed\n\nnone\n",
                "# t\n\n## Work Log\n\n- E\n\n## Files Changed\n\nnone\n",
            ),
            ("## Work Log\n\n## Next\n", "## Work Log\n\n- E\n\n## Next\n"),
            (
                "## Work Log\n- a\n\n## Next\nx\n",
                "## Work Log\n- a\n- E\n\n## Next\nx\n",
            ),
            ("## Work Log\n- a\n- none\n", "## Work Log\n- a\n- none\n- E\n"),
        ] {
            assert_eq!(with_entry(before, "- E"), after, "{before:?}");
        }
    }

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

    proptest! {
        #[test]
        fn no_line_of_the_file_is_lost(text in "(## Work Log|## Next|- a|none|x|\n){0,12}") {
            let after = with_entry(&text, "- E");
            let mut lines: Vec<&str> = after.lines().collect();
            let at = lines.iter().position(|line| *line == "- E").unwrap();
            lines.remove(at);
            for line in text.lines().filter(|line| !line.trim().is_empty() && !is_none(line)) {
                prop_assert!(lines.contains(&line));
            }
        }
    }
}
