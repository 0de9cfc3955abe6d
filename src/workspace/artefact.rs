//! What tools leave behind that nobody wants in a commit, even where no .gitignore says so.
//!
//! Only untracked files are looked at: what a repository tracks is its own decision.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Folders that only tools write.
const FOLDERS: [&str; 4] = ["node_modules", "__pycache__", ".pytest_cache", ".mypy_cache"];
/// First bytes of a `CACHEDIR.TAG` (bford.info/cachedir), which cargo and others put into their output folders.
const TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Tells tools' output from work, below one folder.
#[derive(Debug)]
pub(super) struct Artefacts {
    top: PathBuf,
    tagged: HashMap<PathBuf, bool>,
}

impl Artefacts {
    /// For the untracked files of this checkout.
    pub(super) fn below(top: &Path) -> Self {
        Self {
            top: top.to_path_buf(),
            tagged: HashMap::new(),
        }
    }

    /// Whether this path (relative, with `/`) is a tool's output.
    pub(super) fn holds(&mut self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|folder| {
            let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            FOLDERS.contains(&name) || (!name.is_empty() && self.is_tagged(folder))
        })
    }

    fn is_tagged(&mut self, folder: &Path) -> bool {
        let file = self.top.join(folder).join("CACHEDIR.TAG");
        *self
            .tagged
            .entry(folder.to_path_buf())
            .or_insert_with(|| starts_with_tag(&file))
    }
}

fn starts_with_tag(file: &Path) -> bool {
    let is_file = file.symlink_metadata().is_ok_and(|m| m.is_file());
    let mut start = [0u8; TAG.len()];
    is_file
        && File::open(file)
            .and_then(|mut f| f.read_exact(&mut start))
            .is_ok()
        && start == TAG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_and_well_known_folders_are_artefacts() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir_all(dir.path().join("target/debug"))?;
        std::fs::write(dir.path().join("target/CACHEDIR.TAG"), TAG)?;
        std::fs::create_dir_all(dir.path().join("other/target"))?;
        let mut artefacts = Artefacts::below(dir.path());
        for (path, wanted) in [
            ("target/debug/x", true),
            ("target/CACHEDIR.TAG", true),
            ("other/target/x.rs", false),
            ("a/node_modules/b/c.js", true),
            ("a/__pycache__/m.pyc", true),
            ("node_modules", false),
            ("src/main.rs", false),
        ] {
            assert_eq!(artefacts.holds(Path::new(path)), wanted, "{path}");
        }
        Ok(())
    }
}
