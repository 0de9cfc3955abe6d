use std::io::BufRead;

use super::*;

struct Rig {
    at: SocketAddr,
    folder: tempfile::TempDir,
}

impl Rig {
    /// A proxy with these rules.
    fn new(rules: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("egress.jsonl"), "t-1").unwrap();
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let proxy = Proxy::new(rules, ledger);
        std::thread::spawn(move || proxy.serve(&listener));
        Self { at, folder }
    }

    /// What comes back for these bytes, until the proxy closes.
    fn say(&self, words: &[&[u8]]) -> String {
        let mut client = TcpStream::connect(self.at).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut got = String::new();
        for (place, word) in words.iter().enumerate() {
            client.write_all(word).unwrap();
            if place + 1 < words.len() {
                let mut line = String::new();
                let mut reader = io::BufReader::new(client.try_clone().unwrap());
                while reader.read_line(&mut line).unwrap() > 2 {}
                got.push_str(&line);
            }
        }
        // The proxy may have hung up already.
        let _ = client.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        got + &*String::from_utf8_lossy(&rest)
    }

    fn ledger(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("egress.jsonl")).unwrap()
    }
}

/// A server that answers every connection with what it was sent first; how many came is counted.
fn echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
            let mut got = [0; 4096];
            let read = client.read(&mut got).unwrap_or(0);
            let _ = client.write_all(b"HTTP/1.0 200 OK\r\n\r\nyou said: ");
            let _ = client.write_all(&got[..read]);
        }
    });
    (at, count)
}

#[test]
fn a_listed_host_is_reached_both_ways() {
    let (server, _) = echo();
    let rig = Rig::new(&[server.to_string()]);
    let plain = rig.say(&[format!("GET http://{server}/x HTTP/1.1\r\nProxy-X: 1\r\n\r\n").as_bytes()]);
    assert!(
        plain.contains("you said: GET /x HTTP/1.1\r\nHost: 127.0.0.1"),
        "{plain}"
    );
    let tunnel = rig.say(&[
        format!("CONNECT {server} HTTP/1.1\r\n\r\n").as_bytes(),
        b"GET /y HTTP/1.1\r\n\r\n",
    ]);
    assert!(
        tunnel.contains("200 ") && tunnel.contains("you said: GET /y"),
        "{tunnel}"
    );
    assert_eq!(rig.ledger(), "");
}

/// Seen to fail with the check in `vet` taken out: the other server was reached.
#[test]
fn an_unlisted_host_is_refused_and_written_down() {
    let ((listed, _), (other, reached)) = (echo(), echo());
    let rig = Rig::new(&[listed.to_string()]);
    for head in [
        format!("GET http://{other}/ HTTP/1.1\r\nHost: {listed}\r\n\r\n"),
        format!("CONNECT {other} HTTP/1.1\r\nHost: {listed}\r\n\r\n"),
        format!("CONNECT localhost:{} HTTP/1.1\r\n\r\n", listed.port()),
        "CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        let answer = rig.say(&[head.as_bytes()]);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{head:?} {answer}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    assert_eq!(rig.ledger().lines().count(), 4);
    assert!(rig.ledger().contains("\"task\":\"t-1\""));
}

/// A name of the list that resolves to the machine itself. Seen to fail with `is_public` taken out of `vetted`.
#[test]
fn a_listed_name_does_not_lead_to_a_private_address() {
    let rig = Rig::new(&["rebound.example:81".to_owned(), "10.0.0.9:81".to_owned()]);
    let ledger = Ledger::open(&rig.folder.path().join("egress.jsonl"), "t").unwrap();
    let proxy = Proxy::new(vec!["rebound.example:81".parse().unwrap()], ledger);
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    for private in ["127.0.0.1:81", "10.0.0.9:81", "169.254.169.254:81", "[::1]:81"] {
        assert!(
            proxy.vetted("rebound.example", &[at(private)]).is_err(),
            "{private}"
        );
    }
    let both = [at("10.0.0.9:81"), at("1.1.1.1:81")];
    assert_eq!(proxy.vetted("rebound.example", &both), Ok(vec![at("1.1.1.1:81")]));
}

/// Seen to fail with the greeting taken for granted in `fulfil`.
#[test]
fn a_tunnel_carries_web_traffic_to_its_own_host_alone() {
    let (server, _) = echo();
    let rig = Rig::new(&[server.to_string()]);
    let connect = format!("CONNECT {server} HTTP/1.1\r\n\r\n");
    for inner in ["SSH-2.0-x\r\n", "CONNECT evil.example:443 HTTP/1.1\r\n\r\n"] {
        let answer = rig.say(&[connect.as_bytes(), inner.as_bytes()]);
        assert!(!answer.contains("you said"), "{inner:?} {answer}");
    }
    assert_eq!(rig.ledger().lines().count(), 2);
}

#[test]
fn garbage_and_silence_harm_nobody() {
    let (server, _) = echo();
    let rig = Rig::new(&[server.to_string()]);
    assert!(rig.say(&[b"\x16\x03\x01\r\n\r\n"]).starts_with("HTTP/1.1 400 "));
    assert_eq!(rig.say(&[b""]), "");
    assert_eq!(rig.say(&[&[b'a'; 40_000]]), "");
    let plain = rig.say(&[format!("GET http://{server}/x HTTP/1.1\r\n\r\n").as_bytes()]);
    assert!(plain.contains("you said"));
}
