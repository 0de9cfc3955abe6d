//! A check's output: all of it goes into the digest; its beginning and its end are kept, up to a size.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of the end goes into the receipt, in bytes.
const KEPT: usize = 8 * 1024;
/// How much of the beginning is stored, and as much of the end.
const STORED: usize = 4 * 1024 * 1024;

/// Output as it comes.
#[derive(Debug, Default)]
pub(super) struct Capture {
    digest: Sha256,
    head: Vec<u8>,
    end: Vec<u8>,
    total: u64,
}

impl Capture {
    /// Takes everything until the other side closes or fails.
    pub(super) async fn drain(&mut self, from: &mut (impl AsyncRead + Unpin)) {
        let mut buffer = vec![0u8; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            self.push(&buffer[..n]);
        }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.total += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(STORED - self.head.len()));
        self.head.extend_from_slice(first);
        self.end.extend_from_slice(rest);
        if self.end.len() > 2 * STORED {
            self.end.drain(..self.end.len() - STORED);
        }
    }

    /// How much there was, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What is stored: all of it, or its beginning and its end, with a line between that says what is not there.
    pub(super) fn stored(&self) -> String {
        let end = &self.end[self.end.len().saturating_sub(STORED)..];
        let left_out = self.total - (self.head.len() + end.len()) as u64;
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if left_out > 0 {
            text.push_str(&format!("\n… {left_out} bytes are left out here …\n"));
        }
        text.push_str(&String::from_utf8_lossy(end));
        text
    }

    /// SHA-256 of everything, in hex.
    pub(super) fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    /// The end, as people read it: no control sequences, whole lines where something was cut.
    pub(super) fn tail(&self) -> String {
        let end = &self.end[self.end.len().saturating_sub(KEPT)..];
        let before = &self.head[self.head.len().saturating_sub(KEPT - end.len())..];
        let text = plain(&String::from_utf8_lossy(&[before, end].concat()));
        if self.total <= KEPT as u64 {
            return text;
        }
        let whole = text.split_once('\n').map_or(text.as_str(), |(_, rest)| rest);
        format!("… ({} bytes in all)\n{whole}", self.total)
    }
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Text without escape sequences and control characters; of a line that was overwritten, what was last to be seen.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.truncate(out.rfind('\n').map_or(0, |n| n + 1)),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips what follows ESC: CSI up to its final byte, OSC and its like up to BEL or ST, else one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_go() {
        for (raw, wanted) in [
            ("\u{1b}[31mred\u{1b}[0m\n", "red\n"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link", "link"),
            ("10%\r50%\r100%\nnext", "100%\nnext"),
            ("a\r\nb", "a\nb"),
            ("a\u{8}\u{0}b\t.", "ab\t."),
            ("\u{1b}", ""),
        ] {
            assert_eq!(plain(raw), wanted, "{raw:?}");
        }
    }

    #[test]
    fn long_output_keeps_its_end_in_whole_lines() {
        let mut capture = Capture::default();
        let mut all = Sha256::new();
        for n in 0..200_000 {
            let line = format!("line {n}\n");
            capture.push(line.as_bytes());
            all.update(&line);
        }
        let tail = capture.tail();
        assert!(tail.len() < KEPT + 100 && tail.ends_with("line 199999\n"));
        assert!(tail.lines().skip(1).all(|l| l.starts_with("line ")), "{tail}");
        assert_eq!(capture.sha256(), hex(&all.finalize()));
    }

    #[test]
    fn what_is_stored_has_its_beginning_and_its_end() {
        let mut small = Capture::default();
        small.push(b"all of it\n");
        assert_eq!((small.stored().as_str(), small.total()), ("all of it\n", 10));
        let mut large = Capture::default();
        large.push(b"the beginning\n");
        for _ in 0..40 {
            large.push(&vec![b'x'; 1024 * 1024]);
        }
        large.push(b"\nthe end\n");
        let text = large.stored();
        assert!(text.starts_with("the beginning\nxx") && text.ends_with("xx\nthe end\n"));
        assert!(text.contains("bytes are left out here") && text.len() < 2 * STORED + 200);
        assert!(large.head.len() + large.end.len() <= 3 * STORED + 1024 * 1024);
        assert!(large.tail().ends_with("the end\n") && large.tail().len() < KEPT + 100);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_become_plain_text(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let mut capture = Capture::default();
            capture.push(&bytes);
            let tail = capture.tail();
            proptest::prop_assert!(tail.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
