//! The one way out of a cell: a proxy that reaches listed hosts and nothing else.
//!
//! It stands outside of the cell, in the process that started it, and resolves names itself: what was vetted is what is
//! connected to. It serves CONNECT tunnels that carry TLS or plain web requests, and plain `http://` requests.
//! Invariants: a host that no rule admits is never looked up; an address that is not public is reached only where a rule
//! names it; every refusal is a line in the ledger. Deliberately absent: looking into TLS, caching, its own timeouts
//! for streams (a model may think for minutes).

mod hello;
mod ledger;
mod relay;
mod request;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use self::hello::Hello;
pub use self::ledger::refusals;
pub(super) use self::ledger::{Ledger, NAME as LEDGER};
use self::relay::join;
use self::request::{Request, Wish, end_of_head, parse};
use super::address::is_public;
use crate::format::hosts::HostRule;

/// How long a client may take to say what it wants, and a destination to answer the call.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at one time; more wait in the kernel's queue.
const MOST: usize = 256;
/// Enough for the system's resolver.
const STACK: usize = 256 * 1024;

/// The proxy of one cell.
pub(super) struct Proxy {
    rules: Vec<HostRule>,
    ledger: Ledger,
    open: AtomicUsize,
}

/// Why a wish is not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// The policy says no.
    Denied(String),
    /// It is allowed, and cannot be had.
    Failed(String),
}

impl Proxy {
    pub(super) fn new(rules: Vec<HostRule>, ledger: Ledger) -> Arc<Self> {
        Arc::new(Self {
            rules,
            ledger,
            open: AtomicUsize::new(0),
        })
    }

    /// Serves until the listener fails, and says how.
    pub(super) fn serve(self: &Arc<Self>, listener: &TcpListener) -> io::Error {
        self.accept(listener, |proxy, client| proxy.attend(client))
    }

    /// Hands every connection on to one address, which a rule names.
    pub(super) fn hand_on(self: &Arc<Self>, listener: &TcpListener, to: SocketAddr) -> io::Error {
        self.accept(listener, move |_, client| {
            if let Ok(server) = TcpStream::connect_timeout(&to, PATIENCE) {
                join(client, server);
            }
        })
    }

    fn accept(
        self: &Arc<Self>,
        listener: &TcpListener,
        attend: impl Fn(&Self, TcpStream) + Send + Sync + 'static,
    ) -> io::Error {
        let attend = Arc::new(attend);
        loop {
            let client = match listener.accept() {
                Ok((client, _)) => client,
                Err(error) if is_passing(&error) => continue,
                Err(error) => return error,
            };
            while self.open.load(Ordering::Acquire) >= MOST {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.open.fetch_add(1, Ordering::AcqRel);
            let (proxy, attend) = (self.clone(), attend.clone());
            let work = move || {
                let _seat = Seat(&proxy.open);
                attend(&proxy, client);
            };
            if let Err(error) = std::thread::Builder::new().stack_size(STACK).spawn(work) {
                return error;
            }
        }
    }

    fn attend(&self, mut client: TcpStream) {
        let _ = client.set_read_timeout(Some(PATIENCE));
        let Ok(Some((head, rest))) = read_head(&mut client) else {
            return;
        };
        let request = match parse(&head) {
            Ok(request) => request,
            Err(reason) => {
                self.ledger.refused("?", 0, reason);
                return answer(&mut client, 400, reason);
            }
        };
        if let Err(refusal) = self.fulfil(&mut client, &request, rest) {
            match &refusal {
                Refusal::Denied(why) => {
                    self.ledger.refused(&request.host, request.port, why);
                    answer(&mut client, 403, why);
                }
                Refusal::Failed(why) => answer(&mut client, 502, why),
            }
        }
    }

    fn fulfil(&self, client: &mut TcpStream, request: &Request, rest: Vec<u8>) -> Result<(), Refusal> {
        let addresses = self.vet(&request.host, request.port)?;
        let mut server = reach(&addresses)?;
        let first = match &request.wish {
            Wish::Forward(head) => [head.as_slice(), &rest].concat(),
            Wish::Tunnel => {
                let opened = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                opened.map_err(|error| Refusal::Failed(error.to_string()))?;
                match self.greeting(client, request, rest) {
                    Ok(first) => first,
                    Err(why) => {
                        self.ledger.refused(&request.host, request.port, &why);
                        let _ = client.shutdown(Shutdown::Both);
                        return Ok(());
                    }
                }
            }
        };
        let _ = client.set_read_timeout(None);
        if server.write_all(&first).is_ok()
            && let Ok(client) = client.try_clone()
        {
            join(client, server);
        }
        Ok(())
    }

    /// The first bytes of a tunnel, once they are known to be what a tunnel may carry.
    fn greeting(
        &self,
        client: &mut TcpStream,
        request: &Request,
        mut first: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        loop {
            match hello::look(&first) {
                Hello::Tls(None) | Hello::Http => return Ok(first),
                Hello::Tls(Some(name)) if name == request.host => return Ok(first),
                Hello::Tls(Some(name)) => return Err(format!("the tunnel asks for another host, {name:?}")),
                Hello::Other => return Err("the tunnel carries no web traffic".to_owned()),
                Hello::Unfinished if first.len() >= hello::LONGEST => {
                    return Err("the tunnel's first words are too long".to_owned());
                }
                Hello::Unfinished => match read_more(client, &mut first) {
                    Ok(true) => {}
                    _ => return Err("the tunnel said nothing".to_owned()),
                },
            }
        }
    }

    /// The addresses that may be connected to.
    fn vet(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        if !self.rules.iter().any(|rule| rule.admits(host, port)) {
            return Err(Refusal::Denied(format!(
                "{host}:{port} is not on the list of hosts; containment.network (for checks alone: gate.network) adds it"
            )));
        }
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => (host, port)
                .to_socket_addrs()
                .map_err(|error| Refusal::Failed(format!("{host} cannot be resolved: {error}")))?
                .collect(),
        };
        self.vetted(host, &found)
    }

    fn vetted(&self, host: &str, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
        let named = |at: &SocketAddr| {
            let of_rule = |rule: &HostRule| rule.names_address(at.ip(), at.port());
            is_public(at.ip()) || self.rules.iter().any(of_rule)
        };
        let good: Vec<SocketAddr> = found.iter().copied().filter(named).collect();
        match found.iter().find(|at| !named(at)) {
            Some(bad) if good.is_empty() => Err(Refusal::Denied(format!(
                "{host} is the address {bad}, which is not public; list '{bad}' too if that is meant"
            ))),
            _ => Ok(good),
        }
    }
}

/// A connection's place among those that are open.
struct Seat<'a>(&'a AtomicUsize);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, Refusal> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(server) => return Ok(server),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(Refusal::Failed(last))
}

/// A head and what came behind it; `None` where the client left without one.
fn read_head(client: &mut TcpStream) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = end_of_head(&bytes) {
            let rest = bytes.split_off(end);
            return Ok(Some((bytes, rest)));
        }
        if bytes.len() > request::LONGEST || !read_more(client, &mut bytes)? {
            return Ok(None);
        }
    }
}

/// Reads on; answers whether anything came.
fn read_more(client: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 4096];
    let read = client.read(&mut chunk)?;
    bytes.extend_from_slice(&chunk[..read]);
    Ok(read > 0)
}

/// An answer of the proxy's own; the client may be gone.
fn answer(client: &mut TcpStream, code: u16, why: &str) {
    let word = match code {
        403 => "Forbidden",
        502 => "Bad Gateway",
        _ => "Bad Request",
    };
    let why: String = why.chars().filter(|c| !c.is_control()).collect();
    let body = format!("orchestrator: {why}\n");
    let _ = write!(
        client,
        "HTTP/1.1 {code} {word}\r\nX-Orchestrator-Refused: {why}\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = client.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests;
