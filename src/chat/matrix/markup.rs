//! Messages as the contents of Matrix events: plain text, and HTML that small screens show well (no tables). Pure.
//!
//! Invariants: all text is escaped; `m.mentions` is there and empty, so that nothing in a text notifies anybody by name;
//! an event stays below 65,536 bytes also when it is encrypted: what is too long is cut, and says so.

use serde_json::{Map, Value, json};

use super::names::KEY;
use crate::chat::message::{Button, Card, Message, Text, Verb};

/// The most bytes of a content: encryption makes a third more of it, and 65,536 are allowed.
const MOST: usize = 42_000;
/// Characters of one text that are shown at first try.
const WIDE: usize = 12_000;
/// Steps of a progress bar.
const BAR: u8 = 10;

/// A text both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// For notifications, and for clients without HTML.
    pub body: String,
    /// HTML.
    pub html: String,
}

/// Which relation an event has to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation<'a> {
    /// None.
    Alone,
    /// In the thread of this message.
    Thread(&'a str),
    /// In the thread of the first one, as an answer to the second one.
    Answer(&'a str, &'a str),
    /// In the room, as an answer to this message.
    Reply(&'a str),
}

/// The content of a new message.
pub fn content(message: &Message, key: Option<&str>, relation: Relation<'_>, rings: bool) -> Value {
    let mut content = fitted(|wide| Value::Object(said(&rendered(message, wide), rings)));
    if let Some(key) = key {
        content[KEY] = json!(key);
    }
    if let Some(relates) = relates(relation) {
        content["m.relates_to"] = relates;
    }
    content
}

/// The content of an edit, which replaces all that the message `of` says.
pub fn edit(message: &Message, of: &str) -> Value {
    let new = fitted(|wide| Value::Object(said(&rendered(message, wide), false)));
    json!({
        "msgtype": "m.notice",
        "body": format!("* {}", cut(&headline(message), 200)),
        "m.mentions": {},
        "m.new_content": new,
        "m.relates_to": { "rel_type": "m.replace", "event_id": of },
    })
}

/// The emoji that are put on a card for whoever decides to tap on.
pub fn offered(message: &Message) -> Vec<&'static str> {
    let Message::Card(card) = message else {
        return Vec::new();
    };
    let decides = |button: &&Button| matches!(button.verb, Verb::Approve | Verb::Reject);
    { card.buttons.iter().filter(decides) }
        .map(|button| button.verb.emoji())
        .collect()
}

/// A message both ways, each of its texts cut to so many characters.
pub fn rendered(message: &Message, wide: usize) -> Rendered {
    match message {
        Message::Text(text) => words(text, wide),
        Message::Card(card) => shown(card, wide),
    }
}

fn said(rendered: &Rendered, rings: bool) -> Map<String, Value> {
    let kind = if rings { "m.text" } else { "m.notice" };
    let content = json!({
        "msgtype": kind,
        "body": rendered.body,
        "format": "org.matrix.custom.html",
        "formatted_body": rendered.html,
        "m.mentions": {},
    });
    match content {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn relates(relation: Relation<'_>) -> Option<Value> {
    let thread = |root: &str, to: &str, falls_back: bool| {
        json!({
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": falls_back,
            "m.in_reply_to": { "event_id": to },
        })
    };
    match relation {
        Relation::Alone => None,
        Relation::Thread(root) => Some(thread(root, root, true)),
        Relation::Answer(root, to) => Some(thread(root, to, false)),
        Relation::Reply(to) => Some(json!({ "m.in_reply_to": { "event_id": to } })),
    }
}

/// The widest rendering that fits.
fn fitted(render: impl Fn(usize) -> Value) -> Value {
    let mut wide = WIDE;
    loop {
        let content = render(wide);
        if wide < 100 || content.to_string().len() <= MOST {
            return content;
        }
        wide /= 2;
    }
}

fn words(text: &Text, wide: usize) -> Rendered {
    let words = cut(&text.text, wide);
    let mut rendered = Rendered {
        html: escaped(&words).replace('\n', "<br>"),
        body: words,
    };
    if let Some(code) = &text.code {
        let code = cut(code, wide);
        rendered
            .html
            .push_str(&format!("<pre><code>{}</code></pre>", escaped(&code)));
        rendered.body = format!("{}\n{code}", rendered.body);
    }
    rendered
}

fn shown(card: &Card, wide: usize) -> Rendered {
    let wide = wide / 4;
    let (title, task, state) = (
        cut(&card.title, wide),
        cut(&card.task, wide),
        cut(&card.state, wide),
    );
    let mut body = vec![format!("{} {title} [{task}]", card.icon), state.clone()];
    let mut html = vec![
        format!(
            "{} <b>{}</b> <code>{}</code>",
            escaped(&card.icon),
            escaped(&title),
            escaped(&task)
        ),
        escaped(&state),
    ];
    if let Some(pct) = card.pct {
        let bar = bar(pct);
        html.push(bar.clone());
        body.push(bar);
    }
    let facts: Vec<(String, String)> = { card.facts.iter() }
        .map(|fact| (cut(&fact.name, 60), cut(&fact.value, wide / 8)))
        .collect();
    if !facts.is_empty() {
        let joined =
            |one: &dyn Fn(&(String, String)) -> String| facts.iter().map(one).collect::<Vec<_>>().join(" · ");
        body.push(joined(&|(name, value)| format!("{name}: {value}")));
        html.push(joined(&|(name, value)| {
            format!("{}: <b>{}</b>", escaped(name), escaped(value))
        }));
    }
    if let Some((plain, marked)) = choices(card, &task) {
        body.push(plain);
        html.push(marked);
    }
    Rendered {
        body: body.join("\n"),
        html: html.join("<br>"),
    }
}

/// What can be done now: by reaction, or by command.
fn choices(card: &Card, task: &str) -> Option<(String, String)> {
    let first = card.buttons.first()?;
    let all: Vec<String> = { card.buttons.iter() }
        .map(|button| format!("{} {}", button.verb.emoji(), button.verb.word()))
        .collect();
    let all = all.join("  ");
    let command = format!("!{} {task}", first.verb.word());
    Some((
        format!("{all}\n(react with one, or write {command})"),
        format!(
            "{all}<br><i>react with one, or write</i> <code>{}</code>",
            escaped(&command)
        ),
    ))
}

/// One line that stands for the message where only one is shown.
fn headline(message: &Message) -> String {
    match message {
        Message::Text(text) => text.text.lines().next().unwrap_or_default().to_owned(),
        Message::Card(card) => format!("{} {}: {}", card.icon, card.title, card.state),
    }
}

fn bar(pct: u8) -> String {
    let pct = pct.min(100);
    let full = usize::from(pct / (100 / BAR));
    let rest = usize::from(BAR) - full;
    format!("{}{} {pct} %", "▰".repeat(full), "▱".repeat(rest))
}

/// Without what would be markup or move a screen.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The first characters of a text without control characters; whether there were more is said.
fn cut(text: &str, most: usize) -> String {
    let fine = |c: &char| !c.is_control() || *c == '\n' || *c == '\t';
    let mut chars = text.chars().filter(fine);
    let kept: String = chars.by_ref().take(most).collect();
    match chars.count() {
        0 => kept,
        more => format!("{kept} … ({more} more characters)"),
    }
}

#[cfg(test)]
mod tests;
