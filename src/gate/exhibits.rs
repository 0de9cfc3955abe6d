//! Evidence that people can look at: made in the gate's checkout, taken from there and from nowhere else.
//!
//! Invariants: regular files alone, through no link; all of it bounded; what a command was to make and what only lies in
//! the commit are told apart by what the files were before any check ran.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use sha2::{Digest, Sha256};

use super::asked::{Asked, Kept};
use super::capture::hex;
use crate::domain::exhibit::{Exhibit, ExhibitSpec, FilePattern, LARGEST, MOST, TOGETHER, kind_of};

/// So many entries of folders are looked at.
const LOOKS: usize = 200_000;

/// What tells one state of a file from another: inode, times of content and of inode, size.
type Stamp = (u64, (i64, i64), (i64, i64), u64);

/// Files that patterns mean, by their paths from the folder of the work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found(BTreeMap<String, Stamp>);

/// Looks for the files that specs mean, off the threads that serve.
pub(super) async fn find(root: &Path, specs: &[ExhibitSpec]) -> Found {
    let patterns: Vec<FilePattern> = specs.iter().flat_map(|spec| spec.files.clone()).collect();
    if patterns.is_empty() {
        return Found::default();
    }
    let root = root.to_path_buf();
    let walked = tokio::task::spawn_blocking(move || walk(&root, &patterns)).await;
    walked.unwrap_or_default()
}

fn walk(root: &Path, patterns: &[FilePattern]) -> Found {
    let mut found = BTreeMap::new();
    let mut looks = LOOKS;
    let mut folders: Vec<(PathBuf, String)> = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, above)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Some(left) = looks.checked_sub(1) else {
                return Found(found);
            };
            looks = left;
            let name = entry.file_name();
            let (Some(name), Ok(meta)) = (name.to_str(), entry.path().symlink_metadata()) else {
                continue;
            };
            let path = format!("{above}{name}");
            if meta.is_dir() && name != ".git" && patterns.iter().any(|p| p.reaches_into(&path)) {
                folders.push((entry.path(), format!("{path}/")));
            } else if meta.is_file() && patterns.iter().any(|p| p.matches(&path)) {
                let times = (
                    (meta.mtime(), meta.mtime_nsec()),
                    (meta.ctime(), meta.ctime_nsec()),
                );
                found.insert(path, (meta.ino(), times.0, times.1, meta.len()));
            }
        }
    }
    Found(found)
}

/// What one run of the gate may still keep.
#[derive(Debug)]
pub(super) struct Room {
    files: usize,
    bytes: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            files: MOST,
            bytes: TOGETHER,
        }
    }
}

/// What came of one piece of evidence.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) files: Vec<Exhibit>,
    pub(super) faults: Vec<String>,
}

/// Takes the files of one spec: those that there are now, told from those that there were.
pub(super) fn take(
    root: &Path,
    spec: &ExhibitSpec,
    (before, now): (&Found, &Found),
    room: &mut Room,
    keep: &dyn Fn(&str, &[u8]) -> io::Result<Kept>,
) -> Taken {
    let mut taken = Taken::default();
    for pattern in &spec.files {
        let meant: Vec<(&String, bool)> = now
            .0
            .iter()
            .filter(|(path, _)| pattern.matches(path))
            .map(|(path, stamp)| (path, before.0.get(path) == Some(stamp)))
            .collect();
        // What a command was to make is not what lay there before.
        let (old, mine): (Vec<_>, Vec<_>) =
            meant.into_iter().partition(|(_, old)| *old && spec.run.is_some());
        if mine.is_empty() {
            taken.faults.push(nothing(pattern, &old));
        }
        for (path, committed) in mine {
            if taken.files.iter().any(|file| file.path == *path) {
                continue;
            }
            match one(root, path, room).and_then(|bytes| put(path, committed, &bytes, keep)) {
                Ok(file) => taken.files.push(file),
                Err(fault) => taken.faults.push(fault),
            }
        }
    }
    taken
}

/// Keeps a file.
pub(super) fn put(
    path: &str,
    committed: bool,
    bytes: &[u8],
    keep: &dyn Fn(&str, &[u8]) -> io::Result<Kept>,
) -> Result<Exhibit, String> {
    let kind = kind_of(path, bytes);
    let kept = keep(kind, bytes).map_err(|error| format!("{path} could not be kept: {error}"))?;
    Ok(Exhibit {
        path: path.to_owned(),
        bytes: kept.bytes,
        kind: kind.to_owned(),
        sha256: kept.sha256,
        committed,
        redacted: kept.redacted,
    })
}

fn nothing(pattern: &FilePattern, old: &[(&String, bool)]) -> String {
    match old.first() {
        Some((path, _)) => format!(
            "{path} is the commit's own: the command did not make it in the gate, so it shows nothing"
        ),
        None => format!("no file matches {}", pattern.as_str()),
    }
}

fn one(root: &Path, path: &str, room: &mut Room) -> Result<Vec<u8>, String> {
    if room.files == 0 {
        return Err(format!("{path} is one too many: {MOST} files are kept"));
    }
    let unreadable = |error: io::Error| format!("{path} cannot be read: {error}");
    let file = open(root, path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(format!("{path} is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let size = bytes.len() as u64;
    if size > LARGEST {
        return Err(format!("{path} is larger than {LARGEST} bytes"));
    }
    if size > room.bytes {
        return Err(format!("{path} is too much: {TOGETHER} bytes are kept together"));
    }
    (room.files, room.bytes) = (room.files - 1, room.bytes - size);
    Ok(bytes)
}

/// Opens a file below a folder through no link at all; a pipe in its place holds nobody.
fn open(root: &Path, path: &str) -> io::Result<File> {
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::PATH;
    let root = openat(CWD, root, folder, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(File::from(openat2(root, path, flags, Mode::empty(), within)?))
}

/// Keeps by the gallery of a request, or only takes the digest.
pub(super) fn keeper<'a>(
    asked: &'a Asked<'_>,
    commit: &'a str,
) -> impl Fn(&str, &[u8]) -> io::Result<Kept> + 'a {
    move |kind, bytes| match asked.gallery {
        Some(gallery) => gallery.keep(commit, kind, bytes),
        None => Ok(Kept {
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
            redacted: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::domain::gate::CheckSource;

    fn spec(files: &[&str], run: bool) -> ExhibitSpec {
        ExhibitSpec {
            name: "e".to_owned(),
            run: run.then(|| "make".to_owned()),
            files: files.iter().map(|f| FilePattern::parse(f).unwrap()).collect(),
            timeout: None,
            source: CheckSource::Job,
        }
    }

    fn taken(root: &Path, spec: &ExhibitSpec, before: &Found, room: &mut Room) -> (Vec<String>, Vec<String>) {
        let now = walk(root, &spec.files);
        let asked = Asked::default();
        let taken = take(root, spec, (before, &now), room, &keeper(&asked, "c"));
        (taken.files.into_iter().map(|f| f.path).collect(), taken.faults)
    }

    #[test]
    fn regular_files_alone_are_taken() {
        let world = tempfile::tempdir().unwrap();
        let root = world.path().join("tree");
        fs::create_dir_all(root.join("shots/deep")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::write(world.path().join("secret.png"), "x").unwrap();
        fs::write(root.join("shots/a.png"), "a").unwrap();
        fs::write(root.join("shots/deep/b.png"), "b").unwrap();
        fs::write(root.join(".git/c.png"), "c").unwrap();
        symlink(world.path().join("secret.png"), root.join("shots/link.png")).unwrap();
        symlink(world.path(), root.join("out")).unwrap();
        nix::unistd::mkfifo(&root.join("shots/pipe.png"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let all = taken(
            &root,
            &spec(&["**/*.png"], false),
            &Found::default(),
            &mut Room::default(),
        );
        assert_eq!(
            all,
            (
                vec!["shots/a.png".to_owned(), "shots/deep/b.png".to_owned()],
                vec![]
            )
        );
        for out in ["out/secret.png", "shots/link.png", "shots/pipe.png"] {
            let (files, faults) = taken(
                &root,
                &spec(&[out], false),
                &Found::default(),
                &mut Room::default(),
            );
            assert_eq!((files.len(), faults.len()), (0, 1), "{out}");
            let plain = open(&root, out).and_then(|file| file.metadata());
            assert!(!plain.is_ok_and(|meta| meta.is_file()), "{out}");
        }
    }

    #[test]
    fn what_a_command_was_to_make_is_not_what_was_there() {
        let world = tempfile::tempdir().unwrap();
        let root = world.path();
        fs::write(root.join("old.txt"), "committed").unwrap();
        let wanted = [spec(&["*.txt"], true), spec(&["*.txt"], false)];
        let before = walk(root, &wanted[0].files);
        let (files, faults) = taken(root, &wanted[0], &before, &mut Room::default());
        assert!(
            files.is_empty() && faults[0].contains("the commit's own"),
            "{faults:?}"
        );
        assert_eq!(
            taken(root, &wanted[1], &before, &mut Room::default()).0,
            ["old.txt"]
        );
        fs::write(root.join("new.txt"), "made").unwrap();
        assert_eq!(
            taken(root, &wanted[0], &before, &mut Room::default()),
            (vec!["new.txt".to_owned()], vec![])
        );
        fs::write(root.join("old.txt"), "made again").unwrap();
        assert_eq!(
            taken(root, &wanted[0], &before, &mut Room::default()).0,
            ["new.txt", "old.txt"]
        );
    }

    #[test]
    fn evidence_is_bounded() {
        let world = tempfile::tempdir().unwrap();
        let root = world.path();
        let file = File::create(root.join("large.bin")).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        fs::write(root.join("a.txt"), "12345").unwrap();
        fs::write(root.join("b.txt"), "12345").unwrap();
        let (files, faults) = taken(
            root,
            &spec(&["*"], false),
            &Found::default(),
            &mut Room::default(),
        );
        assert_eq!(files, ["a.txt", "b.txt"]);
        assert!(faults[0].contains("large.bin is larger"), "{faults:?}");
        let mut narrow = Room { files: 1, bytes: 100 };
        let (files, faults) = taken(root, &spec(&["*.txt"], false), &Found::default(), &mut narrow);
        assert!(
            files.len() == 1 && faults[0].contains("one too many"),
            "{faults:?}"
        );
        let mut narrow = Room { files: 9, bytes: 7 };
        let (files, faults) = taken(root, &spec(&["*.txt"], false), &Found::default(), &mut narrow);
        assert!(files.len() == 1 && faults[0].contains("too much"), "{faults:?}");
    }
}
