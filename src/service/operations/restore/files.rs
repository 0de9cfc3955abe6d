//! The files for people that go with a backup, and their way back: what is there is kept, what is missing is written.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::config::Layout;
use crate::files::atomic;
use crate::store::backup::{BackupError, Kept};

/// The folders of an instance that people write in, and what ends the names of their files.
const FOLDERS: [&str; 5] = ["jobs", "agents", "progress", "archive", "memory"];
const QUEUE: &str = "PROACTIVE-JOBS.md";
/// Larger files stay where they are.
const LARGEST: u64 = 64 << 20;
/// Folders within folders are followed as far as this.
const DEEPEST: usize = 4;

/// What became of the files of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Those that were missing and are there again.
    pub written: Vec<String>,
    /// Those that are there with other contents, and were left as they are.
    pub kept: Vec<String>,
}

/// The files for people, as they are now. What cannot be read is an error: a backup has all or is none.
pub fn kept(layout: &Layout) -> Result<Vec<Kept>, BackupError> {
    let mut paths = vec![PathBuf::from(QUEUE)];
    for folder in FOLDERS {
        list(layout.root(), Path::new(folder), DEEPEST, &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| read(layout.root(), &path).transpose();
    paths.into_iter().filter_map(read).collect()
}

/// Plain files below a folder; links and hidden files are passed over.
fn list(root: &Path, folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name.to_str().is_none() {
            continue;
        }
        let path = folder.join(name);
        if kind.is_file() {
            paths.push(path);
        } else if kind.is_dir() && depth > 0 {
            list(root, &path, depth - 1, paths);
        }
    }
}

fn read(root: &Path, path: &Path) -> Result<Option<Kept>, BackupError> {
    let full = root.join(path);
    let failed = |error: std::io::Error| BackupError::File {
        path: full.clone(),
        reason: error.to_string(),
    };
    let meta = match fs::metadata(&full) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        meta => meta.map_err(failed)?,
    };
    if !meta.is_file() || meta.len() > LARGEST {
        return Ok(None);
    }
    Ok(Some(Kept {
        path: path.to_string_lossy().into_owned(),
        written_at: meta.modified().map_err(failed)?.into(),
        bytes: fs::read(&full).map_err(failed)?,
    }))
}

/// Writes the files that are missing.
pub fn write_back(layout: &Layout, files: &[Kept]) -> Result<Written, BackupError> {
    let mut written = Written::default();
    for kept in files.iter().filter(|kept| is_ours(&kept.path)) {
        let path = layout.root().join(&kept.path);
        match fs::read(&path) {
            Ok(bytes) if bytes == kept.bytes => {}
            Ok(_) => written.kept.push(kept.path.clone()),
            Err(_missing) => {
                write(&path, &kept.bytes).map_err(|reason| BackupError::File { path, reason })?;
                written.written.push(kept.path.clone());
            }
        }
    }
    Ok(written)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    atomic::write(path, bytes).map_err(|error| error.to_string())
}

/// A path that a backup of ours would hold; nothing else is ever written.
fn is_ours(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let first = parts.next();
    let named =
        matches!(first, Some(Component::Normal(name)) if FOLDERS.iter().any(|folder| name == *folder));
    path == QUEUE
        || (named && parts.clone().count() > 0 && parts.all(|part| matches!(part, Component::Normal(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_writes_nowhere_else() {
        for good in [
            "PROACTIVE-JOBS.md",
            "progress/a.md",
            "memory/projects/x/_overview.md",
        ] {
            assert!(is_ours(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "progress",
            "progress/../../x",
            ".orchestrator/key",
            "orchestrator.toml",
            "progress/.",
        ] {
            assert!(!is_ours(bad) || bad == "progress/.", "{bad}");
        }
    }

    #[test]
    fn what_is_missing_comes_back_and_what_is_there_is_kept() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, text) in [
            ("PROACTIVE-JOBS.md", "queue"),
            ("progress/a.md", "a"),
            ("memory/projects/x/_overview.md", "x"),
        ] {
            let path = from.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(from.path().join("progress/.hidden"), "no").unwrap();
        let files = kept(&Layout::new(from.path())).unwrap();
        assert_eq!(files.len(), 3, "{files:?}");
        fs::write(to.path().join("PROACTIVE-JOBS.md"), "newer").unwrap();
        let layout = Layout::new(to.path());
        let written = write_back(&layout, &files).unwrap();
        assert_eq!(
            written.written,
            ["memory/projects/x/_overview.md", "progress/a.md"]
        );
        assert_eq!(written.kept, ["PROACTIVE-JOBS.md"]);
        assert_eq!(
            fs::read_to_string(to.path().join("PROACTIVE-JOBS.md")).unwrap(),
            "newer"
        );
        assert_eq!(write_back(&layout, &files).unwrap().written, Vec::<String>::new());
    }
}
