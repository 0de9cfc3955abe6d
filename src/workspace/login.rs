//! The login for a forge: which address is handed it, and how.
//!
//! Invariants: a token goes to its own host over https and nowhere else; git gets it as a setting in its environment, so it is neither
//! in arguments nor in addresses nor in any file. Whatever holds one is never written down and shows nothing of it.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::git::Git;

/// A token and the host that it is for.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The host, with a port where it is an unusual one. An address elsewhere is not handed the token.
    pub host: &'a str,
    /// The token.
    pub token: &'a SecretString,
}

/// A login that is kept for as long as somebody may need it; none where nobody gave one.
#[derive(Clone, Default)]
pub(super) struct Keychain(Option<Arc<(String, SecretString)>>);

impl Keychain {
    /// With the token for a host.
    pub(super) fn of(host: &str, token: SecretString) -> Self {
        Self(Some(Arc::new((host.to_owned(), token))))
    }

    /// The login for an address; none where the token is not for it.
    pub(super) fn for_address(&self, url: &str) -> Option<Login<'_>> {
        let (host, token) = self.0.as_deref()?;
        Some(Login { host, token }).filter(|login| login.is_for(url))
    }
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().map_or("", |(host, _)| host))
    }
}

/// What it holds is no part of a workspace's identity.
impl PartialEq for Keychain {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Keychain {}

impl Login<'_> {
    /// Whether the token is for the host of an address.
    fn is_for(&self, url: &str) -> bool {
        let host = host(url);
        !host.is_empty() && self.host.eq_ignore_ascii_case(host)
    }
}

/// The host of an https address, with its port; empty for any other one.
fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://");
    rest.and_then(|r| r.split('/').next()).unwrap_or_default()
}

/// Settings that hand the token to the host of the address alone. Both forges take it as anybody's password.
pub(super) fn credentials(url: &str, login: Option<Login<'_>>) -> Vec<(String, String)> {
    let mut settings = vec![("http.followRedirects".to_owned(), "false".to_owned())];
    if let Some(login) = login.filter(|login| login.is_for(url)) {
        let host = host(url);
        let words = STANDARD.encode(format!("x-access-token:{}", login.token.expose_secret()));
        let header = format!("Authorization: Basic {words}");
        settings.push((format!("http.https://{host}/.extraHeader"), header));
    }
    settings
}

impl Git {
    /// The same with the login for an address, where there is one; then no redirect is followed.
    pub(super) fn with_login_for(self, url: &str, keys: &Keychain) -> Self {
        let Some(login) = keys.for_address(url) else {
            return self;
        };
        let settings = credentials(url, Some(login)).into_iter();
        settings.fold(self, |git, (key, value)| git.with_config(&key, &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_the_host_of_the_address_alone() {
        let token = &SecretString::from("s3cret");
        let host = "git.example.org:3000";
        let login = Some(Login { host, token });
        let settings = credentials("https://git.example.org:3000/o/n.git", login);
        assert_eq!(settings[0].1, "false");
        assert_eq!(settings[1].0, "http.https://git.example.org:3000/.extraHeader");
        assert_eq!(settings[1].1, "Authorization: Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0");
        for url in [
            "ssh://git@git.example.org:3000/o/n.git",
            "git@git.example.org:o/n.git",
            "file:///srv/n.git",
            "https://git.example.org/o/n.git",
            "https://git.example.org:3000.evil/o/n.git",
            "https://git.example.org:3000@evil/o/n.git",
        ] {
            assert_eq!(credentials(url, login).len(), 1, "{url}");
        }
        assert!(!format!("{login:?}").contains("s3cret"));
    }

    #[test]
    fn a_keychain_shows_nothing_and_opens_one_door() {
        let keys = Keychain::of("git.example.org", SecretString::from("s3cret"));
        assert_eq!(format!("{keys:?}"), "git.example.org");
        assert!(keys.for_address("https://GIT.example.org/o/n.git").is_some());
        for url in [
            "https://example.org/o/n.git",
            "http://git.example.org/o/n.git",
            "https://",
        ] {
            assert!(keys.for_address(url).is_none(), "{url}");
            assert!(Keychain::default().for_address(url).is_none());
        }
    }
}
