//! Whether anything was written in a workspace lately: a look at times, not at content.
//!
//! Meant for rare questions: it goes through the folder, git's own files and links left out, up to a bound.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::place::Workspace;

/// So many entries are looked at, at most.
const LOOKS: usize = 50_000;

impl Workspace {
    /// When a file of the checkout was first found to be written after this time; none where there is no such file
    /// among the first 50 000. What cannot be looked at counts as not written. It blocks.
    pub fn touched_since(&self, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let since = SystemTime::from(since);
        let mut looks = LOOKS;
        let mut folders = vec![self.top.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries.filter(|e| e.file_name() != ".git") {
                looks = looks.checked_sub(1)?;
                let Ok(meta) = entry.metadata() else { continue };
                match meta.modified() {
                    Ok(at) if at > since => return Some(at.into()),
                    _ if meta.is_dir() => folders.push(entry.path()),
                    _ => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::domain::id::TaskId;
    use crate::workspace::login::Keychain;
    use crate::workspace::place::{Base, Tracking};

    fn of(top: &Path) -> Workspace {
        Workspace {
            task: TaskId::parse("t").unwrap(),
            root: top.to_owned(),
            top: top.to_owned(),
            branch: "b".to_owned(),
            base: Base {
                reference: "r".to_owned(),
                commit: "c".to_owned(),
            },
            tracking: Tracking::Own {
                repository: top.join(".git"),
            },
            state: top.to_owned(),
            keys: Keychain::default(),
        }
    }

    #[test]
    fn the_newest_writing_counts_wherever_it_is_but_in_gits_folder() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        let now = SystemTime::now();
        let later = now + Duration::from_secs(100);
        let write = |name: &str, at: SystemTime| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(at).unwrap();
        };
        let since: DateTime<Utc> = (now + Duration::from_secs(50)).into();
        write("a/old", now);
        write(".git/index", later);
        assert_eq!(of(dir.path()).touched_since(since), None);
        write("a/b/new", later);
        assert_eq!(of(dir.path()).touched_since(since), Some(later.into()));
        assert_eq!(of(&dir.path().join("gone")).touched_since(since), None);
    }
}
