//! What is answered to those who ask: the same facts as on the command line, short enough for a phone.

use std::collections::BTreeMap;

use super::card::cut;
use super::clerk::Reply;
use crate::config::Config;
use crate::config::section::Tier as TierSection;
use crate::domain::report::Surface;
use crate::domain::task::Task;
use crate::runtime::process::file;
use crate::runtime::transcript::last_words;
use crate::service::instance::Instance;
use crate::service::view::{Show, Status, TaskView, Why};

/// Tasks that are listed.
const TASKS: usize = 20;
/// How much of a worker's output is looked at, in bytes.
const OUTPUT: u64 = 64 * 1024;
/// The most that is shown of it, in characters.
const SHOWN: usize = 2500;

pub(super) fn status(status: &Status) -> Reply {
    let live: Vec<&TaskView> = status.tasks.iter().filter(|task| !is_over(task)).collect();
    let count = |state: &str| live.iter().filter(|task| task.state == state).count();
    let counts: Vec<String> = [
        "in-progress",
        "validating",
        "blocked",
        "paused",
        "pending",
        "assessing",
    ]
    .into_iter()
    .map(|state| (count(state), state))
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {}", state.replace('-', " ")))
    .collect();
    let head = match counts.is_empty() {
        true => "Nothing is to be done.".to_owned(),
        false => format!(
            "{}. {} of {} slots in use.",
            counts.join(", "),
            status.slots.used,
            status.slots.total
        ),
    };
    let stopped = status
        .service
        .stopped
        .as_ref()
        .map(|s| format!("Everything is stopped, by {}.", s.by));
    let tasks = live.iter().take(TASKS).map(|task| line(task));
    let more = live.len().saturating_sub(TASKS);
    let more = (more > 0).then(|| format!("… and {more} more"));
    let problems = status
        .problems
        .iter()
        .take(5)
        .map(|problem| format!("⚠️ {}", cut(&problem.message)));
    let lines: Vec<String> = std::iter::once(head)
        .chain(stopped)
        .chain(tasks)
        .chain(more)
        .chain(problems)
        .collect();
    Reply::of(lines.join("\n"))
}

fn is_over(task: &TaskView) -> bool {
    matches!(task.state.as_str(), "completed" | "cancelled")
}

fn line(task: &TaskView) -> String {
    let tier = task
        .tier
        .as_deref()
        .map(|tier| format!(" · {tier}"))
        .unwrap_or_default();
    let pct = task
        .progress_pct
        .map(|pct| format!(" · {pct} %"))
        .unwrap_or_default();
    let why = match task.blocked_reason.as_deref().or(task.phase.as_deref()) {
        Some(words) => format!(" · {}", cut(words)),
        None if task.waiting.what != "nothing" => format!(" · {}", cut(&task.waiting.why)),
        None => String::new(),
    };
    format!("{}: {}{tier}{pct}{why}", task.id, task.state.replace('-', " "))
}

pub(super) fn usage(status: &Status) -> Reply {
    let mut tiers: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
    for attempt in status.tasks.iter().flat_map(|task| &task.attempts) {
        let (attempts, cost) = tiers.entry(&attempt.tier).or_default();
        *attempts += 1;
        *cost += attempt.cost_usd.unwrap_or_default();
    }
    let total: f64 = status.tasks.iter().map(|task| task.cost_usd).sum();
    let mut lines = vec![format!("${total:.2} for {} tasks.", status.tasks.len())];
    lines.extend(
        tiers
            .iter()
            .map(|(tier, (attempts, cost))| format!("{tier}: {attempts} attempts, ${cost:.2}")),
    );
    Reply::of(lines.join("\n"))
}

pub(super) fn archive(status: &Status) -> Reply {
    let mut ended: Vec<&TaskView> = status.tasks.iter().filter(|task| is_over(task)).collect();
    ended.sort_by_key(|task| std::cmp::Reverse(task.updated_at));
    let line = |task: &&TaskView| {
        format!(
            "{}: {}, {}",
            task.id,
            task.state,
            task.updated_at.format("%Y-%m-%d %H:%M UTC")
        )
    };
    match ended.is_empty() {
        true => Reply::of("Nothing is finished yet."),
        false => Reply::of(ended.iter().take(TASKS).map(line).collect::<Vec<_>>().join("\n")),
    }
}

pub(super) fn show(show: &Show) -> Reply {
    let task = &show.task;
    let mut lines = vec![line(task), cut(&show.description)];
    lines.extend(task.attempts.iter().rev().take(5).map(|attempt| {
        let how = attempt.outcome.as_deref().unwrap_or("runs");
        let why = attempt
            .reason
            .as_deref()
            .map(|why| format!(", {}", cut(why)))
            .unwrap_or_default();
        format!("attempt {} at {}: {how}{why}", attempt.n, attempt.tier)
    }));
    if task.gate.verdict != "none" {
        let checks = { task.gate.checks.iter() }.map(|check| format!("{} {}", check.name, check.verdict));
        lines.push(format!(
            "gate {}: {}",
            task.gate.verdict,
            checks.collect::<Vec<_>>().join(", ")
        ));
    }
    let open = show.questions.iter().filter(|question| question.answer.is_none());
    lines.extend(open.map(|question| format!("asks: {}", cut(&question.question))));
    Reply::of(lines.join("\n"))
}

pub(super) fn why(why: &Why) -> Reply {
    let waiting = &why.waiting;
    let until = waiting
        .until
        .map(|until| format!(" until {}", until.format("%Y-%m-%d %H:%M UTC")))
        .unwrap_or_default();
    let who = waiting
        .who
        .as_deref()
        .map(|who| format!("\nWho must act: {who}"))
        .unwrap_or_default();
    Reply::of(format!(
        "{} is {}: {}\nSince {}{until}.{who}",
        why.id,
        why.state,
        cut(&waiting.why),
        waiting.since.format("%Y-%m-%d %H:%M UTC")
    ))
}

/// The last that its latest attempt put out here.
pub(super) fn logs(instance: &Instance, task: &Task, lines: usize) -> Reply {
    let epoch = task.state.attempt().map_or(task.epoch, |attempt| attempt.epoch);
    let dir = instance.layout.attempt(&task.id, epoch);
    let said = last_words(&dir.join(file::STDOUT), OUTPUT).unwrap_or_default();
    let said = instance.redactor.redact(&said).into_owned();
    let all: Vec<&str> = said.lines().collect();
    let mut shown = all[all.len().saturating_sub(lines)..].join("\n");
    let most = shown.char_indices().rev().nth(SHOWN).map(|(at, _)| at);
    if let Some(at) = most {
        shown = format!("…{}", &shown[at..]);
    }
    match shown.trim().is_empty() {
        true => Reply::of(format!("There is no output of {} on this machine.", task.id)),
        false => Reply {
            code: Some(shown),
            ..Reply::of(format!("The last of {}:", task.id))
        },
    }
}

/// What matters of what is set; nothing of it is secret.
pub(super) fn settings(config: &Config) -> Reply {
    let tier = |tier: &TierSection| {
        format!(
            "tier {}: {} by {}",
            tier.name,
            tier.model,
            tier.runtimes.join(", ")
        )
    };
    let scheduler = &config.scheduler;
    let checks = config.gate.checks.iter().map(|check| check.name.as_str());
    let mut lines = vec![
        format!("slots: {}", scheduler.max_concurrent),
        format!(
            "attempts: {} a tier, {} in all",
            scheduler.attempts_per_tier, scheduler.lifetime_attempts
        ),
        format!("checks of the gate: {}", checks.collect::<Vec<_>>().join(", ")),
        format!(
            "surfaces: {}",
            config
                .chat
                .keys()
                .map(Surface::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    ];
    lines.extend(config.tiers.iter().map(tier));
    Reply {
        code: Some(lines.join("\n")),
        ..Reply::of("What is set here (all of it: orchestrator config show):")
    }
}
