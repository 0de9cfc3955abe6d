//! The head of a proxy request: where it wants to go, and what is sent there. Pure.
//!
//! It is written by a worker that may be hostile: bounded, ASCII, and refused where two readers could differ.

use crate::sandbox::hosts::{is_name, split_port};

/// The longest head, in bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// What a client asks the proxy for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The host: a name in lower case, or an address.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// What to do there.
    pub(super) wish: Wish,
}

/// What to do at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// A tunnel.
    Tunnel,
    /// One plain request, whose head is this.
    Forward(Vec<u8>),
}

/// Where a head ends in what was read so far.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// Reads a head, its blank line included; the reason where it is none that is served.
pub(super) fn parse(head: &[u8]) -> Result<Request, &'static str> {
    let text = std::str::from_utf8(head).map_err(|_| "the request is no text")?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("the request has no readable first line");
    };
    if !version.starts_with("HTTP/1.") || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err("this is no HTTP/1 request");
    }
    if method == "CONNECT" {
        let (host, port) = authority(target)?;
        let port = port.ok_or("CONNECT names no port")?;
        return Ok(Request {
            host,
            port,
            wish: Wish::Tunnel,
        });
    }
    let rest = target
        .strip_prefix("http://")
        .ok_or("only CONNECT and http:// requests are served")?;
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(at);
    let (host, port) = authority(place)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let first = format!("{method} {slash}{path} {version}");
    let wish = Wish::Forward(forwarded(&first, place, lines));
    Ok(Request {
        host,
        port: port.unwrap_or(80),
        wish,
    })
}

/// The head for the destination: its own host name, none of the proxy's headers, and one request a connection.
fn forwarded<'a>(first: &str, place: &str, lines: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let dropped = [
        "host",
        "connection",
        "proxy-connection",
        "proxy-authorization",
        "keep-alive",
    ];
    let mut head = format!("{first}\r\nHost: {place}\r\nConnection: close\r\n");
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if !dropped.contains(&name.as_str()) {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn authority(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = split_port(text).ok_or("the port is no number")?;
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if bare.parse::<std::net::IpAddr>().is_ok() || is_name(bare) {
        Ok((bare.to_owned(), port))
    } else {
        Err("the host is no name and no address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_and_plain_requests() {
        let tunnel = parse(b"CONNECT API.example.com.:443 HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((tunnel.host.as_str(), tunnel.port), ("api.example.com", 443));
        assert_eq!(tunnel.wish, Wish::Tunnel);
        let plain = parse(
            b"POST http://a.b:81/x?y HTTP/1.1\r\nHost: evil\r\nProxy-Authorization: s\r\nConnection: keep-alive\r\nA: 1\r\n\r\n",
        )
        .unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("a.b", 81));
        let head = b"POST /x?y HTTP/1.1\r\nHost: a.b:81\r\nConnection: close\r\nA: 1\r\n\r\n".to_vec();
        assert_eq!(plain.wish, Wish::Forward(head));
        let bare = parse(b"GET http://[::1]?q HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!((bare.host.as_str(), bare.port), ("::1", 80));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET https://a.b/ HTTP/1.1\r\n\r\n",
            "CONNECT a.b HTTP/1.1\r\n\r\n",
            "CONNECT a@b:443 HTTP/1.1\r\n\r\n",
            "CONNECT 127.1:443 HTTP/1.1\r\n\r\n",
            "CONNECT a.b:443:443 HTTP/1.1\r\n\r\n",
            "GET http://u@a.b/ HTTP/1.1\r\n\r\n",
            "GET  http://a.b/ HTTP/1.1\r\n\r\n",
            "get http://a.b/ HTTP/1.1\r\n\r\n",
            "GET http://a.b/ HTTP/2\r\n\r\n",
            "\u{16}\u{3}\u{1}",
            "",
        ] {
            assert!(parse(head.as_bytes()).is_err(), "{head:?}");
        }
        assert!(parse(b"CONNECT \xff:1 HTTP/1.1\r\n\r\n").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
