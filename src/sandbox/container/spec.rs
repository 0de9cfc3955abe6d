//! From a cell to the request that makes its container. Pure, apart from looking what there is to mount.
//!
//! The engine mounts by depth, so that the longest path decides: that is the order of the map here, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::House;
use crate::sandbox::bubblewrap::{self, is_below, is_solid_in};
use crate::sandbox::cell::Cell;
use crate::sandbox::role::INSIDE;

/// What tells containers from others': the attempt's folder.
pub(super) const LABEL: &str = "orchestrator.attempt";
/// Where the first process finds its line to the outside.
const DOOR: &str = "/.orchestrator-door";
/// The name of the same socket in the attempt's folder.
pub(in crate::sandbox) const DOOR_FILE: &str = "door";
/// Something empty to lay over what is hidden: a folder and a file in the attempt's folder.
const VOID: [&str; 2] = ["void", "blank"];
/// Folders whose programs and libraries are the image's own: another system's would not fit together with them.
const IMAGE: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// `POST /containers/create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::sandbox) struct Create {
    pub(super) image: String,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    user: String,
    working_dir: &'static str,
    labels: BTreeMap<&'static str, String>,
    host_config: HostConfig,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    network_mode: &'static str,
    ipc_mode: &'static str,
    readonly_rootfs: bool,
    privileged: bool,
    auto_remove: bool,
    init: bool,
    cap_drop: [&'static str; 1],
    security_opt: [&'static str; 1],
    tmpfs: BTreeMap<&'static str, &'static str>,
    mounts: Vec<Mount>,
    log_config: LogConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_swap: Option<u64>,
    pids_limit: u32,
    ulimits: Vec<Ulimit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(rename = "Type")]
    kind: &'static str,
    source: PathBuf,
    target: PathBuf,
    read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfig {
    #[serde(rename = "Type")]
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ulimit {
    name: &'static str,
    soft: u64,
    hard: u64,
}

/// The request for a cell's container, whose worker is this user and group.
pub(in crate::sandbox) fn request(cell: &Cell, house: &House, (uid, gid): (u32, u32)) -> Create {
    let scratch = ["/tmp", "/var/tmp", "/run"];
    let label = [
        (LABEL, cell.folder.display().to_string()),
        ("orchestrator.task", cell.task.clone()),
    ];
    Create {
        image: house.image.clone(),
        entrypoint: vec![cell.exe.display().to_string(), INSIDE.to_owned(), DOOR.to_owned()],
        cmd: Vec::new(),
        user: format!("{uid}:{gid}"),
        working_dir: "/",
        labels: label.into(),
        host_config: HostConfig {
            network_mode: "none",
            ipc_mode: "private",
            readonly_rootfs: true,
            privileged: false,
            auto_remove: false,
            init: false,
            cap_drop: ["ALL"],
            security_opt: ["no-new-privileges"],
            tmpfs: scratch.map(|at| (at, "rw,exec,nosuid,nodev,mode=1777")).into(),
            mounts: mounts(cell, uid),
            log_config: LogConfig { kind: "json-file" },
            memory: house.memory,
            memory_swap: house.memory,
            pids_limit: house.processes,
            ulimits: house.file.into_iter().map(largest_file).collect(),
        },
    }
}

fn largest_file(bytes: u64) -> Ulimit {
    Ulimit {
        name: "fsize",
        soft: bytes,
        hard: bytes,
    }
}

/// Why the cell cannot be put together, where that can be told beforehand.
pub(super) fn obstacle(cell: &Cell) -> Option<String> {
    let awkward = |path: &Path| {
        let text = path.to_str();
        // Podman takes mounts apart at commas.
        text.is_none_or(|text| text.contains([',', '"', '\n', '\r']))
    };
    let mounted = mounts(cell, 1);
    let bad = mounted
        .iter()
        .flat_map(|mount| [&mount.source, &mount.target])
        .find(|path| awkward(path));
    bad.map(|path| format!("{path:?} has a comma, a quote or no letters in its name; rename it"))
        .or_else(|| bubblewrap::obstacle(cell))
}

/// Makes what the mounts need: something empty, and in the private home the places for what is mounted within, which
/// would be the engine's otherwise.
pub(in crate::sandbox) fn prepare(cell: &Cell, user: (u32, u32)) -> std::io::Result<()> {
    let [folder, file] = VOID.map(|name| cell.folder.join(name));
    std::fs::create_dir_all(folder)?;
    std::fs::write(file, "")?;
    bubblewrap::write_people(cell, user.0, user.1)?;
    for mount in mounts(cell, user.0) {
        let Ok(below) = mount.target.strip_prefix(&cell.home_at) else {
            continue;
        };
        let place = cell.home.join(below);
        if mount.source.is_dir() {
            std::fs::create_dir_all(place)?;
        } else if std::fs::symlink_metadata(&place).is_err() {
            place.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(place, "")?;
        }
    }
    Ok(())
}

fn mounts(cell: &Cell, uid: u32) -> Vec<Mount> {
    let mut plan = Places(BTreeMap::new());
    plan.put(&cell.home, &cell.home_at, false);
    let own = |path: &&PathBuf| !IMAGE.iter().any(|folder| path.starts_with(folder));
    let fits = |path: &&PathBuf| {
        let below_home = **path != cell.home_at && path.starts_with(&cell.home_at);
        !below_home || is_solid_in(&cell.home, &cell.home_at, path)
    };
    for path in cell.read.iter().filter(own).filter(fits) {
        plan.put(path, path, true);
    }
    let [void, blank] = VOID.map(|name| cell.folder.join(name));
    for path in cell.hidden.iter().filter(|path| is_below(path, &cell.read)) {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => plan.put(&void, path, true),
            Ok(meta) if meta.is_file() => plan.put(&blank, path, true),
            _ => {}
        }
    }
    for path in &cell.write {
        plan.put(path, path, false);
    }
    // What holds something frozen is mounted on itself: else it could be renamed, and made anew.
    for path in cell.frozen.iter().chain(&cell.barren) {
        if let Some(parent) = path.parent().filter(|parent| is_below(parent, &cell.write)) {
            plan.put(parent, parent, false);
        }
    }
    for path in &cell.frozen {
        plan.put(path, path, true);
    }
    for path in &cell.barren {
        plan.put(&void, path, true);
    }
    plan.put(&cell.exe, &cell.exe, true);
    plan.put(&cell.folder.join(DOOR_FILE), Path::new(DOOR), false);
    // Root is known to every image, and anybody else to none.
    for name in bubblewrap::PEOPLE.iter().filter(|_| uid != 0) {
        plan.put(&cell.folder.join(name), &Path::new("/etc").join(name), true);
    }
    plan.all()
}

/// What lies where; the last word on a place counts.
struct Places(BTreeMap<PathBuf, (PathBuf, bool)>);

impl Places {
    fn put(&mut self, source: &Path, target: &Path, read_only: bool) {
        self.0.insert(target.to_owned(), (source.to_owned(), read_only));
    }

    fn all(self) -> Vec<Mount> {
        let mount = |(target, (source, read_only))| Mount {
            kind: "bind",
            source,
            target,
            read_only,
        };
        self.0.into_iter().map(mount).collect()
    }
}
