//! Source text as words, without comments and with strings in one piece.
//!
//! One scanner for six languages: it knows no grammar, only what a comment and a string look like. Invariant: time and
//! memory are linear in the text, whatever is in it.

use super::path::Language;

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// A string or a character, with its quotes.
    Text,
    /// Anything else.
    Mark,
}

/// One word of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    /// From 1.
    pub(super) line: usize,
    /// Where it stands in its line, from 0.
    pub(super) column: usize,
    /// Whether it is the first of its line, outside of all brackets.
    pub(super) first: bool,
}

/// A comment with its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comment<'t> {
    pub(super) text: &'t str,
    pub(super) line: usize,
}

/// A text, cut into words.
#[derive(Debug, Default)]
pub(super) struct Tokens<'t> {
    pub(super) all: Vec<Token<'t>>,
    pub(super) comments: Vec<Comment<'t>>,
    /// For each opening bracket the place of its closing one; the end where it is never closed.
    closes: Vec<usize>,
}

impl<'t> Tokens<'t> {
    /// Cuts a text.
    pub(super) fn of(language: Language, text: &'t str) -> Self {
        let mut scanner = Scanner {
            language,
            text,
            at: 0,
            line: 1,
            line_start: 0,
            fresh: true,
            depth: 0,
            found: Tokens::default(),
        };
        while scanner.step() {}
        let mut found = scanner.found;
        found.pair();
        found
    }

    /// The word at a place; empty beyond the end.
    pub(super) fn text(&self, at: usize) -> &'t str {
        self.all.get(at).map_or("", |t| t.text)
    }

    /// The kind of the word at a place.
    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.all.get(at).map(|t| t.kind)
    }

    /// The line of a place; that of the last word beyond the end.
    pub(super) fn line(&self, at: usize) -> usize {
        self.all.get(at).or(self.all.last()).map_or(1, |t| t.line)
    }

    /// Where the bracket that opens here closes: at most the number of words.
    pub(super) fn close(&self, open: usize) -> usize {
        self.closes.get(open).copied().unwrap_or(self.all.len())
    }

    /// Whether a bracket opens here.
    pub(super) fn opens(&self, at: usize) -> bool {
        matches!(self.text(at), "(" | "[" | "{")
    }

    fn pair(&mut self) {
        let end = self.all.len();
        self.closes = vec![end; end];
        let mut open = Vec::new();
        for (at, token) in self.all.iter().enumerate() {
            match token.text {
                "(" | "[" | "{" => open.push(at),
                ")" | "]" | "}" => {
                    if let Some(from) = open.pop() {
                        self.closes[from] = at;
                    }
                }
                _ => {}
            }
        }
    }
}

struct Scanner<'t> {
    language: Language,
    text: &'t str,
    at: usize,
    line: usize,
    line_start: usize,
    fresh: bool,
    depth: usize,
    found: Tokens<'t>,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// One word, comment or gap; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else {
            return false;
        };
        if c.is_whitespace() {
            self.pass(c.len_utf8());
        } else if let Some(length) = self.comment(rest) {
            let (text, line) = (&rest[..length], self.line);
            self.found.comments.push(Comment { text, line });
            self.pass(length);
        } else if let Some(length) = self.string(rest) {
            self.push(Kind::Text, length);
        } else if c.is_ascii_digit() {
            self.push(Kind::Number, number(rest));
        } else if wordly(c) {
            self.push(Kind::Word, span(rest, wordly));
        } else {
            self.push(Kind::Mark, mark(rest));
        }
        true
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = &self.rest()[..length];
        let first = self.fresh && self.depth == 0;
        self.found.all.push(Token {
            kind,
            text,
            line: self.line,
            column: self.at - self.line_start,
            first,
        });
        match text {
            "(" | "[" | "{" => self.depth += 1,
            ")" | "]" | "}" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.fresh = false;
        self.pass(length);
    }

    fn pass(&mut self, length: usize) {
        let passed = &self.rest()[..length];
        if let Some(last) = passed.rfind('\n') {
            self.line += passed.matches('\n').count();
            self.line_start = self.at + last + 1;
            self.fresh = self.fresh || passed.trim().is_empty();
        }
        self.at += length;
    }

    /// The length of the comment that begins here.
    fn comment(&self, rest: &str) -> Option<usize> {
        let to_end = || rest.find('\n').unwrap_or(rest.len());
        match self.language {
            Language::Python => rest.starts_with('#').then(to_end),
            Language::Shell => {
                let before = self.text[..self.at].chars().next_back();
                let word_begins = before.is_none_or(|c| c.is_whitespace() || c == ';');
                (rest.starts_with('#') && word_begins).then(to_end)
            }
            _ if rest.starts_with("//") => Some(to_end()),
            _ if rest.starts_with("/*") => Some(block(rest, self.language == Language::Rust)),
            _ => None,
        }
    }

    /// The length of the string that begins here.
    fn string(&self, rest: &str) -> Option<usize> {
        match self.language {
            Language::Rust => rust_string(rest),
            Language::Python => python_string(rest),
            Language::Script if rest.starts_with('/') => self.regex(rest),
            Language::Script | Language::Go if rest.starts_with('`') => Some(quoted(rest, "`", true)),
            Language::Java if rest.starts_with("\"\"\"") => Some(quoted(rest, "\"\"\"", true)),
            Language::Shell if rest.starts_with('\'') => {
                Some(rest[1..].find('\'').map_or(rest.len(), |end| end + 2))
            }
            Language::Shell => rest.starts_with('"').then(|| quoted(rest, "\"", true)),
            _ if rest.starts_with('"') => Some(quoted(rest, "\"", false)),
            _ if rest.starts_with('\'') => Some(quoted(rest, "'", false)),
            _ => None,
        }
    }

    /// A regular expression, where a division cannot stand.
    fn regex(&self, rest: &str) -> Option<usize> {
        let before = self.found.all.last();
        let value = before.is_some_and(|t| match t.kind {
            Kind::Mark => matches!(t.text, ")" | "]" | "}"),
            Kind::Word => t.text != "return",
            Kind::Number | Kind::Text => true,
        });
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let length = quoted(line, "/", false);
        (!value && length > 1 && line[..length].ends_with('/')).then_some(length)
    }
}

fn wordly(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The length of what such characters begin.
fn span(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

fn number(text: &str) -> usize {
    let mut whole = span(text, wordly);
    let signed = text[whole..].strip_prefix(['-', '+']).unwrap_or_default();
    let exponent = text[..whole].ends_with(['e', 'E']) && !text.starts_with("0x");
    if exponent && signed.starts_with(|c: char| c.is_ascii_digit()) {
        whole += 1 + span(signed, wordly);
    }
    let part = text[whole..].strip_prefix('.').unwrap_or_default();
    if part.starts_with(|c: char| c.is_ascii_digit()) {
        whole + 1 + span(part, wordly)
    } else {
        whole
    }
}

fn mark(text: &str) -> usize {
    const LONG: [&str; 7] = ["===", "!==", "==", "!=", "&&", "||", "=>"];
    let long = LONG.iter().find(|m| text.starts_with(**m)).map(|m| m.len());
    long.unwrap_or_else(|| text.chars().next().map_or(1, char::len_utf8))
}

fn block(text: &str, nested: bool) -> usize {
    let (mut at, mut depth) = (2, 1);
    while let Some(next) = text[at..].find(['*', '/']) {
        at += next;
        match &text.as_bytes()[at..] {
            [b'*', b'/', ..] => {
                (at, depth) = (at + 2, depth - 1);
                if depth == 0 {
                    return at;
                }
            }
            [b'/', b'*', ..] if nested => (at, depth) = (at + 2, depth + 1),
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of a string with escapes; one that must not go over lines ends with its line.
fn quoted(text: &str, quote: &str, lines: bool) -> usize {
    let mut at = quote.len();
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if rest.starts_with(quote) {
            return at + quote.len();
        }
        if c == '\n' && !lines {
            return at;
        }
        at += c.len_utf8();
        if c == '\\' {
            at += text
                .get(at..)
                .and_then(|r| r.chars().next())
                .filter(|c| *c != '\n' || lines)
                .map_or(0, char::len_utf8);
        }
    }
    text.len()
}

fn rust_string(text: &str) -> Option<usize> {
    let plain = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - plain.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = plain.strip_prefix('r') {
        let hashes = span(raw, |c| c == '#');
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", &raw[..hashes]);
            let from = prefix + 1 + hashes + 1;
            return Some(
                text[from..]
                    .find(&end)
                    .map_or(text.len(), |n| from + n + end.len()),
            );
        }
        return None;
    }
    if plain.starts_with('"') {
        return Some(prefix + quoted(plain, "\"", true));
    }
    // A character; else it is a lifetime.
    let rest = plain.strip_prefix('\'')?;
    let mut chars = rest.chars();
    let first = chars.next()?;
    let character = first == '\\' || chars.next() == Some('\'');
    character.then(|| prefix + quoted(plain, "'", false))
}

fn python_string(text: &str) -> Option<usize> {
    let prefix = span(text, |c| "rbfuRBFU".contains(c));
    let rest = &text[prefix..];
    if prefix > 2 {
        return None;
    }
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|q| rest.starts_with(q))?;
    Some(prefix + quoted(rest, quote, quote.len() == 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(language: Language, text: &str) -> Vec<&str> {
        Tokens::of(language, text).all.iter().map(|t| t.text).collect()
    }

    #[test]
    fn comments_go_and_strings_stay_in_one_piece() {
        for (language, text, wanted) in [
            (
                Language::Rust,
                "a /* /* x */ */ 'b' 'l r#\"c\"d\"# // e\nf",
                &["a", "'b'", "'", "l", "r#\"c\"d\"#", "f"][..],
            ),
            (
                Language::Python,
                "a = '''x\n#''' # y\nb'q' == 1.5",
                &["a", "=", "'''x\n#'''", "b'q'", "==", "1.5"],
            ),
            (
                Language::Script,
                "a(/x\\/\"/, `y\n//`) / 2 // z",
                &["a", "(", "/x\\/\"/", ",", "`y\n//`", ")", "/", "2"],
            ),
            (
                Language::Go,
                "a := `\\` // b\n\"\\\"\"",
                &["a", ":", "=", "`\\` // b\n\"\\\"\""],
            ),
            (
                Language::Shell,
                "a#b '#c' # d\n$(e)",
                &["a", "#", "b", "'#c'", "$", "(", "e", ")"],
            ),
            (
                Language::Java,
                "@A \"\"\"\n\"x\" \"\"\" /* */ 'c'",
                &["@", "A", "\"\"\"\n\"x\" \"\"\"", "'c'"],
            ),
        ] {
            assert_eq!(words(language, text), wanted, "{language:?}");
        }
    }
}
