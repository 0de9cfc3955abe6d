//! One service an instance: a lock that the system releases whatever happens to its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::FileError;
use super::heartbeats::make_folder;

/// The right to be the service of an instance; given back when dropped.
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
}

/// The lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process is the service.
    #[error("{}", held(.pid, .path))]
    Held {
        /// The other process, where it could be read.
        pid: Option<u32>,
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn held(pid: &Option<u32>, path: &Path) -> String {
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    format!(
        "the service of this instance runs already: {who} holds {}; stop it first, or look with `orchestrator status`",
        path.display()
    )
}

/// [`holder`] takes the lock for an instant to look; so a service that starts tries this often.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

impl InstanceLock {
    /// Takes the lock at `path` and writes this process's number into it.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        make_folder(super::atomic::folder_of(path))?;
        let mut file = open(path)?;
        for attempt in 1..=TRIES {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held {
                        pid: written_pid(&mut file),
                        path: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(fault)) => return Err(FileError::from_io(path, "lock", fault).into()),
            }
        }
        write_pid(&mut file).map_err(|fault| FileError::from_io(path, "write", fault))?;
        Ok(Self { file })
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // The lock itself goes with the file's closing; an empty file only reads better.
        let _ = self.file.set_len(0);
    }
}

/// The process that is the service of the instance whose lock is at `path`; `None` where nobody is. An inner `None` is
/// somebody whose number could not be read.
pub fn holder(path: &Path) -> Result<Option<Option<u32>>, FileError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(FileError::from_io(path, "open", fault)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(written_pid(&mut file))),
        Err(TryLockError::Error(fault)) => Err(FileError::from_io(path, "lock", fault)),
    }
}

fn open(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|fault| FileError::from_io(path, "open", fault))
}

fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
