//! Making a worker's words fit to be shown: no escape sequences, no control characters, no direction tricks.
//!
//! Deliberately absent: escaping for HTML or a chat's markup (each surface does its own) and secrets (see `redact`).

/// The text without terminal sequences and without control characters other than line feed and tab.
///
/// What is no UTF-8 becomes U+FFFD. A sequence that is cut off takes the rest of its line with it, never more.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut rest),
            '\u{9b}' => skip_until(&mut rest, |c| ('@'..='~').contains(&c)),
            '\n' | '\t' => shown.push(c),
            c if c.is_control() || is_invisible(c) => {}
            c => shown.push(c),
        }
    }
    shown
}

/// One line of at most `max` characters, blanks folded, with an ellipsis where it was cut.
pub fn brief(text: &str, max: usize) -> String {
    let shown = printable(text.as_bytes());
    let mut folded = String::new();
    for word in shown.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    match folded.char_indices().nth(max) {
        None => folded,
        Some((end, _)) => format!("{}…", &folded[..end]),
    }
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After an escape: CSI (`[`), a string sequence (`]`, `P`, `X`, `^`, `_`), or one with two characters.
fn skip_sequence(rest: &mut Rest) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_until(rest, |c| ('@'..='~').contains(&c));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(c) if *c != '\n' => {
            rest.next();
        }
        _ => {}
    }
}

fn skip_until(rest: &mut Rest, end: impl Fn(char) -> bool) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        if end(c) {
            return;
        }
    }
}

/// Up to BEL, ST (`ESC \`), or its 8-bit form.
fn skip_string(rest: &mut Rest) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Direction overrides and isolates, zero-width characters, tags, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_and_controls_go_and_words_stay() {
        for (raw, shown) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\!", "link!"),
            ("\u{1b}]52;c;aGk=\u{1b}\\after", "after"),
            ("a\rb\u{8}c\0d\u{7f}", "abcd"),
            ("\u{9b}2Jx", "x"),
            ("\u{1b}(Bx", "Bx"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}]0;title\nnext", "cut \nnext"),
            ("abc\u{202e}fdp.exe", "abcfdp.exe"),
            ("é漢🎉", "é漢🎉"),
        ] {
            assert_eq!(printable(raw.as_bytes()), shown, "{raw:?}");
        }
        assert_eq!(printable(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn a_brief_is_one_short_line() {
        assert_eq!(brief("  a \n\n b\tc ", 10), "a b c");
        assert_eq!(brief("éééé", 3), "ééé…");
        assert_eq!(brief("abc", 3), "abc");
    }

    proptest::proptest! {
        #[test]
        fn nothing_dangerous_is_left(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let shown = printable(&bytes);
            assert!(shown.chars().all(|c| c == '\n' || c == '\t' || !(c.is_control() || is_invisible(c))), "{shown:?}");
        }
    }
}
