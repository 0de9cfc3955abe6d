//! Taking known secrets out of text before anybody sees it, however they are written.
//!
//! Known forms: raw, base64 (standard and URL-safe, at any offset inside a longer encoded text), percent and form
//! encoding, JSON escapes, hexadecimal. Pure. Deliberately absent: guessing what looks like a secret; and a secret
//! that is split over two texts, which is why callers hand in whole lines.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in a secret's place.
pub const MARK: &str = "[redacted]";
/// Shorter secrets are not looked for: they would be found in ordinary words.
pub const MIN_BYTES: usize = 6;

/// Knows the secrets of a program.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, the longest first.
    forms: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.len())
    }
}

impl Redactor {
    /// Learns secrets; blanks around them are not part of them.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.as_ref().trim();
            if secret.len() >= MIN_BYTES {
                forms.extend(forms_of(secret));
            }
        }
        let mut forms: Vec<String> = forms.into_iter().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self { forms }
    }

    /// The text without any of the secrets.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for form in &self.forms {
            if clean.contains(form.as_str()) {
                clean = Cow::Owned(clean.replace(form.as_str(), MARK));
            }
        }
        clean
    }
}

fn forms_of(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let json = json_escaped(secret);
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        percent(bytes, "%20", |b| format!("%{b:02X}")),
        percent(bytes, "%20", |b| format!("%{b:02x}")),
        percent(bytes, "+", |b| format!("%{b:02X}")),
        hex(bytes, false),
        hex(bytes, true),
    ];
    forms.extend(base64_forms(bytes));
    forms
}

fn json_escaped(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(bytes: &[u8], blank: &str, escape: impl Fn(u8) -> String) -> String {
    let one = |b: &u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*b).to_string(),
        b' ' => blank.to_owned(),
        b => escape(*b),
    };
    bytes.iter().map(one).collect()
}

fn hex(bytes: &[u8], upper: bool) -> String {
    let mut text = String::new();
    for b in bytes {
        // Writing to a String cannot fail.
        let _ = if upper {
            write!(text, "{b:02X}")
        } else {
            write!(text, "{b:02x}")
        };
    }
    text
}

/// The characters that depend on the secret alone, for each of the three ways that it can fall into groups of three bytes.
fn base64_forms(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let padded = [&[0; 2][..before], bytes].concat();
        let first = [0, 2, 3][before];
        // A last group that is not full shares its last character with what follows.
        let last = padded.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            forms.push(text[first..last].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "sk-\"ant\\/p+s ?é=&v";

    #[test]
    fn every_form_is_found() {
        let redactor = Redactor::new([SECRET]);
        let url: String = SECRET.bytes().map(|b| format!("%{b:02X}")).collect();
        for (name, text) in [
            ("raw", SECRET.to_owned()),
            ("json", serde_json::json!({ "k": SECRET }).to_string()),
            ("base64", STANDARD.encode(SECRET)),
            ("base64 url", URL_SAFE.encode(SECRET)),
            ("hex", hex(SECRET.as_bytes(), true)),
            ("url", percent(SECRET.as_bytes(), "%20", |b| format!("%{b:02x}"))),
            ("form", percent(SECRET.as_bytes(), "+", |b| format!("%{b:02X}"))),
        ] {
            let clean = redactor.redact(&format!("before {text} after")).into_owned();
            assert!(
                clean.contains(MARK) && clean.starts_with("before ") && clean.ends_with(" after"),
                "{name}: {clean}"
            );
            assert!(!clean.contains(&text), "{name}: {clean}");
        }
        assert_eq!(
            redactor.redact(&url),
            url,
            "needless escapes of every byte are a known gap"
        );
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn it_never_shows_them_itself() {
        assert!(!format!("{:?}", Redactor::new([SECRET])).contains("ant"));
    }

    #[test]
    fn short_words_are_left_alone() {
        assert_eq!(Redactor::new(["yes", ""]).redact("yes"), "yes");
    }

    proptest::proptest! {
        #[test]
        fn inside_a_longer_encoded_text_too(before in "[ -~]{0,7}", secret in "[!-~]{6,40}", after in "[ -~]{0,7}") {
            let redactor = Redactor::new([&secret]);
            let whole = format!("{before}{secret}{after}");
            for text in [STANDARD.encode(&whole), URL_SAFE.encode(&whole), serde_json::json!([&whole]).to_string(), whole] {
                let clean = redactor.redact(&text).into_owned();
                assert!(clean.contains(MARK), "{clean}");
            }
        }
    }
}
