//! Text without what differs from run to run: times, durations, process ids, object ids, folders, places in a file.
//!
//! Two outputs that say the same become equal; counts and names stay, for they are what an output says.
//! Deliberately absent: any knowledge of a certain tool's output.

/// Words after which a number is a duration.
const UNITS: [&str; 17] = [
    "ns", "us", "µs", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes",
    "h", "hour", "hours",
];
/// A number of this many digits is an id, a port, an address or a time.
const LONG: usize = 5;
/// So many hexadecimal digits are an object's name.
const OBJECT: usize = 7;

/// The lines of an output, each steady, sorted and without repeats: parallel runs print in any order.
pub fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(line).filter(|l| !l.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// One line, its words apart by one space.
pub fn line(text: &str) -> String {
    let text = without_colour(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_unit = |word: Option<&&str>| word.is_some_and(|w| UNITS.contains(&bare(w)));
    let steady = words.iter().enumerate().map(|(n, w)| {
        if is_unit(words.get(n + 1)) && bare(w).parse::<f64>().is_ok() {
            "#".to_owned()
        } else {
            word(w)
        }
    });
    steady.collect::<Vec<_>>().join(" ")
}

/// A text with every number taken out: what is said, whatever is counted.
pub fn uncounted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            c if c.is_ascii_digit() && shown.ends_with('#') => {}
            c if c.is_ascii_digit() => shown.push('#'),
            c => shown.push(c),
        }
    }
    shown
}

fn word(word: &str) -> String {
    let inner = bare(word);
    if is_fleeting(inner) {
        return word.replace(inner, "#");
    }
    let name = match word.rfind('/') {
        Some(at) if at + 1 < word.len() => &word[at + 1..],
        _ => word,
    };
    without_place(name).to_owned()
}

/// A word without brackets, quotes and punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_fleeting(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if digits == 0 {
        return false;
    }
    let all = |keep: fn(char) -> bool| word.chars().all(keep);
    let is_time = word.contains(':') && all(|c| c.is_ascii_digit() || ":.-+TZ".contains(c));
    let is_object = word.len() >= OBJECT && all(|c| c.is_ascii_hexdigit());
    let is_date = word.len() >= 10 && digits >= 8 && all(|c| c.is_ascii_digit() || "-T.Z".contains(c));
    let is_id = digits >= LONG && digits == word.len();
    is_time || is_object || is_date || is_id || word.starts_with("0x") || is_duration(word)
}

/// `0.03s`, `12ms`, and plain fractions such as `0.03`.
fn is_duration(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &word[..word.len() - unit.len()];
    number.parse::<f64>().is_ok() && (UNITS.contains(&unit) || (unit.is_empty() && number.contains('.')))
}

/// `lib.rs:12:5:` is `lib.rs`: lines move with every edit.
fn without_place(word: &str) -> &str {
    let Some((name, place)) = word.split_once(':') else {
        return word;
    };
    let is_place = name.contains('.')
        && place.starts_with(|c: char| c.is_ascii_digit())
        && place
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_ascii_punctuation());
    if is_place { name } else { word }
}

fn without_colour(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(0, |at| at + 1);
        plain.push_str(&piece[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_gone() {
        let rows = [
            (
                "test result: FAILED. 2 passed; 1 failed; finished in 0.03s",
                "test result: FAILED. 2 passed; 1 failed; finished in 1.71s",
            ),
            (
                "[10:33:02] /tmp/gate-8f3a/src/lib.rs:12:5: no such name",
                "[23:01:59] /var/x/gate/src/lib.rs:19:7: no such name",
            ),
            (
                "2026-01-01T00:00:00Z pid 48213 died",
                "2026-11-21T10:00:00.25Z pid 913377 died",
            ),
            (
                "at 0x7ffe11aa of commit 1a2b3c4d5e",
                "at 0x55dd0 of commit deadbee99",
            ),
            ("took 3 seconds\n", "took 14 seconds"),
            ("\u{1b}[31merror\u{1b}[0m: x", "error: x"),
            ("   spaces   and\ttabs ", "spaces and tabs"),
        ];
        for (one, other) in rows {
            assert_eq!(line(one), line(other));
        }
    }

    #[test]
    fn what_an_output_says_stays() {
        for (one, other) in [
            ("3 tests failed", "2 tests failed"),
            ("assertion left == 41", "assertion left == 42"),
            ("cannot open /etc/one", "cannot open /etc/two"),
            ("FAILED tests/a.py::test_x", "FAILED tests/a.py::test_y"),
            ("exit status 1", "exit status 2"),
        ] {
            assert_ne!(line(one), line(other));
        }
        assert_eq!(lines("b\n\na 1.5s\na 1.7s\n"), ["a #", "b"]);
        assert_eq!(uncounted(" tick 10 of 200 "), "tick # of #");
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,80}", seconds in 0.0..1e4f64) {
            let timed = |seconds: f64| line(&format!("{text} in {seconds:.2}s"));
            prop_assert_eq!(timed(seconds), timed(seconds + 1.5));
            prop_assert!(!uncounted(&text).contains(|c: char| c.is_ascii_digit()));
        }
    }
}
