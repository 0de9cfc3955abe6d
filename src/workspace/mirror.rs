//! Clones that the orchestrator keeps of repositories that a task names by address.
//!
//! A clone is made beside its place and moved there whole, so two tasks may start with it at once.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorkspaceError;
use super::fence;
use super::git::Git;
use super::login::Keychain;
use super::place::Base;
use super::prepare::digest;
use super::repository::{Found, Repository};

const BRANCHES: &str = "+refs/heads/*:refs/remotes/origin/*";

/// The clone of this address, made or brought up to date.
pub(super) async fn fetch(state: &Path, url: &str, keys: &Keychain) -> Result<Found, WorkspaceError> {
    let git_dir = fence::beneath(state, "repos", &digest(url.as_bytes()))?;
    if git_dir.exists() {
        refresh(&git_dir, url, keys).await?;
    } else {
        clone(state, &git_dir, url, keys).await?;
    }
    let git_dir = git_dir.canonicalize().map_err(WorkspaceError::io(&git_dir))?;
    let base = default_base(&git_dir, url, keys).await?;
    let url = Some(url.to_owned());
    let repository = Repository { git_dir, base, url };
    let prefix = PathBuf::new();
    Ok(Found { repository, prefix })
}

/// Fetches all branches.
pub(super) async fn refresh(git_dir: &Path, url: &str, keys: &Keychain) -> Result<(), WorkspaceError> {
    let git = opened(git_dir, url, keys).await?;
    git.call([
        "fetch",
        "--quiet",
        "--prune",
        "--no-tags",
        "--no-write-fetch-head",
    ])
    .arg("--upload-pack=git-upload-pack")
    .arg("--")
    .arg(url)
    .arg(BRANCHES)
    .network()
    .text()
    .await?;
    Ok(())
}

/// Git in the clone, with the login for the address. What its configuration rewrites would be fetched from elsewhere, and what it says of
/// connections could lead a token elsewhere; git has no override for either.
async fn opened(git_dir: &Path, url: &str, keys: &Keychain) -> Result<Git, WorkspaceError> {
    let git = Git::open_top(git_dir).await?;
    let odd = match keys.for_address(url) {
        Some(_) => r"^(url|http)\.",
        None => r"^url\.",
    };
    let call = git.call(["config", "--name-only", "--get-regexp", odd]);
    match call.text_if_any().await? {
        None => Ok(git.with_login_for(url, keys)),
        Some(settings) => Err(WorkspaceError::tampered(
            git.dir(),
            format!("its configuration rewrites addresses or connections ({settings})"),
        )),
    }
}

async fn clone(state: &Path, git_dir: &Path, url: &str, keys: &Keychain) -> Result<(), WorkspaceError> {
    let made = fence::beneath(state, "repos", &format!("new-{}", uuid::Uuid::now_v7()))?;
    let done = fill(&made, url, keys).await;
    let moved = done.and_then(|()| fs::rename(&made, git_dir).map_err(WorkspaceError::io(git_dir)));
    if made.exists() {
        fs::remove_dir_all(&made).map_err(WorkspaceError::io(&made))?;
    }
    // Another task may have been faster; then its clone serves.
    if git_dir.exists() { Ok(()) } else { moved }
}

async fn fill(made: &Path, url: &str, keys: &Keychain) -> Result<(), WorkspaceError> {
    fs::create_dir_all(made).map_err(WorkspaceError::io(made))?;
    let git = Git::bare_handed(made);
    git.call(["init", "--quiet", "--bare"]).text().await?;
    git.call(["config", "remote.origin.url", url]).text().await?;
    git.call(["config", "remote.origin.fetch", BRANCHES])
        .text()
        .await?;
    refresh(made, url, keys).await
}

/// The branch that the other side calls its HEAD.
async fn default_base(git_dir: &Path, url: &str, keys: &Keychain) -> Result<Base, WorkspaceError> {
    let git = opened(git_dir, url, keys).await?;
    let call = git.call(["ls-remote", "--symref", "--upload-pack=git-upload-pack", "--"]);
    let text = call.arg(url).arg("HEAD").network().text().await?;
    let branch = text
        .lines()
        .find_map(|l| l.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"))
        .unwrap_or("main");
    let reference = format!("refs/remotes/origin/{branch}");
    match git.commit(&reference).await? {
        Some(commit) => Ok(Base { reference, commit }),
        None => Err(WorkspaceError::NoCommit(PathBuf::from(url))),
    }
}
