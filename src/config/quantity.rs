//! Sizes as people write them: `256MB`; reading and printing, exact inverses of each other.
//!
//! Lengths of time and amounts of money are [`crate::format::duration`].

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

/// An unsigned decimal number at the start of `text`, and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let ends = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..ends].parse().ok()?;
    Some((number, text[ends..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

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
    fn what_is_no_size_is_refused() {
        for text in ["", "$", "-1", "1e9", "NaN", "five", "5 fortnights"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_is_the_inverse_of_reading(bytes in 0u64..1 << 50) {
            prop_assert_eq!(parse_bytes(&print_bytes(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse_bytes(&text);
        }
    }
}
