//! `status`: the table people enjoy. What is wrong first, then what needs a person, what runs, what waits,
//! what is done.

mod groups;
mod header;
mod row;

use super::look::{GREEN, Look};
use super::table::{Column, Row, table};
use super::{problems, text};
use crate::service::view::{Status, TaskView};

pub use groups::Group;

/// How many finished tasks are shown where not all are asked for.
pub const RECENT: usize = 5;

/// The page. `recent` is how many finished tasks are shown at most: [`RECENT`], or `usize::MAX` for `--all`.
pub fn status(view: &Status, recent: usize, look: &Look) -> String {
    let mut page = header::header(view, look);
    if !view.problems.is_empty() {
        page.push('\n');
        page.push_str(&problems::brief(&view.problems, look));
    }
    page.push('\n');
    if view.tasks.is_empty() {
        page.push_str(&empty(view, look));
        return page;
    }
    let (rows, hidden) = rows(view, recent, look);
    page.push_str(&table(&columns(look), &rows, look));
    page.push_str(&footer(view, hidden, look));
    page
}

fn columns(look: &Look) -> Vec<Column> {
    let id = (look.width / 4).clamp(14, 40);
    vec![
        Column::new("", 1),
        Column::new("STATE", 11),
        Column::new("TASK", id),
        Column::new("TITLE", if look.width >= 130 { 32 } else { 0 }).dropped(9),
        Column::new("TIER", 10).dropped(5),
        Column::new("TRY", 3).right().dropped(6),
        Column::new(if row::has_room(look) { "PROGRESS" } else { "PCT" }, 13)
            .right()
            .dropped(1),
        Column::new("BEAT", 6).right().dropped(4),
        Column::new("COST", 8).right().dropped(7),
        Column::new("GATE", 5).dropped(3),
        Column::new("NOW", 400),
    ]
}

/// The rows under their headings, and how many finished tasks are left out.
fn rows(view: &Status, recent: usize, look: &Look) -> (Vec<Row>, usize) {
    let mut rows = Vec::with_capacity(view.tasks.len() + 5);
    let mut hidden = 0;
    for (group, tasks) in groups::grouped(&view.tasks) {
        let shown = if group == Group::Done {
            tasks.len().min(recent)
        } else {
            tasks.len()
        };
        hidden += tasks.len() - shown;
        let earlier = group == Group::Done && view.more_ended;
        rows.push(Row::Heading(heading(group, shown, tasks.len(), earlier)));
        // What a person must decide on is told in full, even where it takes more lines.
        let row = if group == Group::NeedsYou {
            Row::Tall
        } else {
            Row::Cells
        };
        rows.extend(tasks.iter().take(shown).map(|task| row(row::cells(task, look))));
    }
    (rows, hidden)
}

/// `earlier`: there are more than the document holds, so nobody knows how many.
fn heading(group: Group, shown: usize, all: usize, earlier: bool) -> String {
    if earlier {
        format!("{} (the last {shown})", group.title())
    } else if shown < all {
        format!("{} (the last {shown} of {all})", group.title())
    } else {
        format!("{} ({all})", group.title())
    }
}

fn empty(view: &Status, look: &Look) -> String {
    let hint = if problems::any_error(&view.problems) {
        "No task can be read yet. See the problems above, or add one:"
    } else {
        "No tasks yet. Write one into PROACTIVE-JOBS.md, or:"
    };
    let command = "orchestrator add fix-login \"Fix the login\" --check 'cargo test'";
    format!("{hint}\n\n  {}\n", look.paint(GREEN, command))
}

/// The next thing to do, where there is one.
fn footer(view: &Status, hidden: usize, look: &Look) -> String {
    let mut hints = Vec::new();
    if let Some(task) = view
        .tasks
        .iter()
        .find(|task| groups::group(task) == Group::NeedsYou)
    {
        hints.push(format!(
            "orchestrator why {}   what it needs from you",
            text::line(&task.id)
        ));
    }
    if !view.service.running && view.tasks.iter().any(is_open) {
        hints.push("orchestrator up   run the service".to_owned());
    }
    if hidden > 0 {
        hints.push("orchestrator status --all   all finished tasks".to_owned());
    }
    let lines = hints
        .iter()
        .map(|hint| look.dim(&text::fit(&format!("→ {hint}"), look.width)) + "\n");
    let lines: String = lines.collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\n{lines}")
    }
}

fn is_open(task: &TaskView) -> bool {
    matches!(groups::group(task), Group::Working | Group::Waiting)
}

#[cfg(test)]
mod tests;
