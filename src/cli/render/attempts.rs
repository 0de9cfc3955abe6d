//! What was tried: a line an attempt.

use anstyle::Style;

use super::age;
use super::look::{CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use super::table::{Cell, Column, Row, table};
use crate::service::view::AttemptView;

/// The table of the attempts, oldest first; empty without any.
pub fn attempts(all: &[AttemptView], look: &Look) -> String {
    if all.is_empty() {
        return String::new();
    }
    let columns = [
        Column::new("#", 4).right(),
        Column::new("TIER", 12),
        Column::new("RUNTIME", 12).dropped(5),
        Column::new("MODEL", 28).dropped(4),
        Column::new("NODE", 20).dropped(6),
        Column::new("OUTCOME", 20),
        Column::new("STARTED", 12).dropped(3),
        Column::new("TOOK", 7).right().dropped(2),
        Column::new("COST", 8).right().dropped(1),
        Column::new("WHY", 400),
    ];
    let rows: Vec<Row> = all
        .iter()
        .map(|attempt| Row::Tall(cells(attempt, look)))
        .collect();
    table(&columns, &rows, look)
}

fn cells(attempt: &AttemptView, look: &Look) -> Vec<Cell> {
    let outcome = attempt.outcome.as_deref().unwrap_or("running");
    let took = (attempt.ended_at.unwrap_or(look.now) - attempt.started_at).num_seconds();
    vec![
        attempt.n.to_string().into(),
        attempt.tier.as_str().into(),
        Cell::new(&attempt.runtime, DIM),
        Cell::new(&attempt.model, DIM),
        Cell::new(attempt.node.as_deref().unwrap_or_default(), DIM),
        Cell::new(outcome, style(outcome)),
        age::ago(look.now, attempt.started_at).into(),
        age::span(took).into(),
        attempt.cost_usd.map(age::money).unwrap_or_default().into(),
        attempt.reason.as_deref().unwrap_or_default().into(),
    ]
}

fn style(outcome: &str) -> Style {
    match outcome {
        "done" | "no-change-needed" => GREEN,
        "running" => CYAN,
        "continue" => PLAIN,
        "killed" | "lost" | "rate-limited" | "overloaded" => YELLOW,
        _ => RED,
    }
}
