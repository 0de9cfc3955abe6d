//! Values as people write them, reduced to the words they mean: without emphasis, emoji and remarks.

/// A key or heading in one form: lower case, words joined by `-`; `_`, `-` and spaces are the same.
pub(crate) fn normal_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            key.extend(c.to_lowercase());
        } else if (c.is_whitespace() || matches!(c, '_' | '-')) && !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    key.truncate(key.trim_end_matches('-').len());
    key
}

/// A value without the marks that wrap it: backticks, asterisks, quotes, angle brackets.
pub(crate) fn unwrapped(text: &str) -> &str {
    let wraps = [
        ("**", "**"),
        ("__", "__"),
        ("`", "`"),
        ("*", "*"),
        ("\"", "\""),
        ("'", "'"),
        ("<", ">"),
    ];
    let mut text = text.trim();
    while let Some(inner) = wraps
        .iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
    {
        text = inner.trim();
    }
    text
}

/// The words a value begins with, in lower case; they end at the first bracket, dash or other punctuation.
/// Emoji and emphasis before and between them are skipped, as is what is struck out.
pub(crate) fn leading_words(text: &str) -> Vec<String> {
    let text = without_struck(text);
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars().take(400) {
        match c {
            c if c.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
            '*' | '`' | '\u{fe0f}' | '\u{200d}' => {}
            '_' | '-' | ' ' | '\t' | '\u{a0}' => end_word(&mut word, &mut words),
            c if is_symbol(c) => end_word(&mut word, &mut words),
            '[' | ']' if words.is_empty() && word.is_empty() => {}
            _ if words.is_empty() && word.is_empty() => return words,
            _ => break,
        }
    }
    end_word(&mut word, &mut words);
    words
}

fn end_word(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// A pictogram, arrow or dingbat: decoration around a word.
pub(crate) fn is_symbol(c: char) -> bool {
    matches!(u32::from(c), 0x2190..=0x21ff | 0x2300..=0x2bff | 0x1f000..=0x1faff | 0xfe00..=0xfe0f | 0x200d | 0x20e3 | 0xe0020..=0xe007f)
}

fn without_struck(text: &str) -> String {
    let parts: Vec<&str> = text.split("~~").collect();
    match parts.as_slice() {
        [whole] => (*whole).to_owned(),
        // An odd mark strikes nothing out.
        parts if parts.len() % 2 == 0 => parts.concat(),
        parts => parts.iter().step_by(2).copied().collect(),
    }
}

/// A name: unwrapped, without a remark in brackets at its end, without decoration. `none` and a dash are no name.
pub(crate) fn name(text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let bare = unwrapped(first.trim_matches(|c: char| is_symbol(c) || c.is_whitespace()));
    let bare = match bare.find(" (") {
        Some(at) => unwrapped(&bare[..at]),
        None => bare,
    };
    let absent = matches!(
        bare.to_lowercase().as_str(),
        "" | "none" | "-" | "\u{2013}" | "\u{2014}" | "n/a"
    );
    (!absent).then(|| bare.to_owned())
}

/// A text cut to a length that fits into a message, with control characters made visible.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        cut + "..."
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (text, key) in [
            ("Min Model", "min-model"),
            ("min_model", "min-model"),
            (" Depends-On ", "depends-on"),
            ("📊 Status", "status"),
            ("---", ""),
        ] {
            assert_eq!(normal_key(text), key);
        }
    }

    #[test]
    fn words() {
        let table = [
            ("✅ completed (fixed via upstream)", "completed"),
            ("🔄 **in-progress**", "in progress"),
            ("~~pending~~ Done!", "done"),
            ("`blocked` by p1, p2", "blocked by p1"),
            ("[x] done", "x done"),
            ("⏸️ Paused — until May", "paused"),
            ("", ""),
            ("(what)", ""),
        ];
        for (text, words) in table {
            assert_eq!(leading_words(text).join(" "), words, "{text}");
        }
    }

    #[test]
    fn names() {
        for (text, want) in [
            ("`haiku` (cheap)", Some("haiku")),
            ("none", None),
            ("**Opus**", Some("Opus")),
            ("—", None),
            ("🔴 high", Some("high")),
        ] {
            assert_eq!(name(text).as_deref(), want, "{text}");
        }
    }
}
