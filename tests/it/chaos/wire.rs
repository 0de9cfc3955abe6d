//! The wire between one node and a server: a proxy that a story makes lossy.
//!
//! What is held back arrives when the wire is whole again, as with TCP over a network that came back; a half-open connection
//! never says anything again, and new ones are well.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    Everything,
    /// Nothing in either direction.
    Nothing,
    /// What the node says does not arrive.
    OnlyAnswers,
    /// What the server says does not arrive.
    OnlyQuestions,
}

/// What becomes of a commit on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It never arrives.
    Before,
    /// It is forwarded, and the connection cut at once.
    Amid,
    /// It takes effect, and its answer is lost.
    After,
}

/// A proxy before a server.
pub struct Wire {
    pub port: u16,
    shared: Arc<Shared>,
    _work: JoinSet<()>,
}

struct Shared {
    passes: watch::Sender<Passes>,
    /// Connections older than this are half-open.
    dead_before: watch::Sender<u64>,
    opened: AtomicU64,
    /// All that are open; replaced when they are cut.
    open: std::sync::Mutex<CancellationToken>,
    armed: std::sync::Mutex<Option<Armed>>,
    cuts: AtomicU32,
    commits: AtomicU32,
}

/// What becomes of a commit that is still to come.
#[derive(Debug, Clone, Copy)]
struct Armed {
    cut: Cut,
    /// How many commits pass before it.
    spared: u32,
    /// Who dies at that moment.
    victim: Option<u32>,
}

impl Armed {
    /// Only its connection is cut, or the process at the other end of it is no more.
    fn strike(self) {
        if let Some(victim) = self.victim {
            // Whoever has gone by itself meanwhile needs none.
            let _ = kill(Pid::from_raw(victim.cast_signed()), Signal::SIGKILL);
        }
    }
}

impl Wire {
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            passes: watch::Sender::new(Passes::Everything),
            dead_before: watch::Sender::new(0),
            opened: AtomicU64::new(0),
            open: std::sync::Mutex::default(),
            armed: std::sync::Mutex::default(),
            cuts: AtomicU32::new(0),
            commits: AtomicU32::new(0),
        });
        let mut work = JoinSet::new();
        work.spawn(serve(listener, server, shared.clone()));
        Self {
            port,
            shared,
            _work: work,
        }
    }

    pub fn let_pass(&self, passes: Passes) {
        self.shared.passes.send_replace(passes);
    }

    /// All connections of now never say anything again, and nobody is told.
    pub fn leave_half_open(&self) {
        let next = self.shared.opened.load(Ordering::SeqCst);
        self.shared.dead_before.send_replace(next);
    }

    /// Cuts all connections of now.
    pub fn cut(&self) {
        let before = std::mem::take(&mut *self.shared.open.lock().unwrap());
        before.cancel();
    }

    /// Cuts the connection of the next commit.
    pub fn arm(&self, cut: Cut) {
        self.set(Some(Armed {
            cut,
            spared: 0,
            victim: None,
        }));
    }

    /// Kills a process at the n-th commit from now on, at the moment of the cut.
    pub fn arm_death(&self, n: u32, cut: Cut, victim: u32) {
        self.set(Some(Armed {
            cut,
            spared: n.saturating_sub(1),
            victim: Some(victim),
        }));
    }

    pub fn disarm(&self) {
        self.set(None);
    }

    fn set(&self, armed: Option<Armed>) {
        *self.shared.armed.lock().unwrap() = armed;
    }

    /// How many commits were sent so far.
    pub fn commits(&self) -> u32 {
        self.shared.commits.load(Ordering::SeqCst)
    }

    /// How many commits were cut so far.
    pub fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, server: u16, shared: Arc<Shared>) {
    let mut ways = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let number = shared.opened.fetch_add(1, Ordering::SeqCst);
        let end = shared.open.lock().unwrap().child_token();
        let shared = shared.clone();
        ways.spawn(async move {
            // Where nothing passes a connection is not made either.
            whole(&shared, number, Direction::Forth).await;
            let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            let loses_answer = OnceLock::new();
            let both = async {
                tokio::select! {
                    () = forth(near_in, far_out, &shared, number, &loses_answer) => {}
                    () = back(far_in, near_out, &shared, number, &loses_answer) => {}
                }
            };
            end.run_until_cancelled(both).await;
        });
        while ways.try_join_next().is_some() {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forth,
    Back,
}

/// Waits until something passes in a direction.
async fn whole(shared: &Shared, number: u64, direction: Direction) {
    let mut dead = shared.dead_before.subscribe();
    let mut passes = shared.passes.subscribe();
    let held = match direction {
        Direction::Forth => Passes::OnlyAnswers,
        Direction::Back => Passes::OnlyQuestions,
    };
    // The senders live as long as the proxy.
    let _ = dead.wait_for(|before| number >= *before).await;
    let _ = passes
        .wait_for(|now| *now != Passes::Nothing && *now != held)
        .await;
}

/// What is to be done at a commit that is on its way.
fn due(shared: &Shared) -> Option<Armed> {
    shared.commits.fetch_add(1, Ordering::SeqCst);
    let mut armed = shared.armed.lock().unwrap();
    match armed.as_mut() {
        Some(Armed { spared: 0, .. }) => {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            armed.take()
        }
        Some(armed) => {
            armed.spared -= 1;
            None
        }
        None => None,
    }
}

async fn forth(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    number: u64,
    loses_answer: &OnceLock<Armed>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        whole(shared, number, Direction::Forth).await;
        let bytes = &buffer[..n];
        // A simple query: its kind, its length, its text.
        let commits = bytes.starts_with(b"Q") && bytes.ends_with(b"COMMIT\0");
        let armed = if commits { due(shared) } else { None };
        match armed {
            Some(armed) if armed.cut == Cut::Before => return armed.strike(),
            Some(armed) if armed.cut == Cut::After => _ = loses_answer.set(armed),
            _ => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
        if let Some(armed) = armed.filter(|armed| armed.cut == Cut::Amid) {
            return armed.strike();
        }
    }
}

async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    number: u64,
    loses_answer: &OnceLock<Armed>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        whole(shared, number, Direction::Back).await;
        if let Some(armed) = loses_answer.get() {
            return armed.strike();
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
