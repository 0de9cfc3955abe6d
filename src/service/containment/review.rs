//! The cell of a reviewer: it sees what is under review and cannot change it.
//!
//! Other than a worker's, it knows no workspace, no home of the task, nothing that any worker may write, and no host but
//! those of its own runtime.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Containment, trust};
use crate::domain::id::TaskId;
use crate::sandbox::{self, Cell};

/// What the cell of a reviewer is made for.
pub(in crate::service) struct Booth<'a> {
    /// The task.
    pub(in crate::service) task: &'a TaskId,
    /// The runtime's name.
    pub(in crate::service) runtime: &'a str,
    /// The folder of the process's own records.
    pub(in crate::service) folder: &'a Path,
    /// The checkout.
    pub(in crate::service) tree: &'a Path,
    /// The reviewer's home.
    pub(in crate::service) home: &'a Path,
    /// What else it reads.
    pub(in crate::service) read: Vec<PathBuf>,
    /// Where it writes.
    pub(in crate::service) write: Vec<PathBuf>,
    /// Hosts that its runtime needs.
    pub(in crate::service) hosts: Vec<String>,
    /// Its command and the one that it starts in turn, whose programs must be seen.
    pub(in crate::service) commands: [&'a [OsString]; 2],
}

impl Containment {
    /// The cell of a reviewer; its folders are made.
    pub(in crate::service) fn review_cell(&self, booth: Booth<'_>) -> std::io::Result<Cell> {
        let bare = self.bare(booth.task.as_str(), booth.folder, booth.tree, booth.home);
        let mut write = booth.write;
        for folder in write.iter().map(PathBuf::as_path).chain([booth.home]) {
            std::fs::create_dir_all(folder)?;
        }
        let logins = self.credentials.get(booth.runtime).into_iter().flatten();
        write.extend(logins.filter(|file| file.is_file()).cloned());
        let mut read = booth.read;
        read.push(booth.tree.to_owned());
        for command in booth.commands {
            read.extend(sandbox::program(command, &self.home, |name| self.find(name)));
        }
        let mut hidden = self.hidden.clone();
        hidden.extend(self.write.iter().cloned());
        let mut hosts: Vec<_> = booth.hosts.iter().filter_map(|host| host.parse().ok()).collect();
        hosts.extend(self.networks.get(booth.runtime).into_iter().flatten().cloned());
        hosts.sort();
        hosts.dedup();
        let locks = ("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned());
        let env: BTreeMap<String, String> = trust().into_iter().chain([locks]).collect();
        Ok(Cell {
            read,
            write,
            hidden,
            hosts,
            env,
            ..bare
        })
    }
}
