//! The worker's output, from its pipes into its files, no faster and no more than it may.
//!
//! A worker that writes faster than its rate finds its pipe full and waits (back-pressure); so does one whose disk is
//! full, and neither loses a byte. What goes beyond the limit is told once and then thrown away. A worker that says a line now
//! and then wakes this process ten times a second at most.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Bytes that are moved at a time: what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// Chunks that one turn moves at most, so that the clock and signals are seen to as well.
const CHUNKS: usize = 8;
/// Less than this in a turn is a trickle: the next turn comes after a rest.
const TRICKLE: u64 = 16 * 1024;
/// That rest: doubled from trickle to trickle, short again after a turn that was none, so that many small writes flow.
const REST: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// The rest of a worker that used up its rate.
const REFILL: Duration = Duration::from_millis(20);
/// Between two tries to write to a disk that refuses.
const RETRY: Duration = Duration::from_millis(200);
/// Tries to write what is left when the worker has ended; then it is given up.
const LAST_TRIES: u32 = 50;
/// What is read from a pipe after the end of the whole tree; somebody outside of it may hold it and write on.
const LAST_CHUNKS: usize = 16;

/// All times are since boot.
pub(super) struct Pump {
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    /// What was read and could not be written yet: of which stream, and where in the buffer.
    stuck: Option<(usize, Range<usize>)>,
    /// Bytes that may still be kept.
    left: u64,
    budget: Budget,
    /// The rest after the next trickle.
    rest: Duration,
    resumes_at: Duration,
    complained: bool,
}

struct Stream {
    pipe: Option<PipeReader>,
    file: File,
}

/// Bytes that may be moved now; it fills up with time to what a second brings.
struct Budget {
    rate: u64,
    bytes: u64,
    at: Duration,
}

/// What a turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It is within its limit.
    Well,
    /// It wrote more than may be kept.
    TooMuch,
}

impl Pump {
    /// For these pipes and files; `left` is how many bytes may be kept, `rate` how many may come in a second.
    pub(super) fn new(
        streams: impl IntoIterator<Item = (PipeReader, File)>,
        left: u64,
        rate: u64,
    ) -> io::Result<Self> {
        let prepare = |(pipe, file): (PipeReader, File)| {
            fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
            Ok(Stream {
                pipe: Some(pipe),
                file,
            })
        };
        Ok(Self {
            streams: streams.into_iter().map(prepare).collect::<io::Result<_>>()?,
            buffer: vec![0; CHUNK],
            stuck: None,
            left,
            budget: Budget::full(rate),
            rest: REST.0,
            resumes_at: Duration::ZERO,
            complained: false,
        })
    }

    /// When it goes on, if it rests.
    pub(super) fn resumes_at(&self, now: Duration) -> Option<Duration> {
        (self.resumes_at > now).then_some(self.resumes_at)
    }

    /// What is to be waited for; nothing while it rests.
    pub(super) fn sources(&self, now: Duration) -> impl Iterator<Item = BorrowedFd<'_>> {
        let rests = self.resumes_at(now).is_some();
        let open = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        open.map(AsFd::as_fd).filter(move |_| !rests)
    }

    /// Moves what there is, within the rate.
    pub(super) fn turn(&mut self, now: Duration) -> io::Result<Flow> {
        if self.resumes_at(now).is_some() {
            return Ok(Flow::Well);
        }
        self.budget.fill(now);
        let before = self.budget.bytes;
        let mut flow = Flow::Well;
        for _ in 0..CHUNKS {
            if !self.write_stuck() {
                self.resumes_at = now + RETRY;
                return Ok(flow);
            }
            let mut more = false;
            for i in 0..self.streams.len() {
                let Some(n) = self.read(i, self.budget.bytes)? else {
                    continue;
                };
                more = true;
                self.budget.bytes -= n as u64;
                flow = self.keep(i, n).max(flow);
            }
            if !more || self.stuck.is_some() {
                break;
            }
        }
        self.resumes_at = now + self.rest_after(before - self.budget.bytes);
        Ok(flow)
    }

    fn rest_after(&mut self, moved: u64) -> Duration {
        match moved {
            _ if self.budget.bytes == 0 => REFILL,
            // What comes next is waited for.
            0 => Duration::ZERO,
            1..TRICKLE => {
                let rest = self.rest;
                self.rest = (rest * 2).min(REST.1);
                rest
            }
            _ => {
                self.rest = REST.0;
                Duration::ZERO
            }
        }
    }

    /// Moves what is left in the pipes when nobody of the tree is left to write.
    pub(super) fn drain(&mut self) -> io::Result<Flow> {
        let mut flow = Flow::Well;
        for i in 0..self.streams.len() {
            for _ in 0..LAST_CHUNKS {
                self.write_stuck_patiently();
                match self.read(i, CHUNK as u64)? {
                    Some(n) => flow = self.keep(i, n).max(flow),
                    None => break,
                }
            }
        }
        self.write_stuck_patiently();
        Ok(flow)
    }

    /// Reads a chunk of a stream into the buffer; `None` where there is nothing now, or nothing any more.
    fn read(&mut self, i: usize, at_most: u64) -> io::Result<Option<usize>> {
        let room = CHUNK.min(usize::try_from(at_most).unwrap_or(CHUNK));
        let stream = &mut self.streams[i];
        let Some(pipe) = stream.pipe.as_mut().filter(|_| room > 0 && self.stuck.is_none()) else {
            return Ok(None);
        };
        match pipe.read(&mut self.buffer[..room]) {
            Ok(0) => {
                stream.pipe = None;
                Ok(None)
            }
            Ok(n) => Ok(Some(n)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the first `n` bytes of the buffer, as far as they may be kept.
    fn keep(&mut self, i: usize, n: usize) -> Flow {
        let kept = n.min(usize::try_from(self.left).unwrap_or(n));
        self.left -= kept as u64;
        self.stuck = Some((i, 0..kept));
        self.write_stuck();
        if kept < n { Flow::TooMuch } else { Flow::Well }
    }

    /// Writes what waits to be written; answers whether nothing waits any more.
    fn write_stuck(&mut self) -> bool {
        let Some((i, mut range)) = self.stuck.take() else {
            return true;
        };
        while !range.is_empty() {
            match self.streams[i].file.write(&self.buffer[range.clone()]) {
                Ok(n) if n > 0 => range.start += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                refused => {
                    if !std::mem::replace(&mut self.complained, true) {
                        eprintln!(
                            "the worker's output cannot be written now, so it waits: {:?}",
                            refused.err()
                        );
                    }
                    self.stuck = Some((i, range));
                    return false;
                }
            }
        }
        true
    }

    fn write_stuck_patiently(&mut self) {
        for _ in 0..LAST_TRIES {
            if self.write_stuck() {
                return;
            }
            std::thread::sleep(RETRY);
        }
        self.stuck = None;
    }
}

impl Flow {
    fn max(self, other: Self) -> Self {
        if self == Self::TooMuch { self } else { other }
    }
}

impl Budget {
    fn full(rate: u64) -> Self {
        Self {
            rate,
            bytes: rate,
            at: Duration::ZERO,
        }
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_micros();
        let came = u64::try_from(u128::from(self.rate) * passed / 1_000_000).unwrap_or(u64::MAX);
        if came > 0 {
            self.bytes = self.bytes.saturating_add(came).min(self.rate);
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Rig {
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
        writer: Option<io::PipeWriter>,
        pump: Pump,
    }

    fn rig(left: u64, rate: u64) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (reader, writer) = io::pipe().unwrap();
        let pump = Pump::new([(reader, File::create(&path).unwrap())], left, rate).unwrap();
        Rig {
            _dir: dir,
            path,
            writer: Some(writer),
            pump,
        }
    }

    impl Rig {
        fn say(&mut self, n: usize) {
            self.writer.as_mut().unwrap().write_all(&vec![b'x'; n]).unwrap();
        }

        fn kept(&self) -> u64 {
            std::fs::metadata(&self.path).unwrap().len()
        }
    }

    #[test]
    fn a_trickle_is_written_and_then_rests() {
        let mut rig = rig(1000, 1_000_000);
        let now = Duration::from_secs(5);
        assert_eq!(rig.pump.turn(now).unwrap(), Flow::Well);
        assert_eq!(rig.pump.resumes_at(now), None, "what comes next is waited for");
        rig.say(10);
        rig.pump.turn(now).unwrap();
        assert_eq!((rig.kept(), rig.pump.resumes_at(now)), (10, Some(now + REST.0)));
        assert_eq!(rig.pump.sources(now).count(), 0);
        rig.say(10);
        rig.pump.turn(now + MS).unwrap();
        assert_eq!(rig.kept(), 10);
        rig.pump.turn(now + REST.0).unwrap();
        assert_eq!(rig.kept(), 20);
        assert_eq!(rig.pump.resumes_at(now), Some(now + REST.0 * 3), "and longer");
    }

    #[test]
    fn a_flood_moves_at_its_rate() {
        let mut rig = rig(u64::MAX, 20_000);
        let mut now = Duration::from_secs(5);
        rig.say(60_000);
        rig.pump.turn(now).unwrap();
        assert_eq!(rig.kept(), 20_000, "what a second brings is there at once");
        for _ in 0..100 {
            now += MS * 10;
            rig.pump.turn(now).unwrap();
        }
        let kept = rig.kept();
        assert!((39_000..=40_000).contains(&kept), "a second later: {kept}");
        rig.writer = None;
        rig.pump.drain().unwrap();
        assert_eq!(rig.kept(), 60_000, "the end is not held up");
    }

    #[test]
    fn not_a_byte_beyond_the_limit_is_kept() {
        let mut rig = rig(15_000, 1_000_000);
        rig.say(15_000);
        let now = Duration::from_secs(5);
        assert_eq!(rig.pump.turn(now).unwrap(), Flow::Well);
        rig.say(1);
        assert_eq!(rig.pump.turn(now + MS * 200).unwrap(), Flow::TooMuch);
        assert_eq!(rig.kept(), 15_000);
    }

    #[test]
    fn a_pipe_that_was_left_is_waited_for_no_more() {
        let mut rig = rig(100, 100);
        rig.say(3);
        rig.writer = None;
        let now = Duration::from_secs(5);
        rig.pump.turn(now).unwrap();
        assert_eq!((rig.kept(), rig.pump.sources(now + MS * 200).count()), (3, 0));
    }

    #[test]
    fn what_a_full_disk_refuses_waits() {
        let (reader, mut writer) = io::pipe().unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut pump = Pump::new([(reader, full)], 1000, 1000).unwrap();
        writer.write_all(b"word").unwrap();
        let now = Duration::from_secs(5);
        pump.turn(now).unwrap();
        pump.turn(now + RETRY).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        pump.streams[0].file = File::create(&path).unwrap();
        pump.turn(now + RETRY * 3).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"word");
    }
}
