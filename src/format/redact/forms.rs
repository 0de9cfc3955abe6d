//! The forms that a secret is looked for in: as it is, and as the usual encoders write it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::view::View;

/// Every form of a secret, also as it looks when its line ends and escape sequences are passed over.
pub(super) fn of(secret: &str) -> BTreeSet<Vec<u8>> {
    let bytes = secret.as_bytes();
    let json = json_escaped(secret);
    let mut forms: BTreeSet<Vec<u8>> = [
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        percent(bytes, "%20"),
        percent(bytes, "+"),
        secret.replace(' ', "+"),
        hex(bytes, |b| format!("{b:02x}")),
        hex(bytes, |b| format!("{b:02X}")),
    ]
    .into_iter()
    .chain(base64_forms(bytes))
    .map(String::into_bytes)
    .collect();
    forms.extend(base64_forms_of_json(secret));
    let seen: Vec<Vec<u8>> = forms.iter().map(|form| View::plain(form).into_text()).collect();
    forms.extend(seen);
    forms.retain(|form| form.len() >= super::MIN_BYTES);
    forms
}

fn json_escaped(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(bytes: &[u8], blank: &str) -> String {
    let one = |b: &u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*b).to_string(),
        b' ' => blank.to_owned(),
        b => format!("%{b:02X}"),
    };
    bytes.iter().map(one).collect()
}

fn hex(bytes: &[u8], digits: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(digits).collect()
}

/// A document in JSON is often encoded as a whole; where escapes change nothing there is nothing to add.
fn base64_forms_of_json(secret: &str) -> Vec<Vec<u8>> {
    let json = json_escaped(secret);
    match json == secret {
        true => Vec::new(),
        false => base64_forms(json.as_bytes()).map(String::into_bytes).collect(),
    }
}

/// The characters that depend on the secret alone, for each of the three ways that it can fall into groups of three bytes.
fn base64_forms(bytes: &[u8]) -> impl Iterator<Item = String> {
    [(0, 0), (1, 2), (2, 3)]
        .into_iter()
        .flat_map(move |(before, first)| {
            let padded = [&[0; 2][..before], bytes].concat();
            // A last group that is not full shares its last character with what follows.
            let last = padded.len() * 8 / 6;
            [STANDARD_NO_PAD, URL_SAFE_NO_PAD]
                .into_iter()
                .map(move |engine| engine.encode(&padded)[first..last].to_owned())
        })
}
