//! Couriers: one a surface, each brings what the outbox holds for it, at the surface's pace.
//!
//! Invariants: nothing that decides or works ever waits for a surface; what could not be told stays in the outbox; a
//! parcel that may have arrived is sent again as it was, under the same key. In a fleet the leader's couriers work.
//! Deliberately absent: which report goes to which surface ([`super::outbox`]), words (`chat`).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::instance::Instance;
use crate::chat::ChatError;
use crate::chat::pace::Pace;
use crate::chat::parcel::{self, Item, Parcel};
use crate::chat::webhook::Webhook;
use crate::config::section::{Chat, ChatKind};
use crate::domain::effect::Durable;
use crate::domain::report::Surface;
use crate::store::{OutboxKind, OutboxRow, StoreError};

/// Rows taken in one go; the most that one digest tells of.
const BATCH: u32 = 500;
/// The first pause after a failure; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures of a surface that is away.
const LONGEST: Duration = Duration::from_mins(5);
/// The longest pause before something that was refused is tried again.
const REFUSED: Duration = Duration::from_hours(1);
/// Something may have been left waiting by an earlier process: looked for at least so often.
const LOOK: TimeDelta = TimeDelta::minutes(1);
/// How long a single pass goes on telling.
const FAREWELL: Duration = Duration::from_secs(10);

/// The couriers of a running service.
pub struct Couriers {
    over: CancellationToken,
    all: JoinSet<()>,
}

impl Couriers {
    /// Starts those of all surfaces.
    pub fn start(instance: &Arc<Instance>) -> Self {
        let over = CancellationToken::new();
        let mut all = JoinSet::new();
        for courier in couriers(instance) {
            all.spawn(over.clone().run_until_cancelled_owned(courier.keep()).map(drop));
        }
        Self { over, all }
    }

    /// Ends them; what was on its way is brought again, under the same key.
    pub async fn end(self) {
        self.over.cancel();
        self.all.join_all().await;
    }
}

/// Brings what can be brought now, within a bounded time.
pub async fn flush(instance: &Arc<Instance>) {
    let mut all = JoinSet::new();
    for mut courier in couriers(instance) {
        all.spawn(async move {
            match timeout(FAREWELL, courier.deliver()).await {
                Ok(Err(error)) => tracing::warn!(surface = %courier.surface, %error, "not told yet"),
                Err(_) => tracing::warn!(surface = %courier.surface, "not everything is told yet; the next run goes on"),
                Ok(Ok(_)) => {}
            }
        });
    }
    all.join_all().await;
}

fn couriers(instance: &Arc<Instance>) -> impl Iterator<Item = Courier> {
    { instance.config.chat.iter() }
        .filter_map(|(surface, chat)| Courier::new(instance.clone(), surface, chat))
}

struct Courier {
    instance: Arc<Instance>,
    surface: Surface,
    webhook: Webhook,
    pace: Pace,
    /// Nothing is told before.
    rests_until: Option<DateTime<Utc>>,
    /// Failures since something was told.
    failures: u32,
}

impl Courier {
    /// None where the surface cannot be told at all: `doctor` and `status` say why.
    fn new(instance: Arc<Instance>, surface: &Surface, chat: &Chat) -> Option<Self> {
        let ChatKind::Webhook { url, secret } = &chat.kind else {
            return None;
        };
        let made = match secret.value() {
            Ok(secret) => Webhook::new(url, secret, chat.timeout),
            Err(absent) => Err(absent.to_string()),
        };
        let webhook = made
            .map_err(|why| tracing::error!(%surface, why, "nothing is told there"))
            .ok()?;
        let now = instance.clock.now();
        Some(Self {
            pace: Pace::new(chat.per_minute.get(), now),
            instance,
            surface: surface.clone(),
            webhook,
            rests_until: None,
            failures: 0,
        })
    }

    async fn keep(mut self) {
        let mut handed = self.instance.handed.subscribe();
        let mut news = self.instance.member.as_ref().map(|member| member.news());
        loop {
            handed.mark_unchanged();
            let next = match self.deliver().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(surface = %self.surface, %error, "the store refuses; trying again");
                    self.instance.clock.now() + TimeDelta::seconds(1)
                }
            };
            tokio::select! {
                _ = handed.changed() => {}
                () = super::engine::heard(&mut news) => {}
                () = self.instance.clock.sleep_until(next) => {}
            }
        }
    }

    /// Tells all that is due, and answers when to look again.
    async fn deliver(&mut self) -> Result<DateTime<Utc>, StoreError> {
        loop {
            let now = self.instance.clock.now();
            if !self.is_ours() || self.is_held().await? {
                return Ok(now + LOOK);
            }
            if let Some(until) = self.rests_until.filter(|until| *until > now) {
                return Ok(until);
            }
            let Some(parcel) = self.next(now).await? else {
                return Ok(now + LOOK);
            };
            if let Err(later) = self.pace.take(now) {
                return Ok(later);
            }
            match self.webhook.tell(&parcel, now).await {
                Ok(()) => self.told(&parcel).await?,
                Err(error) => self.not_told(&parcel, error).await?,
            }
        }
    }

    /// In a fleet, the leader tells.
    fn is_ours(&self) -> bool {
        let member = self.instance.member.as_ref();
        member.is_none_or(|member| member.leads().is_some())
    }

    /// After a restore nobody is told what may have been told before, until a person has looked.
    async fn is_held(&self) -> Result<bool, StoreError> {
        let stopped = self.instance.stopped().await?;
        Ok(stopped.is_some_and(|stopped| stopped.is_after_a_restore()))
    }

    fn channel(&self) -> OutboxKind {
        OutboxKind::To(self.surface.clone())
    }

    /// What comes next. A digest that was begun is the same again, whatever came since.
    async fn next(&self, now: DateTime<Utc>) -> Result<Option<Parcel>, StoreError> {
        let store = &self.instance.store;
        let rows = store.outbox_due(self.channel(), now, BATCH).await?;
        let items: Vec<Item> = rows.into_iter().filter_map(item).collect();
        if items.is_empty() {
            return Ok(None);
        }
        let begun = store.flag(&self.digest_flag()).await?;
        if let Some(begun) = begun.and_then(|flag| serde_json::from_value::<Vec<u64>>(flag.value).ok()) {
            let begun: Vec<Item> = { items.iter() }
                .filter(|item| begun.contains(&item.seq))
                .cloned()
                .collect();
            if !begun.is_empty() {
                return Ok(Some(Parcel::Digest(begun)));
            }
        }
        let parcel = parcel::next(items, now);
        if let Some(parcel @ Parcel::Digest(_)) = &parcel {
            let seqs = Value::from(parcel.seqs());
            store.set_flag(&self.digest_flag(), Some(seqs), now).await?;
        }
        Ok(parcel)
    }

    fn digest_flag(&self) -> String {
        format!("digest:{}", self.surface)
    }

    async fn told(&mut self, parcel: &Parcel) -> Result<(), StoreError> {
        self.failures = 0;
        self.rests_until = None;
        let (store, now) = (&self.instance.store, self.instance.clock.now());
        store.outbox_done(parcel.seqs(), now).await?;
        match parcel {
            Parcel::Report(_) => Ok(()),
            Parcel::Digest(_) => store.set_flag(&self.digest_flag(), None, now).await,
        }
    }

    /// What the surface refuses waits by itself, with what its task has behind it; everything else makes all wait.
    async fn not_told(&mut self, parcel: &Parcel, error: ChatError) -> Result<(), StoreError> {
        let (now, why) = (self.instance.clock.now(), error.to_string());
        let (seq, pause) = match (parcel, &error) {
            (Parcel::Report(item), ChatError::Refused { .. }) => {
                tracing::error!(surface = %self.surface, task = %item.task, why, "refused; tried again later");
                let again = now + backoff(item.tries + 4, REFUSED);
                return self.instance.store.outbox_failed(item.seq, why, again).await;
            }
            (parcel, ChatError::Limited { after }) => (parcel.first(), *after),
            (parcel, _) => (parcel.first(), backoff(self.failures, LONGEST)),
        };
        match self.failures {
            0 => tracing::warn!(surface = %self.surface, why, "not told now; what waits is kept"),
            _ => tracing::debug!(surface = %self.surface, why, "still not told"),
        }
        self.failures += 1;
        self.rests_until = Some(now + pause);
        self.instance.store.outbox_failed(seq, why, now).await
    }
}

fn backoff(times: u32, longest: Duration) -> Duration {
    PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

fn item(row: OutboxRow) -> Option<Item> {
    let Durable::Report(report) = row.effect else {
        return None;
    };
    Some(Item {
        seq: row.seq,
        key: row.key,
        task: row.task,
        report,
        at: row.created_at,
        tries: row.attempts,
    })
}
