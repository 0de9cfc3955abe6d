//! The network of a cell: listed hosts by the proxy, and nothing else by any way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator::sandbox::Choice;
use rstest::rstest;

use super::rig::Rig;

/// A server that says hello to everybody, and how many came.
pub fn server(at: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(at).unwrap();
    let (at, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let seen = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
            let _ = client.read(&mut [0; 2048]);
            let _ =
                client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    (at, count)
}

/// Seen to fail with `--unshare-net` taken out (bubblewrap): the doors are taken, and the cell is refused.
#[rstest]
fn a_listed_host_is_reached(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let (listed, _) = server("127.0.0.1:0");
    let mut rig = Rig::new(choice);
    rig.cell.hosts = vec![listed.to_string().parse().unwrap()];
    for way in [
        format!("curl -sS --noproxy '' http://{listed}/"),
        format!("curl -sS --noproxy '' --proxytunnel http://{listed}/"),
        // At its own address, for programs that know no proxy.
        format!("curl -sS --noproxy '*' http://{listed}/"),
    ] {
        let ran = rig.run(&way);
        assert_eq!((ran.code, ran.out.as_str()), (0, "hello"), "{way}: {ran:?}");
    }
    assert_eq!(rig.ledger(), "");
}

/// Seen to fail with `--unshare-net` taken out (bubblewrap; the probe refuses the cell), with all ports allowed (landlock;
/// likewise), and with the check in `Proxy::vet` taken out (both; likewise).
#[rstest]
fn nothing_else_is(#[values(Choice::Bubblewrap, Choice::Landlock)] choice: Choice) {
    let ((listed, _), (other, came)) = (server("127.0.0.1:0"), server("127.0.0.1:0"));
    let (v6, came_v6) = server("[::1]:0");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_at = udp.local_addr().unwrap();
    let mut rig = Rig::new(choice);
    rig.cell.hosts = vec![listed.to_string().parse().unwrap()];
    let socket = rig.path("attempt/host.sock");
    let _named = UnixListener::bind(&socket).unwrap();
    let name = format!("orchestrator-test-{}", other.port());
    let _abstract = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
    let python = |code: &str| format!("/usr/bin/python3 -c \"import socket as s; {code}; print('out')\"");
    let curl = |rest: String| format!("curl -sS -m 5 --fail -o /dev/null {rest} && echo out");
    for way in [
        curl(format!("--noproxy '' http://{other}/")),
        curl(format!("--noproxy '' --proxytunnel http://{other}/")),
        curl(format!("--noproxy '' https://{other}/")),
        curl(format!("--noproxy '*' http://{other}/")),
        curl(format!("--noproxy '*' http://{v6}/")),
        curl(format!("--noproxy '' 'http://[::1]:{}/'", v6.port())),
        curl("--noproxy '' http://169.254.169.254/latest/meta-data/".to_owned()),
        curl("--noproxy '*' -m 2 http://169.254.169.254/".to_owned()),
        curl("--noproxy '' http://evil.example/".to_owned()),
        // A tunnel to a listed host that carries a tunnel to another.
        curl(format!(
            "--noproxy '' --preproxy $HTTP_PROXY -x http://{listed} --proxytunnel http://{other}/"
        )),
        python(&format!("s.create_connection(('127.0.0.1',{}),2)", other.port())),
        python(&format!("s.create_connection(('::1',{}),2)", v6.port())),
        python(&format!(
            "u=s.socket(s.AF_INET,s.SOCK_DGRAM); u.sendto(b'x.evil.example',('127.0.0.1',{})); u.settimeout(1); u.recv(1)",
            udp_at.port()
        )),
        python("s.socket(s.AF_INET,s.SOCK_RAW,1)"),
        python("s.socket(s.AF_PACKET,s.SOCK_RAW,3)"),
        python("s.socket(s.AF_VSOCK,s.SOCK_STREAM)"),
        python(&format!("s.socket(s.AF_UNIX).connect('{}')", socket.display())),
        python(&format!("s.socket(s.AF_UNIX).connect(chr(0)+'{name}')")),
    ] {
        let ran = rig.run(&way);
        assert!(!ran.out.contains("out"), "{way}: {ran:?}");
    }
    assert_eq!(came.load(Ordering::SeqCst) + came_v6.load(Ordering::SeqCst), 0);
    udp.set_nonblocking(true).unwrap();
    assert!(udp.recv(&mut [0; 64]).is_err(), "a datagram came out");
    let ledger = rig.ledger();
    for host in ["169.254.169.254", "evil.example", "127.0.0.1", "::1"] {
        assert!(
            ledger.contains(&format!("\"host\":\"{host}\"")),
            "{host}: {ledger}"
        );
    }
    assert!(
        ledger.lines().all(|line| line.contains("\"task\":\"t-1\"")),
        "{ledger}"
    );
}
