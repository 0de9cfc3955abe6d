//! Quantities as people write them: `20m`, `$2.50`, `256MB`; reading and printing, exact inverses of each other.

use std::time::Duration;

/// Longest duration that is taken for meant: a hundred years keeps all sums with times in range.
const MAX_SECONDS: f64 = 100.0 * 366.0 * 86_400.0;

/// A duration in whole milliseconds: `250ms`, `30s`, `20m`, `4h`, `2d`, also `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!(
            "'{}' is no duration; write for example 30s, 20m, 4h or 1h30m",
            text.escape_debug()
        )
    };
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest).ok_or_else(bad)?;
        let unit_ends = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        seconds += number * unit_seconds(&after[..unit_ends]).ok_or_else(bad)?;
        rest = after[unit_ends..].trim_start();
    }
    if seconds > MAX_SECONDS {
        return Err(format!("'{}' is longer than a hundred years", text.trim()));
    }
    Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

/// An unsigned decimal number at the start of `text`, and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let ends = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..ends].parse().ok()?;
    Some((number, text[ends..].trim_start()))
}

/// The shortest text that reads as `duration` (to the millisecond).
pub fn print_duration(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (size, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
        (1, "ms"),
    ] {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    text
}

/// An amount of US dollars: `$2.50` or `2.5`; not negative.
pub fn parse_usd(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_start_matches('$').trim_start();
    match leading_number(number) {
        Some((amount, "")) => Ok(amount),
        _ => Err(format!(
            "'{}' is no amount of dollars; write for example $2.50",
            text.escape_debug()
        )),
    }
}

/// `$2.50`; more digits where they are needed.
pub fn print_usd(amount: f64) -> String {
    let cents = format!("{amount:.2}");
    if cents.parse() == Ok(amount) {
        format!("${cents}")
    } else {
        format!("${amount}")
    }
}

/// A size in bytes: `256MB` (10^6), `64MiB` (2^20), `4096`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || {
        format!(
            "'{}' is no size; write for example 256MB or 64MiB",
            text.escape_debug()
        )
    };
    let (number, unit) = leading_number(text.trim()).ok_or_else(bad)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        _ => return Err(bad()),
    };
    Ok((number * factor).round() as u64)
}

/// The largest decimal unit that divides the size evenly.
pub fn print_bytes(bytes: u64) -> String {
    [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")]
        .into_iter()
        .find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size))
        .map_or_else(
            || format!("{bytes}B"),
            |(size, unit)| format!("{}{unit}", bytes / size),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("20m", 1_200_000)]
    #[case("1h30m", 5_400_000)]
    #[case(" 1h 30min ", 5_400_000)]
    #[case("1.5h", 5_400_000)]
    #[case("250ms", 250)]
    #[case("2d", 172_800_000)]
    #[case("0s", 0)]
    fn durations(#[case] text: &str, #[case] millis: u64) {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
    }

    #[rstest]
    #[case("")]
    #[case("20")]
    #[case("-5m")]
    #[case("5 fortnights")]
    #[case("1h30")]
    #[case("1.2.3s")]
    #[case("999999d")]
    #[case("€5")]
    fn no_durations(#[case] text: &str) {
        assert!(parse_duration(text).is_err());
    }

    #[rstest]
    #[case("$2.50", 2.5, "$2.50")]
    #[case("2.5", 2.5, "$2.50")]
    #[case("$0.125", 0.125, "$0.125")]
    #[case("$3", 3.0, "$3.00")]
    fn dollars(#[case] text: &str, #[case] amount: f64, #[case] printed: &str) {
        assert_eq!(parse_usd(text), Ok(amount));
        assert_eq!(print_usd(amount), printed);
    }

    #[rstest]
    #[case("256MB", 256_000_000, "256MB")]
    #[case("1 MiB", 1_048_576, "1048576B")]
    #[case("4096", 4096, "4096B")]
    #[case("2gb", 2_000_000_000, "2GB")]
    fn sizes(#[case] text: &str, #[case] bytes: u64, #[case] printed: &str) {
        assert_eq!(parse_bytes(text), Ok(bytes));
        assert_eq!(print_bytes(bytes), printed);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "$", "-1", "$-1", "1e9", "NaN", "five"] {
            assert!(parse_usd(text).is_err(), "{text}");
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_is_the_inverse_of_reading(millis in 0u64..10_000_000_000, bytes in 0u64..1 << 50) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_bytes(&print_bytes(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_usd(&text), parse_bytes(&text));
        }
    }
}
