//! What an event says, before anybody is believed: reads the JSON of one (decrypted) event. Pure.
//!
//! Invariants: edits and redactions say nothing; notices are programs' and say nothing; our own words come back and say
//! nothing. What is not understood says nothing either: the server decides what it sends, and so do strangers.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::chat::heard::{Attached, What};

/// Whoever listens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its full id.
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its id.
    pub event: String,
    /// Who sent it, by full id.
    pub sender: String,
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
    /// The root of the thread that it is in.
    pub thread: Option<String>,
    /// What it answers, outside of a thread.
    pub answers: Option<String>,
    /// What was done.
    pub what: What,
}

/// The parts that every event has.
#[derive(Deserialize)]
struct Event {
    event_id: String,
    sender: String,
    origin_server_ts: i64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state_key: Option<String>,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

/// What `event` says in a room (`of_two`: with nobody else in it), if it says anything.
pub fn said(event: &Value, to: &Listener, of_two: bool) -> Option<Said> {
    let event = Event::deserialize(event).ok()?;
    let is_redacted = event.unsigned.get("redacted_because").is_some();
    if event.sender == to.id || event.state_key.is_some() || is_redacted {
        return None;
    }
    let content = &event.content;
    let what = match event.kind.as_str() {
        "m.room.message" => message(content, to, of_two)?,
        "m.reaction" => reaction(content)?,
        _ => return None,
    };
    let relation = &content["m.relates_to"];
    let thread = (relation["rel_type"] == "m.thread").then(|| text(relation, "event_id"));
    let answers = text(&relation["m.in_reply_to"], "event_id");
    let thread = thread.flatten();
    Some(Said {
        at: DateTime::from_timestamp_millis(event.origin_server_ts)?,
        answers: answers.filter(|_| thread.is_none()),
        thread,
        event: event.event_id,
        sender: event.sender,
        what,
    })
}

/// The message that a redaction takes back: `redacts` is in the content since room version 11.
pub fn redacted(event: &Value) -> Option<&str> {
    (event["type"] == "m.room.redaction").then_some(())?;
    event["content"]["redacts"].as_str().or(event["redacts"].as_str())
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn reaction(content: &Value) -> Option<What> {
    let relation = &content["m.relates_to"];
    if relation["rel_type"] != "m.annotation" {
        return None;
    }
    let emoji = text(relation, "key")?;
    Some(What::Reaction {
        on: text(relation, "event_id")?,
        // Element writes ⏸️, another client ⏸: the selector says how to draw it, not what it is.
        emoji: emoji
            .chars()
            .filter(|c| !('\u{fe00}'..='\u{fe0f}').contains(c))
            .collect(),
    })
}

fn message(content: &Value, to: &Listener, of_two: bool) -> Option<What> {
    let kind = content["msgtype"].as_str()?;
    if content["m.relates_to"]["rel_type"] == "m.replace" || content.get("m.new_content").is_some() {
        return None;
    }
    let body = text(content, "body")?;
    let (words, files) = match kind {
        "m.text" => (body, Vec::new()),
        "m.file" | "m.image" | "m.audio" | "m.video" => {
            let file = attached(content, &body)?;
            // Beside a name of its own, the body is what was written below the file.
            let words = if file.name == body { String::new() } else { body };
            (words, vec![file])
        }
        _ => return None,
    };
    let words = without_fallback(&words, content);
    let (called, words) = without_name(words, to);
    let mentioned = { content["m.mentions"]["user_ids"].as_array() }
        .is_some_and(|ids| ids.iter().any(|id| id.as_str() == Some(&to.id)));
    let pill = format!("https://matrix.to/#/{}\"", to.id);
    let pilled = { content["formatted_body"].as_str() }.is_some_and(|html| html.contains(&pill));
    Some(What::Text {
        text: words.trim().to_owned(),
        addressed: of_two || called || mentioned || pilled,
        files,
    })
}

fn attached(content: &Value, body: &str) -> Option<Attached> {
    let handle = match content.get("file") {
        Some(file) => serde_json::json!({ "file": file }),
        None => serde_json::json!({ "url": content.get("url")? }),
    };
    Some(Attached {
        name: text(content, "filename").unwrap_or_else(|| body.to_owned()),
        bytes: content["info"]["size"].as_u64(),
        handle: handle.to_string(),
    })
}

/// Without the quotation that older clients put above an answer.
fn without_fallback<'a>(body: &'a str, content: &Value) -> &'a str {
    let answers = content["m.relates_to"].get("m.in_reply_to").is_some();
    if !answers || !body.starts_with("> ") {
        return body;
    }
    match body.split_once("\n\n") {
        Some((quoted, rest)) if quoted.lines().all(|line| line.starts_with('>')) => rest,
        _ => body,
    }
}

/// Whether it begins with the listener's name, and what follows.
fn without_name<'a>(body: &'a str, to: &Listener) -> (bool, &'a str) {
    let local = to
        .id
        .trim_start_matches('@')
        .split(':')
        .next()
        .unwrap_or_default();
    let at_local = format!("@{local}");
    let names = [
        Some(to.id.as_str()),
        to.name.as_deref(),
        Some(&at_local),
        Some(local),
    ];
    let body = body.trim_start();
    for name in names.into_iter().flatten().filter(|name| !name.is_empty()) {
        let Some(rest) = strip_ignoring_case(body, name) else {
            continue;
        };
        let ends = |c: char| c.is_whitespace() || matches!(c, ':' | ',');
        if rest.is_empty() || rest.starts_with(ends) {
            return (true, rest.trim_start_matches(ends));
        }
    }
    (false, body)
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests;
