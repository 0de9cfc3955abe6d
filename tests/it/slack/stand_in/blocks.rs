//! The documented limits of messages and of Block Kit, and whom a message would ping.

use serde_json::Value;

/// All texts of a message together: beyond it, `msg_blocks_too_long`.
const WHOLE: usize = 13_200;

fn length(text: &Value) -> usize {
    text.as_str().map_or(0, |text| text.encode_utf16().count())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The error that `chat.postMessage` and its like answer, and why.
pub fn error(text: &str, blocks: &Value, attachments: &Value) -> Option<(&'static str, String)> {
    if text.encode_utf16().count() > 40_000 {
        return Some(("msg_too_long", String::new()));
    }
    if list(attachments).len() > 100 {
        return Some(("too_many_attachments", String::new()));
    }
    if text.is_empty() && list(blocks).is_empty() && list(attachments).is_empty() {
        return Some(("no_text", String::new()));
    }
    if !blocks.is_null() && !blocks.is_array() {
        return Some(("invalid_blocks_format", String::new()));
    }
    let mut whole = 0;
    match check(list(blocks), &mut whole) {
        Err(why) => Some(("invalid_blocks", why)),
        Ok(()) if whole > WHOLE => Some(("msg_blocks_too_long", format!("{whole} characters"))),
        Ok(()) => None,
    }
}

fn check(blocks: &[Value], whole: &mut usize) -> Result<(), String> {
    if blocks.len() > 50 {
        return Err(format!(
            "no more than 50 items allowed, there are {}",
            blocks.len()
        ));
    }
    let mut ids: Vec<&str> = Vec::new();
    for block in blocks {
        if let Some(id) = block["block_id"].as_str() {
            if id.is_empty() || id.len() > 255 || ids.contains(&id) {
                return Err("block_id".to_owned());
            }
            ids.push(id);
        }
        one(block, whole).map_err(|why| format!("{}: {why}", block["type"]))?;
    }
    Ok(())
}

fn one(block: &Value, whole: &mut usize) -> Result<(), String> {
    match block["type"].as_str().unwrap_or_default() {
        "header" => object(&block["text"], &["plain_text"], 150, whole),
        "section" => section(block, whole),
        "context" => {
            let elements = within(list(&block["elements"]), 1, 10)?;
            let each = |element: &Value| object(element, &["plain_text", "mrkdwn"], 3_000, whole);
            elements.iter().try_for_each(each)
        }
        "actions" => within(list(&block["elements"]), 1, 25)?
            .iter()
            .try_for_each(|element| button(element, whole)),
        "rich_text" => {
            let inner = list(&block["elements"]).iter().flat_map(|e| list(&e["elements"]));
            for text in inner {
                if text["type"] != "text" || length(&text["text"]) == 0 {
                    return Err("an element that is no text, or empty".to_owned());
                }
                *whole += length(&text["text"]);
            }
            Ok(())
        }
        "divider" => Ok(()),
        other => Err(format!("unsupported type: {other}")),
    }
}

fn section(block: &Value, whole: &mut usize) -> Result<(), String> {
    if block["text"].is_null() && block["fields"].is_null() {
        return Err("it needs text or fields".to_owned());
    }
    if !block["text"].is_null() {
        object(&block["text"], &["plain_text", "mrkdwn"], 3_000, whole)?;
    }
    if !block["fields"].is_null() {
        for field in within(list(&block["fields"]), 1, 10)? {
            object(field, &["plain_text", "mrkdwn"], 2_000, whole)?;
        }
    }
    Ok(())
}

fn button(element: &Value, whole: &mut usize) -> Result<(), String> {
    object(&element["text"], &["plain_text"], 75, whole)?;
    let confirm = &element["confirm"];
    if !confirm.is_null() {
        let mut aside = 0;
        object(&confirm["title"], &["plain_text"], 100, &mut aside)?;
        object(&confirm["text"], &["plain_text", "mrkdwn"], 300, &mut aside)?;
        object(&confirm["confirm"], &["plain_text"], 30, &mut aside)?;
        object(&confirm["deny"], &["plain_text"], 30, &mut aside)?;
    }
    let good = element["type"] == "button"
        && length(&element["value"]) <= 2_000
        && (1..=255).contains(&length(&element["action_id"]))
        && matches!(element["style"].as_str(), None | Some("primary" | "danger"));
    good.then_some(()).ok_or_else(|| "a button".to_owned())
}

fn object(text: &Value, kinds: &[&str], most: usize, whole: &mut usize) -> Result<(), String> {
    let kind = text["type"].as_str().unwrap_or_default();
    if !kinds.contains(&kind) {
        return Err(format!("text of the type {kind:?}"));
    }
    if kind == "mrkdwn" && !text["emoji"].is_null() {
        return Err("mrkdwn has no emoji".to_owned());
    }
    let length = length(&text["text"]);
    *whole += length;
    match (1..=most).contains(&length) {
        true => Ok(()),
        false => Err(format!("must be 1 to {most} characters, is {length}")),
    }
}

fn within(items: &[Value], least: usize, most: usize) -> Result<&[Value], String> {
    match (least..=most).contains(&items.len()) {
        true => Ok(items),
        false => Err(format!("{} items, {most} allowed", items.len())),
    }
}

/// Mentions in the message's words and in everything that Slack reads markup in. In the elements of rich text there is none.
pub fn pings(text: &str, blocks: &Value) -> Vec<String> {
    let mut all = mentions(text);
    walk(blocks, &mut all);
    all
}

fn walk(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, all)),
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "rich_text") => {}
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("text") {
                all.extend(mentions(text));
            }
            fields.values().for_each(|field| walk(field, all));
        }
        _ => {}
    }
}

/// `<!channel>`, `<@U1>` and their like; links count as well: none is ever drawn.
fn mentions(text: &str) -> Vec<String> {
    let ends = |rest: &str| rest.find('>').map(|end| rest[..=end].to_owned());
    text.match_indices('<')
        .filter_map(|(at, _)| ends(&text[at..]))
        .collect()
}
