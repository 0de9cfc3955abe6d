//! A commit with some files changed, and its way to the branch.

use std::path::Path;

use super::super::error::GitError;
use super::super::git::Git;
use super::super::push::{Pushed, told};
use super::{NETWORK, Upstream, UpstreamError};

impl Upstream {
    /// Makes a commit on `parent` with these files put in place of those of their paths; all others stay as they are.
    pub async fn commit(
        &self,
        parent: &str,
        files: &[(String, Vec<u8>)],
        message: &str,
    ) -> Result<String, UpstreamError> {
        let index = self.git_dir.join(format!("index-{}", uuid::Uuid::now_v7()));
        let git = self.git().await?.with_env("GIT_INDEX_FILE", &index);
        let made = self.make(git, parent, files, message).await;
        // Where it stays it costs some bytes.
        let _ = std::fs::remove_file(&index);
        made
    }

    async fn make(
        &self,
        git: Git,
        parent: &str,
        files: &[(String, Vec<u8>)],
        message: &str,
    ) -> Result<String, UpstreamError> {
        git.call(["read-tree", parent]).bytes().await?;
        for (path, bytes) in files {
            let call = git.call(["hash-object", "-w", "--no-filters", "--stdin"]);
            let object = call.stdin(bytes.clone()).text().await?;
            let mode = mode_of(&git, path).await?;
            git.call(["update-index", "--add", "--cacheinfo"])
                .arg(format!("{mode},{object},{path}"))
                .bytes()
                .await?;
        }
        let tree = git.call(["write-tree"]).text().await?;
        let (name, email) = &self.author;
        let git = ["AUTHOR", "COMMITTER"].into_iter().fold(git, |git, role| {
            git.with_env(&format!("GIT_{role}_NAME"), name)
                .with_env(&format!("GIT_{role}_EMAIL"), email)
        });
        let call = git.call(["commit-tree", &tree, "-p", parent, "-F", "-"]);
        Ok(call.stdin(message.as_bytes().to_vec()).text().await?)
    }

    /// Moves the branch from `parent` to `commit`, which was made on it; nothing where it is not there any more.
    pub async fn push(&self, parent: &str, commit: &str) -> Result<Pushed, UpstreamError> {
        let git = self.outward().await?;
        let branch = &self.branch;
        let call = git
            .call([
                "push",
                "--porcelain",
                "--no-verify",
                "--no-signed",
                "--no-follow-tags",
            ])
            .arg("--recurse-submodules=no")
            .arg("--receive-pack=git-receive-pack")
            .arg(format!("--force-with-lease=refs/heads/{branch}:{parent}"))
            .arg("--")
            .arg(&self.url)
            .arg(format!("{commit}:refs/heads/{branch}"));
        let out = match call.within(NETWORK).output().await {
            Ok(out) => out,
            Err(error) => return Err(self.away(error)),
        };
        match told(&String::from_utf8_lossy(&out.stdout)) {
            Some(Pushed::Refused(words)) => Err(UpstreamError::Refused {
                url: self.url.clone(),
                branch: branch.clone(),
                words,
            }),
            Some(pushed) => Ok(pushed),
            None => Err(self.away(failed(&self.git_dir, &out))),
        }
    }
}

fn failed(dir: &Path, out: &std::process::Output) -> GitError {
    GitError::failed("push".to_owned(), dir.to_path_buf(), out)
}

/// That of the file that is there; a new one is a plain file.
async fn mode_of(git: &Git, path: &str) -> Result<&'static str, UpstreamError> {
    let staged = git.call(["ls-files", "--stage", "--", path]).text().await?;
    Ok(if staged.starts_with("100755") {
        "100755"
    } else {
        "100644"
    })
}
