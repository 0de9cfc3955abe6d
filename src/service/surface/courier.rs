//! A courier: it brings what the outbox holds for a surface and keeps its cards current, at the surface's pace.
//!
//! Invariant: a parcel that may have arrived is sent again as it was, under the same key. Reports go before cards.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::cards::{Cards, Due};
use super::{Open, Tongue, daily};
use crate::chat::ChatError;
use crate::chat::message::{Message, Place, Purpose, Text};
use crate::chat::parcel::{self, Item, Parcel};
use crate::domain::effect::Durable;
use crate::service::operations::{self, Scope};
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

/// How often it is looked whether there is something to sum up.
const SUMMARY: TimeDelta = TimeDelta::seconds(5);

/// The courier of a surface.
pub(super) struct Courier {
    open: Open,
    tongue: Tongue,
    cards: Cards,
    /// What was decided before may have been told by an earlier process.
    since: DateTime<Utc>,
    /// Whether it is this process that tells.
    begun: bool,
    /// Nothing is told before.
    rests_until: Option<DateTime<Utc>>,
    /// Failures since something was told.
    failures: u32,
    /// It is not looked before whether there is something to sum up.
    sums_up_at: DateTime<Utc>,
}

impl Courier {
    pub(super) fn new(open: Open, tongue: Tongue) -> Self {
        Self {
            since: open.instance.clock.now(),
            begun: false,
            sums_up_at: DateTime::UNIX_EPOCH,
            cards: Cards::default(),
            open,
            tongue,
            rests_until: None,
            failures: 0,
        }
    }

    pub(super) async fn keep(mut self) {
        let instance = self.open.instance.clone();
        let mut handed = instance.handed.subscribe();
        let mut news = instance.member.as_ref().map(|member| member.news());
        loop {
            handed.mark_unchanged();
            let next = match self.deliver().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(surface = %self.open.surface, %error, "the store refuses; trying again");
                    instance.clock.now() + TimeDelta::seconds(1)
                }
            };
            tokio::select! {
                _ = handed.changed() => {}
                () = crate::service::engine::heard(&mut news) => {}
                () = instance.clock.sleep_until(next) => {}
            }
        }
    }

    /// Tells and shows all that is due, and answers when to look again.
    pub(super) async fn deliver(&mut self) -> Result<DateTime<Utc>, StoreError> {
        loop {
            let now = self.open.instance.clock.now();
            if !self.open.is_ours() {
                self.begun = false;
                return Ok(now + LOOK);
            }
            if !std::mem::replace(&mut self.begun, true) {
                self.since = now;
            }
            if self.is_held().await? {
                return Ok(now + LOOK);
            }
            if let Some(until) = self.rests_until.filter(|until| *until > now) {
                return Ok(until);
            }
            if let Some(Err(error)) = self.tell_the_day(now).await? {
                self.rest(error);
                continue;
            }
            if let Err(error) = self.sum_up(now).await? {
                self.rest(error);
                continue;
            }
            let (parcel, card) = match self.next(now).await? {
                Some(parcel) => (Some(parcel), None),
                None => match self.next_card(now).await? {
                    Due::Card(card) => (None, Some(card)),
                    Due::Later(at) => return Ok(at.min(now + LOOK)),
                },
            };
            if let Err(later) = self.open.standing.pace(now) {
                self.cards.put_back(card);
                return Ok(later);
            }
            match (parcel, card) {
                (Some(parcel), _) => match self.tell(&parcel, now).await {
                    Ok(()) => self.told(&parcel).await?,
                    Err(error) => self.not_told(&parcel, error).await?,
                },
                (None, Some(card)) => {
                    if let Err(error) = self.show(&card).await? {
                        self.cards.put_back(Some(card));
                        self.rest(error);
                    }
                }
                (None, None) => {}
            }
        }
    }

    async fn tell(&self, parcel: &Parcel, now: DateTime<Utc>) -> Result<(), ChatError> {
        match &self.tongue {
            Tongue::Webhook(webhook) => webhook.tell(parcel, now).await,
            Tongue::Chat(chat) => self.open.bring(chat.as_ref(), parcel, self.since).await,
        }
    }

    /// The digest of the day, where it is due; none where it is not. The inner error is the surface's.
    async fn tell_the_day(&self, now: DateTime<Utc>) -> Result<Option<Result<(), ChatError>>, StoreError> {
        let (instance, Tongue::Chat(chat)) = (&self.open.instance, &self.tongue) else {
            return Ok(None);
        };
        let (Some(at), zone) = (self.open.chat.digest_at, instance.config.scheduler.timezone) else {
            return Ok(None);
        };
        let flag = format!("daily:{}", self.open.surface);
        let told = instance.store.flag(&flag).await?;
        let Some(told) = told.and_then(|told| told.value.as_str()?.parse().ok()) else {
            // Of a day that it has not seen it has nothing to tell.
            let begun = daily::due(at, zone, now).map(|due| due.to_rfc3339().into());
            instance.store.set_flag(&flag, begun, now).await?;
            return Ok(None);
        };
        let Some(due) = daily::due(at, zone, now).filter(|due| daily::is_open(*due, told, now)) else {
            return Ok(None);
        };
        let status = operations::status(instance, &Scope::default()).await?;
        if let Some(words) = daily::words(&status, due - TimeDelta::days(1)) {
            let key = format!("daily:{}:{}", self.open.surface, due.timestamp());
            let posted = async {
                let room = chat.room(&Purpose::Instance).await?;
                let place = Place { room, thread: None };
                chat.post(&place, &Message::Text(Text::of(words)), &key, Some(due))
                    .await
            };
            if let Err(error) = posted.await {
                return Ok(Some(Err(error)));
            }
        }
        instance
            .store
            .set_flag(&flag, Some(due.to_rfc3339().into()), now)
            .await?;
        Ok(Some(Ok(())))
    }

    /// What changed, in one line, where it is time. The inner error is the surface's.
    async fn sum_up(&mut self, now: DateTime<Utc>) -> Result<Result<(), ChatError>, StoreError> {
        let Tongue::Chat(chat) = &self.tongue else {
            return Ok(Ok(()));
        };
        if self.sums_up_at > now {
            return Ok(Ok(()));
        }
        self.sums_up_at = now + SUMMARY;
        self.open.sum_up(chat.as_ref(), now).await
    }

    async fn next_card(&mut self, now: DateTime<Utc>) -> Result<Due, StoreError> {
        match &self.tongue {
            Tongue::Webhook(_) => Ok(Due::Later(now + LOOK)),
            Tongue::Chat(_) => self.cards.next(&self.open, now).await,
        }
    }

    async fn show(&mut self, card: &super::cards::Edit) -> Result<Result<(), ChatError>, StoreError> {
        match &self.tongue {
            Tongue::Webhook(_) => Ok(Ok(())),
            Tongue::Chat(chat) => {
                let shown = self.cards.show(&self.open, chat.as_ref(), card).await?;
                if shown.is_ok() {
                    self.failures = 0;
                }
                Ok(shown)
            }
        }
    }

    /// After a restore nobody is told what may have been told before, until a person has looked.
    async fn is_held(&self) -> Result<bool, StoreError> {
        let stopped = self.open.instance.stopped().await?;
        Ok(stopped.is_some_and(|stopped| stopped.is_after_a_restore()))
    }

    fn channel(&self) -> OutboxKind {
        OutboxKind::To(self.open.surface.clone())
    }

    /// What comes next. A digest that was begun is the same again, whatever came since.
    async fn next(&self, now: DateTime<Utc>) -> Result<Option<Parcel>, StoreError> {
        let store = &self.open.instance.store;
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
        format!("digest:{}", self.open.surface)
    }

    async fn told(&mut self, parcel: &Parcel) -> Result<(), StoreError> {
        self.failures = 0;
        self.rests_until = None;
        let (store, now) = (&self.open.instance.store, self.open.instance.clock.now());
        store.outbox_done(parcel.seqs(), now).await?;
        match parcel {
            Parcel::Report(item) => {
                self.cards.note(&item.task);
                Ok(())
            }
            Parcel::Digest(_) => store.set_flag(&self.digest_flag(), None, now).await,
        }
    }

    /// What the surface refuses waits by itself, with what its task has behind it; everything else makes all wait.
    async fn not_told(&mut self, parcel: &Parcel, error: ChatError) -> Result<(), StoreError> {
        let (now, why) = (self.open.instance.clock.now(), error.to_string());
        let (seq, pause) = match (parcel, &error) {
            (Parcel::Report(item), ChatError::Refused { .. }) => {
                tracing::error!(surface = %self.open.surface, task = %item.task, why, "refused; tried again later");
                let again = now + backoff(item.tries + 4, REFUSED);
                return self.open.instance.store.outbox_failed(item.seq, why, again).await;
            }
            (parcel, ChatError::Limited { after }) => (parcel.first(), *after),
            (parcel, _) => (parcel.first(), backoff(self.failures, LONGEST)),
        };
        self.pause(pause, &why);
        self.open.instance.store.outbox_failed(seq, why, now).await
    }

    /// After something that could not be shown.
    fn rest(&mut self, error: ChatError) {
        let why = error.to_string();
        match error {
            ChatError::Limited { after } => self.pause(after, &why),
            _ => self.pause(backoff(self.failures, LONGEST), &why),
        }
    }

    fn pause(&mut self, pause: Duration, why: &str) {
        match self.failures {
            0 => tracing::warn!(surface = %self.open.surface, why, "not told now; what waits is kept"),
            _ => tracing::debug!(surface = %self.open.surface, why, "still not told"),
        }
        self.failures += 1;
        self.rests_until = Some(self.open.instance.clock.now() + pause);
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
