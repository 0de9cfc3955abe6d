//! Foreign text made safe and fitted: no control characters, no escape sequences, measured in columns.
//!
//! Titles, phases and reasons come from people, agents and models; none of them may colour, move or
//! overwrite what is on the screen.

use anstream::adapter::strip_str;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the rest of a cut text.
const ELLIPSIS: char = '…';

/// A text as one safe line: escape sequences and invisible characters gone, white space collapsed.
///
/// Joiners and variation selectors go too: terminals disagree about their width, and a table must align.
pub fn line(text: &str) -> String {
    if is_simple(text) && !text.contains("  ") {
        return text.trim().to_owned();
    }
    let safe: String = safe(text)
        .filter(|c| !matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}'))
        .collect();
    safe.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as safe lines, indentation kept (a tab is four columns), empty lines at its ends dropped.
pub fn lines(text: &str) -> Vec<String> {
    let safe: String = safe(&text.replace("\r\n", "\n").replace('\t', "    ")).collect();
    let all: Vec<String> = safe.split('\n').map(|line| line.trim_end().to_owned()).collect();
    let first = all.iter().position(|line| !line.is_empty()).unwrap_or(all.len());
    let last = all
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(first, |last| last + 1);
    all[first..last].to_vec()
}

/// Columns that a safe text takes.
pub fn width(text: &str) -> usize {
    if is_simple(text) { text.len() } else { text.width() }
}

/// A safe text in at most `room` columns; what does not fit is replaced by an ellipsis.
pub fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut used = 0;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used < room
        })
        .collect();
    // A variation selector can make the character before it wider.
    while width(&cut) >= room && cut.pop().is_some() {}
    cut.truncate(cut.trim_end().len());
    cut.push(ELLIPSIS);
    cut
}

/// Safe words broken into lines of at most `room` columns; a word that is longer is cut.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, room)),
        }
    }
    lines
}

/// The number with its noun: `1 task`, `2 tasks`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Escape sequences dropped; control characters but the end of line become spaces; what turns or hides
/// text (bidirectional overrides, zero-width characters) is dropped.
fn safe(text: &str) -> impl Iterator<Item = char> {
    let stripped = strip_str(text).to_string();
    let chars: Vec<char> = stripped.chars().filter(|c| !is_hidden(*c)).collect();
    chars.into_iter().map(|c| match c {
        '\n' => '\n',
        '\u{2028}' | '\u{2029}' => '\n',
        c if c.is_control() => ' ',
        c => c,
    })
}

/// Printable ASCII alone: nearly every field of a page, and a page has many.
fn is_simple(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Characters that nobody sees, or that change how others are seen.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_harmless() {
        let rows = [
            ("plain", "plain"),
            ("\u{1b}[2J\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{9b}31mc1", "31mc1"),
            ("a\r\nb\tc\u{7}d", "a b cd"),
            ("\u{202e}txt.exe\u{2066}", "txt.exe"),
            ("zero\u{200b}width", "zerowidth"),
            ("⚠\u{fe0f} care", "⚠ care"),
            ("line\u{2028}break", "line break"),
        ];
        for (given, expected) in rows {
            assert_eq!(line(given), expected, "{given:?}");
        }
    }

    #[test]
    fn lines_keep_their_indentation() {
        assert_eq!(lines("\n\na\r\n\tb  \n\n"), ["a", "    b"]);
        assert!(lines(" \n ").is_empty());
    }

    #[test]
    fn cut_by_columns_not_by_characters() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語の題", 5), "日本…");
        assert_eq!(fit("ab cdef", 4), "ab…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    proptest! {
        #[test]
        fn a_line_never_holds_a_control_character(given in any::<String>(), room in 0usize..40) {
            let safe = line(&given);
            prop_assert!(!safe.chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert!(width(&fit(&safe, room)) <= room);
            for l in lines(&given) {
                prop_assert!(!l.chars().any(|c| c.is_control() || is_hidden(c)));
            }
        }
    }
}
