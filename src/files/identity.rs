//! What tells one content of a file from another without reading it, and the one bounded way to read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;

use super::error::FileError;

/// A file as it was at one moment: the same identity means the same content, unless its writer forges times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// A content with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The content.
    pub bytes: Vec<u8>,
    /// What it is known by.
    pub identity: Identity,
}

/// Whether a symbolic link at the path's end is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Yes: the file is a person's, who may keep it where they like.
    Follow,
    /// No: the folder is written by workers, who must not point us elsewhere.
    Refuse,
}

/// How long a file must have been left alone to count as at rest.
const REST_MILLIS: i64 = 200;

/// Tries, and the pause between them, until a file that is being written rests.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

impl Identity {
    /// Of the file at `path`, by one `stat`.
    pub fn of(path: &Path, links: Links) -> Result<Self, FileError> {
        let found = match links {
            Links::Follow => std::fs::metadata(path),
            Links::Refuse => std::fs::symlink_metadata(path),
        };
        found
            .map(|meta| Self::from(&meta))
            .map_err(|fault| FileError::from_io(path, "look at", fault))
    }

    /// Whether nobody has written the file within the last fifth of a second. An editor that writes in place is seen
    /// half way: a section that vanished in a file that is not at rest may be on its way back.
    pub fn is_at_rest(&self, now: DateTime<Utc>) -> bool {
        let (seconds, nanos) = self.mtime;
        let written = DateTime::from_timestamp(seconds, u32::try_from(nanos).unwrap_or(0));
        written.is_none_or(|written| (now - written).num_milliseconds().abs() >= REST_MILLIS)
    }

    /// Whether both are the same file on disk, whatever its content.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

impl From<&Metadata> for Identity {
    fn from(meta: &Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Reads a plain file of at most `limit` bytes, as it was at one moment.
pub(super) fn read(path: &Path, limit: u64, links: Links) -> Result<Snapshot, FileError> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        if let Some(snapshot) = read_once(path, limit, links)? {
            return Ok(snapshot);
        }
    }
    Err(FileError::Busy {
        path: path.to_owned(),
    })
}

/// [`read`], with `None` where there is no such file.
pub(super) fn read_if_there(path: &Path, limit: u64, links: Links) -> Result<Option<Snapshot>, FileError> {
    match read(path, limit, links) {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(FileError::Missing { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// `None` where it changed while it was read.
fn read_once(path: &Path, limit: u64, links: Links) -> Result<Option<Snapshot>, FileError> {
    let fault = |fault| FileError::from_io(path, "read", fault);
    let file = open(path, links)?;
    let before = plain(path, &file.metadata().map_err(fault)?)?;
    let mut bytes = Vec::new();
    (&file).take(limit + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    let identity = Identity::from(&file.metadata().map_err(fault)?);
    Ok((identity == before).then_some(Snapshot { bytes, identity }))
}

fn open(path: &Path, links: Links) -> Result<File, FileError> {
    // Without NONBLOCK a pipe in the file's place would hold us for ever.
    let flags = match links {
        Links::Follow => OFlags::NONBLOCK,
        Links::Refuse => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|fault| FileError::from_io(path, "read", fault))
}

fn plain(path: &Path, meta: &Metadata) -> Result<Identity, FileError> {
    let path = path.to_owned();
    if meta.is_dir() {
        return Err(FileError::IsAFolder { path });
    }
    if !meta.is_file() {
        return Err(FileError::NotAFile { path });
    }
    Ok(Identity::from(meta))
}
