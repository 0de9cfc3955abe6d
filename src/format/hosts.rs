//! The allow-list of the network: what a rule says, and whether it lets a destination through. Pure.
//!
//! A rule is `name`, `*.suffix`, or an address, each with or without `:port`; without one it means 80 and 443.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The ports that a rule without a port means.
const WEB: [u16; 2] = [80, 443];
/// Longest host name (RFC 1035).
const LONGEST: usize = 253;

/// One entry of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostRule {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    Exact(String),
    Below(String),
    Address(IpAddr),
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no host; write a name, *.name or an address, for example api.example.com or 127.0.0.1:8080"
)]
pub struct NoHost(String);

impl HostRule {
    /// The rule that lets just this destination through, as short as it can be written; none where that is no host.
    pub fn narrow(host: &str, port: u16) -> Option<Self> {
        if host.contains('*') {
            return None;
        }
        let address = host.parse::<Ipv6Addr>().is_ok();
        let rule = match (WEB.contains(&port), address) {
            (true, _) => host.to_owned(),
            (false, true) => format!("[{host}]:{port}"),
            (false, false) => format!("{host}:{port}"),
        };
        rule.parse().ok()
    }

    /// Whether the rule lets this host (a name in lower case or an address) be reached at this port.
    pub fn admits(&self, host: &str, port: u16) -> bool {
        let port_fits = self.port.map_or(WEB.contains(&port), |own| own == port);
        port_fits && self.names(host)
    }

    /// Whether the rule names this very address, so that it may be one that is not public.
    pub fn names_address(&self, address: IpAddr, port: u16) -> bool {
        let port_fits = self.port.map_or(WEB.contains(&port), |own| own == port);
        let named = match &self.host {
            Host::Address(own) => *own == address,
            Host::Exact(name) => name == "localhost" && address.is_loopback(),
            Host::Below(_) => false,
        };
        port_fits && named
    }

    /// The rule's addresses on this machine's loopback, where it names any with a port.
    pub fn loopback(&self) -> Option<SocketAddr> {
        let port = self.port?;
        match &self.host {
            Host::Address(address) if address.is_loopback() => Some(SocketAddr::new(*address, port)),
            Host::Exact(name) if name == "localhost" => Some((Ipv4Addr::LOCALHOST, port).into()),
            _ => None,
        }
    }

    fn names(&self, host: &str) -> bool {
        match &self.host {
            Host::Exact(name) => name == host,
            Host::Below(suffix) => host
                .strip_suffix(suffix)
                .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
            Host::Address(address) => host.parse::<IpAddr>().is_ok_and(|other| other == *address),
        }
    }
}

impl FromStr for HostRule {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let wrong = || NoHost(text.chars().take(80).collect());
        let (host, port) = split_port(text.trim()).ok_or_else(wrong)?;
        let host = host.to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = if let Ok(address) = bare.parse() {
            Host::Address(address)
        } else if let Some(suffix) = host.strip_prefix("*.").filter(|suffix| is_name(suffix)) {
            Host::Below(suffix.to_owned())
        } else if is_name(&host) {
            Host::Exact(host)
        } else {
            return Err(wrong());
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Self, NoHost> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Exact(name) => f.write_str(name)?,
            Host::Below(suffix) => write!(f, "*.{suffix}")?,
            Host::Address(IpAddr::V4(v4)) => write!(f, "{v4}")?,
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port != 0));
    match port {
        Some(None) => None,
        Some(port) => Some((host, port)),
        None => Some((host, None)),
    }
}

/// A host name that is one: letters, digits, hyphens and underscores between dots.
pub(crate) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-')
    };
    // A last label of digits alone is how an address is disguised ("0x7f.1", "127.1").
    let disguised = text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    text.len() <= LONGEST && text.split('.').all(label) && !disguised
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(rule: &str, host: &str, port: u16) -> bool {
        rule.parse::<HostRule>().unwrap().admits(host, port)
    }

    #[test]
    fn a_rule_lets_through_what_it_names() {
        for (rule, host, port) in [
            ("api.example.com", "api.example.com", 443),
            ("API.Example.com", "api.example.com", 80),
            ("*.example.com", "a.b.example.com", 443),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("[::1]:8080", "::1", 8080),
            ("::1", "::1", 443),
            ("example.com:8443", "example.com", 8443),
        ] {
            assert!(admits(rule, host, port), "{rule} {host} {port}");
        }
    }

    #[test]
    fn and_nothing_else() {
        for (rule, host, port) in [
            ("api.example.com", "xapi.example.com", 443),
            ("api.example.com", "api.example.com.evil.org", 443),
            ("api.example.com", "api.example.com", 22),
            ("*.example.com", "example.com", 443),
            ("*.example.com", "evilexample.com", 443),
            ("*.example.com", ".example.com", 443),
            ("example.com:8443", "example.com", 443),
            ("127.0.0.1:8080", "127.0.0.1", 8081),
            ("127.0.0.1:8080", "localhost", 8080),
            ("127.0.0.1:8080", "127.1", 8080),
        ] {
            assert!(!admits(rule, host, port), "{rule} {host} {port}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.*.com",
            "a b",
            "https://a.b",
            "a.b/c",
            "a:0",
            "a:99999",
            "a:b",
            "127.1",
            "0x7f.0x1",
            "2130706433",
            "a..b",
            "-a.b",
            "a\nb",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_rule_reads_as_it_was_written() {
        for text in ["a.b", "*.a.b", "a.b:81", "127.0.0.1:1", "[::1]:2", "10.0.0.1"] {
            assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_an_address_or_localhost_names_a_private_one() {
        let rule = |text: &str| text.parse::<HostRule>().unwrap();
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(rule("127.0.0.1:80").names_address(local, 80));
        assert!(rule("localhost:80").names_address(local, 80));
        assert!(!rule("127.0.0.1:80").names_address(local, 81));
        assert!(!rule("evil.example").names_address(local, 80));
        assert!(!rule("*.localhost").names_address(local, 80));
    }
}
