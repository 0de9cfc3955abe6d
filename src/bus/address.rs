//! Where the server is, and how to speak of it: never with its password.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use secrecy::{ExposeSecret, SecretString};

use crate::config::secret::Absent;

/// What stands in a text where the password was.
const HIDDEN: &str = "[secret]";

/// The address of a server, or why there is none.
#[derive(Clone)]
pub struct Address {
    pub(super) info: Result<ConnectionInfo, BadAddress>,
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The configuration refers to something that is not there.
    #[error("bus.url cannot be told: {0}")]
    Absent(Absent),
    /// It is none.
    #[error("bus.url is no address of a server")]
    Malformed,
}

impl Address {
    /// The address that a configuration has.
    pub fn of(configured: Result<&SecretString, &Absent>) -> Self {
        let info = match configured {
            Err(absent) => Err(BadAddress::Absent(absent.clone())),
            Ok(url) => url
                .expose_secret()
                .into_connection_info()
                .map_err(|_quotes_it| BadAddress::Malformed),
        };
        Self { info }
    }

    /// An address as text.
    pub fn parse(url: &str) -> Self {
        Self::of(Ok(&SecretString::from(url)))
    }

    /// A text of others (a fault, a reply) without the password.
    pub(super) fn scrub(&self, text: &str) -> String {
        let password = self
            .info
            .as_ref()
            .ok()
            .and_then(|i| i.redis_settings().password());
        match password.filter(|p| !p.is_empty()) {
            Some(password) => text.replace(password, HIDDEN),
            None => text.to_owned(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.info {
            Ok(info) => match info.addr() {
                ConnectionAddr::TcpTls { host, port, .. } => write!(f, "{host}:{port} (TLS)"),
                plain => write!(f, "{plain}"),
            },
            Err(bad) => write!(f, "nowhere ({bad})"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_password() {
        let address = Address::parse("rediss://me:s3cret@h:1/2");
        assert_eq!(format!("{address} {address:?}"), "h:1 (TLS) h:1 (TLS)");
        assert_eq!(address.scrub("AUTH me s3cret"), "AUTH me [secret]");
        let bad = Address::parse("redis://:s3cret@h/x");
        assert!(!format!("{bad} {bad:?}").contains("s3cret"));
        let absent = Absent::Unset { name: "PW".into() };
        assert!(Address::of(Err(&absent)).to_string().contains("PW is not set"));
    }
}
