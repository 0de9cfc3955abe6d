//! A group in one hierarchy: its files, by the names that the hierarchy's version gives them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// Which hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Hierarchy {
    /// Version 2.
    Unified,
    /// Version 1, the memory controller.
    Memory,
    /// Version 1, the controller of process numbers.
    Pids,
}

/// One folder below `/sys/fs/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime) struct Branch {
    pub(super) hierarchy: Hierarchy,
    pub(super) path: PathBuf,
}

impl Branch {
    /// Makes a group of this name below our own.
    pub(super) fn make(hierarchy: Hierarchy, own: &Path, name: &str) -> io::Result<Self> {
        let path = base(hierarchy, own).join(name);
        fs::create_dir(&path)?;
        Ok(Self { hierarchy, path })
    }

    /// Whether this file is there: its controller works here.
    pub(super) fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    /// Writes into one of its files.
    pub(super) fn put(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }

    /// The numbers of all processes in it and in groups that were made below it.
    pub(super) fn members(&self) -> io::Result<Vec<i32>> {
        let mut found = Vec::new();
        walk(&self.path, &mut |folder| {
            let text = fs::read_to_string(folder.join("cgroup.procs"))?;
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            Ok(())
        })?;
        Ok(found)
    }

    /// A number behind a word in one of its files; 0 where there is none.
    pub(super) fn count(&self, file: &str, word: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    }

    /// Removes it and what was made below it; only a group without processes can be removed.
    pub(super) fn remove(&self) -> io::Result<()> {
        walk(&self.path, &mut |folder| ignore_missing(fs::remove_dir(folder)))
    }
}

/// Depth first, so that removing works.
fn walk(folder: &Path, visit: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return ignore_missing(Err(error)),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), visit)?;
        }
    }
    ignore_missing(visit(folder))
}

/// Groups come and go; `ENODEV` is what a file of a removed one says.
fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Where our groups are made: in our own, or, where that cannot hand controllers on, in the one above if it is ours.
fn base(hierarchy: Hierarchy, own: &Path) -> &Path {
    let above = own.parent().filter(|_| hierarchy == Hierarchy::Unified);
    let bases = std::iter::once(own).chain(above.filter(|above| is_delegated(above)));
    let mut able = bases.filter(|base| hierarchy == Hierarchy::Unified && hands_on_controllers(base));
    able.next().unwrap_or(own)
}

/// A service manager that runs us in a subgroup of what it delegated (systemd's `DelegateSubgroup=`) leaves the group
/// above to us, and only there controllers can be handed on: a group with processes of its own cannot.
fn is_delegated(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let marked = ["user.delegate", "trusted.delegate"].into_iter().any(|name| {
        let mut value = [0_u8; 8];
        rustix::fs::getxattr(folder, name, &mut value).is_ok_and(|n| value.get(..n) == Some(b"1"))
    });
    let us = geteuid();
    marked || (!us.is_root() && fs::metadata(folder).is_ok_and(|meta| meta.uid() == us.as_raw()))
}

/// Has the controllers handed on to the groups below, as far as there are any and it is allowed.
fn hands_on_controllers(base: &Path) -> bool {
    let read = |file: &str| fs::read_to_string(base.join(file)).unwrap_or_default();
    let has = |list: &str, word: &str| list.split_ascii_whitespace().any(|w| w == word);
    for controller in ["memory", "pids"] {
        if has(&read("cgroup.controllers"), controller) && !has(&read("cgroup.subtree_control"), controller) {
            // Refused where the group has processes of its own; then there are no limits by it.
            let _ = fs::write(base.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
    let on = read("cgroup.subtree_control");
    has(&on, "memory") || has(&on, "pids")
}

/// Removes the groups made in the place of ours whose name is `wanted`, if nobody is in them.
pub(super) fn remove_below(hierarchy: Hierarchy, own: &Path, wanted: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(base(hierarchy, own)) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(&wanted) {
            let path = entry.path();
            // The kernel refuses to remove one that is in use.
            let _ = Branch { hierarchy, path }.remove();
        }
    }
}
