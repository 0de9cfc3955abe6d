//! The worker's folder as it is at a commit: its names, and the text of some files, in one call.

use std::collections::{BTreeMap, BTreeSet};

use super::error::WorkspaceError;
use super::place::Workspace;

/// A folder of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Root {
    /// Names; folders end in `/`.
    pub names: BTreeSet<String>,
    /// The text of the files that were asked for and are there.
    pub texts: BTreeMap<String, String>,
}

impl Workspace {
    /// The names at a commit, and the text of these files among them; empty where the folder is not there.
    pub async fn root_at(&self, commit: &str, files: &[&str]) -> Result<Root, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let folder = format!("{commit}:{}", self.prefix());
        let asked = std::iter::once(folder.trim_end_matches('/').to_owned())
            .chain(files.iter().map(|file| format!("{folder}{file}")));
        let asked: String = asked.map(|name| name + "\n").collect();
        let call = git.call(["cat-file", "--batch=%(objecttype) %(objectsize)"]);
        let told = call.stdin(asked.into_bytes()).bytes().await?;
        let mut answers = Answers(&told);
        // The name of an object is as long, in bytes, as half of its digits.
        let names = match answers.next() {
            Some(Some(("tree", tree))) => names(tree, commit.len() / 2),
            _ => BTreeSet::new(),
        };
        let texts = files.iter().zip(answers);
        let text = |(file, answer): (&&str, Option<(&str, &[u8])>)| {
            let (_, content) = answer.filter(|(kind, _)| *kind == "blob")?;
            let text = String::from_utf8_lossy(content).trim_end_matches('\n').to_owned();
            Some(((*file).to_owned(), text))
        };
        Ok(Root {
            names,
            texts: texts.filter_map(text).collect(),
        })
    }
}

/// Answers of a batch, one for each line that was asked: none where there is no such object.
pub(super) struct Answers<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Answers<'a> {
    type Item = Option<(&'a str, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.0.iter().position(|b| *b == b'\n')?;
        let (head, rest) = (&self.0[..end], &self.0[end + 1..]);
        let found = std::str::from_utf8(head).ok().and_then(|head| {
            let (kind, size) = head.split_once(' ')?;
            let size = size.parse::<usize>().ok().filter(|_| !kind.contains(':'))?;
            Some((kind, rest.get(..size)?, rest.get(size + 1..)?))
        });
        self.0 = found.map_or(rest, |(_, _, rest)| rest);
        Some(found.map(|(kind, content, _)| (kind, content)))
    }
}

/// `MODE NAME`, a zero byte, the bytes of an object's name; again and again.
fn names(mut tree: &[u8], long: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while let Some(zero) = tree.iter().position(|b| *b == 0) {
        let entry = String::from_utf8_lossy(&tree[..zero]).into_owned();
        if let Some((mode, name)) = entry.split_once(' ') {
            let slash = if mode == "40000" { "/" } else { "" };
            names.insert(format!("{name}{slash}"));
        }
        tree = tree.get(zero + 1 + long..).unwrap_or_default();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let told = b"blob 4\na\nb\n\nabc:x 1 missing\nabc:y missing\nblob 0\n\ntree 2\nxx\n";
        let all: Vec<_> = Answers(told).collect();
        let wanted: [Option<(&str, &[u8])>; 5] = [
            Some(("blob", b"a\nb\n")),
            None,
            None,
            Some(("blob", b"")),
            Some(("tree", b"xx")),
        ];
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_tree_is_read_by_its_bytes() {
        let tree = b"100644 a b\0\x01\n40000 src\0\x00\x00160000 sub\0xx";
        let wanted = ["a b", "src/", "sub"].map(str::to_owned);
        assert_eq!(names(tree, 2), BTreeSet::from(wanted));
    }
}
