//! What a commit must not do besides its work: take back what its base brought meanwhile, hold what the project ignores.

use std::collections::{BTreeMap, BTreeSet};

use super::checkout::GateCheckout;
use super::error::WorkspaceError;
use super::git::{Git, split_zero};
use super::place::Workspace;

/// Mode and object of a file on both sides of a comparison of two trees.
type Sides = ((String, String), (String, String));

impl Workspace {
    /// Files that the base changed since the work began, and that are in the commit as they were before that.
    ///
    /// For a commit that holds the head of its base: what it merged it has thrown away. Sorted.
    pub async fn taken_back(&self, head: &str, commit: &str) -> Result<Vec<String>, WorkspaceError> {
        if self.base.commit == head {
            return Ok(Vec::new());
        }
        let git = self.git_of_repository().await?;
        let brought = differences(&git, &self.base.commit, head).await?;
        let work = differences(&git, head, commit).await?;
        let back = work.into_iter().filter(|(path, (was, is))| {
            let before = brought.get(path);
            before.is_some_and(|(old, new)| old == is && new == was)
        });
        Ok(back.map(|(path, _)| path).collect())
    }

    /// Files of the commit that its own rules ignore and its base does not hold, sorted: what a tool or a check leaves
    /// is then there before it ran.
    pub async fn ignored_in(&self, checkout: &GateCheckout) -> Result<Vec<String>, WorkspaceError> {
        let index = checkout.own().join("index");
        let git = Git::open_apart(self.repository(), checkout.top(), &index).await?;
        let call = ["ls-files", "--cached", "--ignored", "--exclude-standard", "-z"];
        let ignored = git.call(call).bytes().await?;
        let ignored: BTreeSet<String> = split_zero(&ignored)
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect();
        if ignored.is_empty() {
            return Ok(Vec::new());
        }
        let known: BTreeSet<String> = self.files_of_base().await?.into_iter().collect();
        Ok(ignored.difference(&known).cloned().collect())
    }
}

async fn differences(git: &Git, was: &str, is: &str) -> Result<BTreeMap<String, Sides>, WorkspaceError> {
    let call = git.call(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]);
    let parts = call.arg(was).arg(is).list().await?;
    let pairs = parts.chunks_exact(2);
    Ok(pairs
        .filter_map(|pair| Some((pair[1].clone(), sides(&pair[0])?)))
        .collect())
}

/// `:MODE MODE OBJECT OBJECT LETTER`.
fn sides(raw: &str) -> Option<Sides> {
    let words: Vec<&str> = raw.strip_prefix(':')?.split(' ').collect();
    let side =
        |mode: usize, object: usize| Some(((*words.get(mode)?).to_owned(), (*words.get(object)?).to_owned()));
    Some((side(0, 2)?, side(1, 3)?))
}
