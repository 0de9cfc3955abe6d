//! `[queue]`: where the queue file is, where that is a git repository.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::setting::{Misfit, Setting};

/// `[queue]`.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The repository; none where the queue is the file of the instance.
    pub repository: Option<QueueAddress>,
    /// The branch of it.
    pub branch: String,
    /// The queue file in it, with `jobs/` and `agents/` beside it.
    pub path: String,
    /// Between two looks at it.
    pub pull: Duration,
    /// How long edits are gathered before they are one commit.
    pub batch: Duration,
    /// Who writes.
    pub author: Author,
}

/// Where the repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueAddress {
    /// An https, ssh or file address.
    Url(String),
    /// A folder, relative to the instance.
    Folder(PathBuf),
}

/// Who commits, as git writes it: `Name <address>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// What most repositories call it.
fn branch() -> String {
    "main".to_owned()
}

/// As in an instance.
fn path() -> String {
    "PROACTIVE-JOBS.md".to_owned()
}

/// Soon enough for people, kind to a server.
fn pull() -> Duration {
    Duration::from_secs(30)
}

/// What becomes of tasks in some seconds is one commit.
fn batch() -> Duration {
    Duration::from_secs(3)
}

/// Not a person.
fn author() -> Author {
    Author {
        name: "orchestrator".to_owned(),
        email: "orchestrator@localhost".to_owned(),
    }
}

impl Queue {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            repository: section.maybe("repository"),
            branch: section.get_if("branch", branch, |branch| plain_branch(branch)),
            path: section.get_if("path", path, |path| plain_path(path)),
            pull: section.get_if("pull", pull, longer_than_zero),
            batch: section.get("batch", batch),
            author: section.get("author", author),
        }
    }
}

impl Setting for QueueAddress {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        address(&text).map_err(Misfit::new)
    }
    fn show(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

fn address(text: &str) -> Result<QueueAddress, String> {
    if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
        return Err("expected a git address or a folder".to_owned());
    }
    if text.contains("::") {
        return Err("addresses with :: run programs; use https, ssh or a file's".to_owned());
    }
    let url = || QueueAddress::Url(text.to_owned());
    match text.split_once("://") {
        Some(("https", rest)) if rest.split('/').next().is_some_and(|host| host.contains('@')) => Err(
            "an address must not hold a user name or a password; git's credential helpers have them"
                .to_owned(),
        ),
        Some(("https" | "ssh" | "file", rest)) if !rest.is_empty() && !rest.starts_with('-') => Ok(url()),
        Some(_) => Err("only https, ssh and file addresses are spoken to".to_owned()),
        None => Ok(match text.split_once(':') {
            Some((host, path)) if host.contains('@') && !host.contains('/') && !path.is_empty() => url(),
            _ => QueueAddress::Folder(PathBuf::from(text)),
        }),
    }
}

impl Setting for Author {
    fn read(value: &DeValue<'_>) -> Result<Self, Misfit> {
        let text = String::read(value)?;
        let odd =
            |part: &str| part.is_empty() || part.contains(['<', '>']) || part.chars().any(char::is_control);
        let parts = text.strip_suffix('>').and_then(|text| text.split_once('<'));
        match parts.map(|(name, email)| (name.trim(), email.trim())) {
            Some((name, email)) if !odd(name) && !odd(email) => Ok(Self {
                name: name.to_owned(),
                email: email.to_owned(),
            }),
            _ => Err(Misfit::new("expected \"Name <address>\"".to_owned())),
        }
    }
    fn show(&self) -> String {
        format!("{} <{}>", self.name, self.email)
    }
}

fn plain_branch(branch: &str) -> Result<(), String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let part = |p: &str| !p.is_empty() && !p.starts_with(['.', '-']) && !p.ends_with(".lock");
    let plain = branch.split('/').all(part) && !branch.contains(odd);
    match plain && !branch.contains("..") && !branch.contains("@{") {
        true => Ok(()),
        false => Err("must be the plain name of a branch".to_owned()),
    }
}

fn plain_path(path: &str) -> Result<(), String> {
    let part = |p: &str| !p.is_empty() && p != "." && p != ".." && !p.eq_ignore_ascii_case(".git");
    match path.split('/').all(part) && !path.chars().any(char::is_control) {
        true => Ok(()),
        false => Err("must be the path of a file in the repository, without . and ..".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_folders_and_hostile_ones_refused() {
        for url in [
            "https://h/q.git",
            "ssh://git@h/q",
            "file:///srv/q.git",
            "git@h:team/q.git",
        ] {
            assert_eq!(address(url), Ok(QueueAddress::Url(url.to_owned())));
        }
        for folder in ["../queue.git", "/srv/queue.git", "a:b"] {
            assert_eq!(address(folder), Ok(QueueAddress::Folder(folder.into())));
        }
        for bad in [
            "",
            "-x",
            "ext::sh -c x",
            "http://h/q",
            "git://h/q",
            "https://u:p@h/q",
            "ssh://-o/x",
            "a\nb",
        ] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn branches_and_paths_are_plain() {
        for good in ["main", "ops/queue"] {
            assert_eq!(plain_branch(good), Ok(()), "{good}");
            assert_eq!(plain_path(good), Ok(()), "{good}");
        }
        for bad in ["", "a..b", "a b", "-a", "a:b", "/a", "a/"] {
            assert!(plain_branch(bad).is_err(), "{bad}");
        }
        for bad in ["", "../x", "/x", "a//b", ".git/config", "a/./b"] {
            assert!(plain_path(bad).is_err(), "{bad}");
        }
    }
}
