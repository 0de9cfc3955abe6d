//! One task as a row of `status`.

use anstyle::Style;

use crate::cli::render::age;
use crate::cli::render::look::{BOLD, CYAN, DIM, GREEN, Look, PLAIN, RED, YELLOW};
use crate::cli::render::table::Cell;
use crate::service::view::{GateView, TaskView};

use super::groups::{Group, group};

/// Cells of a progress bar.
const BAR: usize = 8;

pub(super) fn cells(task: &TaskView, look: &Look) -> Vec<Cell> {
    let (mark, style) = mark(task);
    vec![
        Cell::new(mark, style),
        Cell::new(word(task), style),
        Cell::new(&task.id, if group(task) == Group::Done { DIM } else { BOLD }),
        Cell::new(&task.title, PLAIN),
        task.tier.as_deref().unwrap_or_default().into(),
        attempt(task).into(),
        progress(task, look),
        beat(task),
        cost(task),
        gate(&task.gate),
        Cell::new(
            &now(task, look),
            if group(task) == Group::Done { DIM } else { PLAIN },
        ),
    ]
}

/// The mark and the style of a state; what needs a person stands out.
pub(crate) fn mark(task: &TaskView) -> (&'static str, Style) {
    match (task.state.as_str(), group(task)) {
        (_, Group::NeedsYou) => ("!", RED.bold()),
        ("in-progress", _) => ("▶", CYAN),
        ("validating", _) => ("◆", CYAN),
        ("assessing", _) => ("◇", CYAN),
        ("completed", _) => ("✓", GREEN),
        ("cancelled", _) => ("✗", DIM),
        ("paused", _) => ("‖", YELLOW),
        _ if matches!(task.waiting.what.as_str(), "retry" | "quota" | "budget") => ("↻", YELLOW),
        _ => ("·", DIM),
    }
}

fn word(task: &TaskView) -> &str {
    match (task.state.as_str(), task.waiting.what.as_str()) {
        ("pending", "retry") => "retrying",
        ("pending", "quota") => "quota",
        ("pending", "budget") => "budget",
        (state, _) => state,
    }
}

fn attempt(task: &TaskView) -> String {
    if task.attempt == 0 {
        String::new()
    } else {
        task.attempt.to_string()
    }
}

/// Whether a progress bar has room beside its number.
pub(super) fn has_room(look: &Look) -> bool {
    look.width >= 80
}

fn progress(task: &TaskView, look: &Look) -> Cell {
    let Some(pct) = task.progress_pct.filter(|_| group(task) != Group::Done) else {
        return Cell::default();
    };
    let pct = usize::from(pct.min(100));
    let full = pct * BAR / 100;
    let bar = if has_room(look) {
        format!(" {}{}", "█".repeat(full), "░".repeat(BAR - full))
    } else {
        String::new()
    };
    Cell::new(
        &format!("{pct}%{bar}"),
        if group(task) == Group::Working { CYAN } else { DIM },
    )
}

/// The age of the newest sign of life while a worker is at it; `gone` where its session is.
fn beat(task: &TaskView) -> Cell {
    if task.state != "in-progress" {
        return Cell::default();
    }
    if task.session == "gone" {
        return Cell::new("gone", RED);
    }
    task.heartbeat_age_s
        .map_or_else(Cell::default, |seconds| age::span(seconds as i64).into())
}

fn cost(task: &TaskView) -> Cell {
    if task.cost_usd > 0.0 {
        age::money(task.cost_usd).into()
    } else {
        Cell::default()
    }
}

/// `✓`, or `✗` with how many checks passed, or `…` while it runs.
pub(crate) fn gate(gate: &GateView) -> Cell {
    let passed = gate
        .checks
        .iter()
        .filter(|check| check.verdict == "passed")
        .count();
    match gate.verdict.as_str() {
        "passed" => Cell::new("✓", GREEN),
        "failed" => Cell::new(&format!("✗ {passed}/{}", gate.checks.len()), RED),
        "running" => Cell::new("…", CYAN),
        _ => Cell::default(),
    }
}

/// What happens now, or what it waits for.
fn now(task: &TaskView, look: &Look) -> String {
    match group(task) {
        Group::Done => format!("{} · {}", age::ago(look.now, task.updated_at), task.title),
        Group::NeedsYou => needs(task),
        Group::Working => task.phase.clone().unwrap_or_else(|| task.title.clone()),
        Group::Waiting | Group::Paused => waits(task, look),
    }
}

fn needs(task: &TaskView) -> String {
    let reason = task.blocked_reason.as_deref().unwrap_or(&task.waiting.why);
    match &task.waiting.who {
        Some(who) if !reason.contains(who.as_str()) => format!("{reason} ({who})"),
        _ => reason.to_owned(),
    }
}

fn waits(task: &TaskView, look: &Look) -> String {
    let waiting = &task.waiting;
    let why = if waiting.why.trim().is_empty() {
        fallback(task)
    } else {
        waiting.why.clone()
    };
    match waiting.until {
        Some(until) if until > look.now => format!("{}: {why}", age::until(look.now, until)),
        _ => why,
    }
}

fn fallback(task: &TaskView) -> String {
    match task.waiting.what.as_str() {
        "dependency" => format!("after {}", task.waiting.on.join(", ")),
        "nothing" => task.title.clone(),
        what => format!("waits for {what}"),
    }
}
