//! Which headings are tasks, and which bytes are whose.
//!
//! Invariant: every byte belongs to at most one task; a task inside another's section keeps its own.

use std::ops::Range;

use super::field::{Field, fields, makes_a_task};
use super::heading::{self, Mark, TaskHeading};
use crate::domain::id::{InvalidId, TaskId};
use crate::format::scan::{Kind, Scan};
use crate::format::text::normal_key;

/// One task's section of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The task.
    pub id: TaskId,
    /// The heading without id and mark.
    pub title: String,
    /// The mark at the end of the heading.
    pub mark: Option<Mark>,
    /// The heading's level, from 2 to 4.
    pub level: u8,
    /// The heading's line, from 1.
    pub line: usize,
    /// The bytes of the heading's line.
    pub heading: Range<usize>,
    /// From the heading to the next one of its own or a higher level, other tasks inside it included.
    pub range: Range<usize>,
    /// The part of `range` that is no other task's, in order.
    pub own: Vec<Range<usize>>,
    /// The heading that it stands under, for example `Active Tasks`.
    pub under: Option<String>,
    /// Active or archived.
    pub place: Place,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// Its sub-headings, in order, other tasks' left out.
    pub blocks: Vec<Block>,
    /// The lines between the heading and the next one, as indices.
    pub(super) head: Range<usize>,
}

/// Whether a section stands under `## Archived Tasks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Anywhere else.
    Active,
    /// Under a heading `Archived Tasks`, `Archived` or `Archive`.
    Archived,
}

/// A sub-heading of a task and the lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is for.
    pub kind: BlockKind,
    /// The heading's text.
    pub title: String,
    /// Its level.
    pub level: u8,
    /// The heading's line, from 1.
    pub line: usize,
    /// The lines below it, as indices.
    pub(super) lines: Range<usize>,
}

/// What a sub-heading of a task is for. A deeper heading shares the purpose of the one it stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// `Acceptance Criteria` or `Success Criteria`.
    Acceptance,
    /// `Validation`, `Validation Steps` or `Validation Checklist`.
    Validation,
    /// Any other.
    Context,
}

/// A heading that looks like a task's and is none.
pub(super) struct Stray {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) bad_id: Option<InvalidId>,
    pub(super) fields: Vec<Field>,
    pub(super) place: Place,
}

/// The tasks of a file, and the headings that only look like one.
#[derive(Default)]
pub(super) struct Outline {
    pub(super) sections: Vec<Section>,
    pub(super) strays: Vec<Stray>,
}

/// One heading of the file.
struct Heading {
    line: usize,
    level: u8,
    text: String,
    /// The line of the next heading, or the end.
    next: usize,
}

/// Reads the outline of a file.
pub(super) fn outline(bytes: &[u8], scan: &Scan) -> Outline {
    let headings = headings(bytes, scan);
    let mut builder = Builder {
        bytes,
        scan,
        outline: Outline::default(),
        open: Vec::new(),
        shelves: Vec::new(),
    };
    for heading in &headings {
        builder.heading(heading);
    }
    builder.close(0, bytes.len());
    builder.outline.sections.iter_mut().for_each(share_purposes);
    builder.outline
}

fn headings(bytes: &[u8], scan: &Scan) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::new();
    for (n, line) in scan.lines.iter().enumerate() {
        let Kind::Heading(level) = line.kind else { continue };
        if let Some(last) = found.last_mut() {
            last.next = n;
        }
        let text = heading::heading_text(&scan.visible_text(bytes, line.range())).to_owned();
        found.push(Heading {
            line: n,
            level,
            text,
            next: scan.lines.len(),
        });
    }
    found
}

/// A task whose section is not over yet.
struct Open {
    section: usize,
    level: u8,
    /// Where its own bytes go on; `None` while another task's section inside it lasts.
    own_from: Option<usize>,
}

struct Builder<'a> {
    bytes: &'a [u8],
    scan: &'a Scan,
    outline: Outline,
    open: Vec<Open>,
    /// Headings that are no tasks and hold what follows: level, text.
    shelves: Vec<(u8, String)>,
}

impl Builder<'_> {
    fn heading(&mut self, heading: &Heading) {
        let start = self.scan.lines[heading.line].start;
        self.close(heading.level, start);
        let head = heading.line + 1..heading.next;
        let reserved = !self.open.is_empty() && kind_of(&heading.text) != BlockKind::Context;
        let candidate = (2..=4).contains(&heading.level) && !reserved;
        let fields = if candidate {
            fields(self.bytes, self.scan, head.clone())
        } else {
            Vec::new()
        };
        let is_task = fields.iter().any(|f| makes_a_task(&f.name));
        match heading::parse(&heading.text).filter(|_| is_task) {
            Some(TaskHeading {
                id: Ok(id),
                title,
                mark,
                ..
            }) => self.task(heading, id, title, mark, fields, head),
            form => {
                let bad_id = form.filter(|f| f.explicit).and_then(|f| f.id.err());
                self.no_task(heading, head, bad_id, fields, is_task);
            }
        }
    }

    fn task(
        &mut self,
        heading: &Heading,
        id: TaskId,
        title: String,
        mark: Option<Mark>,
        fields: Vec<Field>,
        head: Range<usize>,
    ) {
        let line = self.scan.lines[heading.line];
        if let Some(outer) = self.open.last_mut()
            && let Some(from) = outer.own_from.take()
        {
            self.outline.sections[outer.section].own.push(from..line.start);
        }
        self.open.push(Open {
            section: self.outline.sections.len(),
            level: heading.level,
            own_from: Some(line.start),
        });
        self.outline.sections.push(Section {
            id,
            title,
            mark,
            level: heading.level,
            line: heading.line + 1,
            heading: line.range(),
            range: line.start..self.bytes.len(),
            own: Vec::new(),
            under: self.under(),
            place: self.place(),
            fields,
            blocks: Vec::new(),
            head,
        });
    }

    fn no_task(
        &mut self,
        heading: &Heading,
        head: Range<usize>,
        bad_id: Option<InvalidId>,
        fields: Vec<Field>,
        is_task: bool,
    ) {
        if is_task {
            let (line, text, place) = (heading.line, heading.text.clone(), self.place());
            self.outline.strays.push(Stray {
                line,
                text,
                bad_id,
                fields,
                place,
            });
        }
        match self.open.last_mut() {
            Some(open) => {
                // After a task inside it has ended, the outer one's own bytes go on here.
                open.own_from.get_or_insert(self.scan.lines[heading.line].start);
                self.outline.sections[open.section].blocks.push(Block {
                    kind: kind_of(&heading.text),
                    title: heading.text.clone(),
                    level: heading.level,
                    line: heading.line + 1,
                    lines: head,
                });
            }
            None => {
                self.shelves.retain(|(level, _)| *level < heading.level);
                self.shelves.push((heading.level, heading.text.clone()));
            }
        }
    }

    /// Ends the open sections that a heading of this level ends; 0 ends all.
    fn close(&mut self, level: u8, at: usize) {
        while let Some(open) = self.open.pop_if(|open| open.level >= level) {
            let section = &mut self.outline.sections[open.section];
            section.range.end = at;
            section.own.extend(open.own_from.map(|from| from..at));
        }
    }

    fn under(&self) -> Option<String> {
        let upper = self.shelves.iter().rfind(|(level, _)| *level <= 2);
        upper.or(self.shelves.last()).map(|(_, text)| text.clone())
    }

    fn place(&self) -> Place {
        let archived = self.shelves.iter().any(|(_, text)| is_archive(text));
        if archived { Place::Archived } else { Place::Active }
    }
}

/// Whether a heading's text names the archive.
pub(super) fn is_archive(text: &str) -> bool {
    matches!(
        normal_key(text).as_str(),
        "archived-tasks" | "archived" | "archive"
    )
}

/// Whether a heading's text names the place for new tasks.
pub(super) fn is_active(text: &str) -> bool {
    matches!(normal_key(text).as_str(), "active-tasks" | "active" | "tasks")
}

fn kind_of(title: &str) -> BlockKind {
    match normal_key(title).as_str() {
        "acceptance-criteria" | "success-criteria" => BlockKind::Acceptance,
        "validation" | "validation-steps" | "validation-checklist" => BlockKind::Validation,
        _ => BlockKind::Context,
    }
}

fn share_purposes(section: &mut Section) {
    let mut above: Vec<(u8, BlockKind)> = Vec::new();
    for block in &mut section.blocks {
        above.retain(|(level, _)| *level < block.level);
        if block.kind == BlockKind::Context {
            block.kind = above.last().map_or(BlockKind::Context, |(_, kind)| *kind);
        }
        above.push((block.level, block.kind));
    }
}
