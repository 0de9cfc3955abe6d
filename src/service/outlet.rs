//! The outlet of a node: what its workers put out, on its way to the database, where every node can read it.
//!
//! Lines go by the journal of the bus, from which whoever leads writes them down in batches; without a bus, or where the
//! journal is full or loses them, they go straight to the database. Invariants: the worker's own files are the truth, and
//! what is not known to be in the database is sent again from there; a line that arrives twice is one row; nothing leaves
//! before its secrets are taken out; a journal is trimmed after the commit alone; nobody who looks after a worker waits
//! for any of it before its end. Deliberately absent: one machine without a fleet, where files are read.

mod commit;
mod copy;
mod followed;
mod way;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::copy::Copy;
use self::followed::Followed;
use self::way::Way;
use super::member::Member;
use super::signals::Signals;
use crate::bus::Message;
use crate::domain::id::TaskId;
use crate::domain::task::{Attempt, State, Task};
use crate::format::redact::Redactor;
use crate::store::{OutputLine, OutputLog, OutputOf, OutputSource};

/// Bytes of one output of one attempt that are kept; the rest stays with the node that ran it.
pub const MOST_BYTES: u64 = 16 << 20;
/// How often files are looked at for what is new.
const PACE: Duration = Duration::from_millis(250);
/// How often it is asked what has arrived.
const ASKED: Duration = Duration::from_secs(2);
/// How long the end of an attempt waits until all of it is kept. The database takes its end too, so it is seldom in vain.
const PATIENCE: Duration = Duration::from_secs(60);
/// Full batches that are sent in a row.
const TURNS: usize = 16;
/// Orders that wait at most.
const QUEUE: usize = 256;

/// Lines of one output, on the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Put {
    of: OutputOf,
    lines: Vec<OutputLine>,
}

impl Message for Put {
    const KIND: &'static str = "output";
    const VERSION: u32 = 1;
}

/// What drivers ask of the outlet.
enum Order {
    Follow(Box<Followed>),
    End {
        task: TaskId,
        epoch: u64,
        kept: oneshot::Sender<()>,
    },
}

/// The outlet of a node of a fleet.
pub struct Outlet {
    log: Arc<OutputLog>,
    orders: mpsc::Sender<Order>,
    inbox: Mutex<Option<mpsc::Receiver<Order>>>,
    work: TaskTracker,
    end: CancellationToken,
}

impl Outlet {
    /// One that sends nothing before it is opened.
    pub fn new(log: OutputLog) -> Self {
        let (orders, inbox) = mpsc::channel(QUEUE);
        Self {
            log: Arc::new(log),
            orders,
            inbox: Mutex::new(Some(inbox)),
            work: TaskTracker::new(),
            end: CancellationToken::new(),
        }
    }

    /// Begins to send what is followed, and, while this node leads, to write down what all nodes sent.
    pub async fn open(&self, signals: &Signals, member: &Arc<Member>) {
        let inbox = { self.inbox.lock().unwrap_or_else(PoisonError::into_inner) }.take();
        let Some(inbox) = inbox else {
            return;
        };
        let bus = signals.shared_bus().await;
        if let Some(bus) = &bus {
            let committing = commit::commit(bus.clone(), member.clone(), self.log.clone());
            let end = self.end.clone();
            self.work
                .spawn(async move { end.run_until_cancelled(committing).await });
        }
        let way = Way::new(bus, self.log.clone(), member.clone());
        let (sending, end) = (send(way, inbox), self.end.clone());
        self.work
            .spawn(async move { end.run_until_cancelled(sending).await });
    }

    /// Ends what [`Outlet::open`] began; what is not sent is sent when the attempt is adopted.
    pub async fn close(&self) {
        self.end.cancel();
        self.work.close();
        self.work.wait().await;
    }

    /// Sends what an attempt puts out from now on; nothing where all of it was kept before.
    pub async fn follow(&self, task: &Task, attempt: &Attempt, folder: PathBuf, redactor: &Redactor) {
        let is_new = matches!(task.state, State::Claimed { .. });
        if let Some(followed) = Followed::new(&task.id, attempt, folder, redactor.clone(), is_new) {
            // A closed outlet belongs to a service that goes down.
            let _closed = self.orders.send(Order::Follow(Box::new(followed))).await;
        }
    }

    /// Nobody writes to the files of an attempt any more: returns when all of it is kept.
    pub async fn ended(&self, task: &TaskId, epoch: u64) {
        let (kept, is_kept) = oneshot::channel();
        let task = task.clone();
        let order = Order::End { task, epoch, kept };
        if self.orders.send(order).await.is_ok() && timeout(PATIENCE, is_kept).await.is_err() {
            tracing::warn!("the end of a worker's output is not kept for other nodes; its files have it");
        }
    }

    /// The output of an attempt that ran on another node, from its beginning.
    pub fn copy(&self, task: &TaskId, attempt: &Attempt, source: OutputSource) -> Copy {
        Copy::new(self.log.clone(), of(task, attempt, source))
    }
}

fn of(task: &TaskId, attempt: &Attempt, source: OutputSource) -> OutputOf {
    OutputOf {
        task: task.clone(),
        epoch: attempt.epoch,
        claimed_at: attempt.started_at,
        source,
    }
}

/// Sends what is followed, as it comes.
async fn send(mut way: Way, mut inbox: mpsc::Receiver<Order>) {
    let mut all: Vec<Followed> = Vec::new();
    let mut asked = Instant::now();
    loop {
        let order = tokio::select! {
            order = inbox.recv() => match order { Some(order) => Some(order), None => return },
            () = sleep(PACE), if !all.is_empty() => None,
        };
        let mut more = Vec::new();
        more.extend(order);
        while let Ok(order) = inbox.try_recv() {
            more.push(order);
        }
        more.into_iter().for_each(|order| take(order, &mut all));
        for _ in 0..TURNS {
            if !way.send(&mut all).await {
                break;
            }
            // Whoever floods does not hold up the others.
            all.rotate_left(1);
        }
        for followed in &mut all {
            if !followed.finish(&mut way).await {
                break;
            }
        }
        all.retain(|followed| !followed.is_over());
        if all.is_empty() {
            way.rests();
        }
        if asked.elapsed() >= ASKED {
            asked = Instant::now();
            way.ask(&mut all).await;
        }
    }
}

fn take(order: Order, all: &mut Vec<Followed>) {
    match order {
        Order::Follow(followed) => {
            all.retain(|other| !other.is_same(&followed));
            all.push(*followed);
        }
        Order::End { task, epoch, kept } => {
            // One that is not followed is kept already: its answer is that nobody is left to give one.
            if let Some(followed) = all.iter_mut().find(|f| f.is_of(&task, epoch)) {
                followed.end(kept);
            }
        }
    }
}
