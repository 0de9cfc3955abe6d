//! What a commit changes, file by file, with the content of both sides: read from the repository, never from a folder.
//!
//! Invariant: what is read is bounded; a file beyond the bounds is known by its object alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::error::WorkspaceError;
use super::git::Git;
use super::place::Workspace;

/// The largest file that is read, in bytes.
const FILE: u64 = 1024 * 1024;
/// All that is read at once, in bytes.
const ALL: u64 = 48 * 1024 * 1024;
/// What is no more than this, in bytes, is read once and kept.
const KEPT: u64 = 4 * 1024 * 1024;

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

/// One side of a path as the comparison of two trees tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    mode: String,
    object: String,
}

/// A path that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPath {
    /// From the top of the tree.
    pub path: String,
    /// In the first commit.
    pub was: Entry,
    /// In the second one.
    pub is: Entry,
}

/// What differs between two commits; contents are read when they are asked for.
#[derive(Debug)]
pub struct Diff {
    git: Git,
    /// The paths.
    pub paths: Vec<ChangedPath>,
    /// Everything that stood at the changed paths before, for whoever asks whether something is new.
    before: Vec<(String, Entry)>,
    sizes: HashMap<String, u64>,
    /// What [`read`] gave of all that differs; empty where that is too much to keep.
    kept: Vec<u8>,
}

impl Workspace {
    /// What differs between the base at which the work began and a commit.
    pub async fn diff_since_base(&self, commit: &str) -> Result<Diff, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let paths = compared(&git, &self.base.commit, commit).await?;
        let all = || paths.iter().flat_map(|p| [&p.was, &p.is]);
        let sizes = sizes(&git, all().filter(|e| e.is_file())).await?;
        let named: Vec<&str> = sizes.keys().map(String::as_str).collect();
        let kept = match sizes.values().sum::<u64>() {
            0..=KEPT => read(&git, &named).await?,
            _ => Vec::new(),
        };
        Ok(Diff {
            git,
            kept,
            before: paths.iter().map(|p| (p.path.clone(), p.was.clone())).collect(),
            paths,
            sizes,
        })
    }

    /// Of the difference, what is not just as the base is now: a branch that took the moved base in holds the work of others, too.
    /// None where the base has not moved.
    pub async fn own_part(&self, diff: &Diff, commit: &str) -> Result<Option<Diff>, WorkspaceError> {
        let base = self.base_head(&diff.git).await?;
        if base == self.base.commit {
            return Ok(None);
        }
        let since = compared(&diff.git, &base, commit).await?;
        let named: BTreeSet<&str> = since.iter().map(|p| p.path.as_str()).collect();
        let own = |p: &&ChangedPath| named.contains(p.path.as_str());
        let more = sizes(&diff.git, since.iter().map(|p| &p.was).filter(|e| e.is_file())).await?;
        let before = since.iter().map(|p| (p.path.clone(), p.was.clone()));
        Ok(Some(Diff {
            git: diff.git.clone(),
            kept: Vec::new(),
            paths: diff.paths.iter().filter(own).cloned().collect(),
            before: diff.before.iter().cloned().chain(before).collect(),
            sizes: diff
                .sizes
                .iter()
                .map(|(o, s)| (o.clone(), *s))
                .chain(more)
                .collect(),
        }))
    }

    /// The paths of all files of the base at which the work began.
    pub async fn files_of_base(&self) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["ls-tree", "-r", "-z", "--name-only", "--full-tree"]);
        Ok(call.arg(&self.base.commit).list().await?)
    }

    /// A path from the top of the tree as it is written in the worker's folder.
    pub fn from_root<'p>(&self, path: &'p str) -> &'p str {
        self.below_root(path).unwrap_or(path)
    }

    /// The same; none where it lies outside of the worker's folder.
    pub fn below_root<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.prefix())
    }
}

impl Diff {
    /// The files with the content of both sides, of those whose path is `wanted`.
    pub async fn files(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<ChangedFile>, WorkspaceError> {
        let wanted: Vec<&ChangedPath> = self.paths.iter().filter(|p| wanted(&p.path)).collect();
        let entries = wanted
            .iter()
            .flat_map(|p| [&p.was, &p.is])
            .filter(|e| e.is_file());
        let mut left = ALL;
        let small = objects(entries).into_iter().filter(|object| {
            let size = self
                .sizes
                .get(*object)
                .copied()
                .filter(|s| *s <= FILE && *s <= left);
            left -= size.unwrap_or(0);
            size.is_some()
        });
        let mut texts = HashMap::new();
        self.show(&small.collect::<Vec<_>>(), |object, content| {
            if let (Ok(text), false) = (std::str::from_utf8(content), content.contains(&0)) {
                texts.insert(object.to_owned(), text.to_owned());
            }
        })
        .await?;
        let file = |p: &ChangedPath| ChangedFile {
            path: p.path.clone(),
            was: p.was.content(&texts),
            is: p.is.content(&texts),
        };
        Ok(wanted.into_iter().map(file).collect())
    }

    /// The size of a file, in bytes; none where it is no file or not to be had.
    pub fn size(&self, entry: &Entry) -> Option<u64> {
        self.sizes.get(&entry.object).copied().filter(|_| entry.is_file())
    }

    /// Whether a file of just this content stood at one of the changed paths before.
    pub fn held(&self, object: &str) -> bool {
        self.before.iter().any(|(_, entry)| entry.object == object)
    }

    /// What stood at the changed paths before, at the first commit and wherever else it was compared.
    pub fn before(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.before.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Shows the bytes of files among these, an object once, up to this size each.
    pub async fn read(
        &self,
        entries: impl Iterator<Item = &Entry>,
        largest: u64,
        mut visit: impl FnMut(&str, &[u8]),
    ) -> Result<(), WorkspaceError> {
        let mut some: Vec<&str> = Vec::new();
        let mut held = 0;
        for object in objects(entries.filter(|e| e.is_file())) {
            let Some(size) = self.sizes.get(object).copied().filter(|s| *s <= largest) else {
                continue;
            };
            if held + size > ALL {
                self.show(&some, &mut visit).await?;
                some.clear();
                held = 0;
            }
            held += size;
            some.push(object);
        }
        self.show(&some, visit).await
    }

    async fn show(&self, objects: &[&str], mut visit: impl FnMut(&str, &[u8])) -> Result<(), WorkspaceError> {
        if self.kept.is_empty() {
            each(&read(&self.git, objects).await?, visit);
            return Ok(());
        }
        let asked: HashSet<&str> = objects.iter().copied().collect();
        each(&self.kept, |object, content| {
            if asked.contains(object) {
                visit(object, content);
            }
        });
        Ok(())
    }
}

impl ChangedPath {
    /// Whether another repository stands, or stood, at this path.
    pub(super) fn is_repository(&self) -> bool {
        [&self.was, &self.is].iter().any(|entry| entry.mode == "160000")
    }
}

impl Entry {
    /// Whether it is a file, and neither a link nor another repository.
    pub fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }

    /// Whether nothing stands there.
    pub fn is_absent(&self) -> bool {
        self.mode == "000000"
    }

    /// The name of its content.
    pub fn object(&self) -> &str {
        &self.object
    }

    fn content(&self, texts: &HashMap<String, String>) -> Content {
        if self.is_absent() {
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

/// The paths that differ; a renamed file is one that goes and one that comes.
pub(super) async fn compared(git: &Git, old: &str, new: &str) -> Result<Vec<ChangedPath>, WorkspaceError> {
    let call = git.call(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]);
    let parts = call.arg(old).arg(new).list().await?;
    let pairs = parts.chunks_exact(2);
    let path = |pair: &[String]| {
        let (was, is) = entries(&pair[0])?;
        let path = pair[1].clone();
        Some(ChangedPath { path, was, is })
    };
    Ok(pairs.filter_map(path).collect())
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

/// Each object once.
fn objects<'e>(entries: impl Iterator<Item = &'e Entry>) -> BTreeSet<&'e str> {
    entries.map(|e| e.object.as_str()).collect()
}

fn lines<'o>(objects: impl IntoIterator<Item = &'o str>) -> Vec<u8> {
    let lines: String = objects.into_iter().flat_map(|o| [o, "\n"]).collect();
    lines.into_bytes()
}

async fn sizes(
    git: &Git,
    entries: impl Iterator<Item = &Entry>,
) -> Result<HashMap<String, u64>, WorkspaceError> {
    let asked = lines(objects(entries));
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let call = git.call(["cat-file", "--batch-check=%(objectname) %(objectsize)"]);
    let told = call.stdin(asked).text().await?;
    let size = |line: &str| {
        let (object, size) = line.split_once(' ')?;
        Some((object.to_owned(), size.parse().ok()?))
    };
    Ok(told.lines().filter_map(size).collect())
}

async fn read(git: &Git, objects: &[&str]) -> Result<Vec<u8>, WorkspaceError> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let call = git.call(["cat-file", "--batch=%(objectname) %(objectsize)"]);
    Ok(call.stdin(lines(objects.iter().copied())).bytes().await?)
}

/// `OBJECT SIZE`, a line's end, so many bytes, a line's end; again and again.
fn each(mut bytes: &[u8], mut visit: impl FnMut(&str, &[u8])) {
    while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let Some((object, size)) = head.split_once(' ') else {
            break;
        };
        let Ok(size) = size.parse::<usize>() else { break };
        let Some(content) = bytes.get(end + 1..end + 1 + size) else {
            break;
        };
        visit(object, content);
        bytes = bytes.get(end + 2 + size..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_by_its_sizes() {
        let mut found = Vec::new();
        each(
            b"aa 4\nx\ny\n\nbb 0\n\ncc 2\n\xff\xfe\ndd 1\n",
            |object, content| {
                found.push((object.to_owned(), content.to_vec()));
            },
        );
        let wanted: [(&str, &[u8]); 3] = [("aa", b"x\ny\n"), ("bb", b""), ("cc", b"\xff\xfe")];
        let wanted = wanted.map(|(o, t)| (o.to_owned(), t.to_vec()));
        assert_eq!(found, wanted);
        assert!(entries(":100644 000000 aa bb D").is_some() && entries("x").is_none());
    }
}
