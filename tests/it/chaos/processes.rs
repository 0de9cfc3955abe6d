//! The supervisors and workers of a node, found as a system's administrator would find them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A supervisor, and all that descends from it.
#[derive(Debug, Clone)]
pub struct Supervised {
    pub supervisor: u32,
    pub tree: BTreeSet<u32>,
    pub task: String,
    pub epoch: u64,
}

/// Those of a home.
pub fn of(home: &Path) -> Vec<Supervised> {
    let parents = parents();
    let all = parents.keys().filter_map(|pid| {
        let (task, epoch) = attempt(*pid, home)?;
        let tree = parents.keys().filter(|other| descends(**other, *pid, &parents));
        Some(Supervised {
            supervisor: *pid,
            tree: tree.copied().collect(),
            task,
            epoch,
        })
    });
    all.collect()
}

/// The attempt that a process supervises.
fn attempt(pid: u32, home: &Path) -> Option<(String, u64)> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<&str> = line
        .split(|b| *b == 0)
        .filter_map(|w| std::str::from_utf8(w).ok())
        .collect();
    let at = words.iter().position(|word| *word == "__supervisor")?;
    let dir = Path::new(words.get(at + 1)?);
    dir.starts_with(home).then_some(())?;
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    Some((name(dir.parent()?)?, name(dir)?.parse().ok()?))
}

fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        Some((pid, parent.parse().ok()?))
    })
    .collect()
}

fn descends(mut pid: u32, from: u32, parents: &BTreeMap<u32, u32>) -> bool {
    while let Some(parent) = parents.get(&pid) {
        if *parent == from {
            return true;
        }
        pid = *parent;
    }
    false
}
