//! Whole or not at all: a new content is written beside the file, made durable, and renamed over it.
//!
//! Mode and owner of the old file are kept; extended attributes and hard links are not. Content that must not undo
//! somebody else's change goes through `update` of the file's own type, not through here.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::FileError;

/// What ends the names of files that are being written.
const SUFFIX: &str = ".orchestrator-tmp";

/// Replaces the content of `path`; the folder must exist. A symbolic link at `path` is itself replaced.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temp = Temp::write(
        path,
        bytes,
        fs::symlink_metadata(path).ok().filter(Metadata::is_file).as_ref(),
    )?;
    fs::rename(&temp.path, path).map_err(|fault| FileError::from_io(path, "write", fault))?;
    sync_folder(path)
}

/// Removes what killed writers left in `folder`, and says how many. For the one service of an instance, at its start,
/// before it writes anything itself; what other processes are writing at that moment is known by their being alive.
pub fn sweep(folder: &Path) -> Result<usize, FileError> {
    let fault = |fault| FileError::from_io(folder, "read", fault);
    let mut swept = 0;
    for entry in fs::read_dir(folder).map_err(fault)?.flatten() {
        if entry.file_name().to_str().and_then(writer).is_some_and(is_gone) {
            fs::remove_file(entry.path()).map_err(fault)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// The process that writes a temporary file, by the file's name.
fn writer(name: &str) -> Option<u32> {
    name.strip_suffix(SUFFIX)?.rsplit('.').nth(1)?.parse().ok()
}

fn is_gone(process: u32) -> bool {
    process == std::process::id() || !Path::new("/proc").join(process.to_string()).exists()
}

/// A file that is being written; removed when dropped, unless it was renamed away.
pub(super) struct Temp {
    pub(super) path: PathBuf,
}

impl Temp {
    /// Writes `bytes` durably beside `path`, with the mode and owner of `like`.
    pub(super) fn write(path: &Path, bytes: &[u8], like: Option<&Metadata>) -> Result<Self, FileError> {
        let fault = |fault| FileError::from_io(path, "write", fault);
        let (temp, mut file) =
            Self::create(path, if like.is_some() { 0o600 } else { 0o666 }).map_err(fault)?;
        file.write_all(bytes).map_err(fault)?;
        if let Some(like) = like {
            keep_owner(&file, like).map_err(fault)?;
            file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))
                .map_err(fault)?;
        }
        file.sync_all().map_err(fault)?;
        Ok(temp)
    }

    fn create(path: &Path, mode: u32) -> std::io::Result<(Self, File)> {
        loop {
            let path = beside(path);
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)
            {
                Ok(file) => return Ok((Self { path }, file)),
                // Left by a killed process that had our number (containers start at the same one each time).
                Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Renamed away in the good case; what cannot be removed is swept at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Gives the new file the old one's owner. Where the system forbids that, the write is refused: a file that changes
/// hands would lock its owner out.
fn keep_owner(file: &File, like: &Metadata) -> std::io::Result<()> {
    let now = file.metadata()?;
    let changed = |old: u32, new: u32| (old != new).then_some(old);
    match (changed(like.uid(), now.uid()), changed(like.gid(), now.gid())) {
        (None, None) => Ok(()),
        (user, group) => fchown(file, user, group),
    }
}

fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{count}{SUFFIX}", std::process::id()))
}

/// Makes a rename in the folder of `path` durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), FileError> {
    let folder = folder_of(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|fault| FileError::from_io(folder, "write", fault))
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
