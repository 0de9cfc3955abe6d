//! The stream-json of Claude Code (`claude -p --output-format stream-json --verbose`).

use serde_json::Value;

use super::entry::Entry;
use super::json::{content, flag, number, text};
use crate::cli::render::age;

/// The entries of an event; `None` where it is none of Claude Code's.
pub(super) fn read(event: &Value) -> Option<Vec<Entry>> {
    match text(event, "type") {
        "assistant" | "user" => Some(message(event.get("message")?)),
        "system" => Some(system(event)),
        // Pieces of messages that follow as a whole.
        "stream_event" => Some(Vec::new()),
        "result" if event.get("subtype").is_some() || event.get("is_error").is_some() => {
            Some(vec![result(event)])
        }
        _ => None,
    }
}

fn message(message: &Value) -> Vec<Entry> {
    match message.get("content") {
        Some(Value::Array(blocks)) => blocks.iter().filter_map(block).collect(),
        Some(Value::String(text)) => vec![Entry::note(text)],
        _ => Vec::new(),
    }
}

fn block(block: &Value) -> Option<Entry> {
    match text(block, "type") {
        "text" => Some(Entry::said(text(block, "text"))),
        "thinking" => Some(Entry::thought(text(block, "thinking"))),
        "tool_use" | "server_tool_use" => Some(Entry::call(
            text(block, "name"),
            block.get("input").unwrap_or(&Value::Null),
        )),
        "tool_result" => {
            let said = content(block.get("content").unwrap_or(&Value::Null));
            Some(Entry::answer(&said, flag(block, "is_error")))
        }
        "redacted_thinking" => None,
        _ => Some(Entry::other(block)),
    }
}

fn system(event: &Value) -> Vec<Entry> {
    match text(event, "subtype") {
        "init" => vec![Entry::note(&format!(
            "session {} with {} in {}",
            text(event, "session_id"),
            text(event, "model"),
            text(event, "cwd")
        ))],
        "api_retry" => vec![Entry::warning(&retry(event))],
        "permission_denied" => vec![Entry::warning(text(event, "message"))],
        "thinking_tokens" | "status" => Vec::new(),
        _ => vec![Entry::other(event)],
    }
}

fn retry(event: &Value) -> String {
    let count = |key| number(event, key).unwrap_or_default();
    let status = number(event, "error_status")
        .map(|status| format!("{status} "))
        .unwrap_or_default();
    format!(
        "the model's provider: {status}{}; again in {} ({} of {})",
        text(event, "error"),
        age::took(count("retry_delay_ms") / 1000.0),
        count("attempt"),
        count("max_retries")
    )
}

fn result(event: &Value) -> Entry {
    let failed = flag(event, "is_error") || text(event, "subtype").starts_with("error");
    let mut facts = vec![text(event, "subtype").replace('_', " ")];
    facts.extend(number(event, "num_turns").map(|turns| format!("{turns} turns")));
    facts.extend(number(event, "total_cost_usd").map(age::money));
    facts.extend(number(event, "duration_ms").map(|ms| age::took(ms / 1000.0)));
    let errors = event
        .get("errors")
        .and_then(Value::as_array)
        .map_or(String::new(), |errors| {
            errors
                .iter()
                .filter_map(Value::as_str)
                .map(|error| format!("\n{error}"))
                .collect()
        });
    // What a good end says was said before; what a bad one says is news.
    let said = if failed && errors.is_empty() {
        format!("\n{}", text(event, "result"))
    } else {
        errors
    };
    Entry::end(&format!("{}{said}", facts.join(", ")), failed)
}
