//! Deleting a folder of the orchestrator's own with all that a worker's programs left in it, however deep.
//!
//! Invariants: nothing is followed out of it, a link is deleted and not what it points to; no path grows with the depth,
//! and neither do the stack and the open files: what lies deeper is lifted up to the top, folder by folder. Whoever
//! could write in it has to be gone.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Deletes the folder; one that is not there, or is a link, is an error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let top = open(CWD, path)?;
    // Nothing in it has a name that begins so.
    let lifted = uuid::Uuid::new_v4();
    let mut number = 0u64;
    let mut waiting = clear(top.as_fd())?;
    while let Some(name) = waiting.pop() {
        let folder = open(top.as_fd(), name.as_c_str())?;
        for below in clear(folder.as_fd())? {
            number += 1;
            let name = CString::new(format!("{lifted}-{number}"))?;
            renameat(&folder, below.as_c_str(), &top, name.as_c_str())?;
            waiting.push(name);
        }
        unlinkat(&top, name.as_c_str(), AtFlags::REMOVEDIR)?;
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Deletes everything in a folder but folders that hold something, and names those.
fn clear(folder: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    let mut full = Vec::new();
    for (name, kind) in names {
        let gone = if kind == FileType::Directory {
            unlinkat(folder, name.as_c_str(), AtFlags::REMOVEDIR)
        } else {
            match unlinkat(folder, name.as_c_str(), AtFlags::empty()) {
                // Not every file system tells the kind.
                Err(Errno::ISDIR) => Err(Errno::NOTEMPTY),
                gone => gone,
            }
        };
        match gone {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => full.push(name),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(full)
}

fn open(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Seen to fail with links followed on the way (`OFlags::NOFOLLOW` left out) and opened like folders.
    #[test]
    fn all_of_it_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("victim/kept")).unwrap();
        fs::write(at("victim/file"), "kept").unwrap();
        for name in ["mine/a/b/c", "mine/a/d", "mine/e"] {
            fs::create_dir_all(at(name)).unwrap();
            fs::write(at(name).join("file"), "").unwrap();
            symlink(at("victim"), at(name).join("link")).unwrap();
            symlink("../../..", at(name).join("up")).unwrap();
        }
        fs::hard_link(at("victim/file"), at("mine/a/hard")).unwrap();
        rustix::fs::mknodat(CWD, at("mine/a/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        remove(&at("mine")).unwrap();
        assert!(!at("mine").exists());
        assert_eq!(fs::read_to_string(at("victim/file")).unwrap(), "kept");
        assert_eq!(fs::read_dir(at("victim")).unwrap().count(), 2);
    }

    #[test]
    fn a_link_and_nothing_are_no_folders() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("victim")).unwrap();
        symlink(at("victim"), at("link")).unwrap();
        assert!(remove(&at("link")).is_err() && remove(&at("none")).is_err());
        assert!(at("victim").exists());
    }
}
