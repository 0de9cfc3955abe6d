//! Two connections made one: bytes both ways until both sides have ended.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// Passes bytes both ways; returns when nothing more will come either way.
pub(super) fn join(client: TcpStream, server: TcpStream) {
    let (Ok(client_out), Ok(server_out)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::scope(|scope| {
        let back = std::thread::Builder::new()
            .stack_size(super::STACK)
            .spawn_scoped(scope, || pass(server, client_out));
        if back.is_ok() {
            pass(client, server_out);
        }
    });
}

/// One way, until its end or a fault; then the other side is told that nothing more comes.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) if to.write_all(&chunk[..read]).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                let _ = from.shutdown(Shutdown::Both);
                break;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
