//! The shell tool: one command, run by `sh -c` in the workspace, in a process group of its own.
//!
//! Invariants: a command ends at its time limit; what it leaves running is killed with its group; its output is
//! bounded in memory and sanitised; it never sees the provider's key. Deliberately absent: containment. A command
//! can do what the worker's user may do; a child that leaves its group (`setsid`) is the supervisor's to end.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Answer;
use super::text::Excerpt;
use crate::runtime::messages::settings::{KEY_VARIABLE, SETTINGS_VARIABLE};

/// Most bytes of output that the model gets to see.
const MAX_OUTPUT: usize = 30_000;
/// How long the pipes may stay open after the command's end, before its group is killed.
const LINGER: Duration = Duration::from_millis(250);

/// The model's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    command: String,
    /// Seconds.
    #[serde(default)]
    timeout: Option<u64>,
}

/// Runs commands in one folder.
#[derive(Debug)]
pub struct Shell {
    /// Where commands run.
    pub workspace: PathBuf,
    /// The longest that one may take.
    pub limit: Duration,
}

impl Shell {
    /// Runs one command; `alive` is told whenever bytes arrive.
    pub async fn run(&self, input: Input, alive: &mut (dyn FnMut() + Send)) -> Answer {
        if input.command.contains('\0') {
            return Answer::error("a command holds no NUL; write the bytes with printf '\\0'");
        }
        let limit = input.timeout.map_or(self.limit, |seconds| {
            Duration::from_secs(seconds.max(1)).min(self.limit)
        });
        let child = match self.spawn(&input.command) {
            Ok(child) => child,
            Err(fault) => return Answer::error(format!("the shell did not start: {fault}")),
        };
        follow(child, limit, alive).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a home of processes: the model's shell, within the worker's own tree"
    )]
    fn spawn(&self, command: &str) -> std::io::Result<Child> {
        Command::new("sh")
            .arg("-c")
            .arg(command)
            .current_dir(&self.workspace)
            .env_remove(KEY_VARIABLE)
            .env_remove(SETTINGS_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// The command's process group; killed when this is dropped, however the call ends.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .filter(|id| *id > 1)
                .map(Pid::from_raw),
        )
    }

    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // Nobody left in the group is the good case.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn follow(mut child: Child, limit: Duration, alive: &mut (dyn FnMut() + Send)) -> Answer {
    let mut group = Group::of(&child);
    let mut excerpt = Excerpt::new(MAX_OUTPUT);
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let mut note = |bytes: &[u8]| {
        excerpt.push(bytes);
        alive();
    };
    let ended = timeout(limit, watch(&mut child, &mut out, &mut err, &mut note)).await;
    // Whoever still holds the pipes was left behind by the command, or the command is over its time.
    let left_behind = ended.is_ok()
        && timeout(LINGER, drain(&mut out, &mut err, &mut note))
            .await
            .is_err();
    group.kill();
    if ended.is_err() || left_behind {
        // What is in the pipes still counts; a child that left the group may hold them for ever.
        let _ = timeout(LINGER, drain(&mut out, &mut err, &mut note)).await;
    }
    let output = excerpt.into_text();
    match ended {
        Ok(Ok(status)) => finished(&output, status, left_behind),
        Ok(Err(fault)) => Answer::error(format!("{output}\n[the command was lost: {fault}]")),
        Err(_) => Answer::error(format!(
            "{output}\n[killed: it took longer than {} s]",
            limit.as_secs()
        )),
    }
}

fn finished(output: &str, status: ExitStatus, left_behind: bool) -> Answer {
    let note = if left_behind {
        "\n[processes left in the background were killed]"
    } else {
        ""
    };
    let end = match status.code() {
        Some(code) => format!("[exit code {code}]"),
        None => format!("[ended by a signal: {status}]"),
    };
    let newline = if output.is_empty() || output.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Answer {
        text: format!("{output}{newline}{end}{note}"),
        is_error: !status.success(),
    }
}

/// Reads until the command itself has ended.
async fn watch(
    child: &mut Child,
    out: &mut Option<impl AsyncRead + Unpin>,
    err: &mut Option<impl AsyncRead + Unpin>,
    note: &mut (impl FnMut(&[u8]) + Send),
) -> std::io::Result<ExitStatus> {
    let (mut first, mut second) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            status = child.wait() => return status,
            count = read(out, &mut first), if out.is_some() => take(out, &first, count, note),
            count = read(err, &mut second), if err.is_some() => take(err, &second, count, note),
        }
    }
}

/// Reads until nobody holds the pipes.
async fn drain(
    out: &mut Option<impl AsyncRead + Unpin>,
    err: &mut Option<impl AsyncRead + Unpin>,
    note: &mut (impl FnMut(&[u8]) + Send),
) {
    let (mut first, mut second) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    while out.is_some() || err.is_some() {
        tokio::select! {
            count = read(out, &mut first), if out.is_some() => take(out, &first, count, note),
            count = read(err, &mut second), if err.is_some() => take(err, &second, count, note),
        }
    }
}

async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match pipe {
        // A pipe that cannot be read has nothing more to say.
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => 0,
    }
}

fn take<P>(pipe: &mut Option<P>, buffer: &[u8], count: usize, note: &mut impl FnMut(&[u8])) {
    if count == 0 {
        *pipe = None;
    } else {
        note(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests;
