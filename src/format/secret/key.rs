//! Private keys in their armour: `-----BEGIN … PRIVATE KEY-----` and a body that can be one.

use super::{Found, placeholder};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// Between the first dashes and the last ones stands no more than this.
const LONGEST_TITLE: usize = 40;
/// No key has a shorter body, in characters of base64.
const SHORTEST: usize = 60;
/// More of a body need not be looked at.
const LONGEST: usize = 16 * 1024;

/// The private keys of a text.
pub(super) fn keys(text: &[u8]) -> Vec<Found> {
    let dashes = text.iter().enumerate().filter(|(_, b)| **b == b'-');
    let starts = dashes
        .map(|(at, _)| at)
        .filter(|at| text[*at..].starts_with(BEGIN));
    starts
        .filter_map(|start| {
            let title = start + BEGIN.len();
            let window = &text[title..text.len().min(title + LONGEST_TITLE)];
            let dashes = window.windows(5).position(|five| five == b"-----")?;
            let named = &window[..dashes];
            let private = named.ends_with(b"PRIVATE KEY") || named.ends_with(b"PRIVATE KEY BLOCK");
            let from = title + dashes + 5;
            let secret = body(&text[from..text.len().min(from + LONGEST)]);
            let is_key = private && secret.len() >= SHORTEST && !placeholder::is_one(&secret);
            is_key.then(|| Found {
                secret,
                ..Found::at("private key", text, start..from)
            })
        })
        .collect()
}

/// The characters of base64 up to the end of the armour: without line ends, however they are written, quotes, and lines
/// of a head (`Proc-Type: …`).
fn body(text: &[u8]) -> Vec<u8> {
    let end = text.windows(END.len()).position(|part| part == END);
    let text = String::from_utf8_lossy(&text[..end.unwrap_or(text.len())])
        .replace("\\r", "\n")
        .replace("\\n", "\n");
    let lines = text.lines().map(|line| {
        line.trim_matches(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '+' | '\\' | '#' | '*')
        })
    });
    let of_key = |line: &&str| {
        let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        line.bytes().all(base64)
    };
    lines.filter(of_key).flat_map(str::bytes).collect()
}
