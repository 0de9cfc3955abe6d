//! The nodes of a fleet: a line each, and in short for `status`.

use super::age;
use super::look::{DIM, GREEN, Look, PLAIN, RED, YELLOW};
use super::table::{Cell, Column, Row, table};
use super::text;
use crate::service::view::{NodeView, ParkedView};

/// The table of all nodes.
pub fn nodes(all: &[NodeView], look: &Look) -> String {
    if all.is_empty() {
        return "No node was ever there. Start one: `orchestrator up`.\n".to_owned();
    }
    let columns = [
        Column::new("NODE", 30),
        Column::new("STATE", 10),
        Column::new("ROLE", 10),
        Column::new("SLOTS", 9).right(),
        Column::new("LABELS", 24).dropped(2),
        Column::new("HOST", 24).dropped(3),
        Column::new("VERSION", 12).dropped(4),
        Column::new("SINCE", 10).dropped(1),
        Column::new("", 200),
    ];
    let rows: Vec<Row> = all.iter().map(|node| Row::Cells(cells(node, look))).collect();
    table(&columns, &rows, look)
}

fn cells(node: &NodeView, look: &Look) -> Vec<Cell> {
    let style = match node.state.as_str() {
        "there" => GREEN,
        "cordoned" => YELLOW,
        "lost" => RED,
        _ => PLAIN,
    };
    vec![
        node.name.as_str().into(),
        Cell::new(&node.state, style),
        node.role.as_str().into(),
        format!("{}/{}", node.used, node.slots).into(),
        node.labels.join(", ").into(),
        Cell::new(&node.host, DIM),
        Cell::new(&node.version, DIM),
        age::ago(look.now, node.since).into(),
        duties(node).into(),
    ]
}

/// The messages that nobody could do with, a line each.
pub fn parked(all: &[ParkedView], cleared: bool, look: &Look) -> String {
    if all.is_empty() {
        return "Nothing is parked.\n".to_owned();
    }
    let columns = [
        Column::new("STREAM", 30),
        Column::new("KIND", 16),
        Column::new("TRIES", 5).right(),
        Column::new("WHY", 60),
        Column::new("MESSAGE", 100).dropped(1),
    ];
    let row = |parked: &ParkedView| {
        Row::Cells(vec![
            parked.stream.as_str().into(),
            parked.kind.as_str().into(),
            parked.deliveries.to_string().into(),
            parked.why.as_str().into(),
            Cell::new(&parked.body, DIM),
        ])
    };
    let rows: Vec<Row> = all.iter().map(row).collect();
    let end = match cleared {
        true => "Thrown away.\n",
        false => {
            "What they were about is in the store: no work waits for them. Throw them away: `orchestrator node parked --clear`\n"
        }
    };
    table(&columns, &rows, look) + end
}

/// What a node does beside running workers.
fn duties(node: &NodeView) -> String {
    let mut duties = Vec::new();
    if node.leads {
        duties.push("leads".to_owned());
    }
    if node.keeps_queue {
        duties.push("keeps the queue file".to_owned());
    }
    if let Some(by) = &node.cordoned_by {
        duties.push(format!("no new work, by {by}"));
    }
    if node.bus.as_ref().is_some_and(|bus| bus.why.is_some()) {
        duties.push("has lost the bus".to_owned());
    }
    duties.join(", ")
}

/// The fleet in one fact, for the head of `status`.
pub fn fact(all: &[NodeView], look: &Look) -> String {
    let there = all
        .iter()
        .filter(|node| matches!(node.state.as_str(), "there" | "cordoned"));
    let there = text::count(there.count(), "node");
    let lost: Vec<&str> = { all.iter() }
        .filter(|node| node.state == "lost")
        .map(|node| node.name.as_str())
        .collect();
    let lead = match all.iter().find(|node| node.leads) {
        Some(node) => format!("{} leads", text::line(&node.name)),
        None => look.paint(RED, "nobody leads"),
    };
    match lost.is_empty() {
        true => format!("{there}, {lead}"),
        false => format!(
            "{there}, {lead}, {}",
            look.paint(RED, &format!("lost: {}", text::line(&lost.join(", "))))
        ),
    }
}
