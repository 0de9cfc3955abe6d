//! The address of a repository, as git has it, read for whom to ask about it. Pure.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use super::Kind;

/// The root of a forge's interface as it usually is.
pub(super) fn api(kind: Kind, host: &str) -> String {
    match kind {
        Kind::GitHub if host.eq_ignore_ascii_case(GITHUB) => format!("https://api.{GITHUB}"),
        Kind::GitHub => format!("https://{host}/api/v3"),
        Kind::Gitea => format!("https://{host}/api/v1"),
    }
}

/// Where git's ssh listens for those whose network lets nothing but 443 through; the same place as `github.com`.
const GITHUB_SSH: &str = "ssh.github.com";
/// GitHub itself, whose interface has a host of its own.
const GITHUB: &str = "github.com";

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it is one for ssh: then it says nothing of the port of pages.
    by_ssh: bool,
    /// The host, with a port where pages are served on an unusual one.
    host: String,
    /// What comes before the owner, for a forge that does not live at the root of its host; empty, or ending in `/`.
    prefix: String,
    /// The user or organisation.
    pub owner: String,
    /// The repository's own name.
    pub name: String,
}

/// Why a text is no address of a repository on a forge. It never repeats the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A folder, or something else without a host.
    #[error(
        "the repository is not on a forge: its address names no host; set one, as https://HOST/OWNER/NAME"
    )]
    NoHost,
    /// No owner and name.
    #[error("the repository's address names no owner and repository, as https://HOST/OWNER/NAME has them")]
    NoName,
    /// It holds a password.
    #[error(
        "the repository's address holds a user name or password; leave them out, the token is forge.token"
    )]
    Credentials,
    /// Another protocol.
    #[error("the repository's address is neither https nor ssh")]
    Protocol,
}

impl Address {
    /// Whether it is on this host: the same name, and the same port where the address has one for pages.
    pub fn is_on(&self, host: &str) -> bool {
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        let wanted = if self.by_ssh { name } else { host };
        self.host.eq_ignore_ascii_case(wanted)
    }

    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}/{}", self.host, self.prefix, self.owner, self.name)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if !text.contains("://") {
            return short(text);
        }
        let url = Url::parse(text).map_err(|_| AddressError::NoHost)?;
        let host = url
            .host_str()
            .filter(|h| !h.is_empty())
            .ok_or(AddressError::NoHost)?;
        match url.scheme() {
            "https" if !url.username().is_empty() || url.password().is_some() => {
                Err(AddressError::Credentials)
            }
            "https" => {
                let host = url
                    .port()
                    .map_or(host.to_owned(), |port| format!("{host}:{port}"));
                named(false, host, url.path())
            }
            "ssh" if url.password().is_some() => Err(AddressError::Credentials),
            // The port is ssh's; pages are served on the usual one.
            "ssh" => named(true, host.to_owned(), url.path()),
            _ => Err(AddressError::Protocol),
        }
    }
}

/// `user@host:owner/name`, as ssh has it.
fn short(text: &str) -> Result<Address, AddressError> {
    let (host, path) = text.split_once(':').ok_or(AddressError::NoHost)?;
    let host = host.rsplit_once('@').ok_or(AddressError::NoHost)?.1;
    if host.is_empty() || host.contains('/') || host.starts_with('-') {
        return Err(AddressError::NoHost);
    }
    named(true, host.to_owned(), path)
}

fn named(by_ssh: bool, host: String, path: &str) -> Result<Address, AddressError> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (before, name) = path.rsplit_once('/').ok_or(AddressError::NoName)?;
    let (prefix, owner) = before
        .rsplit_once('/')
        .map_or((String::new(), before), |(p, o)| (format!("{p}/"), o));
    let plain = |t: &str| {
        !matches!(t, "" | "." | "..")
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if !plain(owner) || !plain(name) {
        return Err(AddressError::NoName);
    }
    let host = host.to_ascii_lowercase();
    Ok(Address {
        by_ssh,
        host: if host == GITHUB_SSH {
            GITHUB.to_owned()
        } else {
            host
        },
        prefix,
        owner: owner.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_git_has_them() {
        for (text, shown, host) in [
            ("https://github.com/o/n.git", "github.com/o/n", "github.com"),
            ("https://github.com/o/n/", "github.com/o/n", "GitHub.com"),
            ("git@github.com:o/n.git", "github.com/o/n", "github.com"),
            ("ssh://git@github.com/o/n", "github.com/o/n", "github.com"),
            (
                "ssh://git@ssh.github.com:443/o/n.git",
                "github.com/o/n",
                "github.com",
            ),
            (
                "https://Git.Example.org:3000/o/n.x",
                "git.example.org:3000/o/n.x",
                "git.example.org:3000",
            ),
            (
                "ssh://git@git.example.org:2222/o/n.git",
                "git.example.org/o/n",
                "git.example.org:3000",
            ),
            (
                "git@git.example.org:o/n.git",
                "git.example.org/o/n",
                "git.example.org:3000",
            ),
            (
                "https://example.org/git/o/n.git",
                "example.org/git/o/n",
                "example.org",
            ),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert!(address.is_on(host), "{text} {host}");
            assert!(
                !address.is_on("example.com") && !address.is_on("evil.github.com"),
                "{text}"
            );
        }
        let address: Address = "https://git.example.org:3000/o/n".parse().unwrap();
        assert!(!address.is_on("git.example.org") && !address.is_on("git.example.org:4000"));
    }

    #[test]
    fn interfaces() {
        for (kind, host, root) in [
            (Kind::GitHub, "github.com", "https://api.github.com"),
            (Kind::GitHub, "git.example.org", "https://git.example.org/api/v3"),
            (
                Kind::Gitea,
                "git.example.org:3000",
                "https://git.example.org:3000/api/v1",
            ),
        ] {
            assert_eq!(api(kind, host), root);
        }
    }

    #[test]
    fn what_is_none() {
        for (text, error) in [
            ("", AddressError::NoHost),
            ("../folder", AddressError::NoHost),
            ("/srv/git/o/n.git", AddressError::NoHost),
            ("a:b", AddressError::NoHost),
            ("git@-oProxyCommand=x:o/n", AddressError::NoHost),
            ("file:///srv/o/n.git", AddressError::NoHost),
            ("https://github.com/n", AddressError::NoName),
            ("https://github.com/o/n?x=1", AddressError::NoName),
            ("git@github.com:o/n o", AddressError::NoName),
            ("git@github.com:o/..", AddressError::NoName),
            ("https://u:s3cret@github.com/o/n", AddressError::Credentials),
            ("https://s3cret@github.com/o/n", AddressError::Credentials),
            ("ssh://git:s3cret@github.com/o/n", AddressError::Credentials),
            ("git://github.com/o/n", AddressError::Protocol),
            ("http://github.com/o/n", AddressError::Protocol),
        ] {
            let read: Result<Address, _> = text.parse();
            if text.contains('?') {
                // A query is no part of a path.
                assert_eq!(read.unwrap().name, "n");
                continue;
            }
            let found = read.unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("s3cret"));
        }
    }
}
