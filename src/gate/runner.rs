//! Runs one script to its end, whatever that is, and leaves none of its processes alive.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::capture::Capture;
use super::confine::{Call, Confined};
use super::process_tree::{MARK, ProcessTree};

/// How long a script may go on after it was asked to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long the rest of its output is waited for when its processes are gone.
const REST: Duration = Duration::from_secs(1);

/// A script and what it runs in.
pub(super) struct Script<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// Where it runs.
    pub(super) directory: &'a Path,
    /// The folder around the checkout: whoever works below it belongs to the check.
    pub(super) home: &'a Path,
    /// Its whole environment, but for the mark.
    pub(super) env: &'a BTreeMap<OsString, OsString>,
    /// The sandbox; none only where the configuration says so by name.
    pub(super) confined: Option<&'a dyn Confined>,
    /// The most time it may take.
    pub(super) timeout: Duration,
}

/// How a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, or by a signal from elsewhere.
    Itself(ExitStatus),
    /// It took too long and was killed.
    TimedOut,
}

/// What a script left.
#[derive(Debug)]
pub(super) struct Ran {
    /// How it ended.
    pub(super) ended: Ended,
    /// Its output.
    pub(super) output: Capture,
    /// How long it took.
    pub(super) duration: Duration,
    /// Whether all its processes are gone.
    pub(super) cleared: bool,
}

impl Script<'_> {
    /// Runs it.
    pub(super) async fn run(&self) -> io::Result<Ran> {
        let began = Instant::now();
        let run = uuid::Uuid::new_v4().to_string();
        let (reader, writer) = io::pipe()?;
        let mut child = self.command(&run, writer)?.spawn()?;
        let mut tree = ProcessTree::new(child.id(), &run, self.home);
        let mut pipe = Receiver::from_owned_fd(reader.into())?;
        let mut output = Capture::default();
        let ended = self.attend(&mut child, &tree, &mut output, &mut pipe).await?;
        tree.reaped();
        let duration = began.elapsed();
        let cleared = tree.clear().await;
        // Whoever keeps the pipe open now has escaped every net; its words are not waited for.
        let _ = tokio::time::timeout(REST, output.drain(&mut pipe)).await;
        Ok(Ran {
            ended,
            output,
            duration,
            cleared,
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a home of processes: a check's script")]
    fn command(&self, run: &str, writer: io::PipeWriter) -> io::Result<Command> {
        let Call { argv, env } = self.call(run)?;
        let (program, args) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(args).current_dir(self.directory);
        command.env_clear().envs(env);
        command.stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        command.process_group(0).kill_on_drop(true);
        Ok(command)
    }

    /// The text goes as an argument: a file could be changed by what it runs.
    fn call(&self, run: &str) -> io::Result<Call> {
        let mut env = self.env.clone();
        env.insert(MARK.into(), self.home.join(run).into());
        let argv = [shell(self.text), "-eu", "-c", self.text, "check"].map(OsString::from);
        let call = Call {
            argv: argv.to_vec(),
            env,
        };
        match self.confined {
            Some(confined) => confined.wrap(call).map_err(io::Error::other),
            None => Ok(call),
        }
    }

    /// Reads its output and waits for its end at the same time.
    async fn attend(
        &self,
        child: &mut Child,
        tree: &ProcessTree,
        output: &mut Capture,
        pipe: &mut Receiver,
    ) -> io::Result<Ended> {
        let reading = output.drain(pipe);
        let waiting = wait(child, tree, self.timeout);
        tokio::pin!(reading, waiting);
        let mut open = true;
        loop {
            tokio::select! {
                () = &mut reading, if open => open = false,
                ended = &mut waiting => return ended,
            }
        }
    }
}

/// Waits for the end; too late, it asks first and kills then.
async fn wait(child: &mut Child, tree: &ProcessTree, timeout: Duration) -> io::Result<Ended> {
    if let Ok(status) = tokio::time::timeout(timeout, child.wait()).await {
        return status.map(Ended::Itself);
    }
    tree.ask();
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tree.kill();
        child.wait().await?;
    }
    Ok(Ended::TimedOut)
}

/// `sh`, unless the script's first line asks for bash.
fn shell(text: &str) -> &'static str {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.starts_with("#!") && first.contains("bash") {
        "bash"
    } else {
        "sh"
    }
}
