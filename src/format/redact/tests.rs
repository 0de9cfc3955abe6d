use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "sk-\"ant\\/p+s ?é=&v";

fn clean(secret: &str, text: &str) -> String {
    Redactor::new([secret]).redact(text).into_owned()
}

fn all_percent(secret: &str) -> String {
    secret.bytes().map(|b| format!("%{b:02x}")).collect()
}

fn all_unicode(secret: &str) -> String {
    secret
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect()
}

#[test]
fn every_form_is_found() {
    let hex: String = SECRET.bytes().map(|b| format!("{b:02X}")).collect();
    for (name, text) in [
        ("raw", SECRET.to_owned()),
        ("json", serde_json::json!({ "k": SECRET }).to_string()),
        ("json, every character escaped", all_unicode(SECRET)),
        ("base64", STANDARD.encode(SECRET)),
        ("base64 url", URL_SAFE.encode(SECRET)),
        (
            "base64 of json",
            STANDARD.encode(serde_json::json!([SECRET]).to_string()),
        ),
        ("hex", hex),
        ("url", "sk-%22ant%5c%2fp%2bs%20%3f%c3%a9%3d%26v".to_owned()),
        ("url, laxly", "sk-%22ant%5C/p+s%20?%C3%A9=&v".to_owned()),
        ("url, every byte", all_percent(SECRET)),
        ("form", "sk-%22ant%5C%2Fp%2Bs+%3F%C3%A9%3D%26v".to_owned()),
        (
            "in colours",
            "sk-\"\x1b[1;31mant\\/p\x1b[0m+s ?é=\x1b]8;;x\x07&v".to_owned(),
        ),
        (
            "in colours, in json",
            "sk-\\\"\\u001b[1;31mant\\\\/p\\u001b[0m+s ?é=&v".to_owned(),
        ),
        (
            "over two lines",
            "sk-\"ant\\/p+s\n    ?é=&v".replace("\n   ", " \n   "),
        ),
        (
            "over two lines, in json",
            "sk-\\\"ant\\\\/p\\n+s ?é=&v".to_owned(),
        ),
        (
            "with marks of no width",
            "sk-\"ant\u{200b}\\/p+s ?é=\u{2060}&v".to_owned(),
        ),
    ] {
        let clean = clean(SECRET, &format!("before {text} after"));
        assert!(clean.contains(MARK), "{name}: {clean}");
        assert!(
            clean.starts_with("before ") && clean.ends_with(" after"),
            "{name}: {clean}"
        );
        assert!(!clean.contains("ant") && !clean.contains("&v"), "{name}: {clean}");
    }
    assert_eq!(clean(SECRET, "nothing here"), "nothing here");
}

#[test]
fn lines_stay_lines_and_the_rest_stays_as_it_is() {
    let text = "a\x1b[1m%41\\n\nx-secret\r\n-token b\n";
    assert_eq!(clean("secret-token", text), "a\x1b[1m%41\\n\nx-[redacted]\n b\n");
    assert_eq!(clean("abcdef", "abcdefabcdef"), "[redacted][redacted]");
    let two = Redactor::new(["abcdef"]).with(["defghi"]);
    assert_eq!(two.redact("_abcdefghi_"), "_[redacted]_");
}

#[test]
fn it_never_shows_them_itself() {
    assert!(!format!("{:?}", Redactor::new([SECRET])).contains("ant"));
}

#[test]
fn short_words_are_left_alone() {
    assert_eq!(clean("yes", "yes"), "yes");
    assert_eq!(Redactor::new(["", " "]).redact("a b"), "a b");
}

#[test]
fn what_may_go_on_is_known() {
    let redactor = Redactor::new(["secret-token"]);
    assert!(redactor.may_go_on(b"it is secret-"));
    assert!(redactor.may_go_on(b"it is secret-\n"));
    assert!(redactor.may_go_on(b"\x1b[3"));
    assert!(!redactor.may_go_on(b"it is over"));
}

fn streamed(redactor: &Redactor, pieces: &[&[u8]]) -> String {
    let mut stream = redactor.stream();
    let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| stream.push(piece)).collect();
    shown.extend(stream.finish().0);
    String::from_utf8(shown).unwrap()
}

#[test]
fn a_flood_is_not_held_back() {
    let redactor = Redactor::new(["secret-token"]);
    let mut stream = redactor.stream();
    assert_eq!(stream.push(b"secret"), b"");
    let line_ends = vec![b'\n'; 1 << 20];
    assert!(stream.push(&line_ends).len() > line_ends.len() - 2 * 64 * 1024);
}

proptest! {
    #[test]
    fn inside_a_longer_encoded_text_too(before in "[ -~]{0,7}", secret in "[!-~]{6,40}", after in "[ -~]{0,7}") {
        let redactor = Redactor::new([&secret]);
        let whole = format!("{before}{secret}{after}");
        for text in [
            STANDARD.encode(&whole),
            URL_SAFE.encode(&whole),
            serde_json::json!([&whole]).to_string(),
            all_percent(&whole),
            whole,
        ] {
            let clean = redactor.redact(&text).into_owned();
            prop_assert!(clean.contains(MARK), "{}", clean);
        }
    }

    /// However a text is cut into pieces, what comes out is what would come out of the whole.
    #[test]
    fn pieces_hide_what_the_whole_hides(
        parts in proptest::collection::vec("secret-token|secret|-token|\x1b\\[1m|\n|%41|\\\\u00|[a-c%\\\\ ]{1,3}", 0..12),
        cuts in proptest::collection::vec(0usize..200, 0..6),
    ) {
        let redactor = Redactor::new(["secret-token"]);
        let whole = parts.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (whole.len() + 1)).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &whole.as_bytes()[w[0]..w[1]]).collect();
        prop_assert_eq!(streamed(&redactor, &pieces), redactor.redact(&whole));
    }

    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let redactor = Redactor::new(["secret-token"]);
        prop_assert_eq!(redactor.redact_bytes(&bytes).into_owned(), bytes);
    }
}
