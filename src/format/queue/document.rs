//! A queue file as it was read: its bytes, the tasks in them, and what is wrong with them.
//!
//! Invariant: [`Document::bytes`] is what was parsed, byte for byte, whatever it was.

use std::ops::Range;

use super::outline::{Outline, Place, Section, Stray, outline};
use super::status::parse_status;
use crate::domain::definition::Declared;
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::queue::FieldKind;
use crate::format::scan::{Kind, Scan, scan};
use crate::format::text::shown;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// The most lines that are read.
pub const MAX_LINES: usize = 1_000_000;

/// A queue file.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    bytes: Vec<u8>,
    pub(super) scan: Scan,
    sections: Vec<Section>,
    problems: Vec<Diagnostic>,
    whole: bool,
}

impl Document {
    /// Reads a file of the usual name; never fails.
    pub fn parse(bytes: Vec<u8>) -> Self {
        Self::named("PROACTIVE-JOBS.md", bytes)
    }

    /// Reads a file; `file` is the name that diagnostics bear.
    pub fn named(file: &str, bytes: Vec<u8>) -> Self {
        let too_large = bytes.len() > MAX_BYTES || count_lines(&bytes) > MAX_LINES;
        let mut document = Self {
            file: file.to_owned(),
            scan: if too_large { Scan::default() } else { scan(&bytes) },
            bytes,
            sections: Vec::new(),
            problems: Vec::new(),
            whole: !too_large,
        };
        if too_large {
            document.refuse();
        } else {
            document.read();
        }
        document
    }

    /// The bytes that were parsed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the bytes back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The name that diagnostics bear.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The tasks, in the order of the file.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The mistakes of the file as a text; see [`super::check`] for those between and within tasks.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// Whether the whole file could be read. If not, a task that is not found may only be hidden, by an unclosed
    /// fence or comment, by merge markers, or in a file that is too large: it was not deleted.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// A diagnostic at some bytes of this file.
    pub(super) fn diagnostic(
        &self,
        span: Range<usize>,
        severity: Severity,
        code: Code,
        message: String,
        help: &str,
    ) -> Diagnostic {
        let line = self.scan.line_at(span.start);
        let start = self.scan.lines.get(line).map_or(span.start, |l| l.start);
        let before = self.bytes.get(start..span.start).unwrap_or_default();
        Diagnostic {
            file: self.file.clone(),
            line: line + 1,
            column: before.iter().filter(|b| **b & 0xc0 != 0x80).count() + 1,
            severity,
            code,
            message,
            help: help.to_owned(),
            span: span.into(),
            task: None,
        }
    }

    fn refuse(&mut self) {
        let message = format!(
            "the file is too large to be read: {} MiB; the limits are {} MiB and {MAX_LINES} lines",
            self.bytes.len() >> 20,
            MAX_BYTES >> 20
        );
        let help = "move archived tasks to archive/, and pasted logs out of the file";
        let found = self.diagnostic(0..0, Severity::Error, Code::FileTooLarge, message, help);
        self.problems.push(found);
    }

    fn read(&mut self) {
        let Outline { sections, strays } = outline(&self.bytes, &self.scan);
        self.sections = sections;
        let mut problems: Vec<Diagnostic> = strays.iter().filter_map(|stray| self.stray(stray)).collect();
        problems.extend(self.unclosed());
        problems.extend(self.merge_markers());
        problems.extend(self.invalid_utf8());
        problems.sort_by_key(|p| (p.line, p.column));
        self.problems = problems;
        let hides = |p: &Diagnostic| matches!(p.code, Code::UnclosedFence | Code::MergeConflict);
        self.whole = self.scan.unclosed_comment.is_none() && !self.problems.iter().any(hides);
    }

    fn stray(&self, stray: &Stray) -> Option<Diagnostic> {
        let span = self.scan.lines[stray.line].range();
        if let Some(bad) = &stray.bad_id {
            let help = "start the heading with a name such as fix-login: letters, digits, '.', '_' and '-', at most 128";
            return Some(self.diagnostic(span, Severity::Error, Code::BadId, bad.to_string(), help));
        }
        let status = stray.fields.iter().find(|f| f.kind == FieldKind::Status)?;
        let waits =
            matches!(parse_status(&status.text(&self.bytes)), Some(s) if s.declared == Declared::Pending);
        let message = format!(
            "the heading '{}' has a task's fields but no id, so nothing runs it",
            shown(&stray.text)
        );
        let help = "write an id before the title: ### my-task: My title";
        (waits && stray.place == Place::Active)
            .then(|| self.diagnostic(span, Severity::Warning, Code::HeadingWithoutId, message, help))
    }

    fn unclosed(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if let Some(line) = self.scan.unclosed_fence {
            let message = "this code block does not end, so the rest of the file is read as code".to_owned();
            found.push(self.hiding(
                line,
                Code::UnclosedFence,
                message,
                "close it with a line of the same marks",
            ));
        }
        if let Some(line) = self.scan.unclosed_comment {
            let message = "this comment does not end, so the rest of the file is hidden".to_owned();
            found.push(self.hiding(line, Code::UnclosedComment, message, "close it with -->"));
        }
        for line in &self.scan.dangling_comments {
            let span = self.scan.lines[*line].range();
            let message = "'<!--' is not closed in its paragraph, so it is read as text".to_owned();
            let help = "close it with --> before the next blank line, or start the line with it";
            found.push(self.diagnostic(span, Severity::Warning, Code::UnclosedComment, message, help));
        }
        found
    }

    /// An error where something that looks like a task is hidden, else a warning.
    fn hiding(&self, line: usize, code: Code, message: String, help: &str) -> Diagnostic {
        let looks_like_task = |l: &&crate::format::scan::Line| self.bytes[l.range()].starts_with(b"##");
        let hidden = self.scan.lines[line + 1..].iter().find(looks_like_task);
        let severity = if hidden.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.diagnostic(self.scan.lines[line].range(), severity, code, message, help)
    }

    fn merge_markers(&self) -> Vec<Diagnostic> {
        let marks: [&[u8]; 3] = [b"<<<<<<< ", b"||||||| ", b">>>>>>> "];
        let is_marker = |l: &&crate::format::scan::Line| {
            l.kind == Kind::Text && marks.iter().any(|m| self.bytes[l.range()].starts_with(m))
        };
        let found = self.scan.lines.iter().filter(is_marker).map(|line| {
            let message = "a merge left its marker here".to_owned();
            let help = "choose one side, and remove the lines with <<<<<<<, ======= and >>>>>>>";
            let mut found =
                self.diagnostic(line.range(), Severity::Error, Code::MergeConflict, message, help);
            found.task = self.section_at(line.start).map(|s| s.id.clone());
            found
        });
        found.collect()
    }

    fn section_at(&self, offset: usize) -> Option<&Section> {
        let at = self.sections.partition_point(|s| s.range.start <= offset);
        let owns = |s: &&Section| s.own.iter().any(|part| part.contains(&offset));
        self.sections[..at].iter().rev().take(4).find(owns)
    }

    fn invalid_utf8(&self) -> Option<Diagnostic> {
        let at = std::str::from_utf8(&self.bytes).err()?.valid_up_to();
        let message = "some bytes are not UTF-8; they are kept as they are, and shown as \u{fffd}".to_owned();
        let help = "save the file as UTF-8";
        Some(self.diagnostic(at..at + 1, Severity::Warning, Code::InvalidUtf8, message, help))
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| matches!(b, b'\n' | b'\r')).count()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
