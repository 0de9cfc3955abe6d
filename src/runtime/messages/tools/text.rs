//! Makes tool output fit for a model and a terminal: bounded, valid UTF-8, free of control characters. Pure.

/// Keeps the first and the last bytes of an output of any length.
#[derive(Debug)]
pub struct Excerpt {
    half: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
}

impl Excerpt {
    /// Keeps `limit` bytes at most, half from the start and half from the end.
    pub fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            head: Vec::new(),
            tail: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = (self.half - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend_from_slice(&bytes[room..]);
        // Cutting at twice the size makes the moves cheap on the whole.
        if self.tail.len() > 2 * self.half {
            self.cut();
        }
    }

    /// The text, with a note where bytes were left out.
    pub fn into_text(mut self) -> String {
        self.cut();
        let (head, tail) = (printable(&self.head), printable(&self.tail));
        match self.dropped {
            0 => printable(&[self.head, self.tail].concat()),
            dropped => format!("{head}\n[… {dropped} bytes left out …]\n{tail}"),
        }
    }

    fn cut(&mut self) {
        let excess = self.tail.len().saturating_sub(self.half);
        self.dropped += excess as u64;
        self.tail.drain(..excess);
    }
}

/// Bytes as text that cannot move a cursor: no escape sequences, no control characters but tab and newline.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\n' | '\t' => clean.push(c),
            '\r' => clean.push('\n'),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Leaves out the rest of an escape sequence (ECMA-48: CSI, OSC and the like, or a single character).
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            rest.find(|c| ('@'..='~').contains(c));
        }
        Some(']' | 'P' | '_' | '^' | 'X') => skip_string(rest),
        _ => {}
    }
}

/// A control string ends with BEL or ESC `\`; one that never ends must not swallow the output behind its line.
fn skip_string(rest: &mut std::str::Chars<'_>) {
    while let Some(c) = rest.next() {
        match c {
            '\u{7}' | '\n' => return,
            '\u{1b}' => {
                rest.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_sequences_go_and_text_stays() {
        for (raw, clean) in [
            (&b"plain\ttext\n"[..], "plain\ttext\n"),
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]8;;http://x\x1b\\link", "link"),
            (b"a\0b\x08c", "abc"),
            (b"10%\r20%\r\n", "10%\n20%\n"),
            (b"bad\xffutf", "bad\u{fffd}utf"),
            (b"\x1b]never ends\nnext", "next"),
            (b"\x1b", ""),
        ] {
            assert_eq!(printable(raw), clean);
        }
    }

    #[test]
    fn long_outputs_keep_both_ends() {
        let mut excerpt = Excerpt::new(20);
        excerpt.push(b"START-----");
        for _ in 0..1000 {
            excerpt.push(&[b'x'; 100]);
        }
        excerpt.push(b"-------END");
        assert_eq!(
            excerpt.into_text(),
            "START-----\n[… 100000 bytes left out …]\n-------END"
        );
    }

    proptest! {
        #[test]
        fn short_outputs_stay_whole_however_they_are_cut(text in "[a-zü]{0,40}", at in 0usize..80) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            let mut excerpt = Excerpt::new(200);
            excerpt.push(&bytes[..at]);
            excerpt.push(&bytes[at..]);
            prop_assert_eq!(excerpt.into_text(), text);
        }

        #[test]
        fn nothing_unprintable_is_left(bytes in prop::collection::vec(any::<u8>(), 0..300), limit in 0usize..100) {
            let mut excerpt = Excerpt::new(limit);
            excerpt.push(&bytes);
            let text = excerpt.into_text();
            prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            prop_assert!(text.len() <= 3 * limit + 64);
        }
    }
}
