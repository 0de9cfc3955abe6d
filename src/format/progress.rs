//! progress/TASK-ID.md: what was done and what is left, by worker and orchestrator together.
//!
//! Invariants: what is there is kept; the orchestrator's own lines bear the mark `[orchestrator]`, so that a worker's
//! entries can be told from them; any text can be read.
//! Deliberately absent: the judgement whether a file is good enough (see `domain::gate`), and file access.

mod criteria;
mod merge;

use std::ops::Range;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::definition::Kind;
use crate::domain::id::TaskId;
use crate::format::scan::{self, Line, Scan, scan};
use crate::format::text::normal_key;

pub use criteria::{answer, answered, answers, with_criteria};
pub use merge::take_in;

/// What an empty section reads.
pub const NONE: &str = "none";

const MARK: &str = "[orchestrator]";

/// A section that the gate asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Timestamped entries.
    WorkLog,
    /// Filled from the commit.
    FilesChanged,
    /// What else turned out to be needed.
    Dependencies,
    /// What is not clear, or in the way.
    OpenQuestions,
    /// Filled from the gate's receipts.
    Tests,
    /// A check list; continuous tasks alone.
    CompletedPhases,
    /// Continuous tasks alone.
    NextSteps,
    /// A check list; tasks with acceptance criteria alone.
    Criteria,
    /// What was decided, where somebody wrote such a section.
    Decisions,
}

impl Section {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::WorkLog => "Work Log",
            Self::FilesChanged => "Files Changed",
            Self::Dependencies => "Dependencies Discovered",
            Self::OpenQuestions => "Open Questions / Blockers",
            Self::Tests => "Tests / Verification Done",
            Self::CompletedPhases => "Completed Phases",
            Self::NextSteps => "Next Steps",
            Self::Criteria => "Acceptance Criteria",
            Self::Decisions => "Decisions",
        }
    }

    /// The sections that a task of this kind needs, in their order.
    pub fn wanted(kind: Kind) -> &'static [Self] {
        const ALL: [Section; 7] = [
            Section::WorkLog,
            Section::FilesChanged,
            Section::Dependencies,
            Section::OpenQuestions,
            Section::Tests,
            Section::CompletedPhases,
            Section::NextSteps,
        ];
        match kind {
            Kind::OneOff => &ALL[..5],
            Kind::Continuous => &ALL,
        }
    }
}

/// One entry of the Work Log that is not the orchestrator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its time, where it begins with one (RFC 3339).
    pub at: Option<DateTime<Utc>>,
    /// Its text, without bullet and time.
    pub text: String,
}

/// A new file with all headings.
pub fn create(id: &TaskId, title: &str, kind: Kind) -> String {
    let title = one_line(title);
    let head = if title.is_empty() {
        format!("# {id}\n")
    } else {
        format!("# {id}: {title}\n")
    };
    ensure(&head, kind)
}

/// Adds the headings that are missing, at the end.
pub fn ensure(text: &str, kind: Kind) -> String {
    let text = closed(text);
    let found = Found::of(&text);
    let missing = Section::wanted(kind)
        .iter()
        .filter(|section| found.body(**section).is_none());
    missing.fold(text.clone(), |text, section| with_heading(&text, *section))
}

/// Appends a line of the orchestrator's own to the Work Log.
pub fn append_log(text: &str, at: DateTime<Utc>, line: &str) -> String {
    append(text, &format!("- {} {MARK} {}", stamp(at), one_line(line)))
}

/// Appends an entry of a worker's to the Work Log. Further lines are indented below the first.
pub fn append_worker_log(text: &str, at: DateTime<Utc>, entry: &str) -> String {
    let lines: Vec<&str> = entry.trim().lines().map(str::trim_end).collect();
    let entry = lines.join("\n  ");
    // The mark is the orchestrator's alone.
    let entry = entry.strip_prefix(MARK).unwrap_or(&entry).trim_start();
    append(text, &format!("- {} {entry}", stamp(at)))
}

/// Replaces what stands in a section; an empty body becomes `none`.
pub fn set_section(text: &str, section: Section, body: &str) -> String {
    let whole = with_section(text, section);
    let Some(range) = Found::of(&whole).body(section) else {
        return whole;
    };
    let eol = line_end(&whole);
    let body = if body.trim().is_empty() {
        NONE
    } else {
        body.trim_end()
    };
    let body = body.lines().collect::<Vec<_>>().join(eol);
    let next = if range.end < whole.len() { eol } else { "" };
    splice(&whole, range, &format!("{eol}{body}{eol}{next}"))
}

/// The entries of the Work Log that are not the orchestrator's, in order. `none` is no entry.
pub fn worker_entries(text: &str) -> Vec<Entry> {
    let found = Found::of(text);
    let Some(lines) = found.lines(Section::WorkLog) else {
        return Vec::new();
    };
    let mut entries: Vec<String> = Vec::new();
    let mut after_blank = true;
    for line in &found.scan.lines[lines] {
        let raw = found.text_of(line);
        let shown = found.scan.visible_text(text.as_bytes(), line.range());
        let starts = begins_entry(line, raw, after_blank);
        after_blank = line.kind == scan::Kind::Blank;
        match entries.last_mut() {
            _ if after_blank || line.kind == scan::Kind::Comment => {}
            Some(entry) if !starts => entry.extend(["\n", shown.trim_end()]),
            _ => entries.push(shown.trim_end().to_owned()),
        }
    }
    entries.iter().filter_map(|entry| worker_entry(entry)).collect()
}

/// What is ticked off, in order: boxes of any check list, and plain items of the completed phases.
pub fn ticked(text: &str) -> Vec<String> {
    let found = Found::of(text);
    let phases = found.lines(Section::CompletedPhases).unwrap_or_default();
    let done = |(n, line): (usize, &Line)| {
        let shown = found.scan.visible_text(text.as_bytes(), line.range());
        let item = ["- ", "* ", "+ "]
            .iter()
            .find_map(|b| shown.trim_start().strip_prefix(b))?;
        let boxed = item.strip_prefix("[x]").or_else(|| item.strip_prefix("[X]"));
        let plain = phases.contains(&n) && !item.starts_with("[ ]");
        let label = boxed.or(plain.then_some(item))?.trim();
        (line.kind == scan::Kind::Text && !label.is_empty()).then(|| label.to_owned())
    };
    found.scan.lines.iter().enumerate().filter_map(done).collect()
}

/// The sections that are missing or empty. `none` is not empty: it says that there is nothing. Decisions need no section;
/// one that is there must hold more than a placeholder.
pub fn completeness(text: &str, kind: Kind) -> Vec<Section> {
    let found = Found::of(text);
    let is_empty = |section: &Section| {
        let lines = found.lines(*section).map(|lines| &found.scan.lines[lines]);
        let blank = |line: &Line| matches!(line.kind, scan::Kind::Blank | scan::Kind::Comment);
        lines.is_none_or(|lines| lines.iter().all(blank))
    };
    let left_open = found.lines(Section::Decisions).is_some_and(|lines| {
        let says = |line: &Line| line.kind != scan::Kind::Comment && !is_placeholder(found.text_of(line));
        !found.scan.lines[lines].iter().any(says)
    });
    let wanted = Section::wanted(kind).iter().copied().filter(is_empty);
    wanted.chain(left_open.then_some(Section::Decisions)).collect()
}

/// Whether the documentation is said to need no change: a line `Docs: not needed - REASON` of at least some words.
pub fn docs_waiver(text: &str) -> Option<String> {
    const WORDS: usize = 3;
    let found = Found::of(text);
    let reason = |line: &Line| {
        let shown = found.scan.visible_text(text.as_bytes(), line.range());
        let plain = shown.replace(['*', '_', '`'], "");
        let plain = plain.trim_start_matches(|c: char| c.is_whitespace() || "-+#>".contains(c));
        let (key, said) = plain.split_once(':')?;
        let is_docs = ["docs", "documentation"].contains(&normal_key(key).as_str());
        let said = said.trim();
        let head = said.get(.."not needed".len())?;
        let is_not = is_docs && head.eq_ignore_ascii_case("not needed");
        let why = said
            .get(head.len()..)?
            .trim_matches(|c: char| !c.is_alphanumeric());
        (is_not && why.split_whitespace().count() >= WORDS).then(|| one_line(why))
    };
    let text_lines = found
        .scan
        .lines
        .iter()
        .filter(|line| line.kind == scan::Kind::Text);
    text_lines.filter_map(reason).next_back()
}

/// Whether a line of a template was left as it was.
fn is_placeholder(line: &str) -> bool {
    let word = line
        .trim()
        .trim_matches(|c: char| "-*+_.:<>[]()`".contains(c) || c.is_whitespace());
    let word = word.to_lowercase();
    word.is_empty() || ["todo", "tbd", "fixme", "to do", "placeholder"].contains(&word.as_str())
}

fn begins_entry(line: &Line, raw: &str, after_blank: bool) -> bool {
    let indented = raw.starts_with([' ', '\t']);
    let bullet = ["- ", "* ", "+ "].iter().any(|bullet| raw.starts_with(bullet));
    match line.kind {
        scan::Kind::Heading(_) => true,
        scan::Kind::Text | scan::Kind::FenceOpen => !indented && (bullet || after_blank),
        _ => false,
    }
}

fn worker_entry(raw: &str) -> Option<Entry> {
    let text = raw.trim_start_matches(['-', '*', '+', '#', ' ']).trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let at = first
        .trim_matches(['*', '[', ']', '`', ':'])
        .parse::<DateTime<Utc>>()
        .ok();
    let text = if at.is_some() { rest.trim() } else { text };
    let own = at.is_some() && text.starts_with(MARK);
    (!own && !text.is_empty() && !text.eq_ignore_ascii_case(NONE)).then(|| Entry {
        at,
        text: text.to_owned(),
    })
}

/// Puts a line at the end of the Work Log, in place of a lonely `none`.
fn append(text: &str, line: &str) -> String {
    let whole = with_section(text, Section::WorkLog);
    let found = Found::of(&whole);
    let Some(lines) = found.lines(Section::WorkLog) else {
        return whole;
    };
    let eol = line_end(&whole);
    let line = line.lines().collect::<Vec<_>>().join(eol);
    let own = &found.scan.lines[lines.clone()];
    let filled: Vec<&Line> = own.iter().filter(|l| l.kind != scan::Kind::Blank).collect();
    match filled.as_slice() {
        [only] if found.text_of(only).trim().eq_ignore_ascii_case(NONE) => {
            splice(&whole, only.range(), &line)
        }
        [.., last] => splice(&whole, last.end..last.end, &format!("{eol}{line}")),
        [] => {
            let heading = found.scan.lines[lines.start - 1].end;
            splice(&whole, heading..heading, &format!("{eol}{eol}{line}"))
        }
    }
}

fn with_section(text: &str, section: Section) -> String {
    let text = closed(text);
    match Found::of(&text).body(section) {
        Some(_) => text,
        None => with_heading(&text, section),
    }
}

/// A text whose last code block or comment ends, so that what is added is no part of it.
fn closed(text: &str) -> String {
    let found = Found::of(text);
    let end = match (found.scan.unclosed_fence, found.scan.unclosed_comment) {
        (Some(line), _) => {
            let open = found.text_of(&found.scan.lines[line]).trim_start();
            let mark = open.chars().next();
            open.chars().take_while(|c| Some(*c) == mark).collect()
        }
        (None, Some(_)) => "-->".to_owned(),
        (None, None) => return text.to_owned(),
    };
    let gap = if text.ends_with(['\n', '\r']) {
        ""
    } else {
        line_end(text)
    };
    format!("{text}{gap}{end}{}", line_end(text))
}

fn with_heading(text: &str, section: Section) -> String {
    let eol = line_end(text);
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") || text.ends_with("\r\n\r\n") => "",
        text if text.ends_with(['\n', '\r']) => eol,
        _ => &eol.repeat(2),
    };
    format!("{text}{gap}## {}{eol}{eol}{NONE}{eol}", section.title())
}

/// A text with its lines looked at.
struct Found<'t> {
    text: &'t str,
    scan: Scan,
}

impl<'t> Found<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            scan: scan(text.as_bytes()),
        }
    }

    fn text_of(&self, line: &Line) -> &'t str {
        self.text.get(line.range()).unwrap_or_default()
    }

    /// The lines below a section's heading.
    fn lines(&self, section: Section) -> Option<Range<usize>> {
        let wanted = normal_key(section.title());
        let lines = &self.scan.lines;
        let level = |n: usize| match lines[n].kind {
            scan::Kind::Heading(level) => Some(level),
            _ => None,
        };
        let heading = (0..lines.len())
            .find(|n| level(*n).is_some() && normal_key(self.text_of(&lines[*n])) == wanted)?;
        let ends = |n: &usize| level(*n).is_some_and(|l| Some(l) <= level(heading));
        let end = (heading + 1..lines.len()).find(ends).unwrap_or(lines.len());
        Some(heading + 1..end)
    }

    /// The bytes below a section's heading.
    fn body(&self, section: Section) -> Option<Range<usize>> {
        let lines = self.lines(section)?;
        let start = self.scan.next_start(lines.start - 1, self.text.len());
        let end = self
            .scan
            .lines
            .get(lines.end)
            .map_or(self.text.len(), |line| line.start);
        Some(start..end)
    }
}

fn splice(text: &str, at: Range<usize>, with: &str) -> String {
    let (before, after) = (
        text.get(..at.start).unwrap_or(text),
        text.get(at.end..).unwrap_or_default(),
    );
    // A heading in the last line may have no line end of its own yet.
    let gap = if at.start == text.len()
        && !before.is_empty()
        && !before.ends_with(['\n', '\r'])
        && !with.starts_with(['\n', '\r'])
    {
        "\n"
    } else {
        ""
    };
    [before, gap, with, after].concat()
}

fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
