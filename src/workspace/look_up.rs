//! What can be looked up at a commit: its files, the work's own commits, and the paths that it changed.

use super::error::WorkspaceError;
use super::place::Workspace;

/// So many commits of the work are told apart.
const COMMITS: &str = "--max-count=2000";

impl Workspace {
    /// The paths of all files of a commit, from the top of the tree.
    pub async fn files_at(&self, commit: &str) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["ls-tree", "-r", "-z", "--name-only", "--full-tree"]);
        Ok(call.arg(commit).list().await?)
    }

    /// The commits that a commit holds and the base at which the work began does not, in full, the newest first.
    pub async fn commits_since_base(&self, commit: &str) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["rev-list", COMMITS]).arg(commit);
        let text = call.arg(format!("^{}", self.base.commit)).text().await?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The paths that differ between the base at which the work began and a commit, from the top of the tree.
    pub async fn paths_since_base(&self, commit: &str) -> Result<Vec<String>, WorkspaceError> {
        let git = self.git_of_repository().await?;
        let call = git.call(["diff-tree", "-r", "-z", "--name-only", "--no-renames"]);
        Ok(call.arg(&self.base.commit).arg(commit).list().await?)
    }
}
