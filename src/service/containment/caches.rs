//! What package managers have on this machine already, lent to checks: read from where it lies, written beside it.
//!
//! A check runs what a worker wrote, so nothing that it downloads or changes outlives it. What workers in cells download
//! lies in their own homes and is not seen here.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where the caches of the person are.
pub(super) struct Caches {
    cargo: PathBuf,
    rustup: PathBuf,
    go: PathBuf,
}

/// What of them a cell gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lent {
    /// Folders that are read.
    pub(super) read: Vec<PathBuf>,
    /// Variables that lead there.
    pub(super) env: BTreeMap<String, String>,
}

/// Of cargo's home: folders with a folder a registry, whose entries are whole and never changed.
const CARGO: [&str; 4] = ["registry/cache", "registry/src", "git/db", "git/checkouts"];
/// What cargo can do without writing to it.
const CARGO_INDEX: &str = "registry/index";
/// So many files are looked at for what cargo needs.
const LOOKED_AT: usize = 50_000;

impl Caches {
    /// Where the environment says, else where they are by default.
    pub(super) fn new(home: &Path, environment: &BTreeMap<OsString, OsString>) -> Self {
        let get = |name: &str| environment.get(OsStr::new(name)).map(PathBuf::from);
        let at = |name: &str, usual: &str| {
            get(name)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| home.join(usual))
        };
        Self {
            cargo: at("CARGO_HOME", ".cargo"),
            rustup: at("RUSTUP_HOME", ".rustup"),
            go: at("GOMODCACHE", "go/pkg/mod"),
        }
    }
}

/// Makes what checks of these folders need in this scratch folder.
pub(super) fn lend(caches: &Caches, scratch: &Path, work: &[PathBuf]) -> io::Result<Lent> {
    let mut lent = Lent::default();
    let mut set = |name: &str, value: String| lent.env.insert(name.to_owned(), value);
    if caches.rustup.is_dir() {
        set("RUSTUP_HOME", caches.rustup.display().to_string());
        lent.read.push(caches.rustup.clone());
    }
    if caches.cargo.is_dir() {
        let own = scratch.join("cargo");
        set("CARGO_HOME", own.display().to_string());
        // A link for each crate takes longer than most checks that have nothing to do with cargo.
        if work.iter().any(|folder| has_cargo(folder)) {
            lent.read.extend(cargo(&caches.cargo, &own)?);
        } else {
            fs::create_dir_all(&own)?;
        }
    }
    let downloads = caches.go.join("cache/download");
    if downloads.is_dir() {
        set("GOMODCACHE", scratch.join("go").display().to_string());
        set("GOPROXY", format!("file://{},direct", downloads.display()));
        // Else nobody could delete it.
        set("GOFLAGS", "-modcacherw".to_owned());
        lent.read.push(downloads);
    }
    Ok(lent)
}

/// Whether something for cargo lies in a folder. One that is too large to look through may well have it.
fn has_cargo(folder: &Path) -> bool {
    let mut left = LOOKED_AT;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            left -= 1;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if left == 0 || entry.file_name() == "Cargo.toml" {
                return true;
            } else if is_folder && entry.file_name() != ".git" {
                folders.push(entry.path());
            }
        }
    }
    false
}

/// A home of cargo's own, in which each crate that is there already is a link; what it downloads lies beside.
fn cargo(from: &Path, own: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(own.join("registry"))?;
    let mut read = Vec::new();
    for kind in CARGO {
        let source = from.join(kind);
        for registry in folders(&source) {
            let target = own.join(kind).join(registry.file_name().unwrap_or_default());
            fs::create_dir_all(&target)?;
            for entry in fs::read_dir(&registry)?.flatten() {
                symlink(entry.path(), target.join(entry.file_name()))?;
            }
        }
        if source.is_dir() {
            read.push(source);
        }
    }
    let index = from.join(CARGO_INDEX);
    if index.is_dir() {
        symlink(&index, own.join(CARGO_INDEX))?;
        read.push(index);
    }
    Ok(read)
}

fn folders(at: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_lent_and_logins_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("home/.cargo/credentials.toml", "token"),
            ("home/.cargo/config.toml", "x"),
            ("home/.cargo/registry/cache/r-1/a-1.crate", "a"),
            ("home/.cargo/registry/src/r-1/a-1/lib.rs", "a"),
            ("home/.cargo/registry/index/r-1/config.json", "{}"),
            ("work/a/b/Cargo.toml", ""),
            ("other/.git/Cargo.toml", ""),
        ] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        }
        fs::create_dir(at("scratch")).unwrap();
        let caches = Caches::new(&at("home"), &BTreeMap::new());
        let without = lend(&caches, &at("bare"), &[at("other"), at("none")]).unwrap();
        assert!(at("bare/cargo").is_dir() && !at("bare/cargo/registry").exists());
        assert!(without.env.contains_key("CARGO_HOME"));
        let lent = lend(&caches, &at("scratch"), &[at("other"), at("work")]).unwrap();
        let own = at("scratch/cargo");
        assert_eq!(lent.env["CARGO_HOME"], own.display().to_string());
        assert_eq!(
            fs::read_to_string(own.join("registry/src/r-1/a-1/lib.rs")).unwrap(),
            "a"
        );
        fs::write(own.join("registry/cache/r-1/b-1.crate"), "b").unwrap();
        assert!(!at("home/.cargo/registry/cache/r-1/b-1.crate").exists());
        assert!(own.join("registry/index/r-1/config.json").exists());
        assert!(
            !lent
                .read
                .iter()
                .any(|path| at("home/.cargo/credentials.toml").starts_with(path))
        );
        assert!(!own.join("config.toml").exists() && !lent.env.contains_key("GOPROXY"));
    }

    #[test]
    fn nothing_is_lent_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let caches = Caches::new(&folder.path().join("home"), &BTreeMap::new());
        assert_eq!(lend(&caches, folder.path(), &[]).unwrap(), Lent::default());
    }
}
