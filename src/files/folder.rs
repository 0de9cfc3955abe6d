//! A folder of small files that people write, such as jobs/: what is in it, at the cost of a look.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{FileError, LIST};
use super::identity::{Identity, Links, read};

/// Larger files are not read.
const LIMIT: u64 = 1 << 20;

/// The names (without ending) and identities of a folder's files. An absent folder is an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing(BTreeMap<String, Identity>);

impl Listing {
    /// The names without their ending.
    pub fn stems(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Lists the files of a folder that have an ending; names that are no text are passed over.
pub fn listing(folder: &Path, ending: &str) -> Listing {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Listing::default();
    };
    let file = |entry: std::fs::DirEntry| {
        let path = entry.path();
        let stem = path.file_stem()?.to_str()?.to_owned();
        let fits = path.extension().is_some_and(|e| e == ending);
        Some((stem, Identity::of(&path, Links::Follow).ok().filter(|_| fits)?))
    };
    Listing(entries.flatten().filter_map(file).collect())
}

/// The content of the files of a folder that have an ending, by name without it, and what cannot be read of them.
/// An absent folder is an empty one.
pub fn contents(folder: &Path, ending: &str) -> (Vec<(String, Vec<u8>)>, Vec<FileError>) {
    let (mut contents, mut faults) = (Vec::new(), Vec::new());
    if let Err(fault) = std::fs::read_dir(folder) {
        match FileError::from_io(folder, LIST, fault) {
            FileError::Missing { .. } => {}
            fault => faults.push(fault),
        }
    }
    for stem in listing(folder, ending).stems() {
        match read(&folder.join(format!("{stem}.{ending}")), LIMIT, Links::Follow) {
            Ok(snapshot) => contents.push((stem.to_owned(), snapshot.bytes)),
            Err(FileError::Missing { .. }) => {}
            Err(fault) => faults.push(fault),
        }
    }
    (contents, faults)
}
