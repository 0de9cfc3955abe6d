//! Which files of a checkout belong into a commit, and putting them into the index.
//!
//! Everything that is not ignored, except tools' output ([`super::artefact`]), repositories within the checkout,
//! and files above [`LARGEST`].

use std::path::{Path, PathBuf};

use super::artefact::Artefacts;
use super::error::WorkspaceError;
use super::git::{Git, split_zero};

/// The largest file that is committed for a worker, in bytes.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// What differs from the index, and may be committed.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Paths that were left out, with the reason.
    pub(super) skipped: Vec<String>,
}

/// Puts everything that belongs there into the index.
pub(super) async fn stage(git: &Git) -> Result<Staged, WorkspaceError> {
    let mut staged = Staged::default();
    let mut input = Vec::new();
    for path in pending(git).await? {
        match reason_to_skip(git.dir(), &path) {
            Some(why) => staged.skipped.push(format!("{} ({why})", path.display())),
            None => {
                input.extend_from_slice(path.as_os_str().as_encoded_bytes());
                input.push(0);
            }
        }
    }
    if !input.is_empty() {
        let call = git.call(["update-index", "-z", "--add", "--remove", "--replace", "--stdin"]);
        call.stdin(input).text().await?;
    }
    Ok(staged)
}

/// Paths (relative to the top) that differ from the index: changed, deleted, unmerged, or new and not ignored.
pub(super) async fn pending(git: &Git) -> Result<Vec<PathBuf>, WorkspaceError> {
    git.call(["update-index", "-q", "--really-refresh"])
        .output()
        .await?;
    let tracked = git
        .call(["ls-files", "--modified", "--deleted", "-z"])
        .bytes()
        .await?;
    let unmerged = git
        .call(["diff", "--name-only", "--diff-filter=U", "-z"])
        .bytes()
        .await?;
    let fresh = git
        .call(["ls-files", "--others", "--exclude-standard", "-z"])
        .bytes()
        .await?;
    let mut artefacts = Artefacts::below(git.dir());
    let mut paths: Vec<PathBuf> = split_zero(&tracked)
        .chain(split_zero(&unmerged))
        .map(to_path)
        .collect();
    paths.extend(split_zero(&fresh).map(to_path).filter(|p| !artefacts.holds(p)));
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// A path as git tells it.
pub(super) fn to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn reason_to_skip(top: &Path, path: &Path) -> Option<&'static str> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Some("a repository within the workspace");
    }
    let seen = top.join(path).symlink_metadata().ok()?;
    let kind = seen.file_type();
    if seen.len() > LARGEST {
        Some("larger than 64 MB")
    } else if kind.is_file() || kind.is_symlink() || kind.is_dir() {
        None
    } else {
        Some("neither a file nor a link")
    }
}
