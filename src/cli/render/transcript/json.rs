//! Looking into events of foreign programs: nothing is there for sure, nothing has a type for sure.

use serde_json::Value;

/// Longest value in a short form, in characters.
const SHORT: usize = 160;

/// The keys of a tool's input that say most, in this order.
const TELLING: &[&str] = &[
    "command",
    "file_path",
    "path",
    "pattern",
    "url",
    "query",
    "prompt",
    "outcome",
    "text",
    "description",
];

/// The text under a key; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the flag under a key is set.
pub(super) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// The number under a key.
pub(super) fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64)
}

/// The texts of a content that is a text, or a list of blocks.
pub(super) fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().map(|block| match text(block, "type") {
                "text" => text(block, "text").to_owned(),
                kind => format!("[{kind}]"),
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => short(other),
    }
}

/// A tool's input in a few words: the value that says most, else all of it.
pub(super) fn input(value: &Value) -> String {
    let telling = TELLING.iter().find_map(|key| value.get(key)?.as_str());
    let Some(telling) = telling else {
        return if value.as_object().is_some_and(serde_json::Map::is_empty) {
            String::new()
        } else {
            short(value)
        };
    };
    match value
        .get("command")
        .and(value.get("path"))
        .and_then(Value::as_str)
    {
        Some(path) => format!("{telling} {path}"),
        None => cut(telling),
    }
}

/// A whole event in a few words: its type, then its values.
pub(super) fn summary(event: &Value) -> String {
    let Some(object) = event.as_object() else {
        return short(event);
    };
    let words = object
        .iter()
        .filter(|(key, value)| *key != "type" && !value.is_null());
    let words = words.map(|(key, value)| match value {
        Value::String(text) => format!("{key}={}", cut(text)),
        other => format!("{key}={}", short(other)),
    });
    std::iter::once(text(event, "type").to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn short(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
