//! Replies as values: entries of streams, whatever their fields are. What a foreign hand wrote becomes a message that nobody
//! can read, so that it is parked rather than in the way.

use std::collections::HashMap;

use redis::Value;

use crate::bus::message::Envelope;
use crate::bus::stream::Id;

/// The fields of an entry.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    pub(super) fn of(value: Value) -> Self {
        let mut fields = HashMap::new();
        let mut items = list(value).into_iter();
        while let (Some(name), Some(value)) = (items.next(), items.next()) {
            fields.insert(text(&name), text(&value));
        }
        Self(fields)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn number(&self, name: &str) -> u32 {
        self.0.get(name).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    pub(super) fn message(&self) -> Envelope {
        Envelope {
            kind: self.text("k"),
            version: self.number("v"),
            body: self.text("b"),
        }
    }
}

/// The items of an array; of a map, its keys and values in turn.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        Value::Map(pairs) => pairs.into_iter().flat_map(|(k, v)| [k, v]).collect(),
        _ => Vec::new(),
    }
}

/// The first two or three items of an array.
pub(super) fn row<const N: usize>(value: Value) -> Option<[Value; N]> {
    let mut items = list(value);
    items.truncate(N);
    items.try_into().ok()
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

pub(super) fn id(value: &Value) -> Option<Id> {
    text(value).parse().ok()
}

/// `[id, fields]`, as XRANGE gives it.
pub(super) fn entry(value: Value) -> Option<(Id, Fields)> {
    let [at, fields] = row(value)?;
    Some((id(&at)?, Fields::of(fields)))
}

/// The entries of the one stream that was read (XREAD, XREADGROUP); none where the time was up.
pub(super) fn entries(value: Value) -> Vec<(Id, Fields)> {
    let flat = match value {
        Value::Map(_) => list(value),
        other => list(other).into_iter().next().map(list).unwrap_or_default(),
    };
    let found = flat.into_iter().nth(1).map(list).unwrap_or_default();
    found.into_iter().filter_map(entry).collect()
}
