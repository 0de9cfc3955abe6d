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

/// Has a folder hold exactly these files of an ending, by their names with it; what is the same already is not touched.
pub fn replace(folder: &Path, ending: &str, files: &[(String, Vec<u8>)]) -> Result<(), FileError> {
    super::heartbeats::make_folder(folder)?;
    let (there, _unreadable) = contents(folder, ending);
    let there: BTreeMap<String, Vec<u8>> = { there.into_iter() }
        .map(|(stem, bytes)| (format!("{stem}.{ending}"), bytes))
        .collect();
    for name in there
        .keys()
        .filter(|name| !files.iter().any(|(wanted, _)| wanted == *name))
    {
        let gone = folder.join(name);
        std::fs::remove_file(&gone).map_err(|fault| FileError::from_io(&gone, "remove", fault))?;
    }
    for (name, bytes) in files
        .iter()
        .filter(|(name, bytes)| there.get(name) != Some(bytes))
    {
        super::atomic::write(&folder.join(name), bytes)?;
    }
    Ok(())
}
