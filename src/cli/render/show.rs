//! `show`: one task in full.

use super::look::{BOLD, DIM, Look};
use super::{age, attempts, events, evidence, facts, gate, text, waiting};
use crate::service::view::{QuestionView, Show, TaskView};

/// The page.
pub fn show(view: &Show, look: &Look) -> String {
    let inner = facts::inner(look);
    let mut page = title(&view.task, look);
    page.push_str(&facts::facts(&overview(view, look), look));
    page.push_str(&facts::part(
        "Description",
        &facts::prose(&view.description, look),
        look,
    ));
    page.push_str(&facts::part(
        "Acceptance criteria",
        &bullets(&view.acceptance, &inner),
        look,
    ));
    page.push_str(&facts::part(
        "Why this tier",
        &bullets(&view.assessment, &inner),
        look,
    ));
    page.push_str(&facts::part(
        "Questions",
        &bullets(&questions(view), &inner),
        look,
    ));
    page.push_str(&facts::part(
        "Attempts",
        &attempts::attempts(&view.task.attempts, &inner),
        look,
    ));
    page.push_str(&facts::part("Gate", &gate::gate(&view.task.gate, &inner), look));
    page.push_str(&facts::part(
        "Evidence",
        &evidence::evidence(&view.evidence, &inner),
        look,
    ));
    let progress = view.progress.as_deref().unwrap_or_default();
    page.push_str(&facts::part("Progress file", &facts::prose(progress, look), look));
    page.push_str(&facts::part(
        "Events",
        &events::events(&view.events, &inner),
        look,
    ));
    page
}

fn title(task: &TaskView, look: &Look) -> String {
    let id = text::line(&task.id);
    let title = text::line(&task.title);
    let separator = if title.is_empty() { "" } else { ": " };
    let lines = text::wrap(&format!("{id}{separator}{title}"), look.width);
    lines.iter().map(|line| look.paint(BOLD, line) + "\n").collect()
}

fn overview(view: &Show, look: &Look) -> Vec<(&'static str, Option<String>)> {
    let task = &view.task;
    let mut all = vec![
        ("state", Some(state(task))),
        ("project", Some(task.project.clone())),
        ("priority", Some(task.priority.clone())),
        ("depends on", Some(view.depends_on.join(", "))),
        ("part of", view.parent.clone()),
        (
            "sub-tasks",
            Some(view.children.join(", ")).filter(|c| !c.is_empty()),
        ),
        ("worker", worker(task)),
        ("contained", contained(task)),
        ("doing", task.phase.clone()),
        ("progress", task.progress_pct.map(|pct| format!("{pct}%"))),
        ("last beat", beat(task)),
        ("cost", (task.cost_usd > 0.0).then(|| age::money(task.cost_usd))),
        ("workspace", view.workspace.clone()),
        ("branch", view.branch.clone()),
        ("created", Some(age::moment(look.now, task.created_at))),
        ("changed", Some(age::moment(look.now, task.updated_at))),
        ("blocked by", task.blocked_reason.clone()),
    ];
    if task.waiting.what != "nothing" {
        all.extend(waiting::answers(&task.waiting, look));
    }
    all
}

fn questions(view: &Show) -> Vec<String> {
    let told = |q: &QuestionView| match (&q.answer, &q.by) {
        (Some(answer), Some(by)) => format!("{} ({by}: {answer})", q.question),
        _ => format!("{} (nobody has answered yet)", q.question),
    };
    view.questions.iter().map(told).collect()
}

fn state(task: &TaskView) -> String {
    let archived = if task.archived { ", archived" } else { "" };
    format!("{}{archived}", task.state)
}

fn worker(task: &TaskView) -> Option<String> {
    let tier = task.tier.as_deref()?;
    let mut words = format!("attempt {}, {tier}", task.attempt);
    for (before, name) in [(", ", &task.model), (" by ", &task.runtime)] {
        words.extend(name.iter().flat_map(|name| [before, name.as_str()]));
    }
    (task.attempt > 0).then_some(words)
}

/// How the last attempt's worker is contained, where that is known.
fn contained(task: &TaskView) -> Option<String> {
    let cell = task.attempts.last()?.containment.as_ref()?;
    let gaps: String = cell.gaps.iter().map(|gap| format!("; {gap}")).collect();
    Some(format!(
        "{} by {}, policy {}, probed{gaps}",
        cell.tier, cell.by, cell.policy
    ))
}

fn beat(task: &TaskView) -> Option<String> {
    let age = task.heartbeat_age_s.filter(|_| task.state == "in-progress")?;
    Some(format!("{} ago, session {}", age::span(age as i64), task.session))
}

fn bullets(items: &[String], look: &Look) -> String {
    let room = look.width.saturating_sub(2);
    let bullet = look.paint(DIM, "•");
    let item = |item: &String| {
        let lines = text::wrap(&text::line(item), room);
        lines.join("\n  ")
    };
    items.iter().map(|i| format!("{bullet} {}\n", item(i))).collect()
}
