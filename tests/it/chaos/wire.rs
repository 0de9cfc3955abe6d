//! The wire between one node and a server: a proxy that a story makes lossy.
//!
//! What is held back arrives when the wire is whole again, as with TCP over a network that came back; a half-open connection
//! never says anything again, and new ones are well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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
    armed: std::sync::Mutex<Option<Cut>>,
    cuts: AtomicU32,
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
        *self.shared.armed.lock().unwrap() = Some(cut);
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
            let loses_answer = CancellationToken::new();
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

async fn forth(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    number: u64,
    loses_answer: &CancellationToken,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        whole(shared, number, Direction::Forth).await;
        let bytes = &buffer[..n];
        // A simple query: its kind, its length, its text.
        let commits = bytes.starts_with(b"Q") && bytes.ends_with(b"COMMIT\0");
        let cut = if commits {
            shared.armed.lock().unwrap().take()
        } else {
            None
        };
        if cut.is_some() {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
        }
        if cut == Some(Cut::After) {
            loses_answer.cancel();
        }
        if cut == Some(Cut::Before) || to.write_all(bytes).await.is_err() || cut == Some(Cut::Amid) {
            return;
        }
    }
}

async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    number: u64,
    loses_answer: &CancellationToken,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        whole(shared, number, Direction::Back).await;
        if loses_answer.is_cancelled() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
