//! Requests that lie on a desk (see [`super::desk`]) for the orchestrator to find.
//!
//! One file a request in `requests/`, written whole; the names sort by time. Requests are not taken away: whoever
//! reads them knows which it has seen, and taking one up twice must do no harm. No link is followed on the reader's
//! side, neither for the folder nor for a file. Deliberately absent: what a request means (see `format::request`).

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;

use super::atomic;
use super::desk::Desk;
use super::error::{FileError, LIST};
use super::identity::{Links, read_if_there};

/// The folder of requests on a desk.
const REQUESTS: &str = "requests";
/// The ending of a request's name; what is being written has another one.
const ENDING: &str = ".json";
/// More requests of one attempt are not looked at.
pub const MAX_REQUESTS: usize = 64;

/// What lies on a desk.
#[derive(Debug, Default)]
pub struct Lying {
    /// Names and contents, the oldest first, at most [`MAX_REQUESTS`].
    pub requests: Vec<(String, Result<Vec<u8>, FileError>)>,
    /// Requests beyond these.
    pub more: usize,
}

impl Desk {
    /// The desk on which a worker's outcome file lies.
    pub fn of_outcome_file(path: &Path) -> Self {
        Self::new(atomic::folder_of(path))
    }

    /// Puts a request there (the content of one file), as a worker.
    pub fn request(&self, content: &str, now: DateTime<Utc>) -> Result<(), FileError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = self.path(Path::new(REQUESTS));
        std::fs::create_dir_all(&folder).map_err(|fault| FileError::from_io(&folder, "write", fault))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let at = now.timestamp_micros();
        let name = format!("{at:016}-{}-{count:04}{ENDING}", std::process::id());
        atomic::write(&folder.join(name), content.as_bytes())
    }

    /// The requests that `seen` does not know, each of at most `limit` bytes.
    pub fn requests(&self, limit: u64, seen: impl Fn(&str) -> bool) -> Result<Lying, FileError> {
        let path = self.path(Path::new(REQUESTS));
        let folder = match open_folder(&path) {
            Ok(folder) => folder,
            Err(FileError::Missing { .. }) => return Ok(Lying::default()),
            Err(fault) => return Err(fault),
        };
        // Through the open folder: renaming it or putting a link in its place changes nothing any more.
        let held = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let listed = std::fs::read_dir(&held).map_err(|fault| FileError::from_io(&path, LIST, fault))?;
        let names = listed
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|n| n.ends_with(ENDING) && !n.starts_with('.'))
            .collect();
        names.sort();
        let more = names.len().saturating_sub(MAX_REQUESTS);
        names.truncate(MAX_REQUESTS);
        let content = |name: String| match read_if_there(&held.join(&name), limit, Links::Refuse) {
            Ok(found) => found.map(|snapshot| (name, Ok(snapshot.bytes))),
            Err(fault) => Some((name, Err(fault))),
        };
        let requests = names
            .into_iter()
            .filter(|n| !seen(n))
            .filter_map(content)
            .collect();
        Ok(Lying { requests, more })
    }
}

fn open_folder(path: &Path) -> Result<File, FileError> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|fault| FileError::from_io(path, LIST, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(desk: &Desk) -> Vec<String> {
        let lying = desk.requests(100, |_| false).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        lying
            .requests
            .into_iter()
            .map(|(_, content)| content.map_or_else(|fault| fault.to_string(), text))
            .collect()
    }

    #[test]
    fn requests_come_in_the_order_of_their_writing_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::of_outcome_file(&dir.path().join("outcome.json"));
        assert!(contents(&desk).is_empty());
        let now = DateTime::from_timestamp(1, 0).unwrap();
        desk.request("one", now).unwrap();
        desk.request("two", now).unwrap();
        desk.request("three", now + chrono::TimeDelta::seconds(9))
            .unwrap();
        assert_eq!(contents(&desk), ["one", "two", "three"]);
        assert_eq!(contents(&desk).len(), 3);
        let first = desk.requests(100, |_| false).unwrap().requests[0].0.clone();
        assert_eq!(desk.requests(100, |n| n == first).unwrap().requests.len(), 2);
    }

    #[test]
    fn links_pipes_and_giants_are_no_requests() {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::new(dir.path().join("desk"));
        let folder = dir.path().join("desk/requests");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.join("1.json")).unwrap();
        nix::unistd::mkfifo(&folder.join("2.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(folder.join("3.json"), "x".repeat(101)).unwrap();
        std::fs::write(folder.join(".4.json"), "hidden").unwrap();
        let lying = desk.requests(100, |_| false).unwrap();
        assert_eq!(lying.requests.len(), 3);
        assert!(lying.requests.iter().all(|(_, content)| content.is_err()));
    }

    #[test]
    fn a_folder_that_is_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret.json"), "secret").unwrap();
        let desk = dir.path().join("desk");
        std::fs::create_dir(&desk).unwrap();
        std::os::unix::fs::symlink(dir.path(), desk.join("requests")).unwrap();
        assert!(Desk::new(desk).requests(100, |_| false).is_err());
    }

    #[test]
    fn a_flood_is_counted_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("requests");
        std::fs::create_dir(&folder).unwrap();
        for n in 0..MAX_REQUESTS + 3 {
            std::fs::write(folder.join(format!("{n:04}.json")), "x").unwrap();
        }
        let lying = Desk::new(dir.path().to_owned()).requests(100, |_| false).unwrap();
        assert_eq!((lying.requests.len(), lying.more), (MAX_REQUESTS, 3));
    }
}
