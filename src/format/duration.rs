//! Lengths of time (`45m`, `1h30m`) and amounts of money (`$2.50`), as files and configuration have them.
//!
//! Invariant: what is printed reads back as the same value. Deliberately absent: currencies other than the US dollar.

use std::time::Duration;

/// Why a text is no length of time or no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    /// No length of time.
    #[error("'{0}' is no length of time; write for example 30s, 45m, 2h, 1d or 1h30m")]
    Duration(String),
    /// No amount of money.
    #[error("'{0}' is no amount of money; write for example $2.50")]
    Budget(String),
}

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 64;

/// The longest time that is taken for meant: sums with dates stay in range.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Reads a length of time, a hundred years at most: whole numbers, each with its unit (`ms`, `s`, `m`, `h`, `d`, `w`, or the words), largest unit first.
pub fn parse(text: &str) -> Result<Duration, BadQuantity> {
    let bad = || BadQuantity::Duration(shown(text));
    let mut rest = text.trim();
    if rest.is_empty() || rest.len() > MAX_TEXT {
        return Err(bad());
    }
    let (mut total, mut last_unit) = (Duration::ZERO, u64::MAX);
    while !rest.is_empty() {
        let (number, after) = split_at_end_of(rest, |c| c.is_ascii_digit());
        let (word, after) = split_at_end_of(after.trim_start(), |c| c.is_ascii_alphabetic());
        let unit = unit_ms(word).filter(|unit| *unit < last_unit).ok_or_else(bad)?;
        let ms = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        total = ms
            .and_then(|ms| total.checked_add(Duration::from_millis(ms)))
            .ok_or_else(bad)?;
        last_unit = unit;
        rest = after.trim_start();
    }
    Some(total).filter(|total| *total <= LONGEST).ok_or_else(bad)
}

/// Prints a length of time in the largest fitting units, down to milliseconds.
pub fn print(duration: Duration) -> String {
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in units {
        let n = rest / size;
        rest %= size;
        if n > 0 {
            text.push_str(&format!("{n}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads an amount of money in US dollars: `$2.50`, `2.50`, `2.50 USD`. Zero is allowed, less is not.
pub fn parse_budget(text: &str) -> Result<f64, BadQuantity> {
    let bad = || BadQuantity::Budget(shown(text));
    let text = text.trim();
    let bare = text.strip_prefix('$').unwrap_or(text);
    let bare = match bare.len().checked_sub(3).and_then(|at| bare.split_at_checked(at)) {
        Some((number, unit)) if unit.eq_ignore_ascii_case("usd") => number,
        _ => bare,
    };
    let bare = bare.trim();
    let plain =
        !bare.is_empty() && bare.len() <= MAX_TEXT && bare.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let dollars: f64 = bare.parse().ok().filter(|_| plain).ok_or_else(bad)?;
    if dollars.is_finite() {
        Ok(dollars)
    } else {
        Err(bad())
    }
}

/// Prints an amount of money.
pub fn print_budget(dollars: f64) -> String {
    format!("${dollars:.2}")
}

fn unit_ms(word: &str) -> Option<u64> {
    match word.to_ascii_lowercase().as_str() {
        "ms" => Some(1),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1000),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3_600_000),
        "d" | "day" | "days" => Some(86_400_000),
        "w" | "week" | "weeks" => Some(7 * 86_400_000),
        _ => None,
    }
}

fn split_at_end_of(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time() {
        let table = [
            ("45m", 2700),
            ("2h", 7200),
            ("30s", 30),
            ("1d", 86_400),
            ("1h30m", 5400),
            (" 1h 30m ", 5400),
            ("2 hours", 7200),
            ("1W", 604_800),
            ("0s", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1500ms"), Ok(Duration::from_millis(1500)));
        for bad in [
            "",
            "45",
            "m",
            "1.5h",
            "-5m",
            "5x",
            "30m1h",
            "1h2h",
            "99999999999999999999s",
            "18446744073709551615w",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_of_money() {
        for (text, dollars) in [
            ("$2.50", 2.5),
            ("2.5", 2.5),
            ("0.75 USD", 0.75),
            ("$10", 10.0),
            ("$ 3", 3.0),
        ] {
            assert_eq!(parse_budget(text), Ok(dollars), "{text}");
        }
        for bad in ["", "$", "-1", "1e9", "inf", "NaN", "2,50", "lots", "€5", "usd"] {
            assert!(parse_budget(bad).is_err(), "{bad}");
        }
        assert_eq!(print_budget(2.5), "$2.50");
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(ms in 0..u64::from(u32::MAX)) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&print(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (parse(&text), parse_budget(&text));
        }
    }
}
