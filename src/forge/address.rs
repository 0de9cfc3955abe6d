//! The address of a repository, as git has it, read for whom to ask about it. Pure.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use super::Kind;

/// Where git's ssh listens for those whose network lets nothing but 443 through; the same place as `github.com`.
const GITHUB_SSH: &str = "ssh.github.com";
/// GitHub itself, whose interface has a host of its own.
const GITHUB: &str = "github.com";

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether pages are served over TLS; false only for an address that says `http`.
    secure: bool,
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
    /// The root of the forge's interface as it usually is.
    pub fn api(&self, kind: Kind) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let Self { host, prefix, .. } = self;
        match kind {
            Kind::GitHub if host == GITHUB => format!("{scheme}://api.{GITHUB}"),
            Kind::GitHub => format!("{scheme}://{host}/{prefix}api/v3"),
            Kind::Gitea => format!("{scheme}://{host}/{prefix}api/v1"),
        }
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
            "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
                Err(AddressError::Credentials)
            }
            "https" | "http" => {
                let host = url
                    .port()
                    .map_or(host.to_owned(), |port| format!("{host}:{port}"));
                named(url.scheme() == "https", host, url.path())
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

fn named(secure: bool, host: String, path: &str) -> Result<Address, AddressError> {
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
        secure,
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
        for (text, shown, github, gitea) in [
            (
                "https://github.com/o/n.git",
                "github.com/o/n",
                "https://api.github.com",
                "https://github.com/api/v1",
            ),
            (
                "https://github.com/o/n/",
                "github.com/o/n",
                "https://api.github.com",
                "https://github.com/api/v1",
            ),
            (
                "git@github.com:o/n.git",
                "github.com/o/n",
                "https://api.github.com",
                "https://github.com/api/v1",
            ),
            (
                "ssh://git@github.com/o/n",
                "github.com/o/n",
                "https://api.github.com",
                "https://github.com/api/v1",
            ),
            (
                "ssh://git@ssh.github.com:443/o/n.git",
                "github.com/o/n",
                "https://api.github.com",
                "https://github.com/api/v1",
            ),
            (
                "https://Git.Example.org:3000/o/n.x",
                "git.example.org:3000/o/n.x",
                "https://git.example.org:3000/api/v3",
                "https://git.example.org:3000/api/v1",
            ),
            (
                "ssh://git@git.example.org:2222/o/n.git",
                "git.example.org/o/n",
                "https://git.example.org/api/v3",
                "https://git.example.org/api/v1",
            ),
            (
                "https://example.org/git/o/n.git",
                "example.org/git/o/n",
                "https://example.org/git/api/v3",
                "https://example.org/git/api/v1",
            ),
            (
                "http://127.0.0.1:3000/o/n",
                "127.0.0.1:3000/o/n",
                "http://127.0.0.1:3000/api/v3",
                "http://127.0.0.1:3000/api/v1",
            ),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.api(Kind::GitHub), github, "{text}");
            assert_eq!(address.api(Kind::Gitea), gitea, "{text}");
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
