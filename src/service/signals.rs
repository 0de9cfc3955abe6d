//! Signals: what this process says on the bus once it has committed, and what it hears of the commits of others.
//!
//! Invariants: nothing that commits ever waits for the bus; a signal is a hint, and whoever hears one looks at the store;
//! what is lost while the bus is away is found by the looks that happen anyway. Processes of one store find each other by
//! its name, so that two instances may share a server. Deliberately absent: anything that only the bus would know.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, OnceCell, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::bus::{self, Bus, BusError, Envelope, Heard, Listener, Message, Rules, Standing};
use crate::clock::Clock;
use crate::config;
use crate::domain::decide::LogEntry;
use crate::domain::id::TaskId;
use crate::store::{Store, StoreError};

/// The channel of [`Logged`]: every entry of the event log, right after its commit.
pub const EVENTS: &str = "events";
/// The channel of [`Changed`].
pub const CHANGED: &str = "changed";
/// The flag that holds how the bus of the running service stands.
pub(super) const STANDING: &str = "bus";
/// The flag that holds the name of the store.
const STORE: &str = "store";
/// Signals that wait for the bus; more are dropped.
const QUEUE: usize = 1024;
/// Signals that are sent at one time.
const AT_ONCE: usize = 100;
/// How long a command waits for its signals to leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// Between two announcements of a service.
const BEAT: Duration = Duration::from_secs(5);
/// How long an announcement holds.
const HOLDS: Duration = Duration::from_secs(15);

/// An entry of the event log that was committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Its number.
    pub seq: u64,
    /// The task.
    pub task: String,
    /// The task's version that it led to.
    pub version: u64,
    /// What happened.
    #[serde(flatten)]
    pub entry: LogEntry,
}

impl Message for Logged {
    const KIND: &'static str = "logged";
    const VERSION: u32 = 1;
}

/// Something was committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The process that did it.
    pub origin: Uuid,
    /// The newest entry of the event log with it; none for a change that has none, such as the emergency stop.
    pub seq: Option<u64>,
}

impl Message for Changed {
    const KIND: &'static str = "changed";
    const VERSION: u32 = 1;
}

/// A service that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Here {
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its program's version.
    pub version: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Message for Here {
    const KIND: &'static str = "service";
    const VERSION: u32 = 1;
}

enum Signal {
    Logged(Box<Logged>),
    Changed,
    /// Answered when all before it has left.
    Farewell(oneshot::Sender<()>),
}

/// What this process says and hears.
pub struct Signals {
    way: Arc<Way>,
    queue: mpsc::Sender<Signal>,
    inbox: Mutex<Option<mpsc::Receiver<Signal>>>,
    work: TaskTracker,
    end: CancellationToken,
}

/// The way to the bus, which is opened when it is first needed.
struct Way {
    configured: config::Bus,
    /// Where its name is found; none where there is no server to share.
    store: Option<Arc<Store>>,
    clock: Clock,
    origin: Uuid,
    bus: OnceCell<Option<Arc<dyn Bus>>>,
    woken: Notify,
}

impl Signals {
    /// Says and hears nothing yet.
    pub fn new(configured: &config::Bus, store: &Arc<Store>, clock: Clock) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let way = Way {
            store: configured.server().map(|_| store.clone()),
            configured: configured.clone(),
            clock,
            origin: Uuid::new_v4(),
            bus: OnceCell::new(),
            woken: Notify::new(),
        };
        Self {
            way: Arc::new(way),
            queue,
            inbox: Mutex::new(Some(inbox)),
            work: TaskTracker::new(),
            end: CancellationToken::new(),
        }
    }

    /// The bus; none where a server is configured, and its store has no name yet because no service ever ran on it.
    pub async fn bus(&self) -> Option<Arc<dyn Bus>> {
        self.way.bus().await
    }

    /// An entry was committed.
    pub fn logged(&self, seq: u64, task: &TaskId, version: u64, entry: LogEntry) {
        let task = task.to_string();
        self.send(Signal::Logged(Box::new(Logged {
            seq,
            task,
            version,
            entry,
        })));
    }

    /// Something was committed that is in no event log.
    pub fn changed(&self) {
        self.send(Signal::Changed);
    }

    fn send(&self, signal: Signal) {
        if let Some(inbox) = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.work.spawn(say(self.way.clone(), inbox));
        }
        if self.queue.try_send(signal).is_err() {
            tracing::debug!("the bus is behind: a signal is dropped");
        }
    }

    /// Returns when what was said so far has left, or after half a second. For a process that ends then.
    pub async fn farewell(&self) {
        if self
            .inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return;
        }
        let (sender, gone) = oneshot::channel();
        self.send(Signal::Farewell(sender));
        if timeout(FAREWELL, gone).await.is_err() {
            tracing::debug!("the bus is slow or away: the last signals are dropped");
        }
    }

    /// For a service: names the store, announces itself, writes down how the bus stands, and hears the commits of others,
    /// until [`Signals::leave`]. Nothing where no server is configured.
    pub async fn attend(&self) -> Result<(), StoreError> {
        let Some(store) = &self.way.store else {
            return Ok(());
        };
        if self.way.configured.prefix().is_none() && store.flag(STORE).await?.is_none() {
            let name = Uuid::new_v4().simple().to_string();
            store
                .set_flag(STORE, Some(name.into()), self.way.clock.now())
                .await?;
        }
        if let Some(bus) = self.bus().await {
            let attending = attend(self.way.clone(), store.clone(), bus);
            let end = self.end.clone();
            self.work
                .spawn(async move { end.run_until_cancelled(attending).await });
        }
        Ok(())
    }

    /// Returns when another process may have committed. Cancel-safe; never where no server is configured.
    pub async fn woken(&self) {
        self.way.woken.notified().await;
    }

    /// Ends what [`Signals::attend`] began.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let (Some(store), Some(bus)) = (&self.way.store, self.bus().await) else {
            return Ok(());
        };
        self.farewell().await;
        self.end.cancel();
        if let Err(error) = bus.withdraw(&self.way.name()).await {
            tracing::debug!(%error, "its presence ends by itself");
        }
        store.set_flag(STANDING, None, self.way.clock.now()).await
    }
}

impl Way {
    async fn bus(&self) -> Option<Arc<dyn Bus>> {
        self.bus.get_or_init(async || self.open().await).await.clone()
    }

    async fn open(&self) -> Option<Arc<dyn Bus>> {
        let name = match (self.configured.prefix(), &self.store) {
            (Some(prefix), _) => prefix.to_owned(),
            (None, None) => String::new(),
            (None, Some(store)) => store.flag(STORE).await.ok()??.value.as_str()?.to_owned(),
        };
        let bus = bus::open(&self.configured, &name, Rules::default(), self.clock.clone());
        if self.store.is_some() {
            // The first attempt decides whether there is somebody to talk to.
            let mut standing = bus.standing();
            if !standing.borrow_and_update().is_up() {
                let _decided = timeout(FAREWELL, standing.changed()).await;
            }
        }
        Some(bus)
    }

    /// By which it is present.
    fn name(&self) -> String {
        format!("service:{}", self.origin.simple())
    }
}

/// Says what is committed, as long as somebody may commit.
async fn say(way: Arc<Way>, mut inbox: mpsc::Receiver<Signal>) {
    let bus = way.bus().await;
    let mut batch = Vec::with_capacity(AT_ONCE);
    while inbox.recv_many(&mut batch, AT_ONCE).await > 0 {
        let (mut logged, mut changed, mut farewells) = (Vec::new(), false, Vec::new());
        for signal in batch.drain(..) {
            match signal {
                Signal::Logged(entry) => logged.push(*entry),
                Signal::Changed => changed = true,
                Signal::Farewell(sender) => farewells.push(sender),
            }
        }
        if let Some(bus) = &bus
            && let Err(error) = say_all(bus, way.origin, &logged, changed).await
        {
            tracing::debug!(%error, "signals are dropped");
        }
        for farewell in farewells {
            // Whoever waited has gone: its time was over.
            let _nobody = farewell.send(());
        }
    }
}

async fn say_all(bus: &Arc<dyn Bus>, origin: Uuid, logged: &[Logged], changed: bool) -> Result<(), BusError> {
    let sealed = |entry: &Logged| Envelope::seal(entry).ok();
    let entries: Vec<Envelope> = logged.iter().filter_map(sealed).collect();
    let told = join_all(entries.iter().map(|entry| bus.tell(EVENTS, entry))).await;
    if changed || !logged.is_empty() {
        let seq = logged.iter().map(|entry| entry.seq).max();
        if let Ok(changed) = Envelope::seal(&Changed { origin, seq }) {
            bus.tell(CHANGED, &changed).await?;
        }
    }
    told.into_iter().collect()
}

/// A service at the bus, until it is cancelled.
async fn attend(way: Arc<Way>, store: Arc<Store>, bus: Arc<dyn Bus>) {
    let since = way.clock.now();
    let here = Envelope::seal(&here(since)).ok();
    let mut standing = bus.standing();
    standing.mark_changed();
    let mut changes = bus.listen(CHANGED).await;
    loop {
        let beat = Instant::now() + BEAT;
        if let Some(here) = &here
            && let Err(error) = bus.announce(&way.name(), here, HOLDS).await
        {
            tracing::debug!(%error, "not announced");
        }
        loop {
            tokio::select! {
                changed = standing.changed() => {
                    if changed.is_err() { return; }
                    let now = standing.borrow_and_update().clone();
                    write_down(&store, now).await;
                    break;
                }
                heard = heard_of_others(&mut changes, way.origin) => match heard {
                    Some(()) => way.woken.notify_one(),
                    None => return,
                },
                () = sleep_until(beat) => break,
            }
        }
    }
}

/// Returns when another process may have committed; `None` once the bus is closed.
async fn heard_of_others(changes: &mut Listener, own: Uuid) -> Option<()> {
    loop {
        match changes.next().await? {
            Heard::Missed => return Some(()),
            Heard::Message(message) => match message.open::<Changed>() {
                Ok(changed) if changed.origin == own => {}
                // One of another version was sent for a reason as well.
                _ => return Some(()),
            },
        }
    }
}

/// For `status`, which is another process.
async fn write_down(store: &Store, standing: Standing) {
    let (since, why) = match standing {
        Standing::Up { since } => (since, None),
        Standing::Away { since, why } => (since, Some(why)),
    };
    if let Err(error) = store.set_flag(STANDING, Some(why.into()), since).await {
        tracing::warn!(%error, "how the bus stands was not written down");
    }
}

fn here(since: DateTime<Utc>) -> Here {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Here {
        host: host.trim().to_owned(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since,
    }
}
