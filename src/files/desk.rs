//! A worker's desk: files in a folder that belongs to somebody who may be hostile.
//!
//! Whatever lies there can change at any moment, be a link, a pipe or a terabyte. Everything is opened beneath the
//! desk, through no link at all, and read up to a size.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::error::FileError;
use super::identity::{Identity, Snapshot};

/// A worker's desk.
#[derive(Debug, Clone)]
pub struct Desk {
    folder: PathBuf,
}

impl Desk {
    /// The desk at `folder`, whose own parent nobody else can write in.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The path of a file on it.
    pub fn path(&self, name: &Path) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of at most `limit` bytes, where it is there and is another than the one that `seen` tells of.
    pub fn read(
        &self,
        name: &Path,
        limit: u64,
        seen: Option<Identity>,
    ) -> Result<Option<Snapshot>, FileError> {
        let path = self.path(name);
        let file = match self.open(name) {
            Err(FileError::Missing { .. }) => return Ok(None),
            other => other?,
        };
        let fault = |fault| FileError::from_io(&path, "read", fault);
        let meta = file.metadata().map_err(fault)?;
        if !meta.is_file() {
            return Err(FileError::NotAFile { path });
        }
        let identity = Identity::from(&meta);
        if seen == Some(identity) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > limit {
            return Err(FileError::TooLarge { path, limit });
        }
        Ok(Some(Snapshot { bytes, identity }))
    }

    fn open(&self, name: &Path) -> Result<File, FileError> {
        let path = self.path(name);
        let fault = |fault: rustix::io::Errno| FileError::from_io(&path, "read", fault.into());
        let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::PATH;
        let desk = openat(CWD, &self.folder, folder, Mode::empty()).map_err(fault)?;
        // Without NONBLOCK a pipe in the file's place would hold us for ever.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(desk, name, flags, Mode::empty(), within).map_err(fault)?;
        Ok(File::from(file))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Seen to fail with the plain `File::open` of the path: the links were followed, and the pipe held the test.
    #[test]
    fn nothing_but_a_plain_file_beneath_is_read() {
        let world = tempfile::tempdir().unwrap();
        let at = |name: &str| world.path().join(name);
        fs::create_dir_all(at("desk/progress")).unwrap();
        fs::create_dir(at("host")).unwrap();
        fs::write(at("host/t.md"), "secret").unwrap();
        let desk = Desk::new(at("desk"));
        let read = |name: &str| desk.read(Path::new(name), 10, None);
        assert!(read("progress/t.md").unwrap().is_none());
        fs::write(at("desk/progress/t.md"), "text").unwrap();
        let found = read("progress/t.md").unwrap().unwrap();
        assert_eq!(found.bytes, b"text");
        let again = desk.read(Path::new("progress/t.md"), 10, Some(found.identity));
        assert!(again.unwrap().is_none(), "it is known already");
        fs::write(at("desk/progress/t.md"), "more than ten bytes").unwrap();
        assert!(matches!(read("progress/t.md"), Err(FileError::TooLarge { .. })));
        fs::remove_dir_all(at("desk/progress")).unwrap();
        symlink(at("host"), at("desk/progress")).unwrap();
        assert!(read("progress/t.md").is_err(), "a link on the way");
        symlink(at("host/t.md"), at("desk/link")).unwrap();
        assert!(read("link").is_err(), "a link at the end");
        assert!(read("../host/t.md").is_err(), "out of the desk");
        nix::unistd::mkfifo(&at("desk/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read("pipe").is_err());
        assert!(read("/etc/hostname").is_err());
    }
}
