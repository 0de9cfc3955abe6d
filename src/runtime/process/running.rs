//! A hold on a running attempt: wait for its end, ask for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::unix::AsyncFd;

use super::clock::wall_now;
use super::death::kill_strays;
use super::file;
use super::identity::Identity;
use super::lease;
use super::record::{Cause, Exit, Registration, StopRequest};

/// How long a frozen or dead supervisor's processes are hunted in one go.
const HUNT: Duration = Duration::from_secs(5);

/// An attempt's process tree, by its supervisor. Dropping it leaves the tree running.
#[derive(Debug)]
pub struct Running {
    dir: PathBuf,
    supervisor: Identity,
    worker: Identity,
    /// Absent where the supervisor was gone already.
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Running {
    /// Takes hold of a registered supervisor; without a pidfd where it is gone. Needs a tokio runtime.
    pub(super) fn hold(dir: &Path, supervisor: Identity, worker: Identity) -> io::Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            pidfd: supervisor.pidfd()?.map(watchable).transpose()?,
            supervisor,
            worker,
        })
    }

    /// Takes hold of an attempt that has ended already.
    pub(super) fn ended(dir: &Path) -> io::Result<Self> {
        match file::get_json(&dir.join(file::SUPERVISOR))? {
            Some(Registration::Supervised {
                supervisor, worker, ..
            }) => Self::hold(dir, supervisor, worker),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the attempt is not registered",
            )),
        }
    }

    /// The worker's first process.
    pub fn worker(&self) -> &Identity {
        &self.worker
    }

    /// The process that watches it.
    pub fn supervisor(&self) -> &Identity {
        &self.supervisor
    }

    /// Whether the supervisor lives.
    pub fn is_alive(&self) -> bool {
        self.supervisor.is_alive()
    }

    /// Waits until nobody of the tree is left, and says how it ended. It may be waited for again.
    ///
    /// A supervisor that vanished without a record is cleaned up after; this does not return before that is done.
    pub async fn wait(&self) -> Exit {
        if let Some(pidfd) = &self.pidfd {
            // It only fails when the reactor is going down, and then nobody reads the answer.
            let _ = pidfd.readable().await;
        }
        if let Some(exit) = self.recorded() {
            return exit;
        }
        self.bury().await
    }

    /// Asks for a stop: the polite signal, and after the grace the other one, for the whole tree. Asking again makes it at once.
    ///
    /// Returns without waiting; [`Running::wait`] tells when it is done.
    pub fn request_stop(&self, grace: Duration) -> io::Result<()> {
        request_stop(&self.dir, &self.supervisor, grace)
    }

    /// Lets it run on for this long from now, whatever becomes of this program.
    pub fn renew_lease(&self, terms: lease::LeaseTerms) -> io::Result<()> {
        lease::renew(&self.dir, terms)
    }

    /// Asks for a stop without grace.
    pub fn kill_now(&self) -> io::Result<()> {
        self.request_stop(Duration::ZERO)
    }

    fn recorded(&self) -> Option<Exit> {
        file::get_json(&self.dir.join(file::EXIT)).ok().flatten()
    }

    async fn bury(&self) -> Exit {
        let mut stragglers_killed = 0;
        loop {
            let dir = self.dir.clone();
            match tokio::task::spawn_blocking(move || kill_strays(&dir, HUNT)).await {
                Ok(Ok(killed)) => {
                    stragglers_killed += killed;
                    break;
                }
                Ok(Err(error)) => {
                    tracing::warn!(dir = %self.dir.display(), %error, "processes of a vanished attempt are still there")
                }
                // The blocking pool is going down with the program.
                Err(_) => break,
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Exit {
            cause: Cause::Vanished,
            status: None,
            ended_at: wall_now(),
            stragglers_killed,
        }
    }
}

#[expect(
    deprecated,
    reason = "its replacement is unsafe for types that may close their descriptor early; an OwnedFd cannot"
)]
fn watchable(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(pidfd)
}

/// Writes down the wish and wakes the supervisor; a supervisor that is gone needs no waking.
pub(super) fn request_stop(dir: &Path, supervisor: &Identity, grace: Duration) -> io::Result<()> {
    let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    let wish = serde_json::to_vec(&StopRequest { grace_ms })?;
    // A full disk must not keep a worker alive: without the wish the supervisor gives the grace that it was started with.
    if let Err(error) = file::put(&dir.join(file::STOP), &wish) {
        tracing::warn!(dir = %dir.display(), %error, "how patiently to stop cannot be written down");
    }
    supervisor.signal(Signal::TERM).map(|_was_there| ())
}
