//! Reading a task's Workspace field: a folder, a git address, or nothing.
//!
//! Pure but for the two folders that it is told. What is neither is refused with the rule that it breaks.

use std::path::{Path, PathBuf};

use super::error::WorkspaceError;

/// What a task names as its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing: a folder of its own.
    Own,
    /// A folder.
    Folder(PathBuf),
    /// A git address.
    Url(String),
}

impl Source {
    /// Reads the field; relative folders start at `instance`, `~/` at `home`.
    pub(super) fn read(
        text: Option<&str>,
        instance: &Path,
        home: Option<&Path>,
    ) -> Result<Self, WorkspaceError> {
        let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else {
            return Ok(Self::Own);
        };
        if let Some(rule) = broken_rule(text) {
            return Err(WorkspaceError::refused(text, rule));
        }
        if is_address(text) {
            return Ok(Self::Url(text.to_owned()));
        }
        match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Ok(Self::Folder(home.join(rest.trim_start_matches('/')))),
            (None, _) if text != "~" => Ok(Self::Folder(instance.join(text))),
            _ => Err(WorkspaceError::refused(
                text,
                "the home folder is not known, or is named whole; name a folder in it by its full path",
            )),
        }
    }

    /// The text under which a record remembers it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Own => "own".to_owned(),
            Self::Folder(path) => format!("folder:{}", path.display()),
            Self::Url(url) => format!("url:{url}"),
        }
    }
}

fn broken_rule(text: &str) -> Option<&'static str> {
    if text.chars().any(char::is_control) {
        return Some("it holds control characters");
    }
    if text.starts_with('-') {
        return Some("it looks like an option; put ./ before a folder's name");
    }
    if text.split_once("::").is_some_and(|(helper, _)| is_scheme(helper)) {
        return Some("remote helpers (such as ext::) run programs; use an https, ssh or file address");
    }
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "ssh" | "file" if rest.is_empty() => Some("the address has no path"),
        "https" if host.contains('@') => {
            Some("an address must not hold a user name or a password; use ssh with a key")
        }
        "ssh" if host.starts_with('-') || host.contains("@-") => Some("the host looks like an option"),
        "https" | "ssh" | "file" => None,
        _ => Some("only https, ssh and file addresses are allowed"),
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
}

/// `scheme://…`, or the short ssh form `user@host:path`.
fn is_address(text: &str) -> bool {
    let short = || {
        let (host, path) = text.split_once(':')?;
        let (user, name) = host.split_once('@')?;
        let safe = |t: &str| !t.is_empty() && !t.starts_with('-') && !t.contains('/');
        Some(safe(user) && safe(name) && !path.is_empty() && !path.starts_with('-'))
    };
    text.contains("://") || short().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Source, String> {
        Source::read(Some(text), Path::new("/i"), Some(Path::new("/home/u"))).map_err(|e| e.to_string())
    }

    #[test]
    fn folders_and_addresses_are_told_apart() {
        for (text, wanted) in [
            ("", Source::Own),
            ("  ", Source::Own),
            ("../app", Source::Folder("/i/../app".into())),
            ("/abs/app", Source::Folder("/abs/app".into())),
            ("~/app", Source::Folder("/home/u/app".into())),
            ("a:b", Source::Folder("/i/a:b".into())),
            ("$(touch /tmp/p)", Source::Folder("/i/$(touch /tmp/p)".into())),
            ("https://h/x.git", Source::Url("https://h/x.git".into())),
            ("ssh://git@h/x", Source::Url("ssh://git@h/x".into())),
            ("file:///srv/x.git", Source::Url("file:///srv/x.git".into())),
            ("git@h:team/x.git", Source::Url("git@h:team/x.git".into())),
        ] {
            assert_eq!(read(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            "--upload-pack=touch /tmp/p",
            "-x",
            "ext::sh -c 'touch /tmp/p'",
            "fd::17",
            "git://h/x",
            "http://h/x",
            "https://user:secret@h/x",
            "ssh://-oProxyCommand=x/y",
            "ssh://a@-oProxyCommand=x/y",
            "a\nb",
            "a\0b",
            "~",
            "https://",
        ] {
            assert!(read(text).is_err(), "{text:?} passed");
        }
    }
}
