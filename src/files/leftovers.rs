//! What lies in a folder of the state folder, since when, and taking it away.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

/// Something that lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// When it was last written, moved or renamed.
    pub since: DateTime<Utc>,
}

/// What lies in a folder; nothing where it is absent, or where a link has taken its place.
pub fn list(folder: &Path) -> Vec<Leftover> {
    if !fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return Vec::new();
    }
    let leftover = |entry: fs::DirEntry| {
        let meta = entry.metadata().ok()?;
        let changed = DateTime::from_timestamp(meta.ctime(), 0)?;
        let written: DateTime<Utc> = meta.modified().ok()?.into();
        Some(Leftover {
            name: entry.file_name().into_string().ok()?,
            path: entry.path(),
            since: changed.max(written),
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(leftover).collect()
}

/// Takes a file, or a folder with all that is in it, away. No link is followed. Answers how many bytes it held.
///
/// # Errors
/// What the system says; a part may be gone then.
pub fn remove(path: &Path) -> io::Result<u64> {
    let held = size(path);
    let meta = fs::symlink_metadata(path)?;
    match meta.is_dir() {
        true => fs::remove_dir_all(path)?,
        false => fs::remove_file(path)?,
    }
    Ok(held)
}

fn size(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_listed_or_removed_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        for folder in [&inside, &outside] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(outside.join("precious"), "12345").unwrap();
        fs::create_dir(inside.join("task")).unwrap();
        fs::write(inside.join("task/log"), "123").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("task/link")).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("attempts")).unwrap();
        assert_eq!(list(&dir.path().join("attempts")), []);
        assert_eq!(list(&dir.path().join("none")), []);
        let found = list(&inside);
        assert_eq!(found.len(), 1);
        assert!(remove(&found[0].path).unwrap() >= 3);
        assert_eq!(list(&inside), []);
        assert!(outside.join("precious").exists());
    }
}
