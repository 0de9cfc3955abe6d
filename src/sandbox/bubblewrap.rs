//! The command line of bubblewrap for a cell: a file system that is put together from nothing, no network, its own
//! processes, no capabilities. Pure, apart from looking what there is to mount.
//!
//! The order is the policy: what comes later lies over what came before.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::view;

/// Who the worker is inside when we are root: some agents refuse to work as root, and nobody needs to be it.
const USER: &str = "1000";

/// The arguments for the cell, without the program that is to run in it.
pub(super) fn arguments(cell: &Cell, are_we_root: bool) -> Vec<OsString> {
    let mut args = Arguments(Vec::new());
    args.words(&[
        "--unshare-user",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    ]);
    if are_we_root {
        args.words(&["--uid", USER, "--gid", USER]);
    }
    args.words(&[
        "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run", "--dev", "/dev", "--proc", "/proc",
    ]);
    let (links, system) = view::system();
    for (link, target) in links {
        args.push("--symlink", &[&target, &link]);
    }
    for path in system.iter().chain(&cell.read) {
        args.see(path);
    }
    let masked = args.hide(cell, |path| !path.starts_with(&cell.home_at));
    args.push("--bind", &[&cell.home, &cell.home_at]);
    // What is read within the home, or within something hidden, lies under what was mounted since.
    let again = cell.read.iter().filter(|path| {
        let in_home = path.starts_with(&cell.home_at);
        in_home || cell.hidden.iter().any(|hidden| path.starts_with(hidden))
    });
    for path in view::toolchains(&cell.home_at).iter().chain(again) {
        if !path.starts_with(&cell.home_at) || is_solid_in(&cell.home, &cell.home_at, path) {
            args.see(path);
        }
    }
    let masked_at_home = args.hide(cell, |path| path.starts_with(&cell.home_at));
    for path in &cell.write {
        args.push("--bind", &[path, path]);
    }
    for path in cell.read.iter().filter(|path| is_below(path, &cell.write)) {
        args.see(path);
    }
    let barren = args.freeze(cell);
    args.push("--ro-bind", &[&cell.exe, &cell.exe]);
    args.people(cell);
    for path in [PathBuf::from("/")]
        .iter()
        .chain(&masked)
        .chain(&masked_at_home)
        .chain(&barren)
    {
        args.push("--remount-ro", &[path]);
    }
    args.push("--chdir", &[&cell.workspace]);
    args.0
}

/// Why the cell cannot be put together, where that can be told beforehand: a link that an earlier worker planted in the
/// private home, where a mount belongs, would have it made elsewhere.
pub(super) fn obstacle(cell: &Cell) -> Option<String> {
    let at_home = |path: &&PathBuf| path.starts_with(&cell.home_at);
    let mut mounts = cell
        .write
        .iter()
        .chain([&cell.exe, &cell.workspace])
        .filter(at_home);
    let planted = mounts.find(|path| !is_solid_in(&cell.home, &cell.home_at, path))?;
    Some(format!(
        "a symbolic link in {} is in the way of {}; remove it",
        cell.home.display(),
        planted.display()
    ))
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn push(&mut self, option: &str, paths: &[&Path]) {
        self.0.push(option.into());
        self.0
            .extend(paths.iter().map(|path| path.as_os_str().to_owned()));
    }

    fn see(&mut self, path: &Path) {
        self.push("--ro-bind-try", &[path, path]);
    }

    /// Lays something empty over what is hidden within what may be read; the folders are to be sealed in the end.
    /// A link is not followed: its target is hidden or not by its own name.
    fn hide(&mut self, cell: &Cell, which: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for path in cell
            .hidden
            .iter()
            .filter(|path| which(path) && is_below(path, &cell.read))
        {
            match std::fs::symlink_metadata(path) {
                Ok(meta) if meta.is_dir() => {
                    self.push("--tmpfs", &[path]);
                    folders.push(path.clone());
                }
                Ok(meta) if meta.is_file() => self.push("--ro-bind", &[Path::new("/dev/null"), path]),
                _ => {}
            }
        }
        folders
    }

    /// A folder that holds something frozen is mounted on itself first: else it could be renamed, and made anew.
    fn freeze(&mut self, cell: &Cell) -> Vec<PathBuf> {
        let mut parents: Vec<&Path> = Vec::new();
        for path in cell.frozen.iter().chain(&cell.barren) {
            let parent = path
                .parent()
                .filter(|parent| !cell.write.iter().any(|own| own == parent));
            if let Some(parent) =
                parent.filter(|parent| !parents.contains(parent) && is_below(parent, &cell.write))
            {
                parents.push(parent);
                self.push("--bind", &[parent, parent]);
            }
        }
        for path in &cell.frozen {
            self.push("--ro-bind", &[path, path]);
        }
        for path in &cell.barren {
            self.push("--tmpfs", &[path]);
        }
        cell.barren.clone()
    }

    /// A list of users with the worker alone: programs ask for their own name, and no other name is their business.
    fn people(&mut self, cell: &Cell) {
        for name in PEOPLE {
            let own = cell.folder.join(name);
            let seen = Path::new("/etc").join(name);
            self.push("--ro-bind-try", &[&own, &seen]);
        }
    }
}

/// The two files of it.
pub(super) const PEOPLE: [&str; 2] = ["passwd", "group"];

/// Writes the list of users that [`arguments`] shows.
pub(super) fn write_people(cell: &Cell, uid: u32, gid: u32) -> std::io::Result<()> {
    let home = cell.home_at.display();
    let passwd = format!(
        "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nworker:x:{uid}:{gid}:worker:{home}:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    );
    let [first, second] = PEOPLE.map(|name| cell.folder.join(name));
    std::fs::write(first, passwd)?;
    std::fs::write(second, format!("root:x:0:\nworker:x:{gid}:\nnogroup:x:65534:\n"))
}

/// The user and group inside.
pub(super) fn user() -> (u32, u32) {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() {
        (1000, 1000)
    } else {
        (uid.as_raw(), gid.as_raw())
    }
}

pub(super) fn is_below(path: &Path, list: &[PathBuf]) -> bool {
    list.iter().any(|own| path != own && path.starts_with(own))
}

/// Whether a path of the person's home can be mounted in the private one: a link that a worker planted there would
/// have the mount made elsewhere.
pub(super) fn is_solid_in(private: &Path, home: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(home) else {
        return false;
    };
    let mut at = private.to_owned();
    below.components().all(|part| {
        at.push(part);
        !std::fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_symlink())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_private_home_is_nothing_to_mount_on() {
        let private = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", private.path().join(".cargo")).unwrap();
        let solid = |name: &str| is_solid_in(private.path(), Path::new("/h"), &Path::new("/h").join(name));
        assert!(!solid(".cargo/bin"));
        assert!(solid(".rustup/toolchains"));
        assert!(!is_solid_in(private.path(), Path::new("/h"), Path::new("/other")));
    }
}
