//! The events of Codex (`codex exec --json`): what is begun, and how it ended.

use serde_json::{Value, json};

use super::entry::Entry;
use super::json::{content, number, text};

/// The entries of an event; `None` where it is none of Codex's.
pub(super) fn read(event: &Value) -> Option<Vec<Entry>> {
    let none = Value::Null;
    let item = event.get("item").unwrap_or(&none);
    match text(event, "type") {
        "thread.started" => Some(vec![Entry::note(&format!(
            "session {}",
            text(event, "thread_id")
        ))]),
        "turn.started" => Some(Vec::new()),
        "item.started" => Some(begun(item).into_iter().collect()),
        "item.updated" => Some(updated(item).into_iter().collect()),
        "item.completed" => Some(completed(item)),
        "error" => Some(vec![Entry::warning(text(event, "message"))]),
        "turn.completed" => Some(vec![Entry::end(&used(event), false)]),
        "turn.failed" => {
            let error = event.get("error").unwrap_or(&none);
            Some(vec![Entry::end(text(error, "message"), true)])
        }
        _ => None,
    }
}

fn begun(item: &Value) -> Option<Entry> {
    match text(item, "type") {
        "command_execution" => Some(Entry::call("shell", item)),
        "file_change" => Some(Entry::call("edit", &json!({ "path": changes(item) }))),
        "mcp_tool_call" => {
            let arguments = item.get("arguments").unwrap_or(&Value::Null);
            Some(Entry::call(text(item, "tool"), arguments))
        }
        "web_search" => Some(Entry::call("web_search", item)),
        "todo_list" => updated(item),
        _ => None,
    }
}

fn updated(item: &Value) -> Option<Entry> {
    let steps = item.get("items")?.as_array()?;
    let line = |step: &Value| {
        let mark = if step["completed"] == true { "x" } else { " " };
        format!("[{mark}] {}", text(step, "text"))
    };
    let lines: Vec<String> = steps.iter().map(line).collect();
    Some(Entry::note(&lines.join("\n")))
}

fn completed(item: &Value) -> Vec<Entry> {
    let failed = matches!(text(item, "status"), "failed" | "declined");
    let one = match text(item, "type") {
        "agent_message" => Entry::said(text(item, "text")),
        "reasoning" => Entry::thought(text(item, "text")),
        "command_execution" => Entry::answer(text(item, "aggregated_output"), failed),
        "file_change" => {
            let status = text(item, "status");
            Entry::answer(status, failed)
        }
        "mcp_tool_call" => Entry::answer(&answer(item), failed),
        "error" => Entry::warning(text(item, "message")),
        // They answer the model alone; their last state was told before.
        "web_search" | "todo_list" => return Vec::new(),
        _ => Entry::other(item),
    };
    vec![one]
}

fn answer(item: &Value) -> String {
    let result = item.get("result").and_then(|result| result.get("content"));
    let error = item.get("error").map(|error| text(error, "message"));
    match (result, error) {
        (Some(result), _) => content(result),
        (None, Some(error)) => error.to_owned(),
        (None, None) => String::new(),
    }
}

fn changes(item: &Value) -> String {
    let all = item
        .get("changes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let change = |change: &Value| format!("{} {}", text(change, "kind"), text(change, "path"));
    all.iter().map(change).collect::<Vec<_>>().join(", ")
}

fn used(event: &Value) -> String {
    let count = |key| {
        event
            .get("usage")
            .and_then(|usage| number(usage, key))
            .unwrap_or_default()
    };
    format!(
        "completed; the session's tokens: {} read, {} written",
        count("input_tokens"),
        count("output_tokens")
    )
}
