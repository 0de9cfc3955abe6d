//! `plan`: what the next tick would do.

use anstyle::Style;

use super::look::{BOLD, CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use super::problems;
use super::table::{Cell, Column, Row, table};
use super::text;
use crate::service::view::{Plan, PlanStep};

/// The page.
pub fn plan(view: &Plan, look: &Look) -> String {
    let mut page = String::new();
    if !view.problems.is_empty() {
        page.push_str(&problems::brief(&view.problems, look));
        page.push('\n');
    }
    if view.steps.is_empty() {
        return page + "The next tick would do nothing.\n";
    }
    page.push_str(&look.heading(&format!(
        "The next tick: {}",
        text::count(view.steps.len(), "step")
    )));
    page.push('\n');
    let columns = [
        Column::new("", 8),
        Column::new("", (look.width / 3).clamp(14, 40)),
        Column::new("", 400),
    ];
    let rows: Vec<Row> = view.steps.iter().map(|step| Row::Tall(cells(step))).collect();
    page.push_str(&table(&columns, &rows, look));
    page
}

fn cells(step: &PlanStep) -> Vec<Cell> {
    vec![
        Cell::new(&step.action, style(&step.action)),
        Cell::new(&step.id, BOLD),
        Cell::new(&step.why, if step.action == "wait" { DIM } else { PLAIN }),
    ]
}

fn style(action: &str) -> Style {
    match action {
        "start" => GREEN,
        "admit" | "assess" => CYAN,
        "change" => YELLOW,
        "cancel" => RED,
        _ => DIM,
    }
}
