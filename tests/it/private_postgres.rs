//! A PostgreSQL server of a test's own, to be killed, and a proxy that cuts connections where a test wants it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::postgres::named;

/// A server that can be killed and started again on the same port and data.
pub struct Private {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
    child: Child,
    settings: Vec<String>,
}

/// The user who may run a server: not root.
fn as_nobody(command: &mut Command) {
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    }
}

impl Private {
    /// None where `./test` names no programs.
    pub async fn start() -> Option<Self> {
        let programs = PathBuf::from(named("ORCHESTRATOR_TEST_PG_BIN")?);
        Self::start_with(programs, &[]).await
    }

    /// One that speaks TLS: not every build can. None where there is no such program.
    pub async fn start_with_tls(settings: &[String]) -> Option<Self> {
        let named = PathBuf::from(named("ORCHESTRATOR_TEST_PG_BIN")?);
        let system = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        let mut all = std::iter::once(named).chain(system.map(|entry| entry.path().join("bin")));
        let links = |folder: &PathBuf| {
            let program = std::fs::read(folder.join("postgres")).unwrap_or_default();
            program.windows(9).any(|part| part == b"libssl.so")
        };
        let Some(programs) = all.find(links) else {
            println!("skipped: no PostgreSQL here was built with TLS");
            return None;
        };
        Self::start_with(programs, settings).await
    }

    /// With settings of its own (`name=value`).
    async fn start_with(programs: PathBuf, settings: &[String]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut init = Command::new(programs.join("initdb"));
        as_nobody(&mut init);
        let ran = init
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let settings = settings.to_vec();
        let child = spawn(&programs, folder.path(), port, &settings);
        let server = Self {
            folder,
            programs,
            port,
            child,
            settings,
        };
        server.until_ready().await;
        Some(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of its first database, by a port that may be a proxy's.
    pub fn url_by(port: u16) -> String {
        format!("postgres://postgres:pa55@127.0.0.1:{port}/postgres")
    }

    pub fn url(&self) -> String {
        Self::url_by(self.port)
    }

    /// SIGKILL to the postmaster: the others of it notice and go.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again. What is left of the killed one may still hold its memory for a moment.
    pub async fn start_again(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            self.child = spawn(&self.programs, self.folder.path(), self.port, &self.settings);
            if self.becomes_ready().await {
                return;
            }
            assert!(Instant::now() < deadline, "it does not come up again");
        }
    }

    async fn until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.answers().await {
            assert!(Instant::now() < deadline, "it does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it answers, or until its process has given up.
    async fn becomes_ready(&mut self) -> bool {
        loop {
            if self.answers().await {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answers(&self) -> bool {
        let options: PgConnectOptions = self.url().parse().unwrap();
        match options.connect().await {
            Ok(conn) => conn.close().await.is_ok(),
            Err(_) => false,
        }
    }
}

fn spawn(programs: &Path, folder: &Path, port: u16, settings: &[String]) -> Child {
    let mut command = Command::new(programs.join("postgres"));
    as_nobody(&mut command);
    command
        .arg("-D")
        .arg(folder.join("data"))
        .args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=on",
        ])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .args(settings.iter().flat_map(|setting| ["-c", setting.as_str()]))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Private {
    fn drop(&mut self) {
        // SIGQUIT ends it with all that belong to it, at once.
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = self.child.wait();
    }
}

/// What a proxy does with the next commit that passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cut {
    /// Lets it through, and its answer.
    Nothing = 0,
    /// Cuts before the server gets it.
    Before = 1,
    /// Cuts after the server has answered; the answer is lost.
    After = 2,
    /// Cuts while the server is at it.
    Amid = 3,
    /// Nothing passes any more in either direction, and nothing is closed.
    Silence = 4,
}

/// A proxy before a server.
pub struct Proxy {
    pub port: u16,
    cut: Arc<AtomicU8>,
    cuts: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU32::new(0)));
        let (arm, count) = (cut.clone(), cuts.clone());
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                open.spawn(relay(client, server, arm.clone(), count.clone()));
            }
        });
        Self {
            port,
            cut,
            cuts,
            task,
        }
    }

    /// Arms it for the next commit.
    pub fn arm(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// How often it has cut.
    pub fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicU8>, cuts: Arc<AtomicU32>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        if cut.load(Ordering::SeqCst) == Cut::Silence as u8 {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(n @ 1..) = read else { return };
                // A simple query: its kind, its length, its text.
                let commits = up[..n].starts_with(b"Q") && up[..n].ends_with(b"COMMIT\0");
                let armed = if commits { cut.swap(0, Ordering::SeqCst) } else { 0 };
                if armed != 0 {
                    cuts.fetch_add(1, Ordering::SeqCst);
                }
                if armed == Cut::Before as u8 || server.write_all(&up[..n]).await.is_err() {
                    return;
                }
                if armed == Cut::After as u8 {
                    let _ = server.read(&mut down).await;
                    return;
                }
                if armed == Cut::Amid as u8 {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}
