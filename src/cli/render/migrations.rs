//! `migrate`: the steps of the store's schema, and which are still to be done.

use anstyle::Style;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::look::{CYAN, DIM, GREEN, Look, RED};
use super::table::{Cell, Column, Row, table};
use super::{age, text};
use crate::service::view::VERSION;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Done.
    Applied,
    /// To be done.
    Pending,
    /// Done, but by another text than this program has.
    Edited,
    /// Done by a newer program; this one does not know it.
    Unknown,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its number.
    pub number: i64,
    /// What it does.
    pub name: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it was done, where that is known.
    pub applied_at: Option<DateTime<Utc>>,
}

/// `migrate --plan --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document<'a> {
    /// [`VERSION`]
    pub version: u32,
    /// In order.
    pub steps: &'a [Step],
}

/// The steps as a document.
pub fn document(steps: &[Step]) -> Document<'_> {
    Document {
        version: VERSION,
        steps,
    }
}

/// Whether the store is exactly at this program's version.
pub fn is_current(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.standing == Standing::Applied)
}

/// The page.
pub fn migrations(steps: &[Step], look: &Look) -> String {
    let columns = [
        Column::new("", 1),
        Column::new("STEP", 16).right(),
        Column::new("WHAT", (look.width / 2).max(16)),
        Column::new("WHEN", 40),
    ];
    let rows: Vec<Row> = steps.iter().map(|step| Row::Cells(cells(step, look))).collect();
    format!("{}\n{}\n", table(&columns, &rows, look), summary(steps))
}

fn cells(step: &Step, look: &Look) -> Vec<Cell> {
    let (mark, style, word) = standing(step.standing);
    let when = match step.applied_at.filter(|_| step.standing == Standing::Applied) {
        Some(at) => age::ago(look.now, at),
        None => word.to_owned(),
    };
    vec![
        Cell::new(mark, style),
        step.number.to_string().into(),
        step.name.as_str().into(),
        Cell::new(
            &when,
            if step.standing == Standing::Applied {
                DIM
            } else {
                style
            },
        ),
    ]
}

fn standing(standing: Standing) -> (&'static str, Style, &'static str) {
    match standing {
        Standing::Applied => ("✓", GREEN, "done"),
        Standing::Pending => ("·", CYAN, "to be done"),
        Standing::Edited => ("✗", RED, "done, but its text has changed since"),
        Standing::Unknown => ("✗", RED, "of a newer program"),
    }
}

fn summary(steps: &[Step]) -> String {
    let count = |wanted| steps.iter().filter(|step| step.standing == wanted).count();
    match (
        count(Standing::Unknown),
        count(Standing::Edited),
        count(Standing::Pending),
    ) {
        (0, 0, 0) => "The store is at this program's version.".to_owned(),
        (0, 0, pending) => format!(
            "{} to be done: orchestrator migrate",
            text::count(pending, "step")
        ),
        (0, ..) => "The store was made by an edited program: use the one that made it.".to_owned(),
        _ => "The store is newer than this program: use the newer program.".to_owned(),
    }
}
