//! An attempt whose output is sent: two files, how far each was read, and how far each is known to be kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::way::Way;
use super::{MOST_BYTES, of};
use crate::domain::id::TaskId;
use crate::domain::task::Attempt;
use crate::format::redact::Redactor;
use crate::runtime::process::file;
use crate::runtime::transcript::{Line, Tail};
use crate::store::{OutputLine, OutputOf, OutputSource};

/// Bytes of a line that are sent.
const LINE: usize = 64 * 1024;
/// More is not held back because a secret may begin in it.
const HELD: usize = 64 * 1024;
/// What was sent and has not arrived for so long is sent again, and straight.
const LOST: Duration = Duration::from_secs(5);
/// In an attempt's folder: all that it put out is kept.
const KEPT: &str = "output-kept";

/// An attempt whose output is sent.
pub(super) struct Followed {
    folder: PathBuf,
    pub(super) outputs: Vec<Stretch>,
    /// Told when all of it is kept; there from its end on.
    kept: Option<oneshot::Sender<()>>,
    over: bool,
}

/// One output of it.
pub(super) struct Stretch {
    pub(super) of: OutputOf,
    path: PathBuf,
    redactor: Redactor,
    tail: Tail,
    /// Read, and held back.
    held: Vec<Line>,
    /// Where the first line begins that was not handed out.
    at: u64,
    /// Up to where it is known to be kept; none: not asked yet.
    pub(super) whole: Option<u64>,
    /// Since when what was sent has not arrived.
    waits: Option<Instant>,
    /// Whether it goes straight to the database until all of it has arrived.
    pub(super) straight: bool,
}

impl Followed {
    /// None where all that it put out is kept.
    pub(super) fn new(
        task: &TaskId,
        attempt: &Attempt,
        folder: PathBuf,
        redactor: Redactor,
        is_new: bool,
    ) -> Option<Self> {
        if folder.join(KEPT).exists() {
            return None;
        }
        let output = |source| {
            let name = match source {
                OutputSource::Said => file::STDOUT,
                OutputSource::Complained => file::STDERR,
            };
            Stretch::new(of(task, attempt, source), &folder.join(name), &redactor, is_new)
        };
        Some(Self {
            outputs: OutputSource::BOTH.map(output).into(),
            folder,
            kept: None,
            over: false,
        })
    }

    pub(super) fn is_of(&self, task: &TaskId, epoch: u64) -> bool {
        let of = &self.outputs[0].of;
        of.task == *task && of.epoch == epoch
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let of = &other.outputs[0].of;
        self.is_of(&of.task, of.epoch)
    }

    /// Nobody writes any more.
    pub(super) fn end(&mut self, kept: oneshot::Sender<()>) {
        self.kept = Some(kept);
    }

    /// Whether nothing is to be done for it any more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Where it has ended: all that is not kept goes straight to the database, durably. To be called again until it is over;
    /// answers whether the database took what it was given.
    pub(super) async fn finish(&mut self, way: &mut Way) -> bool {
        let Some(kept) = &self.kept else {
            return true;
        };
        if kept.is_closed() {
            self.over = true;
            return true;
        }
        for output in &mut self.outputs {
            if !way.keep_rest(output).await {
                return false;
            }
        }
        self.over = true;
        if let Err(error) = std::fs::write(self.folder.join(KEPT), b"") {
            tracing::debug!(%error, "an output that is kept may be kept once more");
        }
        if let Some(kept) = self.kept.take() {
            // Whoever waited was told that it takes long.
            let _late = kept.send(());
        }
        true
    }
}

impl Stretch {
    fn new(of: OutputOf, path: &Path, redactor: &Redactor, is_new: bool) -> Self {
        Self {
            of,
            path: path.to_owned(),
            redactor: redactor.clone(),
            tail: Tail::new(path, 0),
            held: Vec::new(),
            at: 0,
            whole: is_new.then_some(0),
            waits: None,
            straight: false,
        }
    }

    /// Goes back to where it is known to be kept.
    pub(super) fn rewind(&mut self, whole: u64) {
        self.tail = Tail::new(&self.path, whole);
        self.held.clear();
        (self.at, self.whole, self.waits) = (whole, Some(whole), None);
    }

    /// The next lines that may leave; with `all` to the end of the file, else what can be no beginning of a secret.
    pub(super) fn next(&mut self, all: bool) -> Vec<OutputLine> {
        if self.whole.is_none() || self.at >= MOST_BYTES {
            return Vec::new();
        }
        let grown = std::fs::metadata(&self.path).is_ok_and(|meta| meta.len() > self.tail.offset());
        if !grown && self.held.is_empty() {
            return Vec::new();
        }
        match self.tail.read() {
            Ok(lines) => self.held.extend(lines),
            Err(error) => tracing::debug!(task = %self.of.task, %error, "its output cannot be read now"),
        }
        if all && self.held.is_empty() {
            self.held.extend(self.tail.rest());
        }
        let ready = self.safe(all);
        let ready: Vec<Line> = self.held.drain(..ready).collect();
        self.clean(&ready)
    }

    /// How many of the held lines can leave.
    fn safe(&self, all: bool) -> usize {
        let bytes: usize = self.held.iter().map(|line| line.bytes.len()).sum();
        let mut ready = self.held.len();
        while !all
            && bytes < HELD
            && ready > 0
            && self.redactor.may_go_on(joined(&self.held[..ready]).as_bytes())
        {
            ready -= 1;
        }
        ready
    }

    /// Together, so that a secret that is broken over lines is found; it leaves its line ends behind.
    fn clean(&mut self, lines: &[Line]) -> Vec<OutputLine> {
        let text = joined(lines);
        let text = self.redactor.redact(&text);
        let line = |(line, text): (&Line, &str)| {
            let starts = std::mem::replace(&mut self.at, line.next);
            let text = text[..text.floor_char_boundary(LINE)].to_owned();
            OutputLine {
                starts,
                ends: line.next,
                text,
            }
        };
        lines.iter().zip(text.split('\n')).map(line).collect()
    }

    /// Learns how far it is kept; answers whether what is missing is to be sent again.
    pub(super) fn arrived(&mut self, whole: u64) -> bool {
        let before = self.whole.replace(whole);
        if whole >= self.at {
            (self.waits, self.straight) = (None, false);
            return false;
        }
        if before != Some(whole) {
            self.waits = None;
        }
        let since = *self.waits.get_or_insert_with(Instant::now);
        since.elapsed() >= LOST
    }

    /// Whether something was sent that is not known to have arrived.
    pub(super) fn is_under_way(&self) -> bool {
        self.whole.is_none_or(|whole| whole < self.at)
    }
}

fn joined(lines: &[Line]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| String::from_utf8_lossy(&line.bytes))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use chrono::DateTime;

    use super::*;

    fn of() -> OutputOf {
        OutputOf {
            task: "t".parse().unwrap(),
            epoch: 1,
            claimed_at: DateTime::UNIX_EPOCH,
            source: OutputSource::Said,
        }
    }

    fn shown(lines: &[OutputLine]) -> Vec<(u64, u64, &str)> {
        let shown = lines.iter().map(|l| (l.starts, l.ends, l.text.as_str()));
        shown.collect()
    }

    #[test]
    fn a_secret_that_is_broken_over_lines_never_leaves_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = File::create(&path).unwrap();
        let redactor = Redactor::new(["secret-token"]);
        let mut output = Stretch::new(of(), &path, &redactor, true);
        file.write_all(b"one\nsecret-\n").unwrap();
        assert_eq!(shown(&output.next(false)), [(0, 4, "one")]);
        file.write_all(b"token\ntwo\nhalf").unwrap();
        let clean = [(4, 12, "[redacted]"), (12, 18, ""), (18, 22, "two")];
        assert_eq!(shown(&output.next(false)), clean);
        assert!(output.is_under_way());
        // The half line comes when nobody writes any more; sent again, all are the same lines.
        output.rewind(4);
        let mut again = Vec::new();
        loop {
            let more = output.next(true);
            if more.is_empty() {
                break;
            }
            again.extend(more);
        }
        assert_eq!(shown(&again), [&clean[..], &[(22, 26, "half")]].concat());
    }

    #[test]
    fn what_does_not_arrive_is_waited_for_and_what_arrives_is_not_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, format!("{}\nx\n", "é".repeat(LINE))).unwrap();
        let mut output = Stretch::new(of(), &path, &Redactor::default(), true);
        let mut sent = Vec::new();
        while sent.len() < 2 {
            sent.extend(output.next(false));
        }
        assert_eq!(sent[0].text.len(), LINE);
        assert!(!output.arrived(0), "not at once");
        assert!(!output.arrived(sent[1].ends));
        assert!(!output.is_under_way());
    }
}
