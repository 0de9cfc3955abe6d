//! `lint`: which tasks were read, and what is wrong.

use serde::Serialize;

use super::look::{GREEN, Look, RED, YELLOW};
use super::{problems, text};
use crate::cli::exit::Exit;
use crate::service::view::{Problem, VERSION};

/// `lint --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintDocument {
    /// [`VERSION`]
    pub version: u32,
    /// The files that were read.
    pub files: Vec<LintFile>,
    /// The mistakes in them.
    pub problems: Vec<Problem>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintFile {
    /// The file, as it was named, or relative to the instance.
    pub file: String,
    /// Its tasks; none for a job.
    pub tasks: Vec<LintTask>,
}

/// A task as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintTask {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The line of its heading, from 1.
    pub line: usize,
    /// Its status in the orchestrator's words; `null` where it cannot be read.
    pub status: Option<String>,
    /// The section it stands in, such as `Active Tasks`.
    pub section: Option<String>,
}

impl LintDocument {
    /// A document of the present version.
    pub fn new(files: Vec<LintFile>, problems: Vec<Problem>) -> Self {
        Self {
            version: VERSION,
            files,
            problems,
        }
    }

    /// 0, or 2 where there is an error.
    pub fn exit(&self) -> Exit {
        if problems::any_error(&self.problems) {
            Exit::Usage
        } else {
            Exit::Done
        }
    }
}

/// The page: each mistake at its place, then a line that counts. See [`problems::problems`] for `source`.
pub fn lint(document: &LintDocument, source: impl Fn(&str) -> Option<Vec<u8>>, look: &Look) -> String {
    let mut page = problems::problems(&document.problems, source, look);
    let tasks = document.files.iter().map(|file| file.tasks.len()).sum();
    let read = format!(
        "{} in {}",
        text::count(tasks, "task"),
        text::count(document.files.len(), "file")
    );
    let verdict = match problems::tally(&document.problems) {
        tally if tally.is_empty() => look.paint(GREEN, "no mistakes"),
        tally if problems::any_error(&document.problems) => look.paint(RED, &tally),
        tally => look.paint(YELLOW, &tally),
    };
    page.push_str(&format!("{read}: {verdict}\n"));
    page
}
