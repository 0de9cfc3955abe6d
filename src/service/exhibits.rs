//! What the gate kept for people to look at: files by their digests, a folder a judged commit, in the state folder.
//!
//! Invariants: text has no secrets; nothing is found by a name that somebody else chose. The oldest commits of a task go
//! when together they take more than a bounded room; those that it was completed with stay.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::instance::Instance;
use crate::config::Layout;
use crate::domain::gate::Verdict;
use crate::domain::id::TaskId;
use crate::files::atomic;
use crate::format::redact::Redactor;
use crate::gate::{Gallery, Kept};
use crate::store::StoreError;

/// What the evidence of one task may take together, in bytes.
const MOST: u64 = 256 * 1024 * 1024;

/// The evidence of one task.
pub struct Exhibits<'a> {
    folder: PathBuf,
    redactor: &'a Redactor,
    /// Commits whose evidence stays.
    spared: BTreeSet<String>,
}

impl<'a> Exhibits<'a> {
    /// Of this task; what a passed gate kept stays.
    pub(super) async fn load(instance: &'a Instance, task: &TaskId) -> Result<Self, StoreError> {
        let runs = instance.store.gates(task).await?.into_iter();
        let passed = runs.filter(|run| run.record.verdict == Verdict::Passed);
        Ok(Self {
            folder: instance.layout.evidence(task),
            redactor: &instance.redactor,
            spared: passed.map(|run| run.record.report.commit).collect(),
        })
    }
}

impl Gallery for Exhibits<'_> {
    fn keep(&self, commit: &str, kind: &str, bytes: &[u8]) -> io::Result<Kept> {
        let is_text = kind != "application/octet-stream" && std::str::from_utf8(bytes).is_ok();
        let clean = if is_text {
            self.redactor.redact_bytes(bytes)
        } else {
            bytes.into()
        };
        let sha256: String = Sha256::digest(&clean)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let own = self.folder.join(name(commit)?);
        fs::create_dir_all(&own)?;
        let path = own.join(&sha256);
        if !path.exists() {
            atomic::write(&path, &clean).map_err(|fault| io::Error::other(fault.to_string()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            trim(&self.folder, |other| {
                other == commit || self.spared.contains(other)
            })?;
        }
        Ok(Kept {
            bytes: clean.len() as u64,
            redacted: *clean != *bytes,
            sha256,
        })
    }
}

/// Where a file is kept, where it still is.
pub fn stored(layout: &Layout, task: &TaskId, commit: &str, sha256: &str) -> Option<PathBuf> {
    let path = layout
        .evidence(task)
        .join(name(commit).ok()?)
        .join(name(sha256).ok()?);
    path.is_file().then_some(path)
}

/// A digest as the name of a file or a folder.
fn name(digest: &str) -> io::Result<&str> {
    let is_hex = !digest.is_empty() && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex
        .then_some(digest)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no digest"))
}

/// Takes the oldest commits away until there is room again, never one that is spared.
fn trim(folder: &Path, spared: impl Fn(&str) -> bool) -> io::Result<()> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let size = size(&entry.path())?;
        all.push((entry.metadata()?.modified()?, size, entry.path()));
    }
    all.sort();
    let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in all {
        let stays = path.file_name().and_then(|n| n.to_str()).is_none_or(&spared);
        if total > MOST && !stays {
            fs::remove_dir_all(&path)?;
            total -= size;
        }
    }
    Ok(())
}

fn size(folder: &Path) -> io::Result<u64> {
    let files = fs::read_dir(folder)?.flatten();
    Ok(files
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loses_its_secrets_and_pictures_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let task: TaskId = "t".parse().unwrap();
        let redactor = Redactor::new(["sesame-sesame".to_owned()]);
        let exhibits = Exhibits {
            folder: layout.evidence(&task),
            redactor: &redactor,
            spared: BTreeSet::new(),
        };
        let text = exhibits
            .keep("ab12", "text/plain", b"open sesame-sesame\n")
            .unwrap();
        assert!(text.redacted && text.bytes == 16);
        let path = stored(&layout, &task, "ab12", &text.sha256).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"open [redacted]\n");
        let picture = b"\x89PNG sesame-sesame \xff";
        let kept = exhibits.keep("ab12", "image/png", picture).unwrap();
        assert!(!kept.redacted);
        assert_eq!(
            fs::read(stored(&layout, &task, "ab12", &kept.sha256).unwrap()).unwrap(),
            picture
        );
        assert_eq!(stored(&layout, &task, "ab12", "../t"), None);
        assert_eq!(stored(&layout, &task, "..", &kept.sha256), None);
        assert!(exhibits.keep("../x", "text/plain", b"x").is_err());
    }

    #[test]
    fn the_oldest_go_and_the_proof_of_a_completion_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (n, commit) in ["aa", "bb", "cc", "dd"].into_iter().enumerate() {
            let own = folder.path().join(commit);
            fs::create_dir(&own).unwrap();
            let file = fs::File::create(own.join("00")).unwrap();
            file.set_len(MOST / 2).unwrap();
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(n as u64);
            fs::File::open(&own).unwrap().set_modified(at).unwrap();
        }
        trim(folder.path(), |commit| commit == "aa").unwrap();
        let left = |commit: &str| folder.path().join(commit).exists();
        assert!(left("aa") && !left("bb") && !left("cc") && left("dd"));
    }
}
