//! Text as the server takes it: it refuses the character NUL, which the output of a program may hold.

use std::borrow::Cow;

use serde_json::Value;

/// What stands where a NUL was.
const INSTEAD: &str = "\u{fffd}";

/// Text for a text column.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', INSTEAD).into(),
        false => text.into(),
    }
}

/// JSON that the server looks into: there it refuses an escaped NUL as well.
pub(in crate::store) fn searchable(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u0000") {
        return json.into();
    }
    // It was made of a value a moment ago; what could not be read would be refused by the server's own check.
    match serde_json::from_str::<Value>(json) {
        Ok(mut value) => {
            replace(&mut value);
            value.to_string().into()
        }
        Err(_) => json.into(),
    }
}

fn replace(value: &mut Value) {
    match value {
        Value::String(held) => {
            if held.contains('\0') {
                *held = held.replace('\0', INSTEAD);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(replace),
        Value::Object(fields) => fields.values_mut().for_each(replace),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_nul_is_replaced() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert!(matches!(text("plain"), Cow::Borrowed(_)));
        let json = serde_json::json!({ "why": ["a\0", "\\u0000"] }).to_string();
        let expected = serde_json::json!({ "why": ["a\u{fffd}", "\\u0000"] }).to_string();
        assert_eq!(searchable(&json), expected);
        let escaped = serde_json::json!("\\u0000").to_string();
        assert_eq!(searchable(&escaped), escaped);
    }
}
