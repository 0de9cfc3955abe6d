//! `[bus]`: how processes of one fleet reach each other.

use redis::IntoConnectionInfo;
use secrecy::ExposeSecret;

use crate::config::reader::Section;
use crate::config::secret::Secret;

/// The bus within a process.
const MEMORY: &str = "memory";
/// What a server's address begins with.
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "valkey://", "valkeys://"];

/// `[bus]`.
#[derive(Debug, Clone)]
pub struct Bus {
    /// The address of a Valkey or Redis server; none: the bus within the process.
    server: Option<Secret>,
    prefix: Option<String>,
}

impl Bus {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let url = section.secret_shown("url", Some(MEMORY), shown);
        let server = url.filter(|url| {
            let memory = |text: &str| text == MEMORY;
            let fault = match url.value().map(ExposeSecret::expose_secret) {
                Ok(text) if memory(text) => return false,
                Ok(text) => wrong(text),
                // What is absent makes the bus unavailable, not the configuration wrong.
                Err(_absent) => None,
            };
            if let Some((message, help)) = fault {
                let at = section.origin_of("url");
                section.fault(at, format!("bus.url: {message}"), Some(help.to_owned()));
            }
            true
        });
        Self {
            server,
            prefix: prefix(section),
        }
    }

    /// The server's address; `None` where no server is configured.
    pub fn server(&self) -> Option<&Secret> {
        self.server.as_ref()
    }

    /// What the names of all keys begin with; `None`: the identity of the store.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
}

/// What is wrong with an address, without a word of it: it may hold a password.
fn wrong(text: &str) -> Option<(&'static str, &'static str)> {
    let known = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
    match text.into_connection_info() {
        Ok(_) if known => None,
        Err(_) if known => Some((
            "this is no address of a server",
            "write \"redis://USER:${PASSWORD}@HOST:PORT/DB\"; user, password, port and number of the database may be left out",
        )),
        _ => Some((
            "expected \"memory\" or the address of a server",
            "use \"memory\", \"redis://HOST\", \"valkey://HOST\", or \"rediss://HOST\" for TLS",
        )),
    }
}

/// An address as it was written, without its password; what stands for the whole of it is not shown.
fn shown(text: &str, secret: &Secret) -> String {
    let absent = match secret.value() {
        Ok(_) => String::new(),
        Err(absent) => format!(" ({absent})"),
    };
    let plain = match text.split_once("://") {
        _ if text == MEMORY => MEMORY.to_owned(),
        None => "[secret]".to_owned(),
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            None => text.to_owned(),
            Some((user, host)) => match user.split_once(':') {
                None => text.to_owned(),
                Some((user, _password)) => format!("{scheme}://{user}:[secret]@{host}"),
            },
        },
    };
    plain + absent.as_str()
}

fn prefix(section: &mut Section<'_, '_>) -> Option<String> {
    let prefix: String = section.maybe("prefix")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if (1..=64).contains(&prefix.len()) && prefix.chars().all(fits) {
        return Some(prefix);
    }
    let at = section.origin_of("prefix");
    let help = "use 1 to 64 letters, digits, and any of . _ : -".to_owned();
    section.fault(at, "bus.prefix: this cannot begin the name of a key", Some(help));
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let env: Environment = [("PW", "s3cret")].into_iter().collect();
        for (text, expected) in [
            ("memory", "memory"),
            ("redis://h:6379/1", "redis://h:6379/1"),
            ("redis://me@h", "redis://me@h"),
            ("redis://:s3cret@h", "redis://:[secret]@h"),
            ("rediss://me:s3:cr@t@h/2", "rediss://me:[secret]@h/2"),
            ("valkey://:${PW}@h", "valkey://:[secret]@h"),
            ("${PW}", "[secret]"),
            (
                "file:key",
                "[secret] (the secret file /nowhere/key cannot be read",
            ),
            (
                "redis://:${NO}@h",
                "redis://:[secret]@h (the environment variable NO is not set)",
            ),
        ] {
            let secret = Secret::resolve(text, &env, Path::new("/nowhere")).unwrap();
            let shown = shown(text, &secret);
            assert!(shown.starts_with(expected), "{text}: {shown}");
            assert!(!shown.contains("s3"), "{text}: {shown}");
        }
    }

    #[test]
    fn addresses_are_told_from_mistakes() {
        for right in [
            "redis://h",
            "rediss://h:6380",
            "valkey://u:p@h:1/3",
            "valkeys://[::1]",
        ] {
            assert_eq!(wrong(right), None, "{right}");
        }
        for mistake in [
            "",
            "nats://h",
            "h:6379",
            "unix:///run/x",
            "redis://h/db",
            "redis://h:99999",
            "redis://",
        ] {
            assert!(wrong(mistake).is_some(), "{mistake}");
        }
    }
}
