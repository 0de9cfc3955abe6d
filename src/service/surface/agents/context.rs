//! What was said in a talk so far, and the contexts that were kept. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::command::Order;

/// The most that is shown of a talk, in bytes; of more, the beginning is left out.
const SHOWN: usize = 48 * 1024;
/// The most contexts that are kept of a room.
const KEPT: usize = 20;

/// What one side said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) by: String,
    pub(super) text: String,
}

/// The context of a room.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Context {
    /// Who is talked to, where that was chosen.
    #[serde(default)]
    pub(super) agent: Option<String>,
    /// What was said, oldest first.
    #[serde(default)]
    lines: Vec<Line>,
    /// Contexts that were kept.
    #[serde(default)]
    kept: BTreeMap<String, Vec<Line>>,
    /// What talking here has cost, in US dollars.
    #[serde(default)]
    pub(super) cost_usd: f64,
}

impl Context {
    /// Another agent begins anew.
    pub(super) fn bind(&mut self, agent: &str) {
        if self.agent.as_deref() != Some(agent) {
            self.lines.clear();
        }
        self.agent = Some(agent.to_owned());
    }

    /// Adds what was said; what is no longer shown is forgotten.
    pub(super) fn add(&mut self, by: &str, text: &str) {
        self.lines.push(Line {
            by: by.to_owned(),
            text: text.to_owned(),
        });
        let size = |line: &Line| line.by.len() + line.text.len();
        let mut all: usize = self.lines.iter().map(size).sum();
        while all > SHOWN && self.lines.len() > 1 {
            all -= size(&self.lines.remove(0));
        }
    }

    /// All that was said, for a prompt.
    pub(super) fn transcript(&self) -> String {
        let line = |line: &Line| format!("{}: {}\n", line.by, line.text);
        self.lines.iter().map(line).collect()
    }

    /// Does what an order says; answers what was done, or why not.
    pub(super) fn obey(&mut self, order: &Order) -> Result<String, String> {
        match order {
            Order::Clear => {
                self.lines.clear();
                Ok("A new context begins here.".to_owned())
            }
            Order::Save { name } => {
                if self.kept.len() >= KEPT && !self.kept.contains_key(name) {
                    return Err(format!(
                        "{KEPT} contexts are kept already; !reset forgets all of them."
                    ));
                }
                self.kept.insert(name.clone(), self.lines.clone());
                Ok(format!("Kept as '{name}'."))
            }
            Order::Load { name } => match self.kept.get(name) {
                Some(lines) => {
                    self.lines.clone_from(lines);
                    Ok(format!("'{name}' goes on here."))
                }
                None => Err(format!("There is no context '{name}'. {}", self.names())),
            },
            Order::Reset => {
                self.lines.clear();
                self.kept.clear();
                Ok("Everything that was said here is forgotten, and what was kept.".to_owned())
            }
            _ => {
                let bytes: usize = self.lines.iter().map(|line| line.text.len()).sum();
                let cost = self.cost_usd;
                let (lines, names) = (self.lines.len(), self.names());
                Ok(format!(
                    "{lines} messages, {bytes} characters, ${cost:.2} so far. {names}"
                ))
            }
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.kept.keys().map(String::as_str).collect();
        match names.is_empty() {
            true => "None is kept.".to_owned(),
            false => format!("Kept: {}.", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn a_context_is_kept_loaded_and_forgotten() {
        let mut context = Context::default();
        context.add("jane", "hello");
        let save = Order::Save { name: named("a") };
        let load = Order::Load { name: named("a") };
        context.obey(&save).unwrap();
        context.obey(&Order::Clear).unwrap();
        assert_eq!(context.transcript(), "");
        context.obey(&load).unwrap();
        assert_eq!(context.transcript(), "jane: hello\n");
        assert!(context.obey(&Order::Context).unwrap().contains("Kept: a."));
        context.obey(&Order::Reset).unwrap();
        assert_eq!(
            context.obey(&load),
            Err("There is no context 'a'. None is kept.".to_owned())
        );
        context.add("jane", "again");
        context.bind("reviewer");
        assert_eq!(context.transcript(), "", "another agent was not there");
    }

    #[test]
    fn a_long_talk_loses_its_beginning_and_never_its_end() {
        let mut context = Context::default();
        for n in 0..100 {
            context.add("jane", &format!("{n} {}", "x".repeat(1000)));
        }
        context.add("jane", &"y".repeat(2 * SHOWN));
        assert!(context.transcript().starts_with("jane: y"));
    }
}
