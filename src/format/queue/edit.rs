//! The orchestrator's own edits of the queue file, as a pure function from bytes to bytes.
//!
//! Invariants: a status write changes the value of that field alone (or adds one line for it); a finished
//! section moves whole; no byte that a person wrote is lost: what leaves the file is in [`Applied::overflow`].
//! An edit that cannot be made safely is not made, and said in [`Applied::missed`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::document::Document;
use super::insert::{archive_splices, new_task_splice, overflow, value_splice};
use super::outline::{Place, Section};
use crate::domain::id::TaskId;

/// A field whose value the orchestrator writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusField {
    /// `Status`
    Status,
    /// `Escalation`
    Escalation,
    /// `Started`
    Started,
    /// `Completed`
    Completed,
    /// `Last Run`
    LastRun,
    /// `Model Used`
    ModelUsed,
}

impl StatusField {
    /// The key as it is written.
    pub fn key(self) -> &'static str {
        match self {
            Self::Status => "Status",
            Self::Escalation => "Escalation",
            Self::Started => "Started",
            Self::Completed => "Completed",
            Self::LastRun => "Last Run",
            Self::ModelUsed => "Model Used",
        }
    }

    /// The key in its normal form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Escalation => "escalation",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::LastRun => "last-run",
            Self::ModelUsed => "model-used",
        }
    }
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Gives fields of a task new values. Line ends in a value become spaces.
    SetFields {
        /// The task.
        id: TaskId,
        /// The fields and their values; the last one counts where a field stands twice.
        fields: Vec<(StatusField, String)>,
    },
    /// Moves a task's section to the head of `## Archived Tasks`.
    Archive {
        /// The task.
        id: TaskId,
    },
    /// Adds a task at the end of `## Active Tasks`.
    Add(NewTask),
}

/// A task to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Its title; may be empty.
    pub title: String,
    /// Keys and values, in order, for example `("Priority", "high")`. A value may have several lines.
    pub fields: Vec<(String, String)>,
    /// What comes below the fields, as it is; may be empty.
    pub body: String,
}

/// What became of the edits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The new content of the file.
    pub bytes: Vec<u8>,
    /// Whether it differs from the old one.
    pub changed: bool,
    /// Archived sections that no longer fit, oldest first. Write them to the archive before the file.
    pub overflow: Vec<Overflow>,
    /// Edits that were not made.
    pub missed: Vec<Missed>,
}

/// A section that left the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overflow {
    /// The task.
    pub id: TaskId,
    /// `YYYY-MM` of its Completed date, where there is one.
    pub month: Option<String>,
    /// The section, byte for byte.
    pub bytes: Vec<u8>,
}

/// An edit that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The task.
    pub id: TaskId,
    /// Why.
    pub why: Why,
}

/// Why an edit was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    /// There is no such section.
    #[error("no section has this id")]
    NotFound,
    /// Several sections have the id.
    #[error("several sections have this id")]
    Ambiguous,
    /// The task to be added is there already.
    #[error("a section has this id already")]
    Exists,
    /// Something in the file hides what follows, so nothing is moved (see [`Document::is_whole`]).
    #[error("the file has an unclosed fence or comment, merge markers, or is too large")]
    NotWhole,
    /// The new task's text would break the file (for example a code block that does not end).
    #[error("the text would hide or change other parts of the file")]
    Breaks,
}

/// A replacement of some bytes.
pub(super) struct Splice {
    pub(super) at: Range<usize>,
    pub(super) with: Vec<u8>,
}

/// Makes the edits, fields first, then moves, then additions, each kind in the given order.
pub fn apply(bytes: &[u8], edits: &[Edit]) -> Applied {
    let mut applied = Applied {
        bytes: bytes.to_vec(),
        ..Applied::default()
    };
    set_fields(&mut applied, edits);
    archive(&mut applied, edits);
    for edit in edits {
        if let Edit::Add(task) = edit {
            add(&mut applied, task);
        }
    }
    applied.changed = applied.bytes != bytes;
    applied
}

fn set_fields(applied: &mut Applied, edits: &[Edit]) {
    let wanted = edits.iter().filter_map(|edit| match edit {
        Edit::SetFields { id, fields } => Some((id, fields)),
        _ => None,
    });
    let wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return;
    }
    let document = Document::parse(std::mem::take(&mut applied.bytes));
    let index = index(&document);
    let mut values: BTreeMap<(usize, StatusField), &str> = BTreeMap::new();
    for (id, fields) in wanted {
        match unique(&index, id) {
            Ok(n) => values.extend(fields.iter().map(|(field, value)| ((n, *field), value.as_str()))),
            Err(why) => applied.missed.push(Missed { id: id.clone(), why }),
        }
    }
    let sections = document.sections();
    let splices = values
        .iter()
        .map(|((n, field), value)| value_splice(&document, &sections[*n], *field, value))
        .collect();
    applied.bytes = spliced(document.bytes(), splices);
}

fn archive(applied: &mut Applied, edits: &[Edit]) {
    let wanted = edits.iter().filter_map(|edit| match edit {
        Edit::Archive { id } => Some(id),
        _ => None,
    });
    let wanted: Vec<&TaskId> = wanted.collect();
    if wanted.is_empty() {
        return;
    }
    let document = Document::parse(std::mem::take(&mut applied.bytes));
    let moving = movable(&document, &wanted, &mut applied.missed);
    if moving.is_empty() {
        applied.bytes = document.into_bytes();
        return;
    }
    let moved = spliced(document.bytes(), archive_splices(&document, &moving));
    let document = Document::parse(moved);
    let (splices, gone) = overflow(&document);
    applied.bytes = spliced(document.bytes(), splices);
    applied.overflow = gone;
}

fn movable<'d>(document: &'d Document, wanted: &[&TaskId], missed: &mut Vec<Missed>) -> Vec<&'d Section> {
    let index = index(document);
    let mut moving: Vec<&Section> = Vec::new();
    for id in wanted {
        let found = match unique(&index, id) {
            Ok(_) if !document.is_whole() => Err(Why::NotWhole),
            found => found,
        };
        match found.map(|n| &document.sections()[n]) {
            Ok(section) if section.place == Place::Active && !moving.contains(&section) => {
                moving.push(section)
            }
            Ok(_) => {}
            Err(why) => missed.push(Missed {
                id: (*id).clone(),
                why,
            }),
        }
    }
    moving
}

fn add(applied: &mut Applied, task: &NewTask) {
    let document = Document::parse(std::mem::take(&mut applied.bytes));
    let known = document.sections().iter().any(|s| s.id == task.id);
    let why = if known {
        Some(Why::Exists)
    } else if !document.is_whole() {
        Some(Why::NotWhole)
    } else {
        None
    };
    let added = why.map_or_else(|| with_task(&document, task), Err);
    applied.bytes = match added {
        Ok(bytes) => bytes,
        Err(why) => {
            applied.missed.push(Missed {
                id: task.id.clone(),
                why,
            });
            document.into_bytes()
        }
    };
}

/// The file with the task in it, if the task and nothing else is new in it.
fn with_task(document: &Document, task: &NewTask) -> Result<Vec<u8>, Why> {
    let after = Document::parse(spliced(document.bytes(), vec![new_task_splice(document, task)]));
    let before: Vec<&TaskId> = document.sections().iter().map(|s| &s.id).collect();
    let (new, old): (Vec<&Section>, Vec<&Section>) = after.sections().iter().partition(|s| s.id == task.id);
    let kept = old.iter().map(|s| &s.id).eq(before);
    match kept && new.len() == 1 && after.is_whole() {
        true => Ok(after.into_bytes()),
        false => Err(Why::Breaks),
    }
}

type Index<'d> = HashMap<&'d TaskId, Vec<usize>>;

fn index(document: &Document) -> Index<'_> {
    let mut index: Index = HashMap::new();
    for (n, section) in document.sections().iter().enumerate() {
        index.entry(&section.id).or_default().push(n);
    }
    index
}

fn unique(index: &Index, id: &TaskId) -> Result<usize, Why> {
    match index.get(id).map(Vec::as_slice) {
        None | Some([]) => Err(Why::NotFound),
        Some([one]) => Ok(*one),
        Some(_) => Err(Why::Ambiguous),
    }
}

/// The bytes with all replacements made; those at one place keep their order.
fn spliced(bytes: &[u8], mut splices: Vec<Splice>) -> Vec<u8> {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let extra: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let mut result = Vec::with_capacity(bytes.len() + extra);
    let mut at = 0;
    for splice in splices {
        result.extend_from_slice(&bytes[at..splice.at.start.max(at)]);
        result.extend_from_slice(&splice.with);
        at = at.max(splice.at.end);
    }
    result.extend_from_slice(&bytes[at..]);
    result
}
