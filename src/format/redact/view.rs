//! A text as its reader sees it: without line ends and escape sequences, and with its escapes undone; each byte knows
//! where it stands in the text itself.

use std::ops::Range;

/// An escape sequence that has not ended after so many bytes is none.
const LONGEST_SEQUENCE: usize = 512;

/// Bytes, and the place of each in the text that they were taken from.
#[derive(Debug, Default)]
pub(super) struct View {
    text: Vec<u8>,
    places: Vec<(usize, usize)>,
    /// Where a sequence begins that the text's end cuts off.
    open: Option<usize>,
}

impl View {
    /// Without control characters, line ends with the indent after them, invisible characters and escape sequences.
    pub(super) fn plain(raw: &[u8]) -> Self {
        Self::of(raw, false)
    }

    /// The same, and percent and JSON escapes are undone.
    pub(super) fn decoded(raw: &[u8]) -> Self {
        Self::of(raw, true)
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Where a part of the view stands in the text.
    pub(super) fn place(&self, part: Range<usize>) -> Range<usize> {
        let start = self.places.get(part.start).map_or(0, |place| place.0);
        let end = part.end.checked_sub(1).and_then(|last| self.places.get(last));
        start..end.map_or(start, |place| place.1)
    }

    /// Where the sequence begins that the text's end cuts off.
    pub(super) fn open(&self) -> Option<usize> {
        self.open
    }

    fn of(raw: &[u8], decode: bool) -> Self {
        let mut view = Self::default();
        view.text.reserve(raw.len());
        view.places.reserve(raw.len());
        let mut at = 0;
        while at < raw.len() {
            at = view.take(raw, at, decode);
        }
        view
    }

    /// Takes what stands here, and says where the next thing stands.
    fn take(&mut self, raw: &[u8], at: usize, decode: bool) -> usize {
        match raw[at] {
            0x1b => self.skip_sequence(raw, at, at + 1),
            b'\n' => skip_indent(raw, at + 1),
            b if b < 0x20 || b == 0x7f => at + 1,
            b'%' if decode => self.take_percent(raw, at),
            b'\\' if decode => self.take_backslash(raw, at),
            b @ 0x80.. => match invisible(&raw[at..]) {
                0 => self.push(b, at, at + 1),
                n => at + n,
            },
            b => self.push(b, at, at + 1),
        }
    }

    fn push(&mut self, byte: u8, from: usize, to: usize) -> usize {
        self.text.push(byte);
        self.places.push((from, to));
        to
    }

    fn take_percent(&mut self, raw: &[u8], at: usize) -> usize {
        match raw.get(at + 1..at + 3).and_then(number) {
            // The encoded form of a control character is passed over like the character itself.
            Some(code) if code < 0x20 => at + 3,
            Some(code) => self.push(u8::try_from(code).unwrap_or(b'%'), at, at + 3),
            None => {
                self.note_cut(raw, at, 3);
                self.push(b'%', at, at + 1)
            }
        }
    }

    fn take_backslash(&mut self, raw: &[u8], at: usize) -> usize {
        match raw.get(at + 1) {
            Some(b @ (b'"' | b'\\' | b'/')) => self.push(*b, at, at + 2),
            Some(b'n') => skip_indent(raw, at + 2),
            Some(b'r' | b't' | b'b' | b'f') => at + 2,
            Some(b'u') => self.take_unicode(raw, at),
            Some(_) => self.push(b'\\', at, at + 1),
            None => {
                self.note_cut(raw, at, 2);
                self.push(b'\\', at, at + 1)
            }
        }
    }

    fn take_unicode(&mut self, raw: &[u8], at: usize) -> usize {
        let Some(mut code) = raw.get(at + 2..at + 6).and_then(number) else {
            self.note_cut(raw, at, 6);
            return self.push(b'\\', at, at + 1);
        };
        let mut next = at + 6;
        if code == 0x1b {
            return self.skip_sequence(raw, at, next);
        }
        let low = raw.get(next..next + 6).filter(|pair| pair.starts_with(b"\\u"));
        if let (0xd800..0xdc00, Some(low)) = (code, low.and_then(|pair| number(&pair[2..]))) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low & 0x3ff);
            next += 6;
        }
        if let Some(c) = char::from_u32(code).filter(|c| !c.is_control()) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.push(byte, at, next);
            }
        }
        next
    }

    /// After an escape at `at`: a sequence with parameters, or a string; of anything else the escape alone.
    fn skip_sequence(&mut self, raw: &[u8], at: usize, next: usize) -> usize {
        let rest = &raw[next..raw.len().min(next + LONGEST_SEQUENCE)];
        let Some(first) = rest.first() else {
            self.open = Some(at);
            return next;
        };
        let end = match first {
            b'[' => rest
                .iter()
                .skip(1)
                .position(|b| (0x40..=0x7e).contains(b))
                .map(|n| n + 2),
            b']' | b'P' | b'X' | b'^' | b'_' => string_end(rest),
            _ => Some(0),
        };
        let broken = rest.contains(&b'\n');
        match end {
            Some(end) => next + end,
            None if !broken && rest.len() < LONGEST_SEQUENCE => {
                self.open = Some(at);
                raw.len()
            }
            None => next,
        }
    }

    /// What may be the beginning of an escape of `length` bytes waits for the rest of it.
    fn note_cut(&mut self, raw: &[u8], at: usize, length: usize) {
        if raw.len() - at < length && self.open.is_none() {
            self.open = Some(at);
        }
    }
}

/// Up to BEL, or ST, which is an escape and a backslash.
fn string_end(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|b| matches!(b, 0x07 | 0x1b))?;
    let st = rest[end] == 0x1b && rest.get(end + 1) == Some(&b'\\');
    Some(end + 1 + usize::from(st))
}

fn skip_indent(raw: &[u8], from: usize) -> usize {
    let indent = raw[from..].iter().take_while(|b| matches!(b, b' ' | b'\t'));
    from + indent.count()
}

fn number(digits: &[u8]) -> Option<u32> {
    let plain = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    u32::from_str_radix(text, 16).ok()
}

/// How many bytes an invisible character takes here: marks of direction and of no width, C1 controls; else none.
fn invisible(rest: &[u8]) -> usize {
    match rest {
        [0xc2, 0x80..=0x9f, ..] => 2,
        [0xc2, 0xad, ..] => 2,
        [0xe2, 0x80, 0x8b..=0x8f | 0xaa..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xaf, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}
