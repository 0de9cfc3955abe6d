//! The git folder that checks see: one of the checkout's own, which borrows the repository's objects.
//!
//! Whatever a check does with git stays in it. It knows the tags and the branches as they were (build tools ask for
//! versions), but no task's branch, no address of a remote and none of the repository's configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many stores of objects may borrow from each other in a row, as git has it.
const DEEPEST: usize = 5;
/// What the branches of tasks have in their names, also where they were pushed.
const TASKS: &str = "/orchestrator/";
/// What is shown.
const SHOWN: [&str; 3] = ["refs/heads", "refs/remotes", "refs/tags"];
/// The longest `HEAD` that is read, in bytes.
const LONGEST_HEAD: u64 = 4096;

/// Makes it at the top of a checkout; `index` is copied.
pub(super) fn make(repository: &Path, top: &Path, commit: &str, index: &Path) -> io::Result<()> {
    let git = top.join(".git");
    for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
        fs::create_dir_all(git.join(folder))?;
    }
    fs::write(git.join("config"), config(commit))?;
    let borrowed = format!("{}\n", repository.join("objects").display());
    fs::write(git.join("objects/info/alternates"), borrowed)?;
    fs::write(git.join("packed-refs"), references(repository))?;
    let shallow = repository.join("shallow");
    if shallow.is_file() {
        fs::copy(shallow, git.join("shallow"))?;
    }
    let seen = git.join("index");
    fs::copy(index, &seen)?;
    // Git trusts an entry only where it is older than the index.
    let written = fs::metadata(index)?.modified()?;
    fs::File::options()
        .write(true)
        .open(seen)?
        .set_modified(written)?;
    fs::write(git.join("HEAD"), format!("{commit}\n"))
}

/// What the git folder at the top of a checkout stands at: a commit or the name of a reference.
pub(super) fn head(top: &Path) -> Option<String> {
    let git = top.join(".git");
    if !fs::symlink_metadata(&git).ok()?.is_dir() {
        return None;
    }
    let head = git.join("HEAD");
    let seen = fs::symlink_metadata(&head).ok()?;
    if !seen.is_file() || seen.len() > LONGEST_HEAD {
        return None;
    }
    let text = fs::read_to_string(head).ok()?;
    let text = text.trim();
    let named = text.strip_prefix("ref:").map_or(text, str::trim);
    (!named.is_empty()).then(|| named.to_owned())
}

/// The object store of a repository, and those that it borrows from.
pub(super) fn stores(repository: &Path) -> Vec<PathBuf> {
    let mut all = vec![repository.join("objects")];
    let mut at = 0;
    while let Some(store) = all.get(at).cloned().filter(|_| at < DEEPEST) {
        let borrowed = fs::read_to_string(store.join("info/alternates")).unwrap_or_default();
        for line in borrowed
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Ok(found) = store.join(line).canonicalize()
                && !all.contains(&found)
            {
                all.push(found);
            }
        }
        at += 1;
    }
    all
}

fn config(commit: &str) -> String {
    let longer = if commit.len() > 40 {
        "[extensions]\n\tobjectFormat = sha256\n"
    } else {
        ""
    };
    let version = u8::from(!longer.is_empty());
    format!("[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{longer}")
}

/// Tags and branches as a file of packed references. A repository that keeps them in another way shows none.
fn references(repository: &Path) -> String {
    let packed = fs::read_to_string(repository.join("packed-refs")).unwrap_or_default();
    let line = |line: &str| {
        let (target, name) = line.split_once(' ')?;
        is_name(target).then(|| (name.to_owned(), target.to_owned()))
    };
    let mut all: BTreeMap<String, String> = packed.lines().filter_map(line).collect();
    for kind in SHOWN {
        loose(repository, Path::new(kind), &mut all);
    }
    let shown = all
        .iter()
        .filter(|(name, _)| !name.contains(TASKS) && SHOWN.iter().any(|kind| name.starts_with(kind)));
    shown.map(|(name, target)| format!("{target} {name}\n")).collect()
}

fn loose(repository: &Path, below: &Path, all: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(repository.join(below))
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries {
        let name = below.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => loose(repository, &name, all),
            Ok(kind) if kind.is_file() => {
                let target = fs::read_to_string(entry.path()).unwrap_or_default();
                let target = target.trim();
                if let Some(name) = name.to_str().filter(|_| is_name(target)) {
                    all.insert(name.to_owned(), target.to_owned());
                }
            }
            _ => {}
        }
    }
}

/// Whether this is the full name of an object.
fn is_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_branches_are_seen_and_tasks_are_not() {
        let repository = tempfile::tempdir().unwrap();
        let at = |name: &str| repository.path().join(name);
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        for folder in [
            "refs/heads/orchestrator",
            "refs/tags/v",
            "refs/remotes/origin/orchestrator",
        ] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let packed = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{one} refs/heads/main\n{one} refs/heads/orchestrator/b\n\
             {one} refs/tags/a\n^{two}\n{one} refs/stash\nnonsense refs/tags/x\n"
        );
        fs::write(at("packed-refs"), packed).unwrap();
        for (name, target) in [
            ("refs/heads/main", two.as_str()),
            ("refs/heads/orchestrator/a", &two),
            ("refs/tags/v/1", &two),
            ("refs/tags/broken", "ref: refs/tags/a"),
            ("refs/remotes/origin/main", &two),
            ("refs/remotes/origin/orchestrator/a", &two),
        ] {
            fs::write(at(name), format!("{target}\n")).unwrap();
        }
        let wanted = format!(
            "{two} refs/heads/main\n{two} refs/remotes/origin/main\n{one} refs/tags/a\n{two} refs/tags/v/1\n"
        );
        assert_eq!(references(repository.path()), wanted);
    }

    #[test]
    fn stores_are_followed_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        for name in ["a/objects/info", "b/objects/info"] {
            fs::create_dir_all(top.join(name)).unwrap();
        }
        fs::write(
            top.join("a/objects/info/alternates"),
            "../../b/objects\n/no/such\n",
        )
        .unwrap();
        fs::write(
            top.join("b/objects/info/alternates"),
            format!("{}\n", top.join("a/objects").display()),
        )
        .unwrap();
        assert_eq!(
            stores(&top.join("a")),
            [top.join("a/objects"), top.join("b/objects")]
        );
    }

    #[test]
    fn only_a_real_head_is_believed() {
        let top = tempfile::tempdir().unwrap();
        let git = top.path().join(".git");
        assert_eq!(head(top.path()), None);
        fs::create_dir(&git).unwrap();
        for (text, seen) in [
            ("abc\n", Some("abc")),
            ("ref: refs/heads/x\n", Some("refs/heads/x")),
            ("\n", None),
        ] {
            fs::write(git.join("HEAD"), text).unwrap();
            assert_eq!(head(top.path()).as_deref(), seen, "{text:?}");
        }
        fs::rename(&git, top.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &git).unwrap();
        assert_eq!(head(top.path()), None, "a link");
    }
}
