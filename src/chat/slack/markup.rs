//! Words for Slack: escaped, and no longer than they may be. Pure.
//!
//! Invariants: what comes out holds no `<`, `>` or `&` but those of its own escapes, so it can ping nobody, link nothing and
//! name no channel; a cut stands between characters, never within an escape, and says how much is missing. Words go into
//! objects of the type `plain_text`, in which Slack draws no bold, quotes or code either.
//! Source: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.

/// The longest mark that says how much is missing, in units.
const MARK: usize = 32;

/// How long Slack takes a text to be: it counts at most UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// What stands for a character.
fn escape(c: char) -> Escape {
    match c {
        '&' => Escape::Word("&amp;"),
        '<' => Escape::Word("&lt;"),
        '>' => Escape::Word("&gt;"),
        '\n' | '\t' => Escape::Same(c),
        c if c.is_control() || turns(c) => Escape::Word(""),
        c => Escape::Same(c),
    }
}

/// What makes letters run the other way: with it, text can show another command than it holds.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

enum Escape {
    Same(char),
    Word(&'static str),
}

impl Escape {
    fn units(&self) -> usize {
        match self {
            Self::Same(c) => c.len_utf16(),
            Self::Word(word) => word.len(),
        }
    }

    fn push(&self, text: &mut String) {
        match self {
            Self::Same(c) => text.push(*c),
            Self::Word(word) => text.push_str(word),
        }
    }
}

/// All of it, escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| escape(c).push(&mut out));
    out
}

/// Escaped, in at most `most` units; white space around it is dropped, and nothing at all is said as such.
pub(super) fn within(text: &str, most: usize) -> String {
    let text = text.trim();
    let (kept, rest) = keep(text, most, |c| escape(c).units());
    filled(escaped(kept) + rest.as_str())
}

/// As it is but for control characters, in at most `most` units.
pub(super) fn literal(text: &str, most: usize) -> String {
    let bare = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || turns(*c));
    let text: String = text.trim_end().chars().filter(bare).collect();
    let (kept, rest) = keep(&text, most, char::len_utf16);
    filled(format!("{kept}{rest}"))
}

/// Escaped, in at most `count` parts of at most `each` units, broken between lines where there are any.
pub(super) fn parts(text: &str, each: usize, count: usize) -> Vec<String> {
    let mut rest = text.trim();
    let mut parts = Vec::new();
    while parts.len() + 1 < count {
        let fitting = prefix(rest, each, |c| escape(c).units());
        if fitting == rest.len() {
            break;
        }
        let head = &rest[..fitting];
        let at = head.rfind('\n').filter(|at| *at > 0).unwrap_or(fitting);
        parts.push(filled(escaped(rest[..at].trim_end())));
        rest = rest[at..].trim_start_matches('\n');
    }
    parts.push(within(rest, each));
    parts
}

/// No object of Slack's may be empty.
fn filled(text: String) -> String {
    match text.trim().is_empty() {
        true => "(empty)".to_owned(),
        false => text,
    }
}

/// The longest beginning that fits, and a mark of how much is missing, where something is.
fn keep(text: &str, most: usize, size: fn(char) -> usize) -> (&str, String) {
    if prefix(text, most, size) == text.len() {
        return (text, String::new());
    }
    let kept = &text[..prefix(text, most.saturating_sub(MARK), size)];
    let missing = text[kept.len()..].chars().count();
    (kept.trim_end(), format!("… ({missing} more characters)"))
}

/// How many bytes of it fit into `most` units.
fn prefix(text: &str, most: usize, size: fn(char) -> usize) -> usize {
    let mut left = most;
    for (at, c) in text.char_indices() {
        match left.checked_sub(size(c)) {
            Some(fewer) => left = fewer,
            None => return at,
        }
    }
    text.len()
}

/// What a person wrote, as it was written: Slack's escapes and references in words, without the mention of `me`.
pub(super) fn spoken(text: &str, me: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((inner, after)) = after.split_once('>') else {
            rest = after;
            continue;
        };
        reference(inner, me, &mut out);
        rest = after;
    }
    out.push_str(rest);
    let out = out
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    out.trim().to_owned()
}

/// Whether it mentions the account.
pub(super) fn mentions(text: &str, me: &str) -> bool {
    text.match_indices("<@").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        rest.strip_prefix(me)
            .is_some_and(|rest| rest.starts_with(['>', '|']))
    })
}

/// `@U1|jane`, `#C1|general`, `!here`, `https://…|label`: the name where there is one, of links the address.
fn reference(inner: &str, me: &str, out: &mut String) {
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inner, None),
    };
    let mut chars = target.chars();
    match (chars.next(), chars.as_str()) {
        (Some('@'), id) if id == me => {}
        (Some(sign @ ('@' | '#')), id) => {
            out.push(sign);
            out.push_str(label.unwrap_or(id).trim_start_matches(sign));
        }
        (Some('!'), name) => {
            out.push('@');
            out.push_str(label.unwrap_or(name).trim_start_matches('@'));
        }
        _ => out.push_str(target),
    }
}

#[cfg(test)]
mod tests;
