//! Reading a worker's output file as it grows, by whole lines, from an offset that outlives the orchestrator.
//!
//! Invariants: the offset only ever stands at the start of a line, so whoever goes on from it sees no half line and
//! misses none; memory is bounded by [`LINE_CAP`] whatever the worker writes.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes of a line that are kept; the rest of a longer one is skipped.
pub const LINE_CAP: usize = 1 << 20;
/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;

/// One line of a worker's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its bytes, without the line feed.
    pub bytes: Vec<u8>,
    /// Whether it was longer than [`LINE_CAP`], so that its end is missing.
    pub cut: bool,
    /// Where the next line starts, in bytes from the start of the file.
    pub next: u64,
}

/// A place in a growing file.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// The start of the line that is being read.
    line_at: u64,
    /// How far it was read.
    read_to: u64,
    /// The first bytes of that line, [`LINE_CAP`] at most.
    partial: Vec<u8>,
}

impl Tail {
    /// Goes on from an offset that [`Tail::offset`] or [`Line::next`] told; the file need not be there yet.
    pub fn new(path: &Path, offset: u64) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            line_at: offset,
            read_to: offset,
            partial: Vec::new(),
        }
    }

    /// Where to go on from: the start of the first line that was not returned.
    pub fn offset(&self) -> u64 {
        self.line_at
    }

    /// The whole lines that came since the last time, a chunk's worth of them at most; none means that there is nothing new.
    pub fn read(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut chunk = vec![0; CHUNK];
        while lines.is_empty() {
            let n = self.fill(&mut chunk)?;
            if n == 0 {
                break;
            }
            self.take(&chunk[..n], &mut lines);
        }
        Ok(lines)
    }

    /// What stands after the last line feed, once nobody writes any more; a worker that was killed may leave half a line.
    pub fn rest(&mut self) -> Option<Line> {
        if self.read_to == self.line_at {
            return None;
        }
        Some(self.close_line(self.read_to))
    }

    fn fill(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(mut file) => {
                    file.seek(SeekFrom::Start(self.read_to))?;
                    self.file.insert(file)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            },
        };
        loop {
            match file.read(chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn take(&mut self, mut chunk: &[u8], lines: &mut Vec<Line>) {
        while let Some(end) = chunk.iter().position(|b| *b == b'\n') {
            self.keep(&chunk[..end]);
            let next = self.read_to + 1;
            self.read_to = next;
            lines.push(self.close_line(next));
            chunk = &chunk[end + 1..];
        }
        self.keep(chunk);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_CAP - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.read_to += bytes.len() as u64;
    }

    fn close_line(&mut self, next: u64) -> Line {
        let length = next - self.line_at;
        let bytes = std::mem::take(&mut self.partial);
        self.line_at = next;
        Line {
            cut: length > bytes.len() as u64 + 1,
            bytes,
            next,
        }
    }
}

/// The last `max` bytes of a file, as text fit to be shown; empty where there is no such file.
pub fn last_words(path: &Path, max: u64) -> io::Result<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(max)))?;
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(super::printable::printable(&bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(lines: &[Line]) -> Vec<&str> {
        lines
            .iter()
            .map(|line| std::str::from_utf8(&line.bytes).unwrap())
            .collect()
    }

    #[test]
    fn whole_lines_come_once_and_half_ones_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut tail = Tail::new(&path, 0);
        assert_eq!(tail.read().unwrap(), []);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\n\ntw").unwrap();
        assert_eq!(text(&tail.read().unwrap()), ["one", ""]);
        assert_eq!(tail.read().unwrap(), []);
        assert_eq!(tail.offset(), 5);
        file.write_all(b"o\nthree").unwrap();
        assert_eq!(text(&tail.read().unwrap()), ["two"]);
        assert_eq!(text(&Tail::new(&path, 5).read().unwrap()), ["two"]);
        assert_eq!(tail.read().unwrap(), []);
        assert_eq!(text(&[tail.rest().unwrap()]), ["three"]);
        assert_eq!((tail.rest(), tail.offset()), (None, 14));
    }

    #[test]
    fn a_giant_line_is_cut_and_the_next_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut bytes = vec![b'x'; 3 * LINE_CAP];
        bytes.extend_from_slice(b"\nnext\n");
        std::fs::write(&path, &bytes).unwrap();
        let mut tail = Tail::new(&path, 0);
        let mut lines = tail.read().unwrap();
        lines.extend(tail.read().unwrap());
        assert_eq!((lines[0].bytes.len(), lines[0].cut), (LINE_CAP, true));
        assert_eq!(
            (lines[1].bytes.as_slice(), lines[1].cut),
            (b"next".as_slice(), false)
        );
        let exactly = [vec![b'y'; LINE_CAP], b"\n".to_vec()].concat();
        std::fs::write(&path, &exactly).unwrap();
        assert!(!Tail::new(&path, 0).read().unwrap()[0].cut);
    }

    proptest::proptest! {
        /// However the writes fall, and wherever a reader is replaced by a new one, the lines are those of the file.
        #[test]
        fn any_restart_sees_the_same_lines(pieces in proptest::collection::vec("[a\n]{0,6}", 0..12), restarts: u16) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("out");
            let mut file = File::create(&path).unwrap();
            let mut tail = Tail::new(&path, 0);
            let mut seen = Vec::new();
            for (i, piece) in pieces.iter().enumerate() {
                file.write_all(piece.as_bytes()).unwrap();
                seen.extend(tail.read().unwrap());
                if restarts & (1 << (i % 16)) != 0 {
                    tail = Tail::new(&path, tail.offset());
                }
            }
            seen.extend(tail.read().unwrap());
            seen.extend(tail.rest());
            let whole = pieces.concat();
            assert_eq!(text(&seen), whole.split_terminator('\n').collect::<Vec<_>>());
        }
    }
}
