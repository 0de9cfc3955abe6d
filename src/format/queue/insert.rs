//! Where new bytes go in a queue file, and how they look: in the style and with the line ends of what is around.

use std::ops::Range;

use super::document::Document;
use super::edit::{NewTask, Overflow, Splice, StatusField};
use super::field::{Field, FieldKind};
use super::item::{bullet, key_value};
use super::outline::{Place, Section, is_active, is_archive};
use crate::format::scan::Kind;

/// How many archived tasks stay in the file.
pub(super) const KEPT: usize = 20;

/// The change that gives one field of a task a value.
pub(super) fn value_splice(
    document: &Document,
    section: &Section,
    field: StatusField,
    value: &str,
) -> Splice {
    let value = one_line(value);
    let bytes = document.bytes();
    let Some(found) = section.fields.iter().find(|f| f.name == field.name()) else {
        return new_field(document, section, field.key(), &value);
    };
    let at = found.span.clone();
    let spaced = at.start == 0 || bytes[at.start - 1].is_ascii_whitespace() || !at.is_empty();
    let with = if spaced || value.is_empty() {
        value
    } else {
        format!(" {value}")
    };
    Splice {
        at,
        with: with.into_bytes(),
    }
}

/// A value that can stand on one line and open or close neither code nor comment.
fn one_line(value: &str) -> String {
    let words: Vec<&str> = value
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    words
        .join(" ")
        .replace('`', "'")
        .replace("<!--", "<! --")
        .replace("-->", "-- >")
}

fn new_field(document: &Document, section: &Section, key: &str, value: &str) -> Splice {
    let fence = document.scan.unclosed_fence.unwrap_or(usize::MAX);
    let model = section.fields.iter().rfind(|f| f.lines.end <= fence);
    let line = model.map_or(section.line - 1, |f| f.lines.end - 1);
    let at = after_comments(document, document.scan.lines[line].end);
    let (before, after) = model
        .and_then(|f| style(document, f))
        .unwrap_or((b"- **".to_vec(), b":**".to_vec()));
    let mut with = line_end_of(document, line);
    with.extend([&before[..], key.as_bytes(), &after, b" ", value.as_bytes()].concat());
    Splice { at: at..at, with }
}

/// What stands before and after the key of a field.
fn style(document: &Document, field: &Field) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = &document.bytes()[document.scan.lines[field.lines.start].range()];
    let kv = key_value(line, bullet(line)?.text)?;
    let (before, after) = (
        &line[..kv.key.start],
        line[kv.key.end..kv.value.start].trim_ascii_end(),
    );
    // Where the bold goes on over the value, the plain style is taken.
    let plain = after == b":" && kv.marked;
    (!plain).then(|| (before.to_vec(), after.to_vec()))
}

/// A line's end that is inside no comment, at or after the given one.
fn after_comments(document: &Document, mut at: usize) -> usize {
    let scan = &document.scan;
    let first = scan.comments.partition_point(|c| c.end <= at);
    for comment in &scan.comments[first..] {
        if comment.start >= at {
            break;
        }
        at = scan.lines[scan.line_at(comment.end - 1)].end;
    }
    at
}

/// The line end of a line; the file's first one where the line has none.
fn line_end_of(document: &Document, line: usize) -> Vec<u8> {
    let end_of = |n: usize| {
        let line = document.scan.lines.get(n)?;
        let end = &document.bytes()[line.end..document.scan.next_start(n, document.bytes().len())];
        (!end.is_empty()).then(|| end.to_vec())
    };
    end_of(line)
        .or_else(|| end_of(0))
        .unwrap_or_else(|| b"\n".to_vec())
}

/// The changes that move sections to the head of the archive, the last one first.
pub(super) fn archive_splices(document: &Document, moving: &[&Section]) -> Vec<Splice> {
    let own = moving.iter().flat_map(|s| s.own.iter().cloned());
    let mut splices: Vec<Splice> = own.map(|at| Splice { at, with: Vec::new() }).collect();
    let eol = line_end_of(document, 0);
    let sections: Vec<Vec<u8>> = moving.iter().rev().map(|s| own_bytes(document, s)).collect();
    let (at, intro) = archive_place(document, &eol);
    let moved: Vec<Range<usize>> = splices.iter().map(|s| s.at.clone()).collect();
    let mut with = separated(document, at, &moved, &eol);
    with.extend(intro);
    let last = sections.len() - 1;
    let at_end = at == document.bytes().len();
    for (n, section) in sections.into_iter().enumerate() {
        with.extend(section);
        let blank_wanted = n < last || !at_end;
        end_with_line(&mut with, &eol, blank_wanted);
    }
    splices.push(Splice { at: at..at, with });
    splices
}

/// Where archived sections go, and the heading to be made if there is none.
fn archive_place(document: &Document, eol: &[u8]) -> (usize, Vec<u8>) {
    match shelf(document, is_archive) {
        Some(shelf) => {
            let lines = &document.scan.lines[shelf.heading + 1..shelf.end];
            let first = lines.iter().find(|l| matches!(l.kind, Kind::Heading(_)));
            (first.map_or(shelf.at_end, |l| l.start), Vec::new())
        }
        None => (document.bytes().len(), [b"## Archived Tasks", eol, eol].concat()),
    }
}

/// Line ends that make a place in the file the start of a paragraph. `gone` are bytes that leave the file.
fn separated(document: &Document, at: usize, gone: &[Range<usize>], eol: &[u8]) -> Vec<u8> {
    let mut end = at;
    while let Some(range) = gone.iter().find(|r| r.end == end && !r.is_empty()) {
        end = range.start;
    }
    let before = &document.bytes()[..end];
    let bare = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    if bare.is_empty() {
        return Vec::new();
    }
    let is_end = |b: Option<&u8>| matches!(b, Some(b'\n' | b'\r'));
    let one = if bare.ends_with(b"\r\n") { 2 } else { 1 };
    match is_end(bare.last()) {
        false => [eol, eol].concat(),
        true if bare.len() == one || is_end(bare[..bare.len() - one].last()) => Vec::new(),
        true => eol.to_vec(),
    }
}

fn end_with_line(text: &mut Vec<u8>, eol: &[u8], blank: bool) {
    let ends = |text: &[u8]| matches!(text.last(), Some(b'\n' | b'\r'));
    if !ends(text) {
        text.extend(eol);
    }
    let one = if text.ends_with(b"\r\n") { 2 } else { 1 };
    if blank && !ends(&text[..text.len() - one]) {
        text.extend(eol);
    }
}

pub(super) fn own_bytes(document: &Document, section: &Section) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in &section.own {
        if !bytes.is_empty() && !matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&document.bytes()[part.clone()]);
    }
    bytes
}

/// The changes that take the oldest archived sections out, and the sections, oldest first.
pub(super) fn overflow(document: &Document) -> (Vec<Splice>, Vec<Overflow>) {
    let archived = document.sections().iter().filter(|s| s.place == Place::Archived);
    let mut dated: Vec<(Option<String>, &Section)> = archived.map(|s| (completed(document, s), s)).collect();
    // Newest first; those without a date come last, in the order of the file.
    dated.sort_by(|a, b| b.0.cmp(&a.0));
    let gone = dated.split_off(KEPT.min(dated.len()));
    let splices = gone.iter().flat_map(|(_, s)| s.own.iter());
    let splices = splices
        .map(|at| Splice {
            at: at.clone(),
            with: Vec::new(),
        })
        .collect();
    let overflow = gone.iter().rev().map(|(date, section)| Overflow {
        id: section.id.clone(),
        month: date.as_ref().map(|date| date[..7].to_owned()),
        bytes: own_bytes(document, section),
    });
    (splices, overflow.collect())
}

/// The Completed date of a section, if it begins with `YYYY-MM`.
fn completed(document: &Document, section: &Section) -> Option<String> {
    let field = section
        .fields
        .iter()
        .find(|f| f.kind == FieldKind::Written && f.name == "completed")?;
    let text = field.text(document.bytes());
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let date: String = text[start..]
        .chars()
        .take_while(|c| !c.is_whitespace() && c.is_ascii())
        .collect();
    let b = date.as_bytes();
    let month = b
        .get(5..7)
        .and_then(|m| std::str::from_utf8(m).ok()?.parse::<u8>().ok());
    let fits = b.len() >= 7
        && b[..4].iter().all(u8::is_ascii_digit)
        && b[4] == b'-'
        && b.get(7).is_none_or(|c| !c.is_ascii_digit());
    (fits && month.is_some_and(|m| (1..=12).contains(&m))).then_some(date)
}

/// The change that adds a task.
pub(super) fn new_task_splice(document: &Document, task: &NewTask) -> Splice {
    let eol = line_end_of(document, 0);
    let (at, intro, level) = match (shelf(document, is_active), shelf(document, is_archive)) {
        (Some(active), _) => (active.at_end, "", active.level + 1),
        (None, Some(archive)) => (
            document.scan.lines[archive.heading].start,
            "## Active Tasks\n\n",
            3,
        ),
        (None, None) if document.scan.lines.iter().all(|l| l.kind == Kind::Blank) => (
            document.bytes().len(),
            "# Proactive Jobs\n\n## Active Tasks\n\n",
            3,
        ),
        (None, None) => (document.bytes().len(), "## Active Tasks\n\n", 3),
    };
    let text = format!("{intro}{}", task_text(task, level.clamp(2, 4)));
    let lines: Vec<&str> = text.lines().collect();
    let mut with = separated(document, at, &[], &eol);
    for line in lines {
        with.extend(line.as_bytes());
        with.extend(&eol);
    }
    if at < document.bytes().len() {
        with.extend(&eol);
    }
    Splice { at: at..at, with }
}

fn task_text(task: &NewTask, level: u8) -> String {
    let hashes = "#".repeat(usize::from(level));
    let title = one_line_title(&task.title);
    let mut text = match title.is_empty() {
        true => format!("{hashes} {}\n", task.id),
        false => format!("{hashes} {}: {title}\n", task.id),
    };
    for (key, value) in &task.fields {
        let lines: Vec<&str> = value.trim().lines().map(str::trim_end).collect();
        let value = lines.join("\n  ");
        text.push_str(&format!("- **{}:** {value}\n", one_line_title(key)));
    }
    if !task.body.trim().is_empty() {
        text.push('\n');
        text.push_str(task.body.trim_end());
        text.push('\n');
    }
    text
}

fn one_line_title(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A heading that holds tasks.
struct Shelf {
    heading: usize,
    level: u8,
    /// The line after its last one.
    end: usize,
    /// The byte after its last one.
    at_end: usize,
}

fn shelf(document: &Document, is_name: impl Fn(&str) -> bool) -> Option<Shelf> {
    let scan = &document.scan;
    let inside = |line: usize| {
        document
            .sections()
            .iter()
            .any(|s| s.line == line + 1 || s.blocks.iter().any(|b| b.line == line + 1))
    };
    let level_of = |n: usize| match scan.lines[n].kind {
        Kind::Heading(level) => Some(level),
        _ => None,
    };
    let text = |n: usize| scan.visible_text(document.bytes(), scan.lines[n].range());
    let named =
        |n: &usize| level_of(*n).is_some() && is_name(super::heading::heading_text(&text(*n))) && !inside(*n);
    let heading = (0..scan.lines.len()).find(named)?;
    let level = level_of(heading)?;
    let ends = |n: &usize| level_of(*n).is_some_and(|l| l <= level) && !inside(*n);
    let end = (heading + 1..scan.lines.len())
        .find(ends)
        .unwrap_or(scan.lines.len());
    let at_end = scan.lines.get(end).map_or(document.bytes().len(), |l| l.start);
    Some(Shelf {
        heading,
        level,
        end,
        at_end,
    })
}
