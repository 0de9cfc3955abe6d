//! Sending one commit of a task's work to one branch of a repository elsewhere. The only other push is that of [`super::upstream`].
//!
//! Invariants: exactly one commit goes to exactly one branch, and only where the branch stands where it was last seen
//! (a lease, which the other side checks); whoever no longer may, learns so in the last moment before git starts. Git
//! runs in a fresh repository that borrows the objects: nothing that a worker wrote into a configuration (rewritten
//! addresses, proxies, hooks, helpers) is read, so a token goes to the address that is named and nowhere else. The token
//! is neither in the arguments nor in the address.

use std::fs;
use std::future::Future;
use std::path::Path;

use super::error::{GitError, WorkspaceError};
use super::fence;
use super::git::Git;
use super::login::{Login, credentials};
use super::place::Workspace;

/// How much of the other side's refusal is kept, in characters.
const WORDS: usize = 300;

/// What is sent where.
#[derive(Debug)]
pub struct Push<'a> {
    /// The address: https, ssh, or a file's.
    pub url: &'a str,
    /// The commit, in full.
    pub commit: &'a str,
    /// The branch, without `refs/heads/`.
    pub branch: &'a str,
    /// Where the branch must stand; none where it must not exist.
    pub expect: Option<&'a str>,
    /// The login for an https address; ssh has its own keys.
    pub login: Option<Login<'a>>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The branch stands at the commit, now or since before.
    Done,
    /// The branch stands elsewhere than expected; nothing was changed.
    Moved,
    /// The other side did not want it, in its words; nothing was changed.
    Refused(String),
    /// Whoever asked may not any more; nothing was sent.
    Stale,
}

impl Workspace {
    /// Sends a commit to a branch. `may` is asked once, when all is ready: whether the sender's right (its epoch) still
    /// stands.
    pub async fn push(
        &self,
        push: &Push<'_>,
        may: impl Future<Output = bool>,
    ) -> Result<Pushed, WorkspaceError> {
        refuse_odd(push)?;
        let known = self.git_of_repository().await?.commit(push.commit).await?;
        if known.as_deref() != Some(push.commit) {
            return Err(WorkspaceError::UnknownCommit {
                commit: push.commit.to_owned(),
                repository: self.repository().to_path_buf(),
            });
        }
        let lender = fence::beneath(&self.state, "pushes", &uuid::Uuid::now_v7().to_string())?;
        let sent = self.send(&lender, push, may).await;
        if lender.exists() {
            fs::remove_dir_all(&lender).map_err(WorkspaceError::io(&lender))?;
        }
        sent
    }

    /// The commit at the head of a branch elsewhere, with all that it needs, fetched.
    pub async fn fetch_branch(
        &self,
        url: &str,
        branch: &str,
        login: Option<Login<'_>>,
    ) -> Result<String, WorkspaceError> {
        refuse_address(url)?;
        refuse_branch(branch)?;
        let kept = format!("refs/orchestrator/base/{}", self.task);
        let mut git = self.git_of_repository().await?;
        for (key, value) in credentials(url, login) {
            git = git.with_config(&key, &value);
        }
        let call = git.call([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
        ]);
        let call = call
            .arg("--recurse-submodules=no")
            .arg("--upload-pack=git-upload-pack");
        let wanted = format!("+refs/heads/{branch}:{kept}");
        call.arg("--").arg(url).arg(wanted).network().text().await?;
        let found = git.commit(&kept).await?;
        found.ok_or_else(|| WorkspaceError::NoCommit(self.repository().to_path_buf()))
    }

    async fn send(
        &self,
        lender: &Path,
        push: &Push<'_>,
        may: impl Future<Output = bool>,
    ) -> Result<Pushed, WorkspaceError> {
        borrow(self.repository(), lender).await?;
        let mut git = Git::bare_handed(lender).with_env("GIT_DIR", lender);
        for (key, value) in credentials(push.url, push.login) {
            git = git.with_config(&key, &value);
        }
        if !may.await {
            return Ok(Pushed::Stale);
        }
        let Push { branch, commit, .. } = push;
        let lease = format!(
            "--force-with-lease=refs/heads/{branch}:{}",
            push.expect.unwrap_or_default()
        );
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
            .arg(lease)
            .arg("--")
            .arg(push.url)
            .arg(format!("{commit}:refs/heads/{branch}"));
        let out = call.network().output().await?;
        match told(&String::from_utf8_lossy(&out.stdout)) {
            Some(pushed) => Ok(pushed),
            None => Err(GitError::failed("push".to_owned(), lender.to_path_buf(), &out).into()),
        }
    }
}

/// What would not be one commit and one branch.
fn refuse_odd(push: &Push<'_>) -> Result<(), WorkspaceError> {
    let hex = |c: &str| matches!(c.len(), 40 | 64) && c.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex(push.commit) || !push.expect.is_none_or(hex) {
        let what = format!("{} to {}", push.commit, push.branch);
        return Err(WorkspaceError::refused(
            &what,
            "only a commit by its whole name is sent",
        ));
    }
    refuse_branch(push.branch)?;
    refuse_address(push.url)
}

pub(super) fn refuse_branch(branch: &str) -> Result<(), WorkspaceError> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let plain = branch
        .split('/')
        .all(|p| !p.is_empty() && !p.starts_with(['.', '-']) && !p.ends_with(".lock"));
    if plain && !branch.contains(odd) && !branch.contains("..") && !branch.contains("@{") {
        return Ok(());
    }
    Err(WorkspaceError::refused(
        branch,
        "only a branch with a plain name is sent or fetched",
    ))
}

pub(super) fn refuse_address(url: &str) -> Result<(), WorkspaceError> {
    let ours = ["https://", "ssh://", "file://"]
        .iter()
        .any(|s| url.starts_with(s));
    let short = !url.contains("://") && url.contains('@') && url.contains(':') && !url.starts_with('-');
    if (ours || short) && !url.contains("::") {
        return Ok(());
    }
    Err(WorkspaceError::refused(
        url,
        "only https, ssh and file addresses are spoken to",
    ))
}

/// A repository of no configuration and no references, which finds the other's objects.
async fn borrow(repository: &Path, lender: &Path) -> Result<(), WorkspaceError> {
    fs::create_dir(lender).map_err(WorkspaceError::io(lender))?;
    let theirs = Git::open_top(repository).await?;
    let format = theirs.call(["rev-parse", "--show-object-format"]).text().await?;
    Git::bare_handed(lender)
        .call(["init", "--quiet", "--bare"])
        .arg(format!("--object-format={format}"))
        .text()
        .await?;
    let alternates = lender.join("objects/info/alternates");
    let objects = repository.join("objects").display().to_string();
    fs::write(&alternates, objects + "\n").map_err(WorkspaceError::io(&alternates))?;
    // Where a clone ends that was made without all of the past.
    let (shallow, ours) = (repository.join("shallow"), lender.join("shallow"));
    fence::refuse_link(&shallow)?;
    if shallow.is_file() {
        fs::copy(&shallow, &ours).map_err(WorkspaceError::io(&shallow))?;
    }
    Ok(())
}

/// The branch is not where it was seen; or somebody moves it in this very moment.
const MOVED: [&str; 4] = [
    "(stale info)",
    "(fetch first)",
    "cannot lock ref",
    "failed to update ref",
];

/// What git's lines for machines say: a flag, the references, and words.
pub(super) fn told(lines: &str) -> Option<Pushed> {
    let line = lines
        .lines()
        .find(|l| l.contains("\t") && l.contains(":refs/heads/"))?;
    let mut parts = line.splitn(3, '\t');
    let (flag, words) = (parts.next()?, parts.nth(1).unwrap_or_default());
    match flag.trim() {
        "!" if MOVED.iter().any(|moved| words.contains(moved)) => Some(Pushed::Moved),
        "!" => {
            let shown = words.chars().filter(|c| !c.is_control()).take(WORDS);
            Some(Pushed::Refused(shown.collect()))
        }
        _ => Some(Pushed::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn push<'a>(url: &'a str, branch: &'a str, login: Option<Login<'a>>) -> Push<'a> {
        Push {
            url,
            commit: COMMIT,
            branch,
            expect: None,
            login,
        }
    }

    #[test]
    fn one_commit_one_branch_one_address() {
        for (url, branch, fits) in [
            ("https://h/o/n.git", "orchestrator/t-1", true),
            ("git@h:o/n.git", "t", true),
            ("http://h/o/n.git", "t", false),
            ("ext::sh -c x", "t", false),
            ("git@ext::sh", "t", false),
            ("/srv/n.git", "t", false),
            ("--receive-pack=x@h:y", "t", false),
            ("https://h/o/n.git", "", false),
            ("https://h/o/n.git", "a:refs/heads/main", false),
            ("https://h/o/n.git", "-f", false),
            ("https://h/o/n.git", "a/../b", false),
            ("https://h/o/n.git", "a b", false),
            ("https://h/o/n.git", "a*", false),
            ("https://h/o/n.git", "a/", false),
        ] {
            assert_eq!(
                refuse_odd(&push(url, branch, None)).is_ok(),
                fits,
                "{url} {branch}"
            );
        }
        let odd = Push {
            commit: "main",
            ..push("https://h/o/n", "t", None)
        };
        assert!(refuse_odd(&odd).is_err());
        let odd = Push {
            expect: Some("main"),
            ..push("https://h/o/n", "t", None)
        };
        assert!(refuse_odd(&odd).is_err());
    }

    #[test]
    fn the_lines_for_machines() {
        for (line, wanted) in [
            ("*\taaaa:refs/heads/t\t[new branch]", Some(Pushed::Done)),
            (" \taaaa:refs/heads/t\tb..a", Some(Pushed::Done)),
            ("+\taaaa:refs/heads/t\tb...a (forced update)", Some(Pushed::Done)),
            ("=\taaaa:refs/heads/t\t[up to date]", Some(Pushed::Done)),
            (
                "!\taaaa:refs/heads/t\t[rejected] (stale info)",
                Some(Pushed::Moved),
            ),
            (
                "!\taaaa:refs/heads/t\t[remote rejected] (pre-receive hook declined)",
                Some(Pushed::Refused(
                    "[remote rejected] (pre-receive hook declined)".to_owned(),
                )),
            ),
            ("Done", None),
            ("", None),
        ] {
            assert_eq!(told(&format!("To somewhere\n{line}\nDone\n")), wanted, "{line}");
        }
    }
}
