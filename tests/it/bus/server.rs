//! Servers for the tests: one that is shared, and private ones that a test may kill, freeze, fill and cut off.

use std::net::TcpListener as Port;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const URL: &str = "ORCHESTRATOR_TEST_VALKEY_URL";
const BIN: &str = "ORCHESTRATOR_TEST_VALKEY_BIN";

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|v| !v.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not set");
        eprintln!("{name} is not set: nothing of a server is tested here");
    }
    value
}

/// A server of all tests.
pub struct Server {
    pub url: String,
}

impl Server {
    pub fn shared() -> Option<Self> {
        variable(URL).map(|url| Self { url })
    }
}

/// A server of one test; it ends with it.
pub struct Private {
    folder: tempfile::TempDir,
    binary: PathBuf,
    port: u16,
    more: Vec<String>,
    child: Child,
}

impl Private {
    /// Starts one, with more options; `None` where there is no program.
    pub fn start(more: &[&str]) -> Option<Self> {
        let binary = PathBuf::from(variable(BIN)?);
        let folder = tempfile::tempdir().unwrap();
        let port = Port::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more: Vec<String> = more.iter().map(|&m| m.to_owned()).collect();
        let child = launch(&binary, folder.path(), port, &more);
        let server = Self {
            folder,
            binary,
            port,
            more,
            child,
        };
        server.await_port();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, at the same port, with what it had on disk.
    pub fn restart(&mut self) {
        self.child = launch(&self.binary, self.folder.path(), self.port, &self.more);
        self.await_port();
    }

    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// A command of the test's own.
    pub async fn say(&self, words: &[&str]) -> redis::Value {
        say(&self.url(), words).await
    }

    /// Returns once a call is blocked at the server.
    pub async fn until_somebody_waits(&self) {
        super::until("somebody waits at the server", async || {
            let redis::Value::BulkString(told) = self.say(&["INFO", "clients"]).await else {
                return None;
            };
            let told = String::from_utf8_lossy(&told).into_owned();
            (!told.contains("blocked_clients:0")).then_some(())
        })
        .await;
    }

    fn await_port(&self) {
        let end = Instant::now() + super::PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "the server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(binary: &PathBuf, folder: &std::path::Path, port: u16, more: &[String]) -> Child {
    Command::new(binary)
        .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
        .args(["--daemonize", "no", "--dir"])
        .arg(folder)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A command at a server.
pub async fn say(url: &str, words: &[&str]) -> redis::Value {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    command.query_async(&mut connection).await.unwrap()
}

/// A proxy before a server that can swallow everything, both ways, and leave the connections open.
pub struct Proxy {
    pub port: u16,
    swallows: Arc<AtomicBool>,
    keeps_answers: Arc<AtomicBool>,
    _work: JoinSet<()>,
}

impl Proxy {
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let swallows = Arc::new(AtomicBool::new(false));
        let mut work = JoinSet::new();
        let keeps_answers = Arc::new(AtomicBool::new(false));
        let (forth, back) = (swallows.clone(), keeps_answers.clone());
        work.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                    continue;
                };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                ways.spawn(carry(near_in, far_out, forth.clone()));
                ways.spawn(carry(far_in, near_out, back.clone()));
            }
        });
        Self {
            port: own,
            swallows,
            keeps_answers,
            _work: work,
        }
    }

    pub fn swallow(&self, on: bool) {
        self.swallows.store(on, Ordering::SeqCst);
        self.swallow_answers(on);
    }

    /// One way alone: what is asked arrives.
    pub fn swallow_answers(&self, on: bool) {
        self.keeps_answers.store(on, Ordering::SeqCst);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    swallows: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        if !swallows.load(Ordering::SeqCst) && to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}
