//! Markdown as lines: which are headings, fences, comments, blank or text. Works on any bytes.
//!
//! Line ends are LF, CRLF and a lone CR. What CommonMark hides is hidden here: text in a fenced block or in an
//! HTML comment is no heading, item or fence. A comment that starts a line runs to its `-->` wherever that is; one
//! in the middle of a line must end in the same paragraph, or it is text.
//! Invariant: linear in the size of the input. Deliberately absent: setext headings, and anything inside a line
//! but comments.

use std::collections::HashMap;
use std::ops::Range;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Blank,
    Text,
    Heading(u8),
    FenceOpen,
    FenceBody,
    FenceClose,
    /// Nothing but comment, or begun inside one.
    Comment,
}

/// One line, without its line end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}

impl Line {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether the line is a part of a fenced block.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self.kind, Kind::FenceOpen | Kind::FenceBody | Kind::FenceClose)
    }
}

/// All lines of a text, and what does not end in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan {
    pub(crate) lines: Vec<Line>,
    /// Comments, in order, each from `<!--` to after `-->`.
    pub(crate) comments: Vec<Range<usize>>,
    /// The line of a fence that is never closed.
    pub(crate) unclosed_fence: Option<usize>,
    /// The line of a comment that is never closed and hides all that follows.
    pub(crate) unclosed_comment: Option<usize>,
    /// Lines with a comment that its paragraph does not close.
    pub(crate) dangling_comments: Vec<usize>,
}

impl Scan {
    /// The parts of a range that are no comment.
    pub(crate) fn visible(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let first = self.comments.partition_point(|c| c.end <= range.start);
        let mut parts = Vec::new();
        let mut at = range.start;
        for comment in self.comments[first..].iter().take_while(|c| c.start < range.end) {
            if comment.start > at {
                parts.push(at..comment.start);
            }
            at = comment.end.min(range.end);
        }
        if at < range.end {
            parts.push(at..range.end);
        }
        parts
    }

    /// The text of a range without its comments.
    pub(crate) fn visible_text(&self, bytes: &[u8], range: Range<usize>) -> String {
        let parts = self.visible(range);
        parts
            .into_iter()
            .map(|part| String::from_utf8_lossy(&bytes[part]))
            .collect()
    }

    /// The index of the line that holds a byte.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|l| l.start <= offset)
            .saturating_sub(1)
    }

    /// The first byte after a line and its line end.
    pub(crate) fn next_start(&self, line: usize, len: usize) -> usize {
        self.lines.get(line + 1).map_or(len, |next| next.start)
    }
}

/// Looks at every line of a text.
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut scanner = Scanner {
        bytes,
        scan: Scan::default(),
        state: State::Normal,
        no_close_before: 0,
    };
    let mut at = start;
    while at < bytes.len() {
        let end = line_end_at(bytes, at);
        let kind = scanner.line(at..end);
        scanner.scan.lines.push(Line { start: at, end, kind });
        at = after_line_end(bytes, end);
    }
    scanner.finish()
}

/// The level of an ATX heading, from 1 to 6.
pub(crate) fn heading_level(line: &[u8]) -> Option<u8> {
    let indent = line.iter().take_while(|b| **b == b' ').count();
    let rest = line.get(indent..).filter(|_| indent <= 3)?;
    let level = rest.iter().take_while(|b| **b == b'#').count();
    let closed = rest.get(level).is_none_or(|b| is_space(*b));
    u8::try_from(level).ok().filter(|l| (1..=6).contains(l) && closed)
}

/// How far a line is indented, in columns (a tab goes to the next multiple of four), and in bytes.
pub(crate) fn indent(line: &[u8]) -> (usize, usize) {
    let mut columns = 0;
    for (n, byte) in line.iter().enumerate() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns = (columns / 4 + 1) * 4,
            _ => return (columns, n),
        }
    }
    (columns, line.len())
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

enum State {
    Normal,
    Fence { mark: u8, length: usize, line: usize },
    Comment { start: usize, line: usize },
}

struct Scanner<'a> {
    bytes: &'a [u8],
    scan: Scan,
    state: State,
    /// No `-->` stands before this byte; spares looking twice.
    no_close_before: usize,
}

impl Scanner<'_> {
    fn line(&mut self, range: Range<usize>) -> Kind {
        let line = &self.bytes[range.clone()];
        match self.state {
            State::Fence { mark, length, .. } if closes_fence(line, mark, length) => {
                self.state = State::Normal;
                Kind::FenceClose
            }
            State::Fence { .. } => Kind::FenceBody,
            State::Comment { start, .. } => {
                self.in_comment(start, range);
                Kind::Comment
            }
            State::Normal => self.normal(range),
        }
    }

    fn normal(&mut self, range: Range<usize>) -> Kind {
        let line = &self.bytes[range.clone()];
        if line.iter().all(|b| is_space(*b)) {
            return Kind::Blank;
        }
        if let Some((mark, length)) = opens_fence(line) {
            let line = self.scan.lines.len();
            self.state = State::Fence { mark, length, line };
            return Kind::FenceOpen;
        }
        let level = heading_level(line);
        let known = self.scan.comments.len();
        self.comments_in(range.clone(), range.start, level.is_some());
        let found = self.scan.comments.len() > known || matches!(self.state, State::Comment { .. });
        match level {
            Some(level) => Kind::Heading(level),
            None if found && self.is_all_comment(range) => Kind::Comment,
            None => Kind::Text,
        }
    }

    fn is_all_comment(&self, range: Range<usize>) -> bool {
        let end = match self.state {
            State::Comment { start, .. } => start.clamp(range.start, range.end),
            _ => range.end,
        };
        let parts = self.scan.visible(range.start..end);
        parts
            .into_iter()
            .all(|part| self.bytes[part].iter().all(|b| is_space(*b)))
    }

    fn in_comment(&mut self, start: usize, range: Range<usize>) {
        // `<!-->` is whole: the search may begin with the dashes of the opening.
        let from = range.start.max(start + 2);
        if let Some(end) = find(self.bytes, b"-->", from..range.end) {
            self.scan.comments.push(start..end + 3);
            self.state = State::Normal;
            self.comments_in(end + 3..range.end, range.start, false);
        }
    }

    /// Finds the comments in the rest of a line; the last of them may leave the line.
    fn comments_in(&mut self, rest: Range<usize>, line_start: usize, is_heading: bool) {
        let mut at = rest.start;
        if find(self.bytes, b"<!--", rest.clone()).is_none() {
            return;
        }
        let spans = CodeSpans::of(self.bytes, rest.clone());
        while let Some(open) = spans.next_comment(self.bytes, at..rest.end) {
            if let Some(close) = find(self.bytes, b"-->", open + 2..rest.end) {
                self.scan.comments.push(open..close + 3);
                at = close + 3;
                continue;
            }
            let starts_line = self.bytes[line_start..open].iter().all(|b| is_space(*b));
            let line = self.scan.lines.len();
            if starts_line || (!is_heading && self.paragraph_closes(rest.end)) {
                self.state = State::Comment { start: open, line };
            } else {
                self.scan.dangling_comments.push(line);
            }
            return;
        }
    }

    /// Whether `-->` comes before the next blank line.
    fn paragraph_closes(&mut self, line_end: usize) -> bool {
        let mut at = after_line_end(self.bytes, line_end).max(self.no_close_before);
        while at < self.bytes.len() {
            let end = line_end_at(self.bytes, at);
            if self.bytes[at..end].iter().all(|b| is_space(*b)) {
                break;
            }
            if find(self.bytes, b"-->", at..end).is_some() {
                return true;
            }
            at = after_line_end(self.bytes, end);
        }
        self.no_close_before = at;
        false
    }

    fn finish(mut self) -> Scan {
        match self.state {
            State::Normal => {}
            State::Fence { line, .. } => self.scan.unclosed_fence = Some(line),
            State::Comment { start, line } => {
                self.scan.comments.push(start..self.bytes.len());
                self.scan.unclosed_comment = Some(line);
            }
        }
        self.scan
    }
}

/// The runs of backticks of one line, so that `` `<!--` `` is code and no comment.
struct CodeSpans {
    spans: Vec<Range<usize>>,
}

impl CodeSpans {
    fn of(bytes: &[u8], range: Range<usize>) -> Self {
        let runs = backtick_runs(bytes, range);
        let last: HashMap<usize, usize> = runs.iter().enumerate().map(|(n, run)| (run.len(), n)).collect();
        let mut spans = Vec::new();
        let mut n = 0;
        while n < runs.len() {
            let has_partner = last.get(&runs[n].len()).is_some_and(|at| *at > n);
            let partner = (n + 1..runs.len()).find(|m| has_partner && runs[*m].len() == runs[n].len());
            if let Some(m) = partner {
                spans.push(runs[n].start..runs[m].end);
                n = m;
            }
            n += 1;
        }
        Self { spans }
    }

    fn next_comment(&self, bytes: &[u8], range: Range<usize>) -> Option<usize> {
        let mut at = range.start;
        loop {
            let open = find(bytes, b"<!--", at..range.end)?;
            let n = self.spans.partition_point(|s| s.end <= open);
            match self.spans.get(n).filter(|s| s.start < open) {
                Some(span) => at = span.end,
                None => return Some(open),
            }
        }
    }
}

fn backtick_runs(bytes: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in range.filter(|at| bytes[*at] == b'`') {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// The mark and length of a fence that this line opens.
fn opens_fence(line: &[u8]) -> Option<(u8, usize)> {
    let rest = &line[indent(line).1..];
    let mark = *rest.first().filter(|b| matches!(b, b'`' | b'~'))?;
    let length = rest.iter().take_while(|b| **b == mark).count();
    let inline = mark == b'`' && rest[length..].contains(&b'`');
    (length >= 3 && !inline).then_some((mark, length))
}

fn closes_fence(line: &[u8], mark: u8, length: usize) -> bool {
    let rest = &line[indent(line).1..];
    let run = rest.iter().take_while(|b| **b == mark).count();
    run >= length && rest[run..].iter().all(|b| is_space(*b))
}

fn line_end_at(bytes: &[u8], from: usize) -> usize {
    let end = bytes[from..].iter().position(|b| matches!(b, b'\n' | b'\r'));
    end.map_or(bytes.len(), |n| from + n)
}

fn after_line_end(bytes: &[u8], end: usize) -> usize {
    match bytes.get(end..).unwrap_or_default() {
        [b'\r', b'\n', ..] => end + 2,
        [] => end,
        _ => end + 1,
    }
}

/// The first place of a short text in a range.
pub(crate) fn find(bytes: &[u8], what: &[u8], range: Range<usize>) -> Option<usize> {
    let start = range.start;
    let found = bytes.get(range)?.windows(what.len()).position(|w| w == what);
    found.map(|n| start + n)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
