//! What was said while nobody listened for longer than the chat service tries again: it is read back once somebody listens.
//!
//! Invariants: a place in time is kept up to which everything was heard; it moves on only with a round trip that came back,
//! and not before what was missed is heard. What is read back has its own time, so what is old is asked about, not
//! done; what was heard already is known by its event.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::Open;
use super::ear::Listener;
use crate::chat::heard::Heard;
use crate::chat::message::Place;
use crate::chat::{Chat, ChatError, Deaf, Ear};
use crate::store::StoreError;

/// What is older is left.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// The most messages that are read back.
const MOST: usize = 1_000;
/// Threads of cards that are looked into, those that changed last.
const THREADS: usize = 40;
/// Cards among which they are.
const CARDS: u32 = 10_000;
/// Events may come late, and clocks differ.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// What was missed in a shorter time the service brings again.
const SHORT: TimeDelta = TimeDelta::minutes(2);
/// How long is waited for the connection before reading all the same.
const OPENS: TimeDelta = TimeDelta::seconds(10);
/// The wait after something that failed.
const PAUSE: Duration = Duration::from_secs(30);
/// How often the place in time is written down.
const WRITTEN: Duration = Duration::from_secs(5);

impl Open {
    /// Sees to what was missed, and then keeps the place in time up to which all was heard, for as long as somebody listens.
    pub(super) async fn see_to_missed(&self, chat: &dyn Chat) -> Infallible {
        let rooms = chat.to_read_back();
        if rooms.is_empty() {
            return std::future::pending().await;
        }
        let (clock, since) = (&self.instance.clock, self.instance.clock.now());
        // What is said from now on comes by itself; what is read before could miss something in between.
        while !self.standing.is_listened_to() && clock.now() - since < OPENS {
            clock.sleep(Duration::from_millis(100)).await;
        }
        while let Err(error) = self.catch_up(chat, &rooms).await {
            tracing::warn!(surface = %self.surface, %error, "what was said meanwhile is not known yet");
            clock.sleep(PAUSE).await;
        }
        let mut kept = None;
        loop {
            if let Some(sent) = self.standing.came_back().filter(|sent| Some(*sent) != kept) {
                match self.set_flag(&self.flag_of_place(), sent).await {
                    Ok(()) => kept = Some(sent),
                    Err(error) => tracing::debug!(surface = %self.surface, %error, "the place was not kept"),
                }
            }
            clock.sleep(WRITTEN).await;
        }
    }

    fn flag_of_place(&self) -> String {
        format!("heard-until:{}", self.surface)
    }

    async fn set_flag(&self, flag: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let value = Some(at.to_rfc3339().into());
        self.instance.store.set_flag(flag, value, at).await
    }

    async fn catch_up(&self, chat: &dyn Chat, rooms: &[String]) -> Result<(), StoreError> {
        let (store, now) = (&self.instance.store, self.instance.clock.now());
        let until = store.flag(&self.flag_of_place()).await?;
        let until: Option<DateTime<Utc>> = until.and_then(|flag| flag.value.as_str()?.parse().ok());
        // Whoever never listened has missed nothing.
        let anew = !self.standing.has_caught_up();
        let Some(until) = until.filter(|until| anew || now - *until > SHORT) else {
            self.standing.caught_up();
            return Ok(());
        };
        let since = (until - LATE).max(now - LONGEST);
        let room = |room: &String| Place {
            room: room.clone(),
            thread: None,
        };
        let mut places: Vec<Place> = rooms.iter().map(room).collect();
        let cards = store.open_cards(&self.surface, CARDS).await?;
        places.extend(cards.iter().rev().take(THREADS).map(super::post::thread));
        let (mut left, ear) = (MOST, Missed::new(self));
        for place in places {
            left -= self.read_place(chat, &place, since, left, &ear).await.min(left);
            if left == 0 {
                tracing::warn!(surface = %self.surface, most = MOST, "more was said meanwhile than is read back");
                break;
            }
        }
        self.standing.caught_up();
        Ok(())
    }

    /// How many messages there were; again until it is known, or cannot be.
    async fn read_place(
        &self,
        chat: &dyn Chat,
        place: &Place,
        since: DateTime<Utc>,
        most: usize,
        ear: &dyn Ear,
    ) -> usize {
        let clock = &self.instance.clock;
        loop {
            match chat.read_back(place, since, most, ear).await {
                Ok(count) => return count,
                Err(ChatError::Limited { after }) => clock.sleep(after).await,
                Err(error @ ChatError::Away { .. }) => {
                    tracing::debug!(surface = %self.surface, %error, "what was said meanwhile is not known yet");
                    clock.sleep(PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(surface = %self.surface, room = place.room, %error, "what was said there meanwhile is not known");
                    return 0;
                }
            }
        }
    }
}

/// Who is told of what was missed.
struct Missed<'a> {
    open: &'a Open,
    listener: Listener,
}

impl<'a> Missed<'a> {
    fn new(open: &'a Open) -> Self {
        Self {
            open,
            listener: Listener::new(open),
        }
    }
}

#[async_trait]
impl Ear for Missed<'_> {
    async fn hear(&self, heard: Heard) -> Result<(), Deaf> {
        let store = &self.open.instance.store;
        let known = store.heard(&self.open.surface, &heard.event).await;
        match known.map_err(|error| Deaf(error.to_string()))? {
            // Whoever said it was answered, or is going to be.
            Some(_) => Ok(()),
            None => self.listener.hear(heard).await,
        }
    }

    /// An old one.
    fn echo(&self, _nonce: &str) {}
}
