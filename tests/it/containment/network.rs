//! The network of a cell: listed hosts by the proxy, and nothing else by any way.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rstest::rstest;

use super::rig::{Rig, Wall, shown};
use crate::main_job::world::finished;

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
fn a_listed_host_is_reached(#[values(Wall::Bubblewrap, Wall::Landlock, Wall::Container)] wall: Wall) {
    let Some(mut rig) = Rig::within(wall) else { return };
    let (listed, _) = server("127.0.0.1:0");
    rig.cell.hosts = vec![listed.to_string().parse().unwrap()];
    let ways = [
        format!("curl -sS --noproxy '' http://{listed}/"),
        format!("curl -sS --noproxy '' --proxytunnel http://{listed}/"),
        // At its own address, for programs that know no proxy.
        format!("curl -sS --noproxy '*' http://{listed}/"),
    ];
    for (way, said) in ways.iter().zip(rig.run_each(&ways)) {
        assert_eq!(said, (0, "hello".to_owned()), "{way}");
    }
    assert_eq!(rig.ledger(), "");
}

/// A connection by hand; it says `out` when it is there.
fn connection(family: i32, kind: i32, address: &str) -> String {
    format!("perl -e 'socket($s,{family},{kind},0) && connect($s,{address}) && print \"out\"'")
}

fn inet(at: SocketAddr) -> String {
    format!(r#"pack("S n a4 x8",2,{},"\x7f\0\0\1")"#, at.port())
}

fn inet6(at: SocketAddr) -> String {
    format!(r#"pack("S n x4 x15 C x4",10,{},1)"#, at.port())
}

fn unix(path: &Path) -> String {
    format!(r#"pack("S a108",1,"{}")"#, path.display())
}

/// What is tried past the proxy, and goes well where nothing holds it.
fn ways_of_ones_own(
    rig: &Rig,
    tcp: SocketAddr,
    v6: SocketAddr,
    sockets: &[PathBuf],
    name: &str,
) -> Vec<String> {
    let ssh = rig.path("workspace/ssh");
    let knock = format!(
        "#!/bin/sh\nbash -c 'exec 3<>/dev/tcp/127.0.0.1/{}' && echo out >&2\n",
        tcp.port()
    );
    fs::write(&ssh, knock).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let mut ways = vec![
        format!("curl -sS -m 5 --fail -o /dev/null --noproxy '*' http://{tcp}/ && echo out"),
        format!("curl -sS -m 5 --fail -o /dev/null --noproxy '*' http://{v6}/ && echo out"),
        connection(2, 1, &inet(tcp)),
        connection(10, 1, &inet6(v6)),
        format!("GIT_SSH={} git ls-remote ssh://git@127.0.0.1/x 2>&1", shown(&ssh)),
        connection(1, 1, &format!(r#"pack("S a*",1,"\0{name}")"#)),
    ];
    ways.extend(sockets.iter().map(|path| connection(1, 1, &unix(path))));
    ways
}

/// What is tried by the proxy, and what no plain program may do.
fn other_ways(listed: SocketAddr, other: SocketAddr, v6: SocketAddr) -> Vec<String> {
    let curl = |rest: String| format!("curl -sS -m 5 --fail -o /dev/null {rest} && echo out");
    let socket = |family: i32, kind: i32, protocol: i32| {
        format!("perl -e 'socket($s,{family},{kind},{protocol}) && print \"out\"'")
    };
    vec![
        curl(format!("--noproxy '' http://{other}/")),
        curl(format!("--noproxy '' --proxytunnel http://{other}/")),
        curl(format!("--noproxy '' https://{other}/")),
        curl(format!("--noproxy '' 'http://[::1]:{}/'", v6.port())),
        curl("--noproxy '' http://169.254.169.254/latest/meta-data/".to_owned()),
        curl("--noproxy '*' -m 2 http://169.254.169.254/".to_owned()),
        curl("--noproxy '' http://evil.example/".to_owned()),
        // A tunnel to a listed host that carries a tunnel to another.
        curl(format!(
            "--noproxy '' --preproxy $HTTP_PROXY -x http://{listed} --proxytunnel http://{other}/"
        )),
        // Raw packets, those of the link, and those to the machine that this one may be a guest of.
        socket(2, 3, 1),
        socket(17, 3, 768),
        socket(40, 1, 0),
    ]
}

/// Seen to fail with `--unshare-net` taken out (bubblewrap; the probe refuses the cell), with all ports allowed (landlock;
/// likewise), with the check in `Proxy::vet` taken out (all; likewise, and by the rows without the probe), and with the
/// folders of the sockets among the mounts (container; by the rows without the probe).
#[rstest]
fn nothing_else_is(#[values(Wall::Bubblewrap, Wall::Landlock, Wall::Container)] wall: Wall) {
    let Some(mut rig) = Rig::within(wall) else { return };
    let ((listed, _), (other, came)) = (server("127.0.0.1:0"), server("127.0.0.1:0"));
    let (v6, came_v6) = server("[::1]:0");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    rig.cell.hosts = vec![listed.to_string().parse().unwrap()];
    fs::create_dir(rig.path("run")).unwrap();
    // Those of an agent with keys, of the session's bus, of a container engine.
    let sockets = [
        "attempt/host.sock",
        "home/.ssh/agent",
        "run/bus",
        "run/docker.sock",
    ]
    .map(|at| rig.path(at));
    let _named = sockets.clone().map(|path| UnixListener::bind(path).unwrap());
    let name = format!("orchestrator-test-{}", other.port());
    let _abstract = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
    let datagram = format!(
        "perl -e 'socket($s,2,2,0) && send($s,\"x.evil.example\",0,{})'",
        inet(udp.local_addr().unwrap())
    );
    let mut ways = ways_of_ones_own(&rig, other, v6, &sockets, &name);
    for way in &ways {
        let free = finished(Command::new("sh").arg("-c").arg(way));
        assert!(free.out.contains("out"), "{way}: {free:?}");
    }
    let free = finished(Command::new("sh").arg("-c").arg(&datagram));
    udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(udp.recv(&mut [0; 64]).is_ok(), "{free:?}");
    let of_the_free = came.load(Ordering::SeqCst) + came_v6.load(Ordering::SeqCst);
    ways.extend(other_ways(listed, other, v6));
    ways.push(datagram);
    for (way, (_, said)) in ways.iter().zip(rig.run_each(&ways)) {
        assert!(!said.contains("out"), "{way}: {said}");
    }
    let all = came.load(Ordering::SeqCst) + came_v6.load(Ordering::SeqCst);
    assert_eq!(all, of_the_free);
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
