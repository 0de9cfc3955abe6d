//! How much a workspace holds on the disk, looked at cheaply.
//!
//! What the file system has free is asked once a second (one call); only when that fell by what the workspace may still
//! grow, or a minute has passed, the workspace is counted, a few hundred entries at a time between everything else.
//! Deliberately absent: what the worker writes elsewhere (its own files' size is limited by `limits.file`).

use std::ffi::OsString;
use std::fs::ReadDir;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::statvfs;
use rustix::io::Errno;

/// Between two questions for what is free.
const LOOK: Duration = Duration::from_secs(1);
/// Between two counts, at most.
const COUNT: Duration = Duration::from_secs(60);
/// Entries that are counted in a turn, and the pause after it.
const ENTRIES: usize = 500;
const PAUSE: Duration = Duration::from_millis(10);
/// What an entry counts at least: also an empty file takes room, and there are only so many.
const ENTRY: u64 = 4096;

/// All times are since boot.
pub(super) struct Disk {
    root: PathBuf,
    limit: u64,
    look_at: Duration,
    count_at: Duration,
    /// What was free when the last count began, and what it came to.
    known: Option<(u64, u64)>,
    count: Option<Count>,
}

/// A count that is under way.
struct Count {
    free: u64,
    bytes: u64,
    open: Vec<ReadDir>,
}

impl Disk {
    /// Over the workspace, where it is limited.
    pub(super) fn new(root: OsString, limit: Option<u64>, now: Duration) -> Option<Self> {
        Some(Self {
            root: root.into(),
            limit: limit?,
            look_at: now,
            count_at: now,
            known: None,
            count: None,
        })
    }

    /// When to look again.
    pub(super) fn look_at(&self) -> Duration {
        self.look_at
    }

    /// The limit, if the workspace is beyond it.
    pub(super) fn exceeded(&mut self, now: Duration) -> Option<u64> {
        if now < self.look_at {
            return None;
        }
        if self.count.is_none() && self.is_to_be_counted(now) {
            self.begin(now);
        }
        let Some(count) = &mut self.count else {
            self.look_at = now + LOOK;
            return None;
        };
        let done = count.go_on();
        let (free, bytes) = (count.free, count.bytes);
        self.look_at = now + PAUSE;
        if done {
            self.known = Some((free, bytes));
            self.count = None;
            self.look_at = now + LOOK;
        }
        (bytes > self.limit).then_some(self.limit)
    }

    fn is_to_be_counted(&self, now: Duration) -> bool {
        let fell = self.known.is_none_or(|(free, bytes)| {
            let fell = free.saturating_sub(self.free());
            fell >= self.limit.saturating_sub(bytes)
        });
        fell || now >= self.count_at
    }

    /// What is free on the file system, files by number included. One that does not tell is counted by the minute.
    fn free(&self) -> u64 {
        statvfs(&self.root).map_or(u64::MAX, |stat| {
            let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
            bytes.saturating_add(stat.f_favail.saturating_mul(ENTRY))
        })
    }

    fn begin(&mut self, now: Duration) {
        self.count_at = now + COUNT;
        self.count = Some(Count {
            free: self.free(),
            bytes: 0,
            open: std::fs::read_dir(&self.root).into_iter().collect(),
        });
    }
}

impl Count {
    /// Counts some more; answers whether that was all. What vanishes meanwhile takes no room.
    fn go_on(&mut self) -> bool {
        for _ in 0..ENTRIES {
            let Some(folder) = self.open.last_mut() else {
                return true;
            };
            match folder.next() {
                None => drop(self.open.pop()),
                Some(Err(_)) => {}
                Some(Ok(entry)) => self.add(&entry),
            }
        }
        false
    }

    fn take(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// A file with several names counts a part for each; a folder that lies too deep to be looked into, without end.
    fn add(&mut self, entry: &std::fs::DirEntry) {
        let Ok(meta) = entry.metadata() else { return };
        if meta.is_dir() {
            self.take(ENTRY);
            match std::fs::read_dir(entry.path()) {
                Ok(folder) => self.open.push(folder),
                // A way to hide what is there.
                Err(error) if is_too_deep(&error) => self.bytes = u64::MAX,
                Err(_) => {}
            }
        } else {
            self.take((meta.blocks() * 512).max(ENTRY) / meta.nlink().max(1));
        }
    }
}

fn is_too_deep(error: &std::io::Error) -> bool {
    [Errno::NAMETOOLONG, Errno::MFILE].contains(&Errno::from_io_error(error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(disk: &mut Disk, from: u64) -> Option<u64> {
        (0..1000).find_map(|ms| disk.exceeded(Duration::from_secs(from) + Duration::from_millis(ms * 10)))
    }

    #[test]
    fn content_and_number_both_count() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), vec![1; 50_000]).unwrap();
        let mut disk = Disk::new(dir.path().into(), Some(100_000), Duration::ZERO).unwrap();
        assert_eq!(look(&mut disk, 1), None);
        for n in 0..30 {
            std::fs::write(folder.join(n.to_string()), "").unwrap();
        }
        assert_eq!(look(&mut disk, 100), Some(100_000), "counted by the minute");
    }

    #[test]
    fn a_link_out_of_it_is_not_followed() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("file"), vec![1; 500_000]).unwrap();
        std::os::unix::fs::symlink(other.path(), dir.path().join("link")).unwrap();
        let mut disk = Disk::new(dir.path().into(), Some(100_000), Duration::ZERO).unwrap();
        assert_eq!(look(&mut disk, 1), None);
    }

    /// Seen to fail with such a folder taken for an empty one.
    #[test]
    fn what_lies_too_deep_is_not_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = std::fs::File::open(dir.path()).unwrap();
        // Some levels of the longest name are enough: no path may be longer than 4096 bytes.
        let name = "d".repeat(255);
        for _ in 0..20 {
            rustix::fs::mkdirat(&folder, &name, rustix::fs::Mode::RWXU).unwrap();
            let flags = rustix::fs::OFlags::DIRECTORY;
            folder = rustix::fs::openat(&folder, &name, flags, rustix::fs::Mode::empty())
                .unwrap()
                .into();
        }
        let mut disk = Disk::new(dir.path().into(), Some(1 << 40), Duration::ZERO).unwrap();
        assert_eq!(look(&mut disk, 1), Some(1 << 40));
    }
}
