//! The events of our own workers (`messages`, `acp`): one JSON object a line, told apart by `type`.

use serde_json::Value;

use super::entry::Entry;
use super::json::{flag, number, text};
use crate::cli::render::age;

/// The entries of an event; `None` where it is none of this runtime's.
pub(super) fn read(event: &Value) -> Option<Vec<Entry>> {
    let said = text(event, "text");
    let entry = match text(event, "type") {
        "init" => init(event),
        "notice" => Entry::warning(said),
        "text" => Entry::said(said),
        "thought" => Entry::thought(said),
        "tool_use" => Entry::call(text(event, "name"), &input(event)),
        "tool_result" => Entry::answer(said, flag(event, "is_error")),
        "phase" => Entry::note(&format!("now: {said}")),
        "retry" => retry(event),
        "denied" => Entry::warning(&format!(
            "{} was refused: {}",
            text(event, "tool"),
            text(event, "reason")
        )),
        "result" => result(event),
        "usage" | "alive" | "rate_limit" => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![entry])
}

fn init(event: &Value) -> Entry {
    let how = if flag(event, "resumed") {
        "goes on"
    } else {
        "begins"
    };
    let told = [text(event, "agent"), text(event, "model")];
    let with: Vec<&str> = told.into_iter().filter(|word| !word.is_empty()).collect();
    Entry::note(&format!(
        "session {} {how} with {}",
        text(event, "session"),
        with.join(", ")
    ))
}

/// The input is JSON in a text; what cannot be read is shown as it is.
fn input(event: &Value) -> Value {
    match event.get("input") {
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => value,
            _ => serde_json::json!({ "text": text }),
        },
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn retry(event: &Value) -> Entry {
    let status = number(event, "status")
        .map(|status| format!("{status} "))
        .unwrap_or_default();
    let delay = age::took(number(event, "delay_ms").unwrap_or_default() / 1000.0);
    Entry::warning(&format!(
        "the model's provider: {status}{}; again in {delay}",
        text(event, "reason")
    ))
}

fn result(event: &Value) -> Entry {
    let kind = match event.get("kind") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Object(kind)) => kind.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let mut facts = vec![kind.clone()];
    facts.extend(number(event, "turns").map(|turns| format!("{turns} turns")));
    let cost = event.get("usage").and_then(|usage| number(usage, "cost_usd"));
    facts.extend(cost.map(age::money));
    let good = matches!(kind.as_str(), "claimed" | "no-change-needed" | "continue");
    Entry::end(&format!("{}\n{}", facts.join(", "), text(event, "reason")), !good)
}
