//! The gate's receipts: what ran where, how it ended, and what it said. For `show` and `validate`.

use anstyle::Style;

use super::look::{CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use super::table::{Cell, Column, Row, table};
use super::{age, facts, text};
use crate::service::view::{CheckView, GateView};

/// How many lines of a failed check's output are shown.
const TAIL: usize = 20;
/// How much of a commit's name is shown.
const SHORT: usize = 12;

/// The verdict in a line, a table of the checks, and the end of the output of those that did not pass.
/// Empty where the gate never ran, and where all that it could do is to ask a person.
pub fn gate(view: &GateView, look: &Look) -> String {
    if view.verdict == "none" && !asks(view) {
        return String::new();
    }
    let rows: Vec<Row> = view.checks.iter().map(|check| Row::Cells(cells(check))).collect();
    let mut out = verdict(view, look);
    if !rows.is_empty() {
        out.push_str(&table(&columns(), &rows, look));
    }
    for check in view.checks.iter().filter(|check| check.verdict != "passed") {
        out.push_str(&evidence(check, look));
    }
    out
}

/// Whether a check asks for a person's word.
pub fn asks(view: &GateView) -> bool {
    view.checks.iter().any(|check| check.verdict == "needs-person")
}

fn verdict(view: &GateView, look: &Look) -> String {
    let word = match view.verdict.as_str() {
        "none" => "needs a person's word",
        verdict => verdict,
    };
    let (_, style) = mark(if word == view.verdict {
        word
    } else {
        "needs-person"
    });
    let commit = view
        .commit
        .as_deref()
        .map(short)
        .filter(|commit| !commit.is_empty());
    let at = commit
        .map(|commit| format!(" at commit {commit}"))
        .unwrap_or_default();
    format!("{}{at}\n", look.paint(style, &text::line(word)))
}

/// The part of a commit's name that people compare.
pub fn short(commit: &str) -> String {
    text::line(commit).chars().take(SHORT).collect()
}

fn columns() -> [Column; 6] {
    [
        Column::new("", 1),
        Column::new("CHECK", 28),
        Column::new("CATEGORY", 14).dropped(3),
        Column::new("EXIT", 9).right(),
        Column::new("TOOK", 7).right().dropped(2),
        Column::new("COMMAND", 400),
    ]
}

fn cells(check: &CheckView) -> Vec<Cell> {
    let (mark, style) = mark(&check.verdict);
    let exit = match (check.exit_code, check.verdict.as_str()) {
        (Some(code), "passed" | "failed") => code.to_string(),
        (_, other) => other.to_owned(),
    };
    vec![
        Cell::new(mark, style),
        Cell::new(&check.name, PLAIN),
        Cell::new(&check.category, DIM),
        Cell::new(&exit, style),
        age::took(check.duration_s).into(),
        Cell::new(&check.command, DIM),
    ]
}

fn mark(verdict: &str) -> (&'static str, Style) {
    match verdict {
        "passed" => ("✓", GREEN),
        "running" => ("…", CYAN),
        "timed-out" => ("⧖", YELLOW),
        "needs-person" => ("?", YELLOW),
        _ => ("✗", RED),
    }
}

/// What a red check ran, where, and the end of what it said.
fn evidence(check: &CheckView, look: &Look) -> String {
    let inner = facts::inner(look);
    let lines = text::lines(check.output_tail.as_deref().unwrap_or_default());
    // What a person is asked for is shown whole.
    let shown = if check.verdict == "needs-person" {
        lines.len()
    } else {
        TAIL
    };
    let skipped = lines.len().saturating_sub(shown);
    let mut body = look.dim(&text::fit(
        &format!("in {}", text::line(&check.directory)),
        inner.width,
    )) + "\n";
    if skipped > 0 {
        body.push_str(&look.dim(&format!("… {skipped} lines before\n")));
    }
    for line in &lines[skipped..] {
        body.push_str(&text::fit(line, inner.width));
        body.push('\n');
    }
    facts::part(&text::line(&check.name), &body, look)
}
