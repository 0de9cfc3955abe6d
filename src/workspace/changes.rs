//! What a commit changes, file by file, with the content of both sides: read from the repository, never from a folder.
//!
//! Invariant: what is read is bounded; a file beyond the bounds is known by its object alone.

use std::collections::{BTreeSet, HashMap};

use super::error::WorkspaceError;
use super::git::Git;
use super::place::Workspace;

/// The largest file that is read, in bytes.
const FILE: u64 = 1024 * 1024;
/// All that is read at once, in bytes.
const ALL: u64 = 48 * 1024 * 1024;

/// A file on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It is not there.
    Absent,
    /// A text.
    Text(String),
    /// No text, or beyond the bounds: its object.
    Opaque(String),
    /// A link, or another repository: its object.
    Link(String),
}

/// A file that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path from the top of the tree.
    pub path: String,
    /// In the first commit.
    pub was: Content,
    /// In the second one.
    pub is: Content,
}

/// One side as the comparison of two trees tells it.
#[derive(Debug, Clone)]
struct Entry {
    mode: String,
    object: String,
}

impl Workspace {
    /// The files that differ between the base at which the work began and a commit, of those whose path is `wanted`.
    pub async fn changes_since_base(
        &self,
        commit: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<ChangedFile>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]);
        let parts = call.arg(&self.base.commit).arg(commit).list().await?;
        let pairs = parts.chunks_exact(2).filter(|pair| wanted(&pair[1]));
        let entries: Vec<(String, Entry, Entry)> = pairs
            .filter_map(|pair| entries(&pair[0]).map(|(was, is)| (pair[1].clone(), was, is)))
            .collect();
        let objects: BTreeSet<&str> = entries
            .iter()
            .flat_map(|(_, was, is)| [was, is])
            .filter(|entry| entry.is_file())
            .map(|entry| entry.object.as_str())
            .collect();
        let texts = texts(&git, &objects).await?;
        let file = |(path, was, is): (String, Entry, Entry)| ChangedFile {
            path,
            was: was.content(&texts),
            is: is.content(&texts),
        };
        Ok(entries.into_iter().map(file).collect())
    }

    /// The paths of all files of the base at which the work began.
    pub async fn files_of_base(&self) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["ls-tree", "-r", "-z", "--name-only", "--full-tree"]);
        Ok(call.arg(&self.base.commit).list().await?)
    }

    /// A path from the top of the tree as it is written in the worker's folder.
    pub fn from_root<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(&self.prefix()).unwrap_or(path)
    }
}

impl Entry {
    fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }

    fn content(&self, texts: &HashMap<String, String>) -> Content {
        if self.mode == "000000" {
            return Content::Absent;
        }
        if !self.is_file() {
            return Content::Link(self.object.clone());
        }
        match texts.get(&self.object) {
            Some(text) => Content::Text(text.clone()),
            None => Content::Opaque(self.object.clone()),
        }
    }
}

/// `:MODE MODE OBJECT OBJECT LETTER`.
fn entries(raw: &str) -> Option<(Entry, Entry)> {
    let words: Vec<&str> = raw.strip_prefix(':')?.split(' ').collect();
    let entry = |mode: usize, object: usize| {
        Some(Entry {
            mode: (*words.get(mode)?).to_owned(),
            object: (*words.get(object)?).to_owned(),
        })
    };
    Some((entry(0, 2)?, entry(1, 3)?))
}

/// The texts among these objects, as far as the bounds allow.
async fn texts(git: &Git, objects: &BTreeSet<&str>) -> Result<HashMap<String, String>, WorkspaceError> {
    let list = |objects: &mut dyn Iterator<Item = &str>| -> Vec<u8> {
        objects.flat_map(|o| [o, "\n"]).collect::<String>().into_bytes()
    };
    let asked = list(&mut objects.iter().copied());
    let sizes = git
        .call(["cat-file", "--batch-check=%(objectname) %(objectsize)"])
        .stdin(asked);
    let sizes = sizes.text().await?;
    let mut left = ALL;
    let small: Vec<&str> = sizes
        .lines()
        .filter_map(|line| {
            let (object, size) = line.split_once(' ')?;
            let size = size
                .parse::<u64>()
                .ok()
                .filter(|size| *size <= FILE && *size <= left)?;
            left -= size;
            Some(object)
        })
        .collect();
    let asked = list(&mut small.iter().copied());
    let bytes = git
        .call(["cat-file", "--batch=%(objectname) %(objectsize)"])
        .stdin(asked);
    Ok(batch(&bytes.bytes().await?))
}

/// `OBJECT SIZE`, a line's end, so many bytes, a line's end; again and again.
fn batch(mut bytes: &[u8]) -> HashMap<String, String> {
    let mut found = HashMap::new();
    while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let Some((object, size)) = head.split_once(' ') else {
            break;
        };
        let Ok(size) = size.parse::<usize>() else { break };
        let Some(content) = bytes.get(end + 1..end + 1 + size) else {
            break;
        };
        if let (Ok(text), false) = (std::str::from_utf8(content), content.contains(&0)) {
            found.insert(object.to_owned(), text.to_owned());
        }
        bytes = bytes.get(end + 2 + size..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_by_its_sizes() {
        let found = batch(b"aa 4\nx\ny\n\nbb 0\n\ncc 2\n\xff\xfe\ndd 1\n");
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable();
        let wanted = [("aa", "x\ny\n"), ("bb", "")].map(|(o, t)| (o.to_owned(), t.to_owned()));
        assert_eq!(found, wanted);
        assert!(entries(":100644 000000 aa bb D").is_some() && entries("x").is_none());
    }
}
