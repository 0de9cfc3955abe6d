//! Starting an attempt's process: a handshake with a supervisor that then belongs to nobody.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::adopt::{Adopted, adopt};
use super::file;
use super::lease::Lease;
use super::record::Cause;
use super::running::Running;
use super::spec::{KEY_VARIABLE, Order, Spec};
use crate::runtime::supervisor;

/// How long a supervisor may take to say that the worker runs.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// Why an attempt's process does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The worker cannot be run: no such program, no such workspace. It will fail again until that is changed.
    #[error("the worker could not be started: {reason}")]
    Refused {
        /// What is wrong, and where.
        reason: String,
    },
    /// The folder belongs to a process that was started or given up before; take a new folder for a new attempt.
    #[error(
        "{path} belongs to an attempt that was started before; adopt it, or start the next one in a folder of its own"
    )]
    Taken {
        /// The attempt's folder.
        path: PathBuf,
    },
    /// The attempt's files cannot be written.
    #[error("cannot write {path}: {source}; check the free space and the permissions of the folder")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The supervisor itself failed.
    #[error("the supervisor of {path} did not start: {reason}")]
    Supervisor {
        /// The attempt's folder.
        path: PathBuf,
        /// What is known.
        reason: String,
    },
}

/// What the supervisor says first, on its standard output, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "greeting", rename_all = "kebab-case")]
pub(in crate::runtime) enum Greeting {
    /// The worker's program runs, and both are registered.
    Running,
    /// The worker cannot be run.
    Refused {
        /// Why.
        reason: String,
    },
    /// The supervisor cannot do its work.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Starts an attempt's process under a supervisor, which is `exe` run anew (this program).
///
/// When it returns `Ok`, both are registered on disk and the worker's program runs; when it returns an error, nothing
/// runs and nothing will.
pub async fn start(exe: &Path, spec: &Spec) -> Result<Running, StartError> {
    let dir = &spec.attempt_dir;
    lay_out(spec)?;
    let mut child = spawn(exe, spec)?;
    let greeting = greet(&mut child).await;
    match greeting {
        Ok(Greeting::Refused { reason }) => {
            if let Ok(supervisor) = Running::ended(dir) {
                supervisor.wait().await;
            }
            Err(StartError::Refused { reason })
        }
        Ok(Greeting::Failed { reason }) => settle(dir, reason),
        Ok(Greeting::Running) => settle(dir, "it said that it runs, and is not registered".to_owned()),
        Err(reason) => settle(dir, reason),
    }
}

/// The disk says what is true; an attempt without a registration is given up in the same step.
fn settle(dir: &Path, reason: String) -> Result<Running, StartError> {
    let failed = |reason| StartError::Supervisor {
        path: dir.to_owned(),
        reason,
    };
    match adopt(dir).map_err(|error| failed(format!("{reason}; {error}")))? {
        Adopted::Running(running) => Ok(running),
        Adopted::Ended(exit) => match exit.cause {
            Cause::SpawnFailed { reason } => Err(StartError::Refused { reason }),
            // It was so quick that it is over: the caller hears of its end by waiting for it.
            _ => Running::ended(dir).map_err(|error| failed(error.to_string())),
        },
        Adopted::NeverStarted => Err(failed(reason)),
        // Whoever waits for it cleans up after it, and hears that it vanished.
        Adopted::Vanished => Running::ended(dir).map_err(|error| failed(error.to_string())),
    }
}

fn lay_out(spec: &Spec) -> Result<(), StartError> {
    let dir = &spec.attempt_dir;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Disk { path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    if dir.join(file::SUPERVISOR).exists() {
        return Err(StartError::Taken { path: dir.clone() });
    }
    let order = serde_json::to_vec_pretty(&Order::from(spec)).map_err(io::Error::from);
    let order = order.map_err(failed(dir))?;
    let lease = serde_json::to_vec(&Lease::of(spec.lease)).map_err(io::Error::from);
    let lease = lease.map_err(failed(dir))?;
    for (name, content) in [
        (file::SPEC, order.as_slice()),
        (file::PROMPT, spec.prompt.as_bytes()),
        (file::STDIN, &spec.launch.stdin),
        (file::LEASE, &lease),
    ] {
        let path = dir.join(name);
        file::put(&path, content).map_err(failed(&path))?;
    }
    Ok(())
}

/// The worker's environment goes to the supervisor as its own, so that no secret of it touches the disk.
#[expect(
    clippy::disallowed_methods,
    reason = "a home of processes: the supervisor of an attempt"
)]
fn spawn(exe: &Path, spec: &Spec) -> Result<Child, StartError> {
    let dir = &spec.attempt_dir;
    let path = dir.join(file::COMPLAINTS);
    let complaints = file::append(&path).map_err(|source| StartError::Disk { path, source })?;
    Command::new(exe)
        .arg(supervisor::SUPERVISE)
        .arg(dir)
        .env_clear()
        .envs(&spec.launch.env)
        .env(KEY_VARIABLE, &spec.key)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(complaints)
        .spawn()
        .map_err(|error| StartError::Supervisor {
            path: dir.clone(),
            reason: format!("cannot run {}: {error}", exe.display()),
        })
}

/// The first process of the two ends at once; the line comes from the second.
async fn greet(child: &mut Child) -> Result<Greeting, String> {
    let mut line = Vec::new();
    let heard = async {
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_end(&mut line).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(HANDSHAKE, heard).await {
        Err(_) => Err(format!("no word from it in {} s", HANDSHAKE.as_secs())),
        Ok(Err(error)) => Err(format!("cannot hear it: {error}")),
        Ok(Ok(status)) => serde_json::from_slice(&line).map_err(|_| {
            format!(
                "it ended without a word ({status}); see {} in the attempt's folder",
                file::COMPLAINTS
            )
        }),
    }
}
