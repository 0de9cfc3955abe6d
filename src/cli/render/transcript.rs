//! `logs`: a line of a worker's output as people read it.
//!
//! Four kinds of workers write four kinds of lines: the stream-json of Claude Code, the events of Codex, those of the
//! `messages` runtime, and plain text. A JSON line of another kind becomes one short line, so a new version
//! of a worker hides nothing. What only repeats or counts is left out.

mod claude;
mod codex;
mod entry;
mod json;
mod messages;

use serde_json::Value;

use super::look::Look;
use entry::Entry;

/// One raw line, without its end, as lines with an end each; empty where it says nothing to people.
pub fn line(raw: &str, look: &Look) -> String {
    let entries = match serde_json::from_str::<Value>(raw.trim()) {
        Ok(event @ Value::Object(_)) => read(&event),
        _ => vec![Entry::plain(raw)],
    };
    entries.iter().map(|entry| entry.render(look)).collect()
}

fn read(event: &Value) -> Vec<Entry> {
    claude::read(event)
        .or_else(|| codex::read(event))
        .or_else(|| messages::read(event))
        .unwrap_or_else(|| vec![Entry::other(event)])
}

#[cfg(test)]
mod tests;
