//! List items and the `**Key:** value` in them, as ranges of one line.

use std::ops::Range;

use crate::format::scan::{indent, is_space};

/// The longest key, in bytes. Anything longer is a sentence with a colon in it.
const MAX_KEY: usize = 60;

/// A list item's bullet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bullet {
    /// Columns before it.
    pub(super) indent: usize,
    /// The byte of the line at which the item's text starts.
    pub(super) text: usize,
}

/// A key and where its value is, in bytes of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyValue {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    /// Whether the key is set in bold, italics or code.
    pub(super) marked: bool,
}

/// Reads `- `, `* ` or `+ ` at the start of a line.
pub(super) fn bullet(line: &[u8]) -> Option<Bullet> {
    let (columns, at) = indent(line);
    let is_bullet = matches!(line.get(at), Some(b'-' | b'*' | b'+'));
    let spaced = line.get(at + 1).is_none_or(|b| is_space(*b));
    let text = at
        + 1
        + line
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take_while(|b| is_space(**b))
            .count();
    (is_bullet && spaced).then_some(Bullet {
        indent: columns,
        text,
    })
}

/// Reads `1. ` or `1) ` as well.
pub(super) fn any_bullet(line: &[u8]) -> Option<Bullet> {
    let (columns, at) = indent(line);
    let digits = line[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let dot = at + digits;
    let ordered = (1..=9).contains(&digits)
        && matches!(line.get(dot), Some(b'.' | b')'))
        && line.get(dot + 1).is_some_and(|b| is_space(*b));
    match ordered {
        true => Some(Bullet {
            indent: columns,
            text: dot + 2,
        }),
        false => bullet(line),
    }
}

/// Reads the key and value of an item's text, which starts at `from`.
pub(super) fn key_value(line: &[u8], from: usize) -> Option<KeyValue> {
    let marker = marker(&line[from..]);
    let start = from + marker.len();
    let colon = start + line[start..].iter().take(MAX_KEY + 4).position(|b| *b == b':')?;
    let (key_end, closed_before) = match line[start..colon].strip_suffix(marker) {
        Some(key) if !marker.is_empty() => (start + key.len(), true),
        _ => (colon, false),
    };
    let closed_after = !marker.is_empty() && !closed_before && line[colon + 1..].starts_with(marker);
    let after = if closed_after {
        colon + 1 + marker.len()
    } else {
        colon + 1
    };
    let set_off = closed_after || line.get(after).is_none_or(|b| is_space(*b));
    let is_key = line[start..key_end]
        .iter()
        .any(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    if !set_off || !is_key || line[start] == b'[' {
        return None;
    }
    // `**Status: pending**`: the bold goes on over the value.
    let tail = if closed_before || closed_after {
        &[][..]
    } else {
        marker
    };
    Some(KeyValue {
        key: start..key_end,
        value: trimmed(line, after..value_end(line, after, tail)),
        marked: !marker.is_empty(),
    })
}

fn value_end(line: &[u8], after: usize, tail: &[u8]) -> usize {
    let end = trimmed(line, after..line.len()).end;
    match line[after..end].strip_suffix(tail) {
        Some(rest) if !tail.is_empty() => after + rest.len(),
        _ => end,
    }
}

fn marker(text: &[u8]) -> &[u8] {
    let Some(mark) = text.first().filter(|b| matches!(b, b'*' | b'_' | b'`')) else {
        return &[];
    };
    let length = text.iter().take_while(|b| *b == mark).count();
    &text[..length.min(3)]
}

/// A range without the white space at its ends; an empty one stays where it began.
pub(super) fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &bytes[range.clone()];
    let Some(first) = text.iter().position(|b| !is_space(*b)) else {
        return range.start..range.start;
    };
    let last = text.iter().rposition(|b| !is_space(*b)).unwrap_or(first);
    range.start + first..range.start + last + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<(&str, &str)> {
        let kv = key_value(line.as_bytes(), bullet(line.as_bytes())?.text)?;
        Some((&line[kv.key], &line[kv.value]))
    }

    #[test]
    fn keys_and_values() {
        let table = [
            ("- **Status:** pending", ("Status", "pending")),
            ("* __Min Model__: haiku ", ("Min Model", "haiku")),
            ("+ Status: pending", ("Status", "pending")),
            ("-   **Status: pending**", ("Status", "pending")),
            ("- `Job`: fix-bug", ("Job", "fix-bug")),
            ("- **Status:**pending", ("Status", "pending")),
            ("- **Status:**", ("Status", "")),
            ("- *Type:* one-off", ("Type", "one-off")),
            (
                "- Description: see http://x/y: z",
                ("Description", "see http://x/y: z"),
            ),
        ];
        for (line, want) in table {
            assert_eq!(split(line), Some(want), "{line}");
        }
    }

    #[test]
    fn what_is_no_field() {
        let long = format!("- {}: x", "k".repeat(80));
        for line in [
            "- http://x",
            "- 12:30 lunch",
            "- [ ] a: b",
            "- no key",
            "Status: x",
            "-Status: x",
            "- : x",
            "- **:** x",
            &long,
            "-",
            "- ",
        ] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
