//! Files and trailers of a commit, as they are: no filter, no checkout, no symbolic link.

use super::super::git::{Git, split_zero};
use super::super::root::Answers;
use super::{Upstream, UpstreamError};

/// So many commits are looked through for trailers.
const DEEP: &str = "1000";

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// What is in it.
    Bytes(Vec<u8>),
    /// There is none.
    Missing,
    /// It is larger than anything sensible: its size in bytes.
    TooLarge(u64),
    /// It is a folder, a symbolic link, or another repository.
    Odd,
}

/// An entry of a tree.
struct Entry {
    plain: bool,
    object: String,
    size: u64,
    path: String,
}

impl Entry {
    /// `MODE TYPE OBJECT SIZE<TAB>PATH`.
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (facts, path) = line.split_once('\t')?;
        let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
        let [mode, _, object, size] = facts.as_slice() else {
            return None;
        };
        Some(Self {
            plain: matches!(*mode, "100644" | "100755"),
            object: (*object).to_owned(),
            size: size.parse().unwrap_or(0),
            path: path.to_owned(),
        })
    }
}

impl Upstream {
    /// A file at a commit, of at most `limit` bytes.
    pub async fn file(&self, commit: &str, path: &str, limit: u64) -> Result<Content, UpstreamError> {
        let git = self.git().await?;
        let found = list(&git, commit, path).await?;
        let Some(entry) = found.into_iter().find(|entry| entry.path == path) else {
            return Ok(Content::Missing);
        };
        match (entry.plain, entry.size > limit) {
            (false, _) => Ok(Content::Odd),
            (true, true) => Ok(Content::TooLarge(entry.size)),
            (true, false) => {
                let mut all = blobs(&git, &[entry]).await?;
                Ok(all
                    .pop()
                    .map_or(Content::Missing, |(_, bytes)| Content::Bytes(bytes)))
            }
        }
    }

    /// The plain files of at most `limit` bytes in a folder at a commit, by their names, that end in `ending`.
    pub async fn folder(
        &self,
        commit: &str,
        folder: &str,
        ending: &str,
        limit: u64,
    ) -> Result<Vec<(String, Vec<u8>)>, UpstreamError> {
        let git = self.git().await?;
        let folder = format!("{folder}/");
        let mut found = list(&git, commit, &folder).await?;
        found.retain(|entry| entry.plain && entry.size <= limit && entry.path.ends_with(ending));
        let files = blobs(&git, &found).await?.into_iter();
        let named = |(path, bytes): (String, Vec<u8>)| {
            let name = path.strip_prefix(&folder)?.to_owned();
            Some((name, bytes))
        };
        Ok(files.filter_map(named).collect())
    }

    /// The values of a trailer in the commits that led to `to` and not to `from`, oldest first.
    pub async fn trailers(
        &self,
        key: &str,
        from: Option<&str>,
        to: &str,
    ) -> Result<Vec<String>, UpstreamError> {
        let git = self.git().await?;
        let format = format!("--format=%(trailers:key={key},valueonly=true)");
        let call = git
            .call(["log", "--topo-order", "--reverse", "-n", DEEP])
            .arg(format)
            .arg(to);
        let call = match from {
            Some(from) => call.arg(format!("^{from}")),
            None => call,
        };
        let text = call.arg("--").text().await?;
        let values = text.lines().map(str::trim).filter(|value| !value.is_empty());
        Ok(values.map(str::to_owned).collect())
    }
}

async fn list(git: &Git, commit: &str, path: &str) -> Result<Vec<Entry>, UpstreamError> {
    let call = git.call(["ls-tree", "-z", "--long", "--full-tree", commit, "--", path]);
    let told = call.bytes().await?;
    Ok(split_zero(&told).filter_map(Entry::read).collect())
}

async fn blobs(git: &Git, entries: &[Entry]) -> Result<Vec<(String, Vec<u8>)>, UpstreamError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let asked: String = entries
        .iter()
        .map(|entry| format!("{}\n", entry.object))
        .collect();
    let call = git.call(["cat-file", "--batch=%(objecttype) %(objectsize)"]);
    let told = call.stdin(asked.into_bytes()).bytes().await?;
    let files = entries.iter().zip(Answers(&told));
    let file = |(entry, answer): (&Entry, Option<(&str, &[u8])>)| {
        let (_, bytes) = answer.filter(|(kind, _)| *kind == "blob")?;
        Some((entry.path.clone(), bytes.to_vec()))
    };
    Ok(files.filter_map(file).collect())
}
