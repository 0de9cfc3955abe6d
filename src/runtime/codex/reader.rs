//! Reading the CLI's output: signals while it runs, the closing event at its end.

use std::collections::HashSet;
use std::time::Duration;

use super::event::{Event, Item, Todo};
use super::usage::Usage;
use super::verdict::{self, Closing, Witnesses};
use super::words;
use crate::domain::outcome::Ending;
use crate::runtime::printable::brief as shorten;
use crate::runtime::{Account, Brief, Exit, OutcomeFile, Reader, Signal};

/// Characters of a tool call, and of what was said, that are shown.
const SHOWN: usize = 200;
/// Characters of a call in a phase.
const PHASE: usize = 80;

/// What was heard so far.
pub(super) struct Stream {
    usage: Usage,
    thread: Option<String>,
    last_words: Option<String>,
    closing: Option<Closing>,
    /// Items that were told of: they come when they begin, and again when they end.
    told: HashSet<String>,
}

impl Stream {
    pub(super) fn new(brief: &Brief) -> Self {
        Self {
            usage: Usage::new(brief),
            thread: None,
            last_words: None,
            closing: None,
            told: HashSet::new(),
        }
    }

    fn take(&mut self, event: Event, signals: &mut Vec<Signal>) {
        match event.kind.as_str() {
            "thread.started" => {
                if let Some(thread) = event.thread_id {
                    self.usage.runs_in(&thread);
                    self.thread = Some(thread.clone());
                    signals.push(Signal::Session(thread));
                }
            }
            "item.started" | "item.updated" | "item.completed" => {
                if let Some(item) = event.item {
                    self.item(item, signals);
                }
            }
            "turn.completed" => {
                if let Some(usage) = event.usage {
                    self.usage.report(usage);
                    signals.push(Signal::Cost(self.usage.spent()));
                }
                self.closing = Some(Closing::Completed);
            }
            "turn.failed" => {
                let said = event.error.map(|error| error.message).unwrap_or_default();
                self.closing = Some(Closing::Failed(said));
            }
            "error" => signals.extend(retrying(&event.message.unwrap_or_default())),
            _ => {}
        }
    }

    fn item(&mut self, item: Item, signals: &mut Vec<Signal>) {
        if let Some(reason) = refusal(&item) {
            let (tool, _) = tool(&item);
            signals.push(Signal::Denied { tool, reason });
        }
        match item.kind.as_str() {
            "agent_message" if !item.text.trim().is_empty() => {
                signals.push(Signal::Said(shorten(&item.text, SHOWN)));
                self.last_words = Some(item.text);
            }
            "reasoning" if !item.text.trim().is_empty() => {
                let thought = shorten(item.text.trim_matches('*'), PHASE);
                signals.push(Signal::Phase(format!("thinks: {thought}")));
            }
            "todo_list" => signals.extend(plan(&item.items).map(Signal::Phase)),
            "command_execution" | "file_change" | "mcp_tool_call" | "web_search"
                if self.told.insert(item.id.clone()) =>
            {
                let (name, call) = tool(&item);
                signals.push(Signal::Phase(format!("{name}: {}", shorten(&call, PHASE))));
                signals.push(Signal::Tool { name, call });
            }
            _ => {}
        }
    }
}

impl Reader for Stream {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        let mut signals = vec![Signal::Alive];
        if line.trim_ascii().is_empty() {
            return signals;
        }
        // Foreign bytes in a text must not cost the event; a line that was cut is no JSON any more.
        match serde_json::from_str(&String::from_utf8_lossy(line)) {
            Ok(event) => self.take(event, &mut signals),
            Err(_) => signals.push(Signal::Unreadable),
        }
        signals
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        verdict::ending(&Witnesses {
            closing: self.closing.as_ref(),
            began: self.thread.is_some(),
            last_words: self.last_words.as_deref(),
            exit,
            outcome,
            stderr_tail,
        })
    }

    fn account(&self) -> Account {
        let lost = verdict::is_lost(self.closing.as_ref());
        self.usage.account(self.thread.clone().filter(|_| !lost))
    }

    fn last_message(&self) -> Option<&str> {
        Some(self.last_words.as_deref().unwrap_or_default())
    }
}

/// Why a call was not made, where the CLI itself refused it.
fn refusal(item: &Item) -> Option<String> {
    let said = item.error.as_ref().map(|error| error.message.as_str());
    let unapproved = said.filter(|said| said.contains("requires approval"));
    let declined = (item.status == "declined").then_some("its own policy declined the call");
    unapproved.or(declined).map(|reason| shorten(reason, SHOWN))
}

/// The name and the text of a tool call; equal calls have equal texts.
fn tool(item: &Item) -> (String, String) {
    let (name, call) = match item.kind.as_str() {
        "command_execution" => ("shell".to_owned(), unwrapped(&item.command).to_owned()),
        "mcp_tool_call" => (
            format!("mcp__{}__{}", item.server, item.tool),
            item.arguments.to_string(),
        ),
        "web_search" => ("web_search".to_owned(), item.query.clone()),
        _ => ("edit".to_owned(), changes(item)),
    };
    (shorten(&name, SHOWN), shorten(&call, SHOWN))
}

/// What is changed is not told, so two changes of one file are only known to be the same call by the item's number.
fn changes(item: &Item) -> String {
    let change = |change: &super::event::Change| {
        let kind = change.kind.as_str().unwrap_or("change");
        format!("{kind} {}", change.path)
    };
    let all: Vec<String> = item.changes.iter().map(change).collect();
    format!("{} ({})", all.join(", "), item.id)
}

/// A command line without the shell that the CLI puts around it.
fn unwrapped(command: &str) -> &str {
    let inner = ["/bin/bash -c ", "/bin/bash -lc ", "/bin/sh -c ", "/bin/sh -lc "]
        .iter()
        .find_map(|shell| command.strip_prefix(shell))
        .unwrap_or(command);
    ['\'', '"']
        .iter()
        .find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(inner)
}

/// The step of its plan that it is at.
fn plan(steps: &[Todo]) -> Option<String> {
    let at = steps.iter().position(|step| !step.completed)?;
    let text = shorten(&steps[at].text, PHASE);
    Some(format!("{} of {}: {text}", at + 1, steps.len()))
}

/// `Reconnecting... 1/5 (why)`; the same words without it close the turn, and come again with `turn.failed`.
fn retrying(said: &str) -> Option<Signal> {
    let rest = said.strip_prefix("Reconnecting...")?.trim_start();
    let (count, why) = rest.split_once('(').unwrap_or((rest, rest));
    Some(Signal::Retrying {
        attempt: count
            .split_once('/')
            .and_then(|(n, _)| n.trim().parse().ok())
            .unwrap_or_default(),
        delay: Duration::ZERO,
        status: words::status(&why.to_lowercase()),
        error: shorten(why.strip_suffix(')').unwrap_or(why), SHOWN),
    })
}
