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
mod tests {
    use super::*;
    use std::time::Instant;

    async fn run(command: &str, seconds: u64) -> (Answer, usize) {
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell {
            workspace: folder.path().to_owned(),
            limit: Duration::from_secs(seconds),
        };
        let mut beats = 0;
        let answer = shell
            .run(
                Input {
                    command: command.into(),
                    timeout: None,
                },
                &mut || beats += 1,
            )
            .await;
        (answer, beats)
    }

    #[tokio::test]
    async fn both_streams_and_the_code_are_told() {
        let (answer, beats) = run("echo out; echo err >&2; exit 3", 10).await;
        assert!(answer.is_error && beats > 0);
        assert!(answer.text.contains("out\n") && answer.text.contains("err\n"));
        assert!(answer.text.ends_with("[exit code 3]"), "{}", answer.text);
        let (quiet, beats) = run("true", 10).await;
        assert_eq!(
            (quiet.text.as_str(), quiet.is_error, beats),
            ("[exit code 0]", false, 0)
        );
    }

    #[tokio::test]
    async fn ten_megabytes_stay_bounded_and_clean() {
        let (answer, _) = run(
            "head -c 10000000 /dev/zero | tr '\\0' x; printf '\\033[31mred\\000'",
            60,
        )
        .await;
        assert!(answer.text.len() < MAX_OUTPUT + 200, "{}", answer.text.len());
        assert!(answer.text.contains("bytes left out"));
        assert!(answer.text.ends_with("red\n[exit code 0]"));
    }

    #[tokio::test]
    async fn a_hung_command_dies_with_its_whole_group() {
        let marker = tempfile::tempdir().unwrap();
        let pid_file = marker.path().join("pid");
        let start = Instant::now();
        let command = format!(
            "echo before; sh -c 'trap \"\" TERM; echo $$ > {}; sleep 300' & sleep 300",
            pid_file.display()
        );
        let (answer, _) = run(&command, 1).await;
        assert!(start.elapsed() < Duration::from_secs(10));
        assert!(answer.is_error && answer.text.contains("before"));
        assert!(answer.text.contains("longer than 1 s"));
        assert_gone(&pid_file);
    }

    #[tokio::test]
    async fn what_is_left_in_the_background_is_killed() {
        let marker = tempfile::tempdir().unwrap();
        let pid_file = marker.path().join("pid");
        let start = Instant::now();
        let (answer, _) = run(
            &format!("sleep 300 & echo $! > {}; echo started", pid_file.display()),
            60,
        )
        .await;
        assert!(start.elapsed() < Duration::from_secs(10));
        assert!(
            answer.text.contains("started") && answer.text.contains("were killed"),
            "{}",
            answer.text
        );
        assert!(!answer.is_error);
        assert_gone(&pid_file);
    }

    fn assert_gone(pid_file: &std::path::Path) {
        let pid = std::fs::read_to_string(pid_file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let deadline = Instant::now() + Duration::from_secs(5);
        let gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
        while !gone() {
            assert!(Instant::now() < deadline, "process {pid} lives on");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_nul_byte_is_refused_and_the_time_limit_has_a_ceiling() {
        assert!(run("echo a\0b", 5).await.0.text.contains("NUL"));
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell {
            workspace: folder.path().to_owned(),
            limit: Duration::from_secs(1),
        };
        let input = Input {
            command: "sleep 300".into(),
            timeout: Some(u64::MAX),
        };
        assert!(
            shell
                .run(input, &mut || {})
                .await
                .text
                .contains("longer than 1 s")
        );
    }

    #[tokio::test]
    async fn a_workspace_that_is_gone_is_said() {
        let shell = Shell {
            workspace: "/nonexistent/ws".into(),
            limit: Duration::from_secs(1),
        };
        let answer = shell
            .run(
                Input {
                    command: "true".into(),
                    timeout: None,
                },
                &mut || {},
            )
            .await;
        assert!(answer.is_error && answer.text.contains("did not start"));
    }
}
