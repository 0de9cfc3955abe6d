//! What happened to a task, as recorded.

use super::age;
use super::look::{DIM, Look};
use super::table::{Cell, Column, Row, table};
use crate::service::view::EventView;

/// A line an event, in the order given.
pub fn events<'a>(all: impl IntoIterator<Item = &'a EventView>, look: &Look) -> String {
    let columns = [
        Column::new("", 12),
        Column::new("", 18).dropped(2),
        Column::new("", 26).dropped(1),
        Column::new("", 400),
    ];
    let rows: Vec<Row> = all
        .into_iter()
        .map(|event| Row::Tall(cells(event, look)))
        .collect();
    table(&columns, &rows, look)
}

fn cells(event: &EventView, look: &Look) -> Vec<Cell> {
    let change = if event.from == event.to {
        event.to.clone()
    } else {
        format!("{} → {}", event.from, event.to)
    };
    vec![
        Cell::new(&age::ago(look.now, event.at), DIM),
        event.kind.as_str().into(),
        Cell::new(&change, DIM),
        event.why.as_str().into(),
    ]
}
