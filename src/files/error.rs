//! How work with a file fails: by what the reader can do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What is done to a folder; whatever else is done, is done to a file.
pub(super) const LIST: &str = "list";

/// A file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file (or its folder is gone).
    #[error("{} does not exist; create it, or run `orchestrator init` in its folder", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is a file, where a folder is expected.
    #[error("{} is a file, a folder is expected; move it away", .path.display())]
    IsNoFolder {
        /// The file.
        path: PathBuf,
    },
    /// It is a folder.
    #[error("{} is a folder, a file is expected; move it away", .path.display())]
    IsAFolder {
        /// The folder.
        path: PathBuf,
    },
    /// It is a pipe, a device, a symbolic link where none is followed: not a plain file.
    #[error("{} is not a plain file; replace it by one", .path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// The system does not let us.
    #[error(
        "cannot {action} {}: {source}; give the user that runs the orchestrator access to the file and its folder",
        .path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// It is larger than anything sensible.
    #[error("{} is larger than {} MiB; move old content to another file", .path.display(), .limit >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The disk or the quota is full. Nothing was changed.
    #[error("no space left to write {}; nothing was changed; free some space and it goes on", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Somebody writes it without pause; try later.
    #[error("{} keeps changing; it is tried again when it rests", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot {action} {}: {source}; check the disk and its mount", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's word.
        source: io::Error,
    },
}

impl FileError {
    /// The file, or the folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::IsNoFolder { path }
            | Self::IsAFolder { path }
            | Self::NotAFile { path }
            | Self::Denied { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Full { path }
            | Self::Busy { path }
            | Self::Other { path, .. } => path,
        }
    }

    /// Sorts the system's word by what can be done about it.
    pub(super) fn from_io(path: &Path, action: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => Self::Missing { path },
            ErrorKind::NotADirectory if action == LIST => Self::IsNoFolder { path },
            ErrorKind::IsADirectory => Self::IsAFolder { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, action, source }
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            _ if source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                Self::NotAFile { path }
            }
            _ => Self::Other { path, action, source },
        }
    }
}
