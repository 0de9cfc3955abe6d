//! Changes to files that others write too: read, edit, put in place, and look at what was really replaced.
//!
//! The new content and the file are exchanged in one step (`renameat2`), so the content that was replaced is still
//! there to be compared with what was read: if it is another, somebody wrote meanwhile, both are exchanged back, and
//! the edit starts again from that. An editor that renames over the file can therefore never be undone. What remains:
//! a writer that holds the file open and writes in place within the microseconds after the comparison writes into a file
//! that no longer has a name. Where the file system knows no exchange, the comparison comes right before a rename.
//! The folder is locked (advisory) against other processes of the orchestrator.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::atomic::{Temp, folder_of, sync_folder};
use super::error::FileError;
use super::identity::{Identity, Links, Snapshot, read, read_if_there};

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// There was nothing to change.
    Unchanged,
    /// The new content is in place and durable.
    Written(Identity),
}

/// Rounds before a file counts as written without pause.
const ROUNDS: u32 = 50;
/// Rounds without a pause: nearly always the second one succeeds.
const HASTY_ROUNDS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(2);

/// Changes a file of a worker's attempt, at exactly this path, to what `edit` makes of it (`None` where there is none yet);
/// links are not followed, the folder is made where it is missing.
pub fn update_own(
    path: &Path,
    limit: u64,
    edit: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
) -> Result<Updated, FileError> {
    super::heartbeats::make_folder(folder_of(path))?;
    Shared {
        path,
        limit,
        links: Links::Refuse,
    }
    .update(edit)
}

/// The content of a file of a worker's attempt, of at most `limit` bytes; `None` where there is none yet.
pub fn read_own(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    Ok(read_if_there(path, limit, Links::Refuse)?.map(|snapshot| snapshot.bytes))
}

/// A shared file and the rules for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) path: &'a Path,
    pub(super) limit: u64,
    pub(super) links: Links,
}

impl Shared<'_> {
    /// Changes the file to what `edit` makes of its content (`None` for no file; returning `None` for no change).
    /// `edit` may be called several times: each time with the content as it is then.
    pub(super) fn update(
        self,
        mut edit: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Updated, FileError> {
        let _turn = take_turn(self.path);
        for round in 0..ROUNDS {
            if round >= HASTY_ROUNDS {
                std::thread::sleep(PAUSE);
            }
            let base = read_if_there(self.path, self.limit, self.links)?;
            let before = base.as_ref().map(|base| base.bytes.as_slice());
            let Some(after) = edit(before).filter(|after| Some(after.as_slice()) != before) else {
                return Ok(Updated::Unchanged);
            };
            if after.len() as u64 > self.limit {
                return Err(FileError::TooLarge {
                    path: self.path.to_owned(),
                    limit: self.limit,
                });
            }
            if let Some(identity) = self.put(base.as_ref(), &after)? {
                sync_folder(self.path)?;
                return Ok(Updated::Written(identity));
            }
        }
        Err(FileError::Busy {
            path: self.path.to_owned(),
        })
    }

    /// Puts `after` in the place of `base`; `None` where the file is no longer `base`.
    fn put(self, base: Option<&Snapshot>, after: &[u8]) -> Result<Option<Identity>, FileError> {
        let like = base.and_then(|_| fs::metadata(self.path).ok());
        let temp = Temp::write(self.path, after, like.as_ref())?;
        let placed = match base {
            Some(base) => self.exchange(&temp, base)?,
            None => self.place_new(&temp)?,
        };
        if !placed {
            return Ok(None);
        }
        Identity::of(self.path, self.links).map(Some)
    }

    fn place_new(self, temp: &Temp) -> Result<bool, FileError> {
        match renameat_with(CWD, &temp.path, CWD, self.path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(fault) if is_unsupported(fault) => self.rename_if(temp, |path| !path.exists()),
            Err(fault) => Err(self.fault(fault.into())),
        }
    }

    fn exchange(self, temp: &Temp, base: &Snapshot) -> Result<bool, FileError> {
        let ours = Identity::of(&temp.path, Links::Refuse)?;
        // Most changes are found here, before anybody can see a content that is about to be taken back.
        if !self.still_is(self.path, base) {
            return Ok(false);
        }
        match swap(&temp.path, self.path) {
            Ok(()) => {}
            // It was deleted meanwhile.
            Err(Errno::NOENT) => return Ok(false),
            Err(fault) if is_unsupported(fault) => {
                return self.rename_if(temp, |path| self.still_is(path, base));
            }
            Err(fault) => return Err(self.fault(fault.into())),
        }
        if self.still_is(&temp.path, base) {
            return Ok(true);
        }
        self.undo(temp, &ours)?;
        Ok(false)
    }

    /// Puts back what was replaced, unless somebody has replaced our content since: then theirs is the newest.
    fn undo(self, temp: &Temp, ours: &Identity) -> Result<(), FileError> {
        let back = || swap(&temp.path, self.path).map_err(|fault| self.fault(fault.into()));
        back()?;
        match Identity::of(&temp.path, Links::Refuse) {
            Ok(found) if !found.same_file(ours) => back(),
            _ => Ok(()),
        }
    }

    fn rename_if(self, temp: &Temp, still: impl Fn(&Path) -> bool) -> Result<bool, FileError> {
        if !still(self.path) {
            return Ok(false);
        }
        fs::rename(&temp.path, self.path).map_err(|fault| self.fault(fault))?;
        Ok(true)
    }

    fn still_is(self, path: &Path, base: &Snapshot) -> bool {
        read(path, self.limit, Links::Refuse)
            .is_ok_and(|found| found.identity.same_file(&base.identity) && found.bytes == base.bytes)
    }

    fn fault(self, fault: std::io::Error) -> FileError {
        FileError::from_io(self.path, "write", fault)
    }
}

fn swap(one: &Path, other: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

fn is_unsupported(fault: Errno) -> bool {
    matches!(fault, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

/// Waits until no other update runs in the folder. Only advisory: without it (some network file systems), the
/// comparison alone keeps two writers apart.
fn take_turn(path: &Path) -> Option<File> {
    let folder = File::open(folder_of(path)).ok()?;
    folder.lock().ok()?;
    Some(folder)
}
