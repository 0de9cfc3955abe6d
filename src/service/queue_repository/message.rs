//! What a commit of the orchestrator's says: which tasks, and what became of them. Pure.

use crate::domain::definition::Declared;
use crate::domain::id::TaskId;
use crate::format::queue::{Edit, StatusField, parse_status};

/// The trailer by which what we wrote is known again: `Orchestrator-Status: ID STATUS`.
pub const STATUS: &str = "Orchestrator-Status";

/// So many tasks are named in the first line.
const NAMED: usize = 3;

/// What an edit says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    id: TaskId,
    status: Option<Declared>,
    words: String,
}

impl Said {
    /// What these edits say, one line a task, in their order.
    pub fn of(edits: &[Edit]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for edit in edits {
            let one = Self::of_one(edit);
            match all.iter_mut().find(|said| said.id == one.id) {
                Some(known) => {
                    known.status = one.status.or(known.status);
                    known.words = format!("{}, {}", known.words, one.words);
                }
                None => all.push(one),
            }
        }
        all
    }

    fn of_one(edit: &Edit) -> Self {
        match edit {
            Edit::SetFields { id, fields } => {
                let status = fields.iter().find(|(field, _)| *field == StatusField::Status);
                let others = fields.iter().filter(|(field, _)| *field != StatusField::Status);
                let others: Vec<&str> = others.map(|(field, _)| field.name()).collect();
                let words = match status {
                    Some((_, status)) => status.clone(),
                    None => others.join(", "),
                };
                let status = status
                    .and_then(|(_, text)| parse_status(text))
                    .map(|s| s.declared);
                let id = id.clone();
                Self { id, status, words }
            }
            Edit::Archive { id } => Self {
                id: id.clone(),
                status: None,
                words: "archived".to_owned(),
            },
            Edit::Add(task) => Self {
                id: task.id.clone(),
                status: None,
                words: "added".to_owned(),
            },
        }
    }
}

/// The message of a commit.
pub fn message(said: &[Said]) -> String {
    let short = |said: &Said| format!("{}: {}", said.id, said.words);
    let named: Vec<String> = said.iter().take(NAMED).map(short).collect();
    let mut text = match said.len() {
        0..=NAMED => named.join("; "),
        more => format!("{}; and {} more", named.join("; "), more - NAMED),
    };
    text.push('\n');
    if said.len() > NAMED {
        let lines = said.iter().map(|said| format!("\n- {}", short(said)));
        text.extend(lines);
        text.push('\n');
    }
    let trailer = |said: &Said| Some(format!("\n{STATUS}: {} {}", said.id, said.status?.as_str()));
    let trailers: String = said.iter().filter_map(trailer).collect();
    if !trailers.is_empty() {
        text.push_str(&trailers);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(id: &str, fields: &[(StatusField, &str)]) -> Edit {
        Edit::SetFields {
            id: TaskId::parse(id).unwrap(),
            fields: fields.iter().map(|(f, v)| (*f, (*v).to_owned())).collect(),
        }
    }

    #[test]
    fn one_task_and_many() {
        let status = |id, status| set(id, &[(StatusField::Status, status), (StatusField::Started, "x")]);
        let done = Edit::Archive {
            id: TaskId::parse("a").unwrap(),
        };
        let one = message(&Said::of(&[status("a", "completed"), done]));
        assert_eq!(
            one,
            "a: completed, archived\n\nOrchestrator-Status: a completed\n"
        );
        let only = message(&Said::of(&[set("a", &[(StatusField::Escalation, "opus")])]));
        assert_eq!(only, "a: escalation\n");
        let ids = ["a", "b", "c", "d"].map(|id| status(id, "in-progress"));
        let many = message(&Said::of(&ids));
        assert!(
            many.starts_with(
                "a: in-progress; b: in-progress; c: in-progress; and 1 more\n\n- a: in-progress\n"
            )
        );
        assert!(many.ends_with("- d: in-progress\n\nOrchestrator-Status: a in-progress\nOrchestrator-Status: b in-progress\nOrchestrator-Status: c in-progress\nOrchestrator-Status: d in-progress\n"), "{many}");
    }
}
