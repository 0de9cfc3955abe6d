//! The bench of a task: whoever judges it sits there alone, be it the service or somebody's `validate`.
//!
//! Two at once would take each other's rooms away. A file that the system lets go of whatever happens to its holder, so that it holds
//! between processes. It is held for one run of the gate or one review, never from one stage of a task to the next.

use std::fs::{File, TryLockError, create_dir_all};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::instance::Instance;
use crate::clock::Clock;
use crate::config::Layout;
use crate::domain::id::TaskId;

/// How often it is looked whether the bench is free.
const LOOK: Duration = Duration::from_millis(200);

/// The right to judge a task; dropping it gives it back.
#[derive(Debug)]
pub struct Bench {
    _file: File,
}

impl Bench {
    /// Takes it; none while somebody else sits there.
    pub fn take(layout: &Layout, task: &TaskId) -> io::Result<Option<Self>> {
        Self::at(&layout.bench(task))
    }

    /// Waits for it.
    pub(super) async fn wait(instance: &Instance, task: &TaskId) -> io::Result<Self> {
        Self::wait_at(&instance.layout.bench(task), &instance.clock).await
    }

    async fn wait_at(path: &Path, clock: &Clock) -> io::Result<Self> {
        loop {
            if let Some(bench) = Self::at(path)? {
                return Ok(bench);
            }
            clock.sleep(LOOK).await;
        }
    }

    fn at(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_sits_there_and_the_next_one_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("benches/t");
        let first = Bench::at(&path).unwrap().unwrap();
        assert!(Bench::at(&path).unwrap().is_none());
        let clock = Clock::system();
        let waiting = Bench::wait_at(&path, &clock);
        tokio::pin!(waiting);
        assert!(futures_are_pending(waiting.as_mut()).await);
        drop(first);
        waiting.await.unwrap();
        assert!(Bench::at(&path).unwrap().is_some());
    }

    async fn futures_are_pending(waiting: impl Future<Output = io::Result<Bench>>) -> bool {
        tokio::select! {
            biased;
            _ = waiting => false,
            () = std::future::ready(()) => true,
        }
    }
}
