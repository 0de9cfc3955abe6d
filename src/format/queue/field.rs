//! The fields of a task: which keys there are, and where the value of each stands.

use std::ops::Range;

use super::item::{Bullet, KeyValue, bullet, key_value, trimmed};
use crate::format::scan::{Kind, Line, Scan, indent};
use crate::format::text::normal_key;

/// What a key means. Keys are compared without regard to case; `_`, `-` and a space are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// What to do.
    Description,
    /// Appended to the description (`Summary of the work`, `Instructions`).
    MoreDescription,
    /// One-off or continuous.
    Type,
    /// A file in jobs/.
    Job,
    /// The lowest tier (`Min Model`, `Model`).
    MinModel,
    /// The highest tier.
    MaxModel,
    /// How urgent it is.
    Priority,
    /// The project.
    Project,
    /// A folder or a git URL (`Workspace`, `Project Directory`, `Repository`, `Repo`).
    Workspace,
    /// Ids, by comma (`Depends On`, `Dependencies`, `Blocked By`).
    DependsOn,
    /// An id.
    Parent,
    /// A name in agents/.
    Agent,
    /// A runtime's name.
    Runtime,
    /// US dollars.
    Budget,
    /// A length of time.
    Timeout,
    /// Labels of nodes, by comma.
    RunsOn,
    /// Paths, by comma (`Attachments`, `Files`, `Images`).
    Attachments,
    /// Yes or no: whether green work waits for a person's word.
    Approval,
    /// Yes or no: whether another model reviews the work.
    Review,
    /// Folders and patterns of paths, by comma, that the work may change.
    Scope,
    /// Where the finished work goes (`branch`, `base`, `pull-request`).
    Landing,
    /// The issue on the forge that it settles (`Issue`, `Closes`).
    Issue,
    /// Names of its job's evidence or patterns of files, by comma.
    Evidence,
    /// Where the task stands.
    Status,
    /// Written by the orchestrator alone (`Escalation`, `Created`, `Started`, `Completed`, `Last Run`, `Model Used`).
    Written,
    /// Any other key: kept, and handed to the worker.
    Unknown,
}

impl FieldKind {
    /// The meaning of a normalised key.
    pub fn of(name: &str) -> Self {
        match name {
            "description" => Self::Description,
            "summary-of-the-work" | "instructions" => Self::MoreDescription,
            "type" => Self::Type,
            "job" => Self::Job,
            "min-model" | "model" => Self::MinModel,
            "max-model" => Self::MaxModel,
            "priority" => Self::Priority,
            "project" => Self::Project,
            "workspace" | "project-directory" | "repository" | "repo" => Self::Workspace,
            "depends-on" | "dependencies" | "blocked-by" => Self::DependsOn,
            "parent" => Self::Parent,
            "agent" => Self::Agent,
            "runtime" => Self::Runtime,
            "budget" => Self::Budget,
            "timeout" => Self::Timeout,
            "runs-on" => Self::RunsOn,
            "attachments" | "files" | "images" => Self::Attachments,
            "approval" => Self::Approval,
            "review" => Self::Review,
            "scope" => Self::Scope,
            "landing" => Self::Landing,
            "issue" | "closes" => Self::Issue,
            "evidence" => Self::Evidence,
            "status" => Self::Status,
            "escalation" | "created" | "started" | "completed" | "last-run" | "model-used" => Self::Written,
            _ => Self::Unknown,
        }
    }
}

/// Whether a key makes the heading above it a task.
pub(super) fn makes_a_task(name: &str) -> bool {
    let keys = [
        "status",
        "description",
        "type",
        "min-model",
        "model",
        "priority",
        "project",
        "parent",
        "depends-on",
        "job",
    ];
    keys.contains(&name)
}

/// One `- **Key:** value` below a task's heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key as it is written.
    pub key: String,
    /// The key in its normal form, for example `min-model`.
    pub name: String,
    /// What it means.
    pub kind: FieldKind,
    /// The whole value: without comments, with its continuation lines.
    pub value: String,
    /// The bytes of the value up to the first comment or line end; empty, at its place, where there is none.
    pub span: Range<usize>,
    /// The line of the key, from 1.
    pub line: usize,
    /// The lines that the field covers, as indices.
    pub(super) lines: Range<usize>,
}

impl Field {
    /// The value's own first piece of text: what the orchestrator replaces, and reads where it wrote.
    pub fn text<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(&bytes[self.span.clone()])
    }
}

/// The top-level list items of some lines: the ones with a key are fields.
pub(super) fn fields(bytes: &[u8], scan: &Scan, lines: Range<usize>) -> Vec<Field> {
    let mut found = Vec::new();
    let mut at = lines.start;
    while at < lines.end {
        let line = scan.lines[at];
        let Some(item) = top_level(bytes, line) else {
            at += 1;
            continue;
        };
        let end = item_end(bytes, scan, at, item.indent, lines.end);
        found.extend(
            key_value(&bytes[line.range()], item.text).and_then(|kv| field(bytes, scan, at..end, &kv)),
        );
        at = end;
    }
    found
}

/// The bullet of a line that starts a list item of its own.
pub(super) fn top_level(bytes: &[u8], line: Line) -> Option<Bullet> {
    let item = bullet(&bytes[line.range()]).filter(|_| line.kind == Kind::Text)?;
    (item.indent <= 3).then_some(item)
}

/// The line after an item: it covers the lines that are indented deeper than its bullet.
pub(super) fn item_end(bytes: &[u8], scan: &Scan, item: usize, bullet_indent: usize, limit: usize) -> usize {
    let mut end = item + 1;
    for at in item + 1..limit {
        let line = scan.lines[at];
        let deeper = indent(&bytes[line.range()]).0 > bullet_indent;
        let belongs = match line.kind {
            Kind::Text | Kind::FenceOpen => deeper,
            Kind::FenceBody | Kind::FenceClose => end == at,
            Kind::Comment => true,
            Kind::Blank => continue,
            Kind::Heading(_) => false,
        };
        match belongs {
            true if line.kind == Kind::Comment => {
                // A comment below an item belongs to it only if more of the item follows.
            }
            true => end = at + 1,
            false => break,
        }
    }
    end
}

fn field(bytes: &[u8], scan: &Scan, lines: Range<usize>, kv: &KeyValue) -> Option<Field> {
    let start = scan.lines[lines.start].start;
    let key = String::from_utf8_lossy(&bytes[start + kv.key.start..start + kv.key.end])
        .trim()
        .to_owned();
    let name = normal_key(&key);
    let kind = FieldKind::of(&name);
    // An unmarked sentence with a colon in it is no field, unless its key is known.
    let words = name.split('-').count();
    if name.is_empty() || (kind == FieldKind::Unknown && !kv.marked && words > 4) {
        return None;
    }
    let first = start + kv.value.start..start + kv.value.end;
    let (more, more_span) = continuation(bytes, scan, lines.start + 1..lines.end);
    let head = scan.visible_text(bytes, first.clone());
    let span = first_piece(bytes, scan, first.clone())
        .or(more_span)
        .unwrap_or(first.start..first.start);
    Some(Field {
        key,
        name,
        kind,
        value: format!("{}\n{more}", head.trim()).trim().to_owned(),
        span,
        line: lines.start + 1,
        lines,
    })
}

/// The first stretch of a range that is neither comment nor white space.
fn first_piece(bytes: &[u8], scan: &Scan, range: Range<usize>) -> Option<Range<usize>> {
    let pieces = scan.visible(range).into_iter();
    pieces
        .map(|piece| trimmed(bytes, piece))
        .find(|piece| !piece.is_empty())
}

/// The text of continuation lines, dedented, and its first piece.
fn continuation(bytes: &[u8], scan: &Scan, lines: Range<usize>) -> (String, Option<Range<usize>>) {
    let own = &scan.lines[lines];
    let dedent = own
        .iter()
        .filter(|l| matches!(l.kind, Kind::Text | Kind::FenceOpen))
        .map(|l| indent(&bytes[l.range()]).1)
        .min()
        .unwrap_or(0);
    let text: Vec<String> = own
        .iter()
        .filter_map(|l| plain_line(bytes, scan, *l, dedent))
        .collect();
    let span = own
        .iter()
        .filter(|l| l.kind == Kind::Text)
        .find_map(|l| first_piece(bytes, scan, without_bullet(bytes, *l)));
    (text.join("\n"), span)
}

fn without_bullet(bytes: &[u8], line: Line) -> Range<usize> {
    let text = bullet(&bytes[line.range()]).map_or(0, |b| b.text);
    line.start + text..line.end
}

/// A line as text: comments taken out (not of code), up to `dedent` bytes of indentation removed.
pub(super) fn plain_line(bytes: &[u8], scan: &Scan, line: Line, dedent: usize) -> Option<String> {
    let cut = indent(&bytes[line.range()]).1.min(dedent);
    let range = line.start + cut..line.end;
    match line.kind {
        Kind::Comment => None,
        _ if line.is_fenced() => Some(String::from_utf8_lossy(&bytes[range]).into_owned()),
        _ => Some(scan.visible_text(bytes, range).trim_end().to_owned()),
    }
}
