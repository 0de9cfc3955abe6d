//! A check's output: all of it goes into the digest, the end of it is kept, nothing else.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of the end is kept, in bytes.
const KEPT: usize = 8 * 1024;

/// Output as it comes.
#[derive(Debug, Default)]
pub(super) struct Capture {
    digest: Sha256,
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
        self.end.extend_from_slice(bytes);
        if self.end.len() > 16 * KEPT {
            self.end.drain(..self.end.len() - KEPT);
        }
    }

    /// SHA-256 of everything, in hex.
    pub(super) fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    /// The end, as people read it: no control sequences, whole lines where something was cut.
    pub(super) fn tail(&self) -> String {
        let from = self.end.len().saturating_sub(KEPT);
        let text = plain(&String::from_utf8_lossy(&self.end[from..]));
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
        assert!(capture.end.capacity() < 64 * KEPT);
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
