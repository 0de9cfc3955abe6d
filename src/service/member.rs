//! This node's place in its fleet: its lease, whether it leads, and whom else it knows of.
//!
//! Invariants: a lease is trusted for a third of its length from the moment at which its renewal was *sent*, by a clock that
//! goes on in sleep; workers are kept alive for half of it from then on at the most, so they are dead before anybody may
//! take their tasks over. Who does not hear from the database in time stops by itself, without being told.
//! Deliberately absent: what is done with the standing (that is the engine's and the drivers').

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bus::Standing;
use crate::clock::{Clock, since_boot};
use crate::config::Config;
use crate::domain::node::{Announcement, Node, NodeName, Offer, Reach, Role};
use crate::files::{FileError, atomic};
use crate::store::{Joined, Roster, StoreError};

/// A lease is renewed so often in its length.
const RENEWALS: u32 = 5;
/// It is trusted for this part of its length after a renewal was sent.
const TRUST: u32 = 3;
/// A worker lives on for this part of it after it was last looked after.
const OUTLIVES: u32 = 2;
/// Leading is a lease of this part of the node's: others wait for it.
const LEADS: u32 = 2;

/// A node of a fleet.
#[derive(Debug)]
pub struct Member {
    me: Announcement,
    home: String,
    lease: Duration,
    roster: Roster,
    held: Mutex<Held>,
    news: watch::Sender<()>,
}

/// What this node holds.
#[derive(Debug, Default)]
struct Held {
    /// The number of its start.
    term: u64,
    /// Until when its lease is trusted, since boot.
    until: Duration,
    /// The term of its leadership and until when that is trusted.
    leads: Option<(u64, Duration)>,
    /// Who was there when it last looked.
    nodes: Vec<Node>,
    /// What it offers.
    offers: BTreeMap<String, Offer>,
    /// How it stands with the bus.
    bus: Option<Reach>,
}

/// Why a node is not let in.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Its name is another one's.
    #[error(
        "a node named '{name}' is there already, {}; give this one another name: [fleet] node = \"…\"",
        .host.as_ref().map_or("on another host".to_owned(), |host| format!("on host {host}"))
    )]
    Taken {
        /// The name.
        name: NodeName,
        /// Where the other one is.
        host: Option<String>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file that tells this home from others.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Member {
    /// The node that this configuration describes. `identity` is the file that tells its home from others.
    pub fn new(config: &Config, roster: Roster, identity: &Path) -> Result<Self, FileError> {
        let fleet = &config.fleet;
        let slots = if fleet.role.works() {
            config.scheduler.max_concurrent.get()
        } else {
            0
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self {
            me: Announcement {
                name: fleet.node.clone(),
                role: fleet.role,
                labels: fleet.labels.iter().cloned().collect(),
                slots,
                runtimes: BTreeMap::new(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                host,
                pid: std::process::id(),
                bus: None,
            },
            home: home_of(identity)?,
            lease: fleet.lease,
            roster,
            held: Mutex::default(),
            news: watch::Sender::new(()),
        })
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.me.name
    }

    /// What it does.
    pub fn role(&self) -> Role {
        self.me.role
    }

    /// Whom and what it knows of.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Enters the fleet, and takes the lead where nobody has it; to be called before anything else is done there.
    pub async fn enter(&self, clock: &Clock) -> Result<(), JoinError> {
        self.join(clock.now()).await?;
        Ok(self.renew(clock).await?)
    }

    async fn join(&self, at: DateTime<Utc>) -> Result<(), JoinError> {
        let sent = since_boot();
        let me = self.announcement();
        match self.roster.join(&me, &self.home, self.lease, at).await? {
            Joined::Taken(host) => Err(JoinError::Taken { name: me.name, host }),
            Joined::As(term) => {
                let mut held = self.held();
                held.term = term;
                held.until = sent + self.lease / TRUST;
                Ok(())
            }
        }
    }

    /// Keeps the lease until `gone`, and the lead where this node may have it.
    pub async fn keep(&self, clock: &Clock, gone: CancellationToken) {
        let every = self.lease / RENEWALS;
        let mut away = false;
        while !gone.is_cancelled() {
            let begun = since_boot();
            let kept = tokio::time::timeout(every, self.renew(clock)).await;
            let failed = match kept {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_late) => {
                    self.roster.reconnect();
                    Some("the database does not answer in time".to_owned())
                }
            };
            match (&failed, away) {
                (Some(error), false) => {
                    tracing::error!(%error, "the lease of this node is not renewed; its workers end with it")
                }
                (None, true) => tracing::info!("the lease of this node is renewed again"),
                _ => {}
            }
            away = failed.is_some();
            let pause = every.saturating_sub(since_boot().saturating_sub(begun));
            tokio::select! { () = tokio::time::sleep(pause) => {} () = gone.cancelled() => {} }
        }
    }

    async fn renew(&self, clock: &Clock) -> Result<(), StoreError> {
        let sent = since_boot();
        let term = self.held().term;
        if !self.roster.renew(&self.announcement(), term, self.lease).await? {
            tracing::error!(node = %self.me.name, "the lease of this node has run out; its tasks are others' now, and it starts anew");
            self.held().leads = None;
            self.join(clock.now()).await.or_else(|error| match error {
                JoinError::Store(error) => Err(error),
                taken => {
                    tracing::error!(error = %taken, "this node is not let in again");
                    Ok(())
                }
            })?;
        } else {
            self.held().until = sent + self.lease / TRUST;
        }
        let before = self.leads();
        let led = self.lead(sent).await?;
        // After the lead is had: whoever another leader placed work with is among them.
        let nodes = self.roster.nodes().await?;
        let is_news = {
            let mut held = self.held();
            let is_news = differ(&held.nodes, &nodes);
            (held.nodes, held.leads) = (nodes, led);
            is_news
        };
        if is_news || before != self.leads() {
            self.news.send_replace(());
        }
        Ok(())
    }

    /// Takes the lead or keeps it, where this node may: its term, and until when it is trusted.
    async fn lead(&self, sent: Duration) -> Result<Option<(u64, Duration)>, StoreError> {
        if !self.me.role.leads() {
            return Ok(None);
        }
        let (term, lease) = (self.held().term, self.lease / LEADS);
        let led = self.roster.lead(&self.me.name, term, lease).await?;
        Ok(led.map(|term| (term, sent + lease * 2 / TRUST)))
    }

    /// Gives up the lead, and, where nothing is left behind, its place.
    pub async fn leave(&self, with_nothing: bool) -> Result<(), StoreError> {
        let term = self.held().term;
        self.roster.resign(&self.me.name, term).await?;
        match with_nothing {
            true => self.roster.leave(&self.me.name, term).await,
            false => Ok(()),
        }
    }

    /// The number of its start, which rises when its lease has run out as well.
    pub fn term(&self) -> u64 {
        self.held().term
    }

    /// Whether its lease is trusted: only then are workers kept alive.
    pub fn is_trusted(&self) -> bool {
        since_boot() < self.held().until
    }

    /// How long a worker may live on after it was last looked after, and until when at the latest, since boot.
    pub fn outlives(&self) -> (Duration, Duration) {
        let length = self.lease / OUTLIVES;
        (length, self.held().until + length)
    }

    /// The term of its leadership, while that is trusted.
    pub fn leads(&self) -> Option<u64> {
        let held = self.held();
        held.leads
            .filter(|(_, until)| since_boot() < *until)
            .map(|(term, _)| term)
    }

    /// Whether it led when it last heard from the database.
    pub fn led_last(&self) -> bool {
        self.held().leads.is_some()
    }

    /// Who was there when it last looked.
    pub fn nodes(&self) -> Vec<Node> {
        self.held().nodes.clone()
    }

    /// Says what it offers from now on.
    pub fn offer(&self, offers: BTreeMap<String, Offer>) {
        self.held().offers = offers;
    }

    /// Whether it is this process that serves as the node: commands on its host know its name as well.
    pub fn serves(&self) -> bool {
        self.held().term > 0
    }

    /// How it stands with the bus.
    pub fn reach(&self) -> Option<Reach> {
        self.held().bus.clone()
    }

    /// How long ago the renewal of its lease was sent that is in force.
    pub fn lease_age(&self) -> Duration {
        since_boot().saturating_sub(self.held().until.saturating_sub(self.lease / TRUST))
    }

    /// Says how it stands with the bus from now on.
    pub fn reaches_bus(&self, standing: Standing) {
        let (since, away) = match standing {
            Standing::Up { since } => (since, None),
            Standing::Away { since, why } => (since, Some(why)),
        };
        let mut held = self.held();
        let before = held.bus.take();
        held.bus = Some(Reach {
            since,
            away,
            bypassed: before.as_ref().and_then(|before| before.bypassed.clone()),
            parked: before.map_or(0, |before| before.parked),
        });
    }

    /// Says how many messages are parked.
    pub fn found_parked(&self, count: u64) {
        if let Some(bus) = &mut self.held().bus {
            bus.parked = count;
        }
    }

    /// Says why the output of its workers goes straight to the database, or that it goes by the bus.
    pub fn bypasses_bus(&self, why: Option<String>) {
        if let Some(bus) = &mut self.held().bus {
            bus.bypassed = why;
        }
    }

    /// Told when it leads, or leads no more, and when nodes come and go.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    fn announcement(&self) -> Announcement {
        let held = self.held();
        Announcement {
            runtimes: held.offers.clone(),
            bus: held.bus.clone(),
            ..self.me.clone()
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether anything but the length of leases differs.
fn differ(before: &[Node], now: &[Node]) -> bool {
    let same = |(a, b): (&Node, &Node)| {
        let standing = |node: &Node| (node.is_there(), node.term, node.cordoned.clone());
        a.announcement == b.announcement && standing(a) == standing(b)
    };
    before.len() != now.len() || !before.iter().zip(now).all(same)
}

/// What tells a home from others; made with the first start.
fn home_of(path: &Path) -> Result<String, FileError> {
    if let Ok(text) = std::fs::read_to_string(path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let made = uuid::Uuid::now_v7().to_string();
    atomic::write(path, made.as_bytes())?;
    Ok(made)
}
