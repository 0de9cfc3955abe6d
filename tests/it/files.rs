//! Files that others write too: nothing of theirs is lost, nothing is half written, everything is noticed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::config::Layout;
use orchestrator::domain::id::TaskId;
use orchestrator::files::lock::{self, LockError};
use orchestrator::files::{
    FileError, Heartbeats, InstanceLock, Progress, QueueFile, Updated, archive, atomic,
};
use tempfile::TempDir;

pub(super) struct Instance {
    pub(super) dir: TempDir,
    pub(super) layout: Layout,
}

pub(super) fn instance() -> Instance {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path());
    for folder in layout.folders() {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(layout.queue_file(), "one\n").unwrap();
    Instance { dir, layout }
}

pub(super) fn queue(instance: &Instance) -> QueueFile {
    QueueFile::new(instance.layout.queue_file())
}

pub(super) fn task(id: &str) -> TaskId {
    TaskId::parse(id).unwrap()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// What an editor does that writes a new file and renames it over the old one.
pub(super) fn rename_over(path: &Path, content: &str) {
    let beside = path.with_extension("swp");
    fs::write(&beside, content).unwrap();
    fs::rename(beside, path).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_update_writes_what_the_edit_makes_and_nothing_when_it_makes_nothing() {
    let here = instance();
    let file = queue(&here);
    let before = file.identity().unwrap();
    assert_eq!(file.update(|_| None).unwrap(), Updated::Unchanged);
    assert_eq!(
        file.update(|bytes| Some(bytes.to_vec())).unwrap(),
        Updated::Unchanged
    );
    assert_eq!(file.identity().unwrap(), before);
    let updated = file.update(|bytes| Some([bytes, b"two\n"].concat())).unwrap();
    assert_eq!(updated, Updated::Written(file.identity().unwrap()));
    assert_eq!(file.read().unwrap().bytes, b"one\ntwo\n");
    assert_ne!(file.identity().unwrap(), before);
    assert!(names(here.dir.path()).iter().all(|name| !name.ends_with("tmp")));
}

#[test]
fn mode_and_owner_are_kept() {
    let here = instance();
    let path = here.layout.queue_file();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    queue(&here).update(|_| Some(b"x".to_vec())).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.mode(), before.mode());
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    if is_root {
        assert_eq!((after.uid(), after.gid()), (1234, 4321));
    }
}

/// Someone writes between our reading and our writing: in each way that there is.
#[rstest::rstest]
#[case::rename_over(|path: &Path| rename_over(path, "theirs\n"))]
#[case::in_place(|path: &Path| fs::write(path, "theirs\n").unwrap())]
#[case::same_size_in_place(|path: &Path| fs::write(path, "ONE\n").unwrap())]
#[case::deleted_and_created(|path: &Path| { fs::remove_file(path).unwrap(); fs::write(path, "theirs\n").unwrap(); })]
fn a_change_meanwhile_is_kept_and_the_edit_made_on_it(#[case] write: fn(&Path)) {
    let here = instance();
    let path = here.layout.queue_file();
    let mut rounds = Vec::new();
    let updated = queue(&here).update(|bytes| {
        rounds.push(String::from_utf8(bytes.to_vec()).unwrap());
        if rounds.len() == 1 {
            write(&path);
        }
        Some([bytes, b"ours\n"].concat())
    });
    assert!(matches!(updated, Ok(Updated::Written(_))), "{updated:?}");
    assert_eq!(rounds.len(), 2);
    assert_eq!(rounds[0], "one\n");
    assert_eq!(text(&path), format!("{}ours\n", rounds[1]));
    assert!(rounds[1] == "theirs\n" || rounds[1] == "ONE\n");
}

#[test]
fn a_file_deleted_meanwhile_stays_deleted() {
    let here = instance();
    let path = here.layout.queue_file();
    let updated = queue(&here).update(|bytes| {
        let _ = fs::remove_file(&path);
        Some([bytes, b"ours\n"].concat())
    });
    assert!(matches!(updated, Err(FileError::Missing { .. })), "{updated:?}");
    assert!(!path.exists());
    assert!(names(here.dir.path()).iter().all(|name| !name.ends_with("tmp")));
}

#[test]
fn a_file_that_never_rests_is_busy_and_whole() {
    let here = instance();
    let path = here.layout.queue_file();
    let mut count = 0;
    let updated = queue(&here).update(|_| {
        count += 1;
        rename_over(&path, &format!("theirs {count}\n"));
        Some(b"ours\n".to_vec())
    });
    assert!(matches!(updated, Err(FileError::Busy { .. })), "{updated:?}");
    assert_eq!(text(&path), format!("theirs {count}\n"));
}

#[test]
fn an_editor_s_save_is_never_undone() {
    let here = instance();
    let path = here.layout.queue_file();
    let rounds = 400;
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let file = queue(&here);
            scope.spawn(move || {
                for n in 0..rounds / 8 {
                    let line = format!("{name}{n}\n");
                    match file.update(|bytes| Some([bytes, line.as_bytes()].concat())) {
                        Ok(_) | Err(FileError::Busy { .. }) => {}
                        Err(fault) => panic!("{fault}"),
                    }
                }
            });
        }
        // A person's editor takes no locks and saves its own buffer over whatever is there.
        let path = &path;
        scope.spawn(move || {
            let mut buffer = String::new();
            while buffer.lines().count() < rounds {
                buffer.push_str(&format!("editor{}\n", buffer.lines().count()));
                rename_over(path, &buffer);
                std::thread::yield_now();
            }
        });
    });
    let lines = text(&path);
    for n in 0..rounds {
        assert!(lines.contains(&format!("editor{n}\n")), "editor{n} is lost");
    }
}

#[test]
fn two_of_us_lose_nothing_at_all() {
    let here = instance();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let file = queue(&here);
            scope.spawn(move || {
                for n in 0..40 {
                    file.update(|bytes| Some([bytes, format!("{name}{n}\n").as_bytes()].concat()))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(text(&here.layout.queue_file()).lines().count(), 121);
}

#[test]
fn a_link_is_followed_and_stays_a_link() {
    let here = instance();
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real.md");
    fs::write(&real, "real\n").unwrap();
    fs::remove_file(here.layout.queue_file()).unwrap();
    symlink(&real, here.layout.queue_file()).unwrap();
    queue(&here)
        .update(|bytes| Some([bytes, b"ours\n"].concat()))
        .unwrap();
    assert_eq!(text(&real), "real\nours\n");
    assert!(
        fs::symlink_metadata(here.layout.queue_file())
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn what_is_no_file_is_named() {
    let here = instance();
    let path = here.layout.queue_file();
    fs::remove_file(&path).unwrap();
    let fault = queue(&here).read().unwrap_err();
    assert!(
        matches!(fault, FileError::Missing { .. }) && fault.to_string().contains("orchestrator init"),
        "{fault}"
    );
    fs::create_dir(&path).unwrap();
    assert!(matches!(queue(&here).read(), Err(FileError::IsAFolder { .. })));
    assert!(matches!(
        queue(&here).update(|_| None),
        Err(FileError::IsAFolder { .. })
    ));
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(queue(&here).read(), Err(FileError::NotAFile { .. })));
    fs::remove_file(&path).unwrap();
    fs::File::create(&path).unwrap().set_len((16 << 20) + 1).unwrap();
    let fault = queue(&here).read().unwrap_err();
    assert!(
        matches!(fault, FileError::TooLarge { .. }) && fault.to_string().contains("16 MiB"),
        "{fault}"
    );
}

/// A file system of its own: small, or read-only. `None` (with a printed reason) where we may not mount.
struct Mounted(TempDir);

impl Mounted {
    fn tmpfs(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(dir.path())
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(dir)),
            other => {
                eprintln!("skipped: cannot mount a tmpfs ({other:?})");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_changes_nothing_and_heals() {
    let Some(disk) = Mounted::tmpfs("size=64k") else {
        return;
    };
    let path = disk.path("queue.md");
    fs::write(&path, "one\n").unwrap();
    let ballast = disk.path("ballast");
    fs::write(&ballast, vec![0; 40 << 10]).unwrap();
    let file = QueueFile::new(&path);
    let fault = file.update(|_| Some(vec![b'x'; 30 << 10])).unwrap_err();
    assert!(matches!(fault, FileError::Full { .. }), "{fault:?}");
    assert_eq!(text(&path), "one\n");
    assert_eq!(names(disk.0.path()), ["ballast", "queue.md"]);
    fs::remove_file(ballast).unwrap();
    file.update(|_| Some(vec![b'x'; 30 << 10])).unwrap();
    assert_eq!(file.read().unwrap().bytes.len(), 30 << 10);
}

#[test]
fn an_unwritable_folder_is_denied_with_the_cure() {
    let Some(disk) = Mounted::tmpfs("size=64k") else {
        return;
    };
    let path = disk.path("queue.md");
    fs::write(&path, "one\n").unwrap();
    let remount = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(disk.0.path())
        .status()
        .unwrap();
    assert!(remount.success());
    let fault = QueueFile::new(&path)
        .update(|_| Some(b"two\n".to_vec()))
        .unwrap_err();
    assert!(matches!(fault, FileError::Denied { .. }), "{fault:?}");
    assert!(fault.to_string().contains("access"), "{fault}");
    assert_eq!(text(&path), "one\n");
}

#[test]
fn what_a_killed_writer_left_is_swept_and_nothing_else() {
    let here = instance();
    let own = format!(".PROACTIVE-JOBS.md.{}.0.orchestrator-tmp", std::process::id());
    let living = ".PROACTIVE-JOBS.md.1.7.orchestrator-tmp";
    for name in [
        own.as_str(),
        ".x.md.4294967294.7.orchestrator-tmp",
        living,
        "notes.tmp",
    ] {
        fs::write(here.dir.path().join(name), "").unwrap();
    }
    assert_eq!(atomic::sweep(here.dir.path()).unwrap(), 2);
    let left = names(here.dir.path());
    assert!(
        left.contains(&living.to_owned()) && left.contains(&"notes.tmp".to_owned()),
        "{left:?}"
    );
}

#[test]
fn a_leftover_of_the_same_name_does_not_stop_a_write() {
    let here = instance();
    let path = here.dir.path().join("x");
    for count in 0..50 {
        let name = format!(".x.{}.{count}.orchestrator-tmp", std::process::id());
        fs::write(here.dir.path().join(name), "").unwrap();
    }
    atomic::write(&path, b"whole").unwrap();
    assert_eq!(text(&path), "whole");
}

#[test]
fn heartbeats_are_read_once_and_trusted_never() {
    let here = instance();
    let folder = here.layout.heartbeats();
    let mut beats = Heartbeats::new(&folder);
    assert!(beats.scan().unwrap().changed.is_empty());
    beats.write(&task("a"), b"{1}").unwrap();
    fs::write(folder.join("b.json"), "{2}").unwrap();
    fs::write(folder.join("notes.txt"), "no").unwrap();
    fs::write(folder.join("..json"), "no").unwrap();
    symlink("/etc/passwd", folder.join("evil.json")).unwrap();
    let scan = beats.scan().unwrap();
    let ids: Vec<&str> = scan.changed.iter().map(|(task, _)| task.as_str()).collect();
    assert_eq!(ids, ["a", "b", "evil"]);
    assert_eq!(scan.changed[0].1.as_ref().unwrap(), b"{1}");
    assert!(
        matches!(scan.changed[2].1, Err(FileError::NotAFile { .. })),
        "{:?}",
        scan.changed[2]
    );
    assert!(
        beats.scan().unwrap().changed.is_empty(),
        "unchanged files are not read again"
    );
    beats
        .update(&task("b"), |bytes| {
            Some([bytes.unwrap_or_default(), b"+"].concat())
        })
        .unwrap();
    beats.remove(&task("a")).unwrap();
    beats.remove(&task("a")).unwrap();
    let scan = beats.scan().unwrap();
    assert_eq!(scan.gone, [task("a")]);
    assert_eq!(scan.changed[0].1.as_ref().unwrap(), b"{2}+");
    beats.write(&task("evil"), b"{3}").unwrap();
    assert_eq!(beats.read(&task("evil")).unwrap(), b"{3}");
    assert!(
        text(Path::new("/etc/passwd")).contains("root"),
        "the link was replaced, not followed"
    );
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(beats.scan().unwrap().gone.len(), 2);
    beats.write(&task("c"), b"{}").unwrap();
}

#[test]
fn progress_starts_from_nothing_and_keeps_what_a_worker_writes_meanwhile() {
    let here = instance();
    let progress = Progress::new(here.layout.progress());
    assert_eq!(progress.read(&task("a")).unwrap(), None);
    let path = here.layout.progress_of(&task("a"));
    let mut rounds = 0;
    progress
        .update(&task("a"), |bytes| {
            rounds += 1;
            if rounds == 1 {
                assert_eq!(bytes, None);
                fs::write(&path, "worker\n").unwrap();
            }
            Some([bytes.unwrap_or_default(), b"ours\n"].concat())
        })
        .unwrap();
    assert_eq!(text(&path), "worker\nours\n");
}

#[test]
fn an_archived_section_is_appended_once() {
    let here = instance();
    let folder = here.layout.archive();
    fs::remove_dir(&folder).unwrap();
    for section in ["### a: A\ntext\n", "### b: B\n", "### a: A\ntext\n"] {
        archive::append(&folder, "2026-02", section.as_bytes()).unwrap();
    }
    assert_eq!(text(&folder.join("2026-02.md")), "### a: A\ntext\n### b: B\n");
}

#[test]
fn a_second_service_is_refused_by_number() {
    let here = instance();
    let path = here.layout.lock();
    assert_eq!(lock::holder(&path).unwrap(), None);
    let first = InstanceLock::acquire(&path).unwrap();
    assert_eq!(lock::holder(&path).unwrap(), Some(Some(std::process::id())));
    let fault = InstanceLock::acquire(&path).unwrap_err();
    assert!(matches!(fault, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(fault.to_string().contains("orchestrator status"), "{fault}");
    drop(first);
    assert_eq!(lock::holder(&path).unwrap(), None);
    InstanceLock::acquire(&path).unwrap();
}
