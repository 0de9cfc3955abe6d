//! What stands where a secret would: words, dots, counting, one letter again and again.

/// Words that no secret holds by chance. Of random characters each turns up once in a million tokens or less.
const WORDS: [&str; 13] = [
    "example",
    "placeholder",
    "redacted",
    "changeme",
    "change-me",
    "change_me",
    "replace",
    "insert",
    "dummy",
    "sample",
    "notreal",
    "not-real",
    "xxxx",
];
/// Words that stand in the place of a password.
const NO_PASSWORDS: [&str; 14] = [
    "password", "passwd", "secret", "token", "postgres", "mysql", "root", "admin", "test", "dev", "local",
    "user", "none", "null",
];

/// Whether this is no secret but stands where one would.
pub(super) fn is_one(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    WORDS.iter().any(|word| text.contains(word)) || is_monotonous(value) || counts(value)
}

/// The same for what stands behind `PASSWORD=`: also a reference to a variable, an ordinary word, and what is short.
pub(super) fn is_no_password(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let word = lower.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '!' | '-' | '_'));
    value.len() < 8
        || value.starts_with(['$', '<', '{', '%', '['])
        || value.contains("${")
        || lower.contains("your")
        || NO_PASSWORDS.contains(&word)
        || is_one(value.as_bytes())
}

/// So few different characters that it is not random.
fn is_monotonous(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value.iter().for_each(|b| seen[usize::from(*b)] = true);
    let different = seen.iter().filter(|s| **s).count();
    different < (value.len() / 3).min(9)
}

/// Half of it or more goes on by one from character to character: `abcdef`, `012345`.
fn counts(value: &[u8]) -> bool {
    let steps = value.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1));
    value.len() > 2 && steps.count() * 2 >= value.len() - 1
}
