//! How a folder stands, in one digest: every file, link and folder below it with its inode, mode, size and times.
//!
//! Whatever is done to a file or a folder, the system itself writes down when (`ctime`), and nobody can write that down
//! otherwise. Two imprints of one folder that are the same therefore say that nothing in it was touched in between,
//! without reading a file. Deliberately absent: content, and the time of the last access.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// A folder as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Imprint(Vec<u8>);

impl Imprint {
    /// Takes it of a folder that is no link. It blocks.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let mut digest = Sha256::new();
        let mut folders = vec![folder.to_path_buf()];
        let seen = fs::symlink_metadata(folder)?;
        add(&mut digest, b"", &seen);
        if !seen.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        while let Some(folder) = folders.pop() {
            let mut entries = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            digest.update(entries.len().to_le_bytes());
            for entry in entries {
                let seen = entry.metadata()?;
                add(&mut digest, entry.file_name().as_bytes(), &seen);
                if seen.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        Ok(Self(digest.finalize().to_vec()))
    }
}

fn add(digest: &mut Sha256, name: &[u8], seen: &Metadata) {
    digest.update(name.len().to_le_bytes());
    digest.update(name);
    for number in [
        seen.dev(),
        seen.ino(),
        u64::from(seen.mode()),
        seen.nlink(),
        u64::from(seen.uid()),
        u64::from(seen.gid()),
        seen.size(),
    ] {
        digest.update(number.to_le_bytes());
    }
    for time in [seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec()] {
        digest.update(time.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    fn scene() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        for name in ["x", "a/y", "a/b/z"] {
            fs::write(top.join(name), "same").unwrap();
        }
        symlink("a", top.join("link")).unwrap();
        // What is done now must not fall into the moment in which the scene was made.
        std::thread::sleep(Duration::from_millis(30));
        (dir, top)
    }

    #[test]
    fn nothing_is_done_unseen() {
        type Deed = fn(&Path);
        let deeds: [(&str, Deed); 9] = [
            ("changed, its times put back", |top| {
                let times = fs::metadata(top.join("a/y")).unwrap();
                fs::write(top.join("a/y"), "evil").unwrap();
                let file = File::options().write(true).open(top.join("a/y")).unwrap();
                file.set_modified(times.modified().unwrap()).unwrap();
            }),
            ("made executable", |top| {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(top.join("x"), fs::Permissions::from_mode(0o755)).unwrap();
            }),
            ("one more", |top| fs::write(top.join("a/b/new"), "").unwrap()),
            ("an empty folder more", |top| {
                fs::create_dir(top.join("a/new")).unwrap()
            }),
            ("one less", |top| fs::remove_file(top.join("x")).unwrap()),
            ("made and removed again", |top| {
                fs::write(top.join("a/new"), "").unwrap();
                fs::remove_file(top.join("a/new")).unwrap();
            }),
            ("linked from elsewhere", |top| {
                fs::hard_link(top.join("x"), top.parent().unwrap().join("x")).unwrap();
            }),
            ("replaced by the same", |top| {
                fs::write(top.join("n"), "same").unwrap();
                fs::rename(top.join("n"), top.join("x")).unwrap();
            }),
            ("a folder for a link", |top| {
                fs::remove_file(top.join("link")).unwrap();
                fs::create_dir(top.join("link")).unwrap();
            }),
        ];
        for (what, deed) in deeds {
            let (_dir, top) = scene();
            let before = Imprint::take(&top).unwrap();
            fs::read(top.join("x")).unwrap();
            assert_eq!(Imprint::take(&top).unwrap(), before, "reading is no deed");
            deed(&top);
            assert_ne!(Imprint::take(&top).unwrap(), before, "{what}");
        }
    }

    #[test]
    fn a_link_and_nothing_have_no_imprint() {
        let (_dir, top) = scene();
        assert!(Imprint::take(&top.join("link")).is_err());
        assert!(Imprint::take(&top.join("none")).is_err());
    }
}
