//! The figures of a service as Prometheus' text (exposition format 0.0.4). Pure.

use std::fmt::Write;

use crate::service::view::{Figures, SurfaceFigures};

/// The page.
pub(super) fn page(figures: &Figures) -> String {
    let mut page = Page::default();
    page.head("orchestrator_info", "gauge", "This service");
    page.labelled(
        "orchestrator_info",
        &[
            ("version", &figures.version),
            ("node", &figures.node),
            ("role", &figures.role),
        ],
        1.0,
    );
    page.one(
        "orchestrator_store_up",
        "Whether the store answers",
        flag(figures.store_up),
    );
    stored(&mut page, figures);
    of_fleet(&mut page, figures);
    of_bus(&mut page, figures);
    of_surfaces(&mut page, figures);
    page.text
}

fn stored(page: &mut Page, figures: &Figures) {
    if let Some(stored) = &figures.stored {
        page.head("orchestrator_tasks", "gauge", "Tasks that are not over, by state");
        for (state, count) in &stored.tasks {
            page.labelled("orchestrator_tasks", &[("state", state)], number(*count));
        }
        let commits = number(stored.commits);
        page.counter(
            "orchestrator_commits_total",
            "Entries of the event log so far",
            commits,
        );
        let rows = number(stored.outbox);
        page.one(
            "orchestrator_outbox_rows",
            "What is committed to be told and is not told yet",
            rows,
        );
        let oldest = "Age of the oldest of those; 0 where there is none";
        page.one("orchestrator_outbox_oldest_seconds", oldest, stored.oldest_s);
        let used = number(stored.used);
        page.one(
            "orchestrator_slots_used",
            "Worker slots in use, of the whole fleet",
            used,
        );
    }
    page.one(
        "orchestrator_slots",
        "Worker slots of the nodes that take work",
        number(figures.slots.into()),
    );
}

fn of_surfaces(page: &mut Page, figures: &Figures) {
    type Of = fn(&SurfaceFigures) -> Option<f64>;
    let all: [(&str, &str, Of); 3] = [
        (
            "orchestrator_chat_round_trip_age_seconds",
            "Since a round trip through the chat came back",
            |chat| chat.round_trip_age_s,
        ),
        (
            "orchestrator_chat_ack_p99_seconds",
            "How soon people are acknowledged, 99th percentile",
            |chat| chat.ack_p99_s,
        ),
        (
            "orchestrator_chat_longest_silence_seconds",
            "The longest that a working task showed no sign of life",
            |chat| Some(chat.longest_silence_s),
        ),
    ];
    for (name, help, of) in all {
        let known: Vec<_> = { figures.surfaces.iter() }
            .filter_map(|chat| Some((chat, of(chat)?)))
            .collect();
        if !known.is_empty() {
            page.head(name, "gauge", help);
        }
        for (chat, value) in known {
            page.labelled(name, &[("chat", &chat.name)], value);
        }
    }
}

fn of_fleet(page: &mut Page, figures: &Figures) {
    let Some(fleet) = &figures.fleet else {
        return;
    };
    page.head("orchestrator_nodes", "gauge", "Nodes of the fleet, by state");
    for (state, count) in &fleet.nodes {
        page.labelled("orchestrator_nodes", &[("state", state)], number(*count));
    }
    page.one("orchestrator_leads", "Whether this node leads", flag(fleet.leads));
    let age = "Since the lease of this node was renewed";
    page.one("orchestrator_lease_age_seconds", age, fleet.lease_age_s);
    page.one(
        "orchestrator_lease_held",
        "Whether that lease is trusted",
        flag(fleet.lease_held),
    );
}

fn of_bus(page: &mut Page, figures: &Figures) {
    let Some(bus) = &figures.bus else {
        return;
    };
    page.one(
        "orchestrator_bus_up",
        "Whether the bus answers this node",
        flag(bus.up),
    );
    let bypassed = "Whether the output of workers goes straight to the database";
    page.one("orchestrator_bus_bypassed", bypassed, flag(bus.bypassed));
    let parked = "Messages that nobody could do with, as the leader counts them";
    page.one("orchestrator_bus_parked_messages", parked, number(bus.parked));
}

/// The lines so far.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _written = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.alone(name, "gauge", help, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.alone(name, "counter", help, value);
    }

    fn alone(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        let _written = writeln!(self.text, "{name} {value}");
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let _written = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format's numbers are doubles; counts this large are none"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_and_what_is_not_known_is_not_told() {
        let figures = Figures {
            node: "a\"b\\c\nd".to_owned(),
            slots: 3,
            ..Figures::default()
        };
        let text = page(&figures);
        assert!(text.contains(r#"node="a\"b\\c\nd""#), "{text}");
        assert!(text.contains("orchestrator_store_up 0\n"), "{text}");
        assert!(text.contains("\norchestrator_slots 3\n"), "{text}");
        assert!(!text.contains("orchestrator_tasks"), "{text}");
        assert!(!text.contains("orchestrator_bus"), "{text}");
        for line in text.lines() {
            assert!(line.starts_with('#') || line.split(' ').next_back().unwrap().parse::<f64>().is_ok());
        }
    }
}
