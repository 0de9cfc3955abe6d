//! The agent's process, and the lines between it and us.
//!
//! A line that is no JSON object is no message: it is counted and left out, since some agents greet their user first.
//! Too many of them, or one without an end, and this is no agent that speaks the protocol.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_client_protocol::{Client, ConnectTo, Lines};
use futures_util::{sink, stream};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Longest message; pictures are in it.
const MOST_BYTES: u64 = 64 << 20;
/// Lines that are no message, before the agent is given up.
const MOST_STRAYS: u32 = 100;

/// The running agent; killed when dropped.
pub struct Agent {
    child: Child,
    pipes: Option<(ChildStdin, ChildStdout)>,
    strays: Strays,
}

/// What the agent wrote that is no message.
#[derive(Debug, Clone, Default)]
pub struct Strays(Arc<Mutex<(u32, Option<String>)>>);

impl Strays {
    fn add(&self, line: &[u8]) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 += 1;
        seen.1
            .get_or_insert_with(|| String::from_utf8_lossy(line).into_owned());
        seen.0 >= MOST_STRAYS
    }

    /// The first such line.
    pub fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Whether there were too many.
    pub fn are_too_many(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 >= MOST_STRAYS
    }
}

impl Agent {
    /// Starts the program. Its standard error is to be read, or nobody's where it is `quiet`.
    pub fn start(
        command: &[String],
        env: &BTreeMap<OsString, OsString>,
        cwd: &Path,
        quiet: bool,
    ) -> io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the command is empty"))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a home of processes: the agent is this worker's own child"
        )]
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(env)
            .current_dir(cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if quiet { Stdio::null() } else { Stdio::piped() })
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        Ok(Self {
            child,
            pipes,
            strays: Strays::default(),
        })
    }

    /// The transport to it; it can be had once.
    pub fn transport(&mut self) -> Option<impl ConnectTo<Client> + use<>> {
        let (stdin, stdout) = self.pipes.take()?;
        let outgoing = sink::unfold(stdin, |mut stdin, line: String| async move {
            let mut bytes = line.into_bytes();
            bytes.push(b'\n');
            stdin.write_all(&bytes).await?;
            stdin.flush().await?;
            Ok::<_, io::Error>(stdin)
        });
        let lines = Some((BufReader::new(stdout), self.strays.clone()));
        let incoming = stream::unfold(lines, |state| async move {
            let (mut reader, strays) = state?;
            match next_message(&mut reader, &strays).await {
                Ok(Some(line)) => Some((Ok(line), Some((reader, strays)))),
                Ok(None) => None,
                Err(fault) => Some((Err(fault), None)),
            }
        });
        Some(Lines::new(outgoing, incoming))
    }

    /// Its standard error; it can be had once, and must be read, lest the agent waits for that.
    pub fn errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// What it wrote that is no message.
    pub fn strays(&self) -> &Strays {
        &self.strays
    }

    /// Waits for its end after its input was closed, and ends it where it does not; gives how it ended by itself.
    pub async fn end(mut self, patience: Duration) -> Option<ExitStatus> {
        drop(self.pipes.take());
        if let Ok(Ok(status)) = tokio::time::timeout(patience, self.child.wait()).await {
            return Some(status);
        }
        // It is gone already, or it cannot be killed; then the supervisor goes on trying.
        let _ = self.child.kill().await;
        None
    }
}

async fn next_message<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    strays: &Strays,
) -> io::Result<Option<String>> {
    loop {
        let mut line = Vec::new();
        let read = (&mut *reader)
            .take(MOST_BYTES)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == MOST_BYTES && line.last() != Some(&b'\n') {
            strays.add(line.get(..200).unwrap_or_default());
            return Err(io::Error::other("a line without an end"));
        }
        let text = line.trim_ascii();
        if text.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() {
            return Ok(Some(String::from_utf8_lossy(text).into_owned()));
        }
        if !text.is_empty() && strays.add(text) {
            return Err(io::Error::other("too many lines that are no messages"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_message_is_counted_and_left_out() {
        let strays = Strays::default();
        let mut input = &b"Welcome!\n\n{\"a\":1}\n[1]\n{\"torn\":\n  {\"b\":2}\r\n{\"c\":3}"[..];
        let mut found = Vec::new();
        while let Some(line) = next_message(&mut input, &strays).await.unwrap() {
            found.push(line);
        }
        assert_eq!(found, [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
        assert_eq!(strays.first().as_deref(), Some("Welcome!"));
        assert!(!strays.are_too_many());
    }

    #[tokio::test]
    async fn too_much_of_it_ends_the_reading() {
        let strays = Strays::default();
        let input = "noise\n".repeat(MOST_STRAYS as usize + 1);
        let fault = next_message(&mut input.as_bytes(), &strays).await.unwrap_err();
        assert!(fault.to_string().contains("no messages") && strays.are_too_many());
    }
}
