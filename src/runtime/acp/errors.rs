//! The agent's standard error: handed on as it is, byte for byte, and overheard on the way.
//!
//! Invariant: it is read for as long as the agent lives, so that an agent never waits for somebody to read it.

use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, Stderr, stderr};
use tokio::process::ChildStderr;
use tokio::time::{interval, timeout};

use super::listener::Listener;

/// How often the agent's silence is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// For the last words of an agent that ended; who holds its standard error open beyond that is not waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The start of a line that is looked at, in bytes.
const LINE: usize = 4096;
const CHUNK: usize = 16 * 1024;

/// The agent's standard error, and who hears of it.
pub struct Errors<W> {
    pipe: Pipe,
    line: Vec<u8>,
    listener: Arc<Mutex<Listener<W>>>,
}

struct Pipe {
    from: Option<ChildStderr>,
    onward: Stderr,
    /// Read, and not handed on yet.
    pending: Vec<u8>,
}

impl<W: Write> Errors<W> {
    /// Hands on `from`, and tells `listener`.
    pub fn new(from: Option<ChildStderr>, listener: Arc<Mutex<Listener<W>>>) -> Self {
        Self {
            pipe: Pipe {
                from,
                onward: stderr(),
                pending: Vec::new(),
            },
            line: Vec::new(),
            listener,
        }
    }

    /// Hands on what comes, and looks at the agent's silence; never ends.
    pub async fn overhear(&mut self) {
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                read = self.pipe.next(), if self.pipe.is_open() => self.take(read.as_deref().unwrap_or_default()),
                _ = look.tick() => self.listener().look_at_silence(Instant::now()),
            }
        }
    }

    /// Goes on while the agent is ended, and hands on its last words.
    pub async fn during<T>(&mut self, end: impl Future<Output = T>) -> T {
        let ended = {
            let mut end = pin!(end);
            loop {
                tokio::select! {
                    ended = &mut end => break ended,
                    read = self.pipe.next(), if self.pipe.is_open() => self.take(read.as_deref().unwrap_or_default()),
                }
            }
        };
        // What cannot be had in that time is lost, and only people would have read it.
        let _ = timeout(LAST_WORDS, self.rest()).await;
        ended
    }

    async fn rest(&mut self) {
        while let Some(bytes) = self.pipe.next().await {
            self.take(&bytes);
        }
        self.take(b"\n");
        let _ = self.pipe.onward.flush().await;
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                self.listener().complaint(line.trim(), Instant::now());
            }
        }
    }

    fn listener(&self) -> std::sync::MutexGuard<'_, Listener<W>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe {
    fn is_open(&self) -> bool {
        self.from.is_some()
    }

    /// What came next, after all before it was handed on; `None` at the end. Nothing is lost where it is not waited for.
    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.pending.is_empty() {
            match self.onward.write(&self.pending).await {
                Ok(written) if written > 0 => drop(self.pending.drain(..written)),
                // Nobody reads it; the agent is not to feel that.
                _ => self.pending.clear(),
            }
        }
        let from = self.from.as_mut()?;
        self.pending.reserve(CHUNK);
        match from.read_buf(&mut self.pending).await {
            Ok(read) if read > 0 => Some(self.pending.clone()),
            _ => {
                self.from = None;
                None
            }
        }
    }
}
