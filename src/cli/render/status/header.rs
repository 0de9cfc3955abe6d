//! The first lines of `status`: the service, its slots, the emergency stop, the counts.

use crate::cli::render::look::{BOLD, GREEN, Look, RED, YELLOW};
use crate::cli::render::{age, nodes, text};
use crate::service::view::{BusView, ServiceView, Slots, Status, Stopped};

use super::groups::{self, Group};

/// More slots than this are told by numbers alone.
const DRAWN: u32 = 16;

pub(super) fn header(view: &Status, look: &Look) -> String {
    let mut facts = vec![service(&view.service, look)];
    facts.extend(next_tick(&view.service, look));
    facts.push(slots(view.slots));
    facts.extend(view.nodes.as_deref().map(|all| nodes::fact(all, look)));
    facts.extend(
        view.bus
            .as_ref()
            .filter(|bus| bus.why.is_none())
            .map(|_| "bus up".to_owned()),
    );
    facts.extend(
        view.surfaces
            .iter()
            .map(|chat| format!("{} {}", chat.name, chat.standing)),
    );
    let cost: f64 = view.tasks.iter().map(|task| task.cost_usd).sum();
    if cost > 0.0 {
        let on_what = if view.more_ended {
            "spent on these"
        } else {
            "spent"
        };
        facts.push(format!("{} {on_what}", age::money(cost)));
    }
    let mut page = flowed(&facts, look.width);
    if let Some(away) = view.bus.as_ref().and_then(|bus| bus_away(bus, look)) {
        page.push_str(&away);
    }
    if let Some(stop) = &view.service.stopped {
        page.push_str(&banner(stop, look));
    }
    if !view.tasks.is_empty() {
        page.push_str(&look.dim(&text::fit(&counts(view), look.width)));
        page.push('\n');
    }
    page
}

/// Facts side by side, as many lines as they need; colours do not count.
fn flowed(facts: &[String], room: usize) -> String {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for fact in facts {
        let width = text::width(&text::line(fact));
        match lines.last_mut() {
            Some((used, line)) if *used + 3 + width <= room => {
                line.push_str(" · ");
                line.push_str(fact);
                *used += 3 + width;
            }
            _ => lines.push((width, fact.clone())),
        }
    }
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

fn service(service: &ServiceView, look: &Look) -> String {
    let name = look.paint(BOLD, "orchestrator");
    if !service.running {
        return format!("{name} {}", look.paint(YELLOW, "not running"));
    }
    let since = service
        .since
        .map(|at| format!(" since {}", age::ago(look.now, at)));
    format!(
        "{name} {}{}",
        look.paint(GREEN, "running"),
        since.unwrap_or_default()
    )
}

fn next_tick(service: &ServiceView, look: &Look) -> Option<String> {
    let at = service.next_tick_at.filter(|_| service.running)?;
    Some(format!("looks again {}", age::until(look.now, at)))
}

fn slots(slots: Slots) -> String {
    let Slots { used, total } = slots;
    if total > DRAWN {
        return format!("slots {used}/{total}");
    }
    let full = "▮".repeat(used.min(total) as usize);
    let free = "▯".repeat(total.saturating_sub(used) as usize);
    format!("slots {full}{free} {used}/{total}")
}

fn bus_away(bus: &BusView, look: &Look) -> Option<String> {
    let why = text::line(bus.why.as_ref()?);
    let since = bus.since.map(|at| format!(" since {}", age::ago(look.now, at)));
    let words = format!(
        "bus away{}: {why}; {}",
        since.unwrap_or_default(),
        text::line(bus.means.as_deref().unwrap_or_default())
    );
    let lines = text::wrap(&words, look.width);
    Some(lines.iter().map(|line| look.paint(YELLOW, line) + "\n").collect())
}

fn banner(stop: &Stopped, look: &Look) -> String {
    let (by, ago) = (text::line(&stop.by), age::ago(look.now, stop.at));
    let words = match stop.is_after_a_restore() {
        true => format!(
            "HELD since {by}, {ago}: nothing starts until `orchestrator start`; `orchestrator restore --check` tells what differs"
        ),
        false => format!("EMERGENCY STOP by {by}, {ago}: nothing starts until `orchestrator start`"),
    };
    let lines = text::wrap(&words, look.width);
    lines
        .iter()
        .map(|line| look.paint(RED.bold(), line) + "\n")
        .collect()
}

fn counts(view: &Status) -> String {
    let groups = groups::grouped(&view.tasks);
    let parts: Vec<String> = groups
        .iter()
        .map(|(group, tasks)| match group {
            Group::Done if view.more_ended => format!("the last {} done", tasks.len()),
            group => format!("{} {}", tasks.len(), group.counted()),
        })
        .collect();
    if view.more_ended {
        return parts.join(", ");
    }
    format!("{}: {}", text::count(view.tasks.len(), "task"), parts.join(", "))
}
