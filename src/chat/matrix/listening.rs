//! Listening: what is new is taken from the server, made readable, and handed on.
//!
//! Invariants: how far it has heard is written down only after the ear took everything up to there, so what arrives while
//! the process dies arrives again; what the server left out of an answer is fetched; a message that cannot be read yet is
//! kept and tried again, and whoever wrote it is told after a while: it is never dropped in silence.

use std::convert::Infallible;
use std::time::Duration;

use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::{TimelineEvent, TimelineEventKind};
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::events::AnySyncTimelineEvent;
use matrix_sdk::ruma::events::receipt::{ReceiptThread, ReceiptType};
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{EventId, RoomId, UInt};
use matrix_sdk::sync::{JoinedRoomUpdate, SyncResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::hearing::{self, Listener, Said};
use super::markup::Relation;
use super::names::{CANARY, Subject};
use super::people::{self, Answered};
use super::session::Session;
use super::{fault, trust};
use crate::chat::heard::{Heard as HeardEvent, Person, What};
use crate::chat::message::{Message, Text};
use crate::chat::{ChatError, Ear};

/// How long the server may think about having nothing new.
const WAIT: Duration = Duration::from_secs(25);
/// How long, while there is something that cannot be read yet.
const SOON: Duration = Duration::from_secs(2);
/// After so long, whoever wrote it is told that it cannot be read.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages that cannot be read yet, at most.
const UNREAD: usize = 500;
/// Pages of a hundred events that are fetched of one room when the server left something out.
const PAGES: usize = 20;

/// How far it has heard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    /// The server's mark.
    pub since: Option<String>,
    /// What was there before, and could not be read.
    #[serde(default)]
    unread: Vec<Unread>,
}

/// A message that cannot be read yet.
#[derive(Debug, Serialize, Deserialize)]
struct Unread {
    room: String,
    /// The event as it came.
    event: Value,
    /// Whether whoever wrote it was told.
    told: bool,
    /// Since when this process tries.
    #[serde(skip, default = "Instant::now")]
    at: Instant,
}

/// Whoever listens, and to whom it is handed.
struct Listening<'a> {
    session: &'a Session,
    ear: &'a dyn Ear,
    heard: Heard,
    /// What the ear could not take: how far it has heard is not written down before.
    untaken: Vec<HeardEvent>,
    answered: Answered,
    listener: Listener,
}

/// Listens until something goes wrong, which it says.
pub(super) async fn listen(session: &Session, ear: &dyn Ear) -> ChatError {
    match run(session, ear).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn run(session: &Session, ear: &dyn Ear) -> Result<Infallible, ChatError> {
    let name = session.client.account().get_display_name().await;
    let mut listening = Listening {
        session,
        ear,
        heard: session.keep.heard::<Heard>()?.unwrap_or_default(),
        untaken: Vec::new(),
        answered: Answered::default(),
        listener: Listener {
            id: session.user().to_string(),
            name: name.map_err(|error| fault::of("asking for our name", &error))?,
        },
    };
    loop {
        let wait = match listening.heard.unread.is_empty() && listening.untaken.is_empty() {
            true => WAIT,
            false => SOON,
        };
        let news = session.next(wait).await?;
        listening.take(&news).await?;
        session.handed();
        for data in &news.account_data {
            listening.echo(data.json().get());
        }
    }
}

impl Listening<'_> {
    async fn take(&mut self, news: &SyncResponse) -> Result<(), ChatError> {
        let is_moved = !news.rooms.left.is_empty() || !news.rooms.invited.is_empty();
        people::answer_invitations(self.session, &mut self.answered).await;
        for (id, update) in &news.rooms.joined {
            if let Some(room) = self.session.client.get_room(id) {
                self.room(&room, update).await?;
            }
        }
        if is_moved || self.is_replaced() {
            self.session.look_again().await?;
        }
        self.heal().await?;
        self.heard.since = Some(news.next_batch.clone());
        match self.is_all_taken().await {
            true => self.session.keep.keep_heard(&self.heard),
            // The next look tries again; whoever starts anew hears it once more.
            false => Ok(()),
        }
    }

    /// Hands on again what the ear could not take, in order.
    async fn is_all_taken(&mut self) -> bool {
        while let Some(heard) = self.untaken.first() {
            if let Err(deaf) = self.ear.hear(heard.clone()).await {
                tracing::debug!(%deaf, waiting = self.untaken.len(), "what was heard waits");
                return false;
            }
            self.untaken.remove(0);
        }
        true
    }

    fn echo(&self, data: &str) {
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        if data["type"] == CANARY
            && let Some(nonce) = data["content"]["nonce"].as_str()
        {
            self.ear.echo(nonce);
        }
    }

    fn is_replaced(&self) -> bool {
        let bindings = self.session.bindings.try_lock();
        bindings.is_ok_and(|bindings| {
            { bindings.values() }.any(|bound| {
                let room = self.session.client.get_room(&bound.room);
                room.is_some_and(|room| room.is_tombstoned())
            })
        })
    }

    async fn room(&mut self, room: &Room, update: &JoinedRoomUpdate) -> Result<(), ChatError> {
        let timeline = &update.timeline;
        let is_new = self.session.is_new();
        let gap = match (&timeline.prev_batch, &self.heard.since) {
            (_, Some(to)) if is_new => self.between(room, None, to).await,
            (Some(from), Some(to)) if timeline.limited => self.between(room, Some(from), to).await,
            _ => Ok(Vec::new()),
        };
        let gap = match gap {
            Err(later @ (ChatError::Away { .. } | ChatError::Limited { .. })) => return Err(later),
            Err(error) => {
                tracing::error!(room = %room.room_id(), %error, "what was said meanwhile cannot be read");
                Vec::new()
            }
            Ok(events) => events,
        };
        let new = match (is_new, &self.heard.since) {
            (false, _) => timeline.events.as_slice(),
            (true, Some(_)) => &[],
            (true, None) => after_receipt(self.session, room, &timeline.events).await,
        };
        for event in gap.iter().chain(new) {
            self.event(room, event).await?;
        }
        Ok(())
    }

    /// What the server left out, in order.
    async fn between(
        &self,
        room: &Room,
        from: Option<&str>,
        to: &str,
    ) -> Result<Vec<TimelineEvent>, ChatError> {
        let mut options = MessagesOptions::backward().from(from);
        options.to = Some(to.to_owned());
        options.limit = UInt::from(100_u32);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let page = room.messages(options).await;
            let page = page.map_err(|error| fault::of("asking for what was left out", &error))?;
            let is_last = page.chunk.is_empty();
            all.extend(page.chunk);
            let Some(end) = page.end.filter(|_| !is_last) else {
                all.reverse();
                return Ok(all);
            };
            options = MessagesOptions::backward().from(end.as_str());
            options.to = Some(to.to_owned());
            options.limit = UInt::from(100_u32);
        }
        tracing::warn!(room = %room.room_id(), "so much was said meanwhile that the oldest of it is not read");
        all.reverse();
        Ok(all)
    }

    async fn event(&mut self, room: &Room, event: &TimelineEvent) -> Result<(), ChatError> {
        let value: Value = serde_json::from_str(event.raw().json().get()).unwrap_or_default();
        if let Some(id) = hearing::redacted(&value) {
            self.session.redacted.add(id);
        }
        if matches!(event.kind, TimelineEventKind::UnableToDecrypt { .. }) {
            self.keep_unread(room, value);
            return Ok(());
        }
        self.hand_on(room, event, &value).await
    }

    async fn hand_on(&mut self, room: &Room, event: &TimelineEvent, value: &Value) -> Result<(), ChatError> {
        let Some(said) = hearing::said(value, &self.listener, people::is_of_two(room)) else {
            return Ok(());
        };
        let distrust = trust::distrust(self.session, room, event, &said).await;
        let purpose = self
            .session
            .subject_of(room)
            .await
            .and_then(|subject| match subject {
                Subject::Space => None,
                Subject::Room(purpose) => Some(purpose),
            });
        let heard = HeardEvent {
            thread: thread(room, &said).await,
            message: matches!(said.what, What::Text { .. }).then(|| said.event.clone()),
            event: said.event,
            at: said.at,
            who: Person {
                id: said.sender,
                distrust,
            },
            room: room.room_id().to_string(),
            purpose,
            what: said.what,
            answer_at: None,
        };
        if let Err(deaf) = self.ear.hear(heard.clone()).await {
            tracing::warn!(room = %room.room_id(), event = heard.event, %deaf, "it is handed on again");
            self.untaken.push(heard);
        }
        Ok(())
    }

    fn keep_unread(&mut self, room: &Room, event: Value) {
        let is_there = |unread: &Unread| unread.event["event_id"] == event["event_id"];
        if event["sender"] == self.listener.id.as_str() || self.heard.unread.iter().any(is_there) {
            return;
        }
        tracing::warn!(room = %room.room_id(), event = %event["event_id"], sender = %event["sender"],
            "a message cannot be read yet; its key is asked for");
        if self.heard.unread.len() >= UNREAD {
            let oldest = self.heard.unread.remove(0);
            tracing::error!(event = %oldest.event["event_id"], "a message could not be read and is given up");
        }
        self.heard.unread.push(Unread {
            room: room.room_id().to_string(),
            event,
            told: false,
            at: Instant::now(),
        });
    }

    /// Tries again what could not be read.
    async fn heal(&mut self) -> Result<(), ChatError> {
        let mut left = Vec::new();
        for mut unread in std::mem::take(&mut self.heard.unread) {
            let room = RoomId::parse(&unread.room).ok();
            let Some(room) = room.and_then(|id| self.session.client.get_room(&id)) else {
                continue;
            };
            match readable(&room, &unread.event).await {
                Some(event) => {
                    let value = serde_json::from_str(event.raw().json().get()).unwrap_or_default();
                    // Where that fails, what is left is kept as it was: nothing is written down now.
                    self.hand_on(&room, &event, &value).await?;
                }
                None => {
                    if !unread.told && unread.at.elapsed() > PATIENCE {
                        unread.told = self.tell(&unread).await;
                    }
                    left.push(unread);
                }
            }
        }
        self.heard.unread = left;
        Ok(())
    }

    /// Tells whoever wrote it, where it is somebody with a role; whether that needs not be done again.
    async fn tell(&self, unread: &Unread) -> bool {
        let (Some(sender), Some(event)) =
            (unread.event["sender"].as_str(), unread.event["event_id"].as_str())
        else {
            return true;
        };
        tracing::error!(
            event,
            sender,
            room = unread.room,
            "a message cannot be read: its key did not come"
        );
        let Ok(room) = self.session.room(&unread.room) else {
            return true;
        };
        if !self.session.settings.roles.knows(sender) {
            return true;
        }
        let words = "I cannot read this message: its key has not reached me. Please write it again.";
        let message = Message::Text(Text::of(words));
        let relates = &unread.event["content"]["m.relates_to"];
        let relation = match (relates["rel_type"] == "m.thread", relates["event_id"].as_str()) {
            (true, Some(root)) => Relation::Answer(root, event),
            _ => Relation::Reply(event),
        };
        let key = format!("unread:{event}");
        let told = self.session.say(&room, &message, &key, relation).await;
        !matches!(told, Err(ChatError::Away { .. } | ChatError::Limited { .. }))
    }
}

/// What came after the last message that was acknowledged, where nothing else is known of how far was heard.
async fn after_receipt<'a>(
    session: &Session,
    room: &Room,
    events: &'a [TimelineEvent],
) -> &'a [TimelineEvent] {
    let receipt = room.load_user_receipt(ReceiptType::Read, ReceiptThread::Unthreaded, session.user());
    let Ok(Some((read, _))) = receipt.await else {
        return &[];
    };
    let at = events
        .iter()
        .position(|event| event.event_id().as_ref() == Some(&read));
    at.map_or(events, |at| &events[at + 1..])
}

async fn readable(room: &Room, event: &Value) -> Option<TimelineEvent> {
    let raw: Raw<AnySyncTimelineEvent> = Raw::from_json(serde_json::value::to_raw_value(event).ok()?);
    let tried = room.decrypt_event(raw.cast_ref_unchecked(), None).await.ok()?;
    (!tried.kind.is_utd()).then_some(tried)
}

/// The root of the thread that something was said in. An answer outside of any counts as said in the thread of what it
/// answers: not every client has threads.
async fn thread(room: &Room, said: &Said) -> Option<String> {
    if said.thread.is_some() {
        return said.thread.clone();
    }
    let answers = said.answers.clone()?;
    let id = EventId::parse(&answers).ok()?;
    let event = room.event(&id, None).await.ok();
    let root = event.and_then(|event| {
        let value: Value = serde_json::from_str(event.raw().json().get()).ok()?;
        let relates = &value["content"]["m.relates_to"];
        (relates["rel_type"] == "m.thread").then(|| relates["event_id"].as_str().map(str::to_owned))?
    });
    Some(root.unwrap_or(answers))
}
