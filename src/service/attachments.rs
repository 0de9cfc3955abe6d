//! The files that go with a task: where they are, and whether the worker can have them.
//!
//! A relative path is looked for in the worker's checkout, in the folder that the task names as its workspace (a new
//! screenshot is seldom committed), and in the instance. Only files of the checkout are at hand for every worker, a
//! contained one too; others are copied onto the desk of the attempt.
//! Invariant: a relative path never leads out of the folder that it starts from, not by a link of a worker's either.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::instance::Instance;
use crate::domain::definition::Definition;
use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::format::queue::{Place, Reading};

/// The folder on the desk that holds the copies.
const FOLDER: &str = "attachments";
/// The longest file that is copied, in bytes.
const LONGEST: u64 = 64 << 20;

/// Why an attempt cannot have its files.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// It is nowhere.
    #[error("there is no attachment '{0}'; put the file there, or correct the task's Attachments")]
    Missing(String),
    /// It leads out of the folder that it is relative to.
    #[error("the attachment '{0}' leads out of its folder; name a file elsewhere by its full path")]
    Outside(String),
    /// It is a folder or a device outside of the checkout.
    #[error("the attachment '{0}' is no regular file; name the files themselves")]
    NoFile(String),
    /// It is too long to be copied.
    #[error(
        "the attachment '{path}' has {bytes} bytes, more than the {LONGEST} that are copied; put it into the repository"
    )]
    TooLong {
        /// As the task names it.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// It cannot be read, or the copy cannot be written.
    #[error("the attachment '{path}' cannot be copied: {source}; check its permissions and the free space")]
    Unreadable {
        /// As the task names it.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Where a task's relative paths may start.
struct Bases<'a> {
    checkout: Option<&'a Path>,
    named: Option<PathBuf>,
    instance: &'a Path,
}

impl<'a> Bases<'a> {
    fn of(instance: &'a Instance, definition: &Definition, checkout: Option<&'a Path>) -> Self {
        let instance = instance.layout.root();
        let named = definition.workspace.as_deref().filter(|text| is_folder(text));
        Self {
            checkout,
            named: named.map(|text| instance.join(text)),
            instance,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Path> {
        let folders = self.checkout.into_iter().chain(self.named.as_deref());
        folders.chain([self.instance])
    }

    /// The file, all links resolved.
    fn find(&self, path: &str) -> Result<PathBuf, AttachmentError> {
        let missing = || AttachmentError::Missing(path.to_owned());
        if Path::new(path).is_absolute() {
            return std::fs::canonicalize(path).map_err(|_| missing());
        }
        for base in self.iter() {
            let Ok(base) = std::fs::canonicalize(base) else {
                continue;
            };
            match std::fs::canonicalize(base.join(path)) {
                Ok(found) if found.starts_with(&base) => return Ok(found),
                Ok(_) => return Err(AttachmentError::Outside(path.to_owned())),
                Err(_) => {}
            }
        }
        Err(missing())
    }
}

/// Finds the files of a task for an attempt, also those that people handed to it meanwhile, and copies those that lie outside
/// of the checkout onto its desk.
pub fn gather(
    instance: &Instance,
    task: &Task,
    checkout: &Path,
    desk: &Path,
) -> Result<Vec<PathBuf>, AttachmentError> {
    let bases = Bases::of(instance, &task.definition, Some(checkout));
    let handed = task.history.remarks.iter().flat_map(|remark| &remark.files);
    let own = std::fs::canonicalize(checkout).unwrap_or_else(|_| checkout.to_owned());
    let at_hand = |(n, path): (usize, &String)| {
        let found = bases.find(path)?;
        if found.starts_with(&own) {
            return Ok(found);
        }
        copy(path, &found, &desk.join(FOLDER), n)
    };
    let named = task.definition.attachments.iter();
    named.chain(handed).enumerate().map(at_hand).collect()
}

/// Two files of one name in different folders stay two.
fn copy(path: &str, found: &Path, folder: &Path, n: usize) -> Result<PathBuf, AttachmentError> {
    let unreadable = |source| AttachmentError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let meta = std::fs::metadata(found).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(AttachmentError::NoFile(path.to_owned()));
    }
    if meta.len() > LONGEST {
        return Err(AttachmentError::TooLong {
            path: path.to_owned(),
            bytes: meta.len(),
        });
    }
    let folder = folder.join((n + 1).to_string());
    std::fs::create_dir_all(&folder).map_err(unreadable)?;
    let copy = folder.join(found.file_name().unwrap_or_default());
    std::fs::copy(found, &copy).map_err(unreadable)?;
    Ok(copy)
}

/// The attachments of active tasks that are nowhere; of a repository that is not here, nothing is known.
pub fn missing(instance: &Instance, reading: &Reading) -> BTreeSet<(TaskId, String)> {
    let active = reading.tasks.iter().filter(|t| t.place == Place::Active);
    let here = active.filter(|t| t.definition.workspace.as_deref().is_none_or(is_folder));
    let nowhere = |task: &TaskId, definition: &Definition| {
        let bases = Bases::of(instance, definition, None);
        let lost = definition
            .attachments
            .iter()
            .filter(|path| bases.find(path).is_err());
        lost.map(|path| (task.clone(), path.clone())).collect::<Vec<_>>()
    };
    here.flat_map(|t| nowhere(&t.id, &t.definition)).collect()
}

/// Whether a task's Workspace is a folder of this machine, not an address.
fn is_folder(text: &str) -> bool {
    !text.contains("://") && !text.contains('@') && !text.starts_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases<'a>(checkout: &'a Path, instance: &'a Path) -> Bases<'a> {
        Bases {
            checkout: Some(checkout),
            named: Some(instance.join("repo")),
            instance,
        }
    }

    #[test]
    fn a_file_is_found_where_people_put_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let (checkout, instance) = (root.join("checkout"), root.join("instance"));
        for (file, text) in [
            ("checkout/both.txt", "c"),
            ("instance/repo/both.txt", "r"),
            ("instance/repo/new.png", "n"),
            ("instance/note.md", "i"),
            ("secret", "s"),
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink(root.join("secret"), checkout.join("link")).unwrap();
        let bases = bases(&checkout, &instance);
        let found = |path: &str| bases.find(path).map(|p| std::fs::read_to_string(p).unwrap());
        for (path, text) in [("both.txt", "c"), ("new.png", "n"), ("note.md", "i")] {
            assert_eq!(found(path).unwrap(), text);
        }
        assert_eq!(found(root.join("secret").to_str().unwrap()).unwrap(), "s");
        assert!(matches!(found("nowhere"), Err(AttachmentError::Missing(_))));
        for outside in ["link", "../secret"] {
            assert!(
                matches!(found(outside), Err(AttachmentError::Outside(_))),
                "{outside}"
            );
        }
    }

    #[test]
    fn copies_keep_their_names_and_do_not_collide() {
        let folder = tempfile::tempdir().unwrap();
        for side in ["a", "b"] {
            std::fs::create_dir(folder.path().join(side)).unwrap();
            std::fs::write(folder.path().join(side).join("x.txt"), side).unwrap();
        }
        let desk = folder.path().join("desk");
        let copies = ["a", "b"].map(|side| {
            let from = folder.path().join(side).join("x.txt");
            copy(side, &from, &desk, usize::from(side == "b")).unwrap()
        });
        assert_eq!(copies.map(|c| std::fs::read_to_string(c).unwrap()), ["a", "b"]);
        let refused = copy("a", &folder.path().join("a"), &desk, 2);
        assert!(matches!(refused, Err(AttachmentError::NoFile(_))));
    }
}
