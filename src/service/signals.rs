//! Signals: what this process says on the bus once it has committed, and what it hears of the commits of others.
//!
//! Invariants: nothing that commits ever waits for the bus; a signal is a hint, and whoever hears one looks at the store;
//! what is lost while the bus is away is found by the looks that happen anyway. Processes of one store find each other by
//! its name, so that two instances may share a server. Deliberately absent: anything that only the bus would know.

mod attend;
mod errand;
mod message;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, OnceCell, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::errand::{Answer, To, Told};
pub(super) use self::errand::{concerned, errand};
pub use self::message::{Changed, Errand, Here, Logged};
use super::engine::Input;
use super::member::Member;
use crate::bus::{self, Bus, BusError, Envelope, Rules};
use crate::clock::Clock;
use crate::config;
use crate::domain::decide::LogEntry;
use crate::domain::id::TaskId;
use crate::store::{Store, StoreError};
use crate::telemetry;

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

enum Signal {
    Logged(Box<Logged>),
    Changed,
    Errand(To, Errand),
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
    rules: Rules,
    /// Where its name is found; none where there is no server to share.
    store: Option<Arc<dyn Store>>,
    clock: Clock,
    origin: Uuid,
    bus: OnceCell<Option<Arc<dyn Bus>>>,
    woken: Notify,
}

impl Signals {
    /// Says and hears nothing yet.
    pub fn new(configured: &config::Bus, store: &Arc<dyn Store>, clock: Clock) -> Self {
        Self::with_rules(configured, store, clock, Rules::default())
    }

    /// The same with other bounds.
    pub fn with_rules(configured: &config::Bus, store: &Arc<dyn Store>, clock: Clock, rules: Rules) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let way = Way {
            store: configured.server().map(|_| store.clone()),
            configured: configured.clone(),
            rules,
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

    /// The bus, where other processes share it.
    pub async fn shared_bus(&self) -> Option<Arc<dyn Bus>> {
        match self.way.store {
            Some(_) => self.bus().await,
            None => None,
        }
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

    /// A node is to look at something. Nothing where no server is configured: nobody else would hear it.
    pub fn errand(&self, to: To, errand: Errand) {
        if self.way.store.is_some() {
            self.send(Signal::Errand(to, errand));
        }
    }

    /// Has the engine of a node get its errands, and those of the leader while it leads, until [`Signals::leave`].
    pub async fn take_errands(&self, member: &Arc<Member>, inbox: mpsc::Sender<Input>) {
        if let Some(bus) = self.shared_bus().await {
            let (taking, end) = (errand::take(bus, member.clone(), inbox), self.end.clone());
            self.work
                .spawn(async move { end.run_until_cancelled(taking).await });
        }
    }

    fn send(&self, signal: Signal) {
        // Within a process nobody listens who did not ask for the bus.
        if self.way.store.is_none() && !self.way.bus.initialized() {
            return;
        }
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
    pub async fn attend(&self, member: Option<&Arc<Member>>) -> Result<(), StoreError> {
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
            let attending = attend::attend(self.way.clone(), store.clone(), bus, member.cloned());
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
        bus.close().await;
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
        let bus = bus::open(&self.configured, &name, self.rules.clone(), self.clock.clone());
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
        let mut errands = Vec::new();
        for signal in batch.drain(..) {
            match signal {
                Signal::Logged(entry) => logged.push(*entry),
                Signal::Changed => changed = true,
                Signal::Errand(to, errand) => errands.push((to, errand)),
                Signal::Farewell(sender) => farewells.push(sender),
            }
        }
        if let Some(bus) = &bus
            && let Err(error) = send_all(bus, &errands).await
        {
            tracing::debug!(%error, "errands are dropped; whom they concern finds out by itself");
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

/// An entry as others may see it: this is a door as well.
fn sealed(entry: &Logged) -> Option<Envelope> {
    let why = telemetry::clean(&entry.entry.why).into_owned();
    let mut entry = entry.clone();
    entry.entry.why = why;
    Envelope::seal(&entry).ok()
}

async fn send_all(bus: &Arc<dyn Bus>, errands: &[(To, Errand)]) -> Result<(), BusError> {
    let sealed = errands
        .iter()
        .filter_map(|(to, errand)| Some((to.stream(), Envelope::seal(errand).ok()?)));
    let sealed: Vec<(String, Envelope)> = sealed.collect();
    let sent = join_all(sealed.iter().map(|(stream, errand)| bus.publish(stream, errand))).await;
    sent.into_iter().try_for_each(|sent| sent.map(drop))
}

async fn say_all(bus: &Arc<dyn Bus>, origin: Uuid, logged: &[Logged], changed: bool) -> Result<(), BusError> {
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
