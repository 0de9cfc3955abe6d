//! A list of facts: a label and what holds, long values broken into lines.

use super::look::{DIM, Look, PLAIN};
use super::table::{Cell, Column, Row, table};
use super::text;

/// The facts that have a value, one below the other.
pub fn facts(facts: &[(&str, Option<String>)], look: &Look) -> String {
    let rows: Vec<Row> = facts
        .iter()
        .filter_map(|(label, value)| Some((label, value.as_deref().filter(|v| !v.is_empty())?)))
        .map(|(label, value)| Row::Tall(vec![Cell::new(label, DIM), Cell::new(value, PLAIN)]))
        .collect();
    table(&[Column::new("", 16), Column::new("", 400)], &rows, look)
}

/// A part of a page: its heading and an indented body, each line cut to the width; empty without a body.
pub fn part(title: &str, body: &str, look: &Look) -> String {
    if body.trim().is_empty() {
        return String::new();
    }
    format!("\n{}\n{}", look.heading(title), indented(body))
}

/// A rendered body (it may hold colours), two columns to the right.
fn indented(body: &str) -> String {
    body.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {line}\n")
            }
        })
        .collect()
}

/// Foreign text as a body: its own lines, broken at the width.
pub fn prose(foreign: &str, look: &Look) -> String {
    let room = inner(look).width;
    let broken = text::lines(foreign).into_iter().flat_map(|line| {
        if text::width(&line) <= room {
            vec![line]
        } else {
            text::wrap(&line, room)
        }
    });
    broken.map(|line| line + "\n").collect()
}

/// The look of what stands indented in a part.
pub fn inner(look: &Look) -> Look {
    Look {
        width: look.width.saturating_sub(2),
        ..*look
    }
}
