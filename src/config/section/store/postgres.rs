//! The keys of `[store]` that a PostgreSQL server needs, and its address as it may be shown.
//!
//! Invariant: nothing prints the password; an address is shown by host, port and database.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use toml::de::DeValue;

use crate::config::reader::Section;
use crate::config::secret::{Absent, Secret};
use crate::config::setting::{Misfit, Setting};

/// A PostgreSQL server and how this process uses it. Cheap to clone, and small: errors name it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresServer(Arc<Known>);

#[derive(PartialEq, Eq)]
struct Known {
    /// The address with its password.
    url: Secret,
    limits: PostgresLimits,
}

/// How a process uses its PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresLimits {
    /// Connections for reading; one more writes.
    pub pool: NonZeroU32,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest that one statement may take.
    pub statement_timeout: Duration,
    /// The longest wait for a lock.
    pub lock_timeout: Duration,
    /// The longest that a transaction may stand still; then the server ends it. A process that is frozen in the middle of one
    /// holds up others for so long.
    pub idle_in_transaction_timeout: Duration,
}

/// A status document, the lists and the scheduler read at the same time.
fn pool() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(7)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

impl PostgresLimits {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        // The server counts whole milliseconds, and 0 means for ever.
        let some = |wait: &Duration| match wait.as_millis() {
            0 => Err("must be at least 1ms".to_owned()),
            _ => Ok(()),
        };
        Self {
            pool: section.get("pool", pool),
            connect_timeout: section.get_if("connect_timeout", five_seconds, some),
            statement_timeout: section.get_if("statement_timeout", half_a_minute, some),
            lock_timeout: section.get_if("lock_timeout", five_seconds, some),
            idle_in_transaction_timeout: section.get_if("idle_in_transaction_timeout", five_seconds, some),
        }
    }
}

impl Default for PostgresLimits {
    fn default() -> Self {
        Self {
            pool: pool(),
            connect_timeout: five_seconds(),
            statement_timeout: half_a_minute(),
            lock_timeout: five_seconds(),
            idle_in_transaction_timeout: five_seconds(),
        }
    }
}

impl PostgresServer {
    /// A server by its address, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn new(url: SecretString, limits: PostgresLimits) -> Self {
        Self::of(Secret::known(url), limits)
    }

    pub(super) fn of(url: Secret, limits: PostgresLimits) -> Self {
        Self(Arc::new(Known { url, limits }))
    }

    /// How it is used.
    pub fn limits(&self) -> &PostgresLimits {
        &self.0.limits
    }

    /// The address with its password, or why it is not known.
    pub fn url(&self) -> Result<&SecretString, &Absent> {
        self.0.url.value()
    }
}

impl fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.url.value() {
            Ok(url) => f.write_str(&without_password(url.expose_secret())),
            Err(absent) => write!(f, "[secret] ({absent})"),
        }
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address without what it says of the password, the user and the options: its scheme, host, port and database.
pub(super) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
    // A password may hold any sign, so what counts is the last @ of all.
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!(
        "{scheme}://{}",
        place.split(['?', '#']).next().unwrap_or_default()
    )
}

/// The text of `store.url` as `config show` may print it: references are no secrets, passwords are.
pub(super) fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (user, place) = rest
        .rsplit_once('@')
        .map_or((None, rest), |(user, place)| (Some(user), place));
    let user = user.map_or(String::new(), |user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:[secret]@"),
        None => format!("{user}@"),
    });
    match place.split_once('?') {
        Some((place, _)) => format!("{scheme}://{user}{place}?[options]"),
        None => format!("{scheme}://{user}{place}"),
    }
}

/// What `store.url` may be beside the embedded engine: an address, or a reference that stands for one.
pub(super) fn read_url(value: &DeValue<'_>) -> Result<String, Misfit> {
    let text = String::read(value)?;
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if is_url || text.starts_with("file:") || text.starts_with("${") {
        return Ok(text);
    }
    // The text may hold a password: it is not repeated.
    Err(Misfit {
        help: Some("a PostgreSQL server is \"postgres://USER:${PASSWORD}@HOST/DATABASE\"".to_owned()),
        ..Misfit::new("expected \"sqlite\", \"sqlite:PATH\" or the address of a PostgreSQL server")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_shows_its_password() {
        for (url, masked, printed) in [
            (
                "postgres://me:pa55@db:5432/x",
                "postgres://db:5432/x",
                "postgres://me:[secret]@db:5432/x",
            ),
            ("postgres://me@db/x", "postgres://db/x", "postgres://me@db/x"),
            ("postgres://db/x", "postgres://db/x", "postgres://db/x"),
            (
                "postgres://a:b@c:d@db/x?password=pa55",
                "postgres://db/x",
                "postgres://a:[secret]@db/x?[options]",
            ),
            // No valid address, and still nothing of it is shown that might be the password.
            (
                "postgres://a:pa?55@db/x",
                "postgres://db/x",
                "postgres://a:[secret]@db/x",
            ),
            (
                "postgres://a:p/a@db/x?b=c",
                "postgres://db/x",
                "postgres://a:[secret]@db/x?[options]",
            ),
        ] {
            let server = PostgresServer::new(url.into(), PostgresLimits::default());
            assert_eq!(without_password(url), masked);
            assert_eq!(
                (format!("{server}"), format!("{server:?}")),
                (masked.into(), masked.into())
            );
            assert_eq!(shown(url), printed);
        }
    }
}
