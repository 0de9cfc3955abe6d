//! What a task's card shows, made of the task and how `status` sees it. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::post::carried;
use crate::chat::message::{Button, Card, Fact, Verb};
use crate::domain::task::{Block, State, Task};
use crate::service::view::TaskView;

/// The longest line that is shown of anything that a worker or a check says.
const LONGEST: usize = 300;

/// What it shows now, with buttons that carry what is made of this nonce.
pub(super) fn card(task: &Task, view: &TaskView, nonce: &str, now: DateTime<Utc>) -> Card {
    let button = |verb: &Verb| Button {
        verb: *verb,
        nonce: carried(nonce, *verb),
    };
    Card {
        task: view.id.clone(),
        title: cut(&view.title),
        icon: icon(&view.state).to_owned(),
        state: state(view),
        pct: view.progress_pct.filter(|_| view.state == "in-progress"),
        facts: facts(task, view, now),
        buttons: offered(task).iter().map(button).collect(),
    }
}

/// What can be done with a task now.
pub(super) fn offered(task: &Task) -> &'static [Verb] {
    match &task.state {
        State::Ended { .. } => &[],
        State::Paused { .. } => &[Verb::Resume, Verb::Cancel],
        State::Validating { .. } | State::Stopping { .. } => &[Verb::Cancel],
        State::Blocked {
            block: Block::Approval { .. },
            ..
        } => &[Verb::Approve, Verb::Reject, Verb::Cancel],
        State::Blocked { .. } => &[Verb::Retry, Verb::Cancel],
        _ => &[Verb::Pause, Verb::Cancel],
    }
}

/// A digest of what is shown.
pub(super) fn digest(card: &Card) -> String {
    let json = serde_json::to_vec(card).unwrap_or_default();
    let hash = Sha256::digest(json);
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn icon(state: &str) -> &'static str {
    match state {
        "assessing" => "🔎",
        "in-progress" => "🔧",
        "validating" => "🧪",
        "blocked" => "🔴",
        "paused" => "⏸️",
        "completed" => "✅",
        "cancelled" => "🚫",
        _ => "⏳",
    }
}

fn state(view: &TaskView) -> String {
    let why = view.blocked_reason.as_deref().or_else(|| {
        let waits = matches!(view.state.as_str(), "pending" | "paused" | "validating");
        (waits && view.waiting.what != "nothing").then_some(view.waiting.why.as_str())
    });
    let words = view.state.replace('-', " ");
    match why {
        Some(why) => format!("{words}: {}", cut(why)),
        None => words,
    }
}

fn facts(task: &Task, view: &TaskView, now: DateTime<Utc>) -> Vec<Fact> {
    let works = view.state == "in-progress";
    let tier = view.tier.as_deref().map(|tier| match view.model.as_deref() {
        Some(model) if model != tier => format!("{tier} ({model})"),
        _ => tier.to_owned(),
    });
    let begun = task.history.started_at;
    let until = if task.state.is_ended() {
        task.updated_at
    } else {
        now
    };
    let rows = [
        ("Tier", tier),
        ("Attempt", (view.attempt > 0).then(|| view.attempt.to_string())),
        ("Phase", view.phase.as_deref().filter(|_| works).map(cut)),
        ("Elapsed", begun.map(|begun| span(until - begun))),
        (
            "Last sign",
            view.heartbeat_age_s
                .filter(|_| works)
                .map(|age| format!("{} ago", span(TimeDelta::seconds(age as i64)))),
        ),
        (
            "Cost",
            (view.cost_usd > 0.0).then(|| format!("${:.2}", view.cost_usd)),
        ),
        ("Gate", gate(view)),
        ("Answer", asks(task).then(|| "write it in this thread".to_owned())),
    ];
    let shown = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    shown
        .map(|(name, value)| Fact {
            name: name.to_owned(),
            value,
        })
        .collect()
}

/// Whether its worker has asked something, and waits.
fn asks(task: &Task) -> bool {
    matches!(
        task.state,
        State::Blocked {
            block: Block::Question { .. },
            ..
        }
    )
}

fn gate(view: &TaskView) -> Option<String> {
    if view.gate.verdict == "none" {
        return None;
    }
    let mark = |verdict: &str| match verdict {
        "passed" => "✓",
        "needs-person" => "?",
        _ => "✗",
    };
    let checks: Vec<String> = { view.gate.checks.iter() }
        .take(8)
        .map(|check| format!("{} {}", mark(&check.verdict), check.name))
        .collect();
    let more = match view.gate.checks.len().saturating_sub(8) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(match checks.is_empty() {
        true => view.gate.verdict.clone(),
        false => format!("{}: {}{more}", view.gate.verdict, checks.join(" ")),
    })
}

/// `4 s`, `12 min`, `3 h 5 min`, `2 d 1 h`.
pub(super) fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () => format!("{seconds} s"),
    }
}

/// One line of bounded length.
pub(super) fn cut(text: &str) -> String {
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat: String = flat.chars().filter(|c| !c.is_control()).collect();
    match flat.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}
