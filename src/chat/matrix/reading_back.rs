//! Reading back: which of our messages are in a room already, whichever device of ours wrote them.
//!
//! Invariants: a process decrypts an event of a room once for that, and only the account's own; what a try may have left is
//! looked for from shortly before that try on; what an earlier device wrote is read with its keys from the backup.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use matrix_sdk::Room;
use matrix_sdk::ruma::api::client::message::get_message_events::v3::Request as Page;
use matrix_sdk::ruma::events::AnyTimelineEvent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedRoomId, UInt};
use serde_json::Value;

use super::fault;
use super::names::KEY;
use super::session::Session;
use crate::chat::ChatError;

/// How much the clocks here and there may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);
/// Pages of a hundred events that are read back.
const PAGES: usize = 20;
/// Events of a room that are remembered; with more it is begun anew.
const MOST: usize = 50_000;

/// What was read back of each room. Held while one reads.
pub(super) type ReadBack = tokio::sync::Mutex<HashMap<OwnedRoomId, Seen>>;

/// What was read back of a room.
#[derive(Default)]
pub(super) struct Seen {
    /// Our messages, by the keys under which they were posted.
    posted: HashMap<String, String>,
    /// Events that were looked at, all from `back_to` on until the last time.
    events: HashSet<String>,
    /// In milliseconds of the server's clock.
    back_to: Option<i64>,
    /// Ours that could not be decrypted.
    unread: Vec<Raw<AnyTimelineEvent>>,
    /// Whether their keys were asked of the backup.
    is_fetched: bool,
}

impl Session {
    /// The message that was posted under a key since shortly before `tried`.
    pub async fn find(
        &self,
        room: &Room,
        key: &str,
        tried: DateTime<Utc>,
    ) -> Result<Option<String>, ChatError> {
        let mut all = self.read_back.lock().await;
        let seen = all.entry(room.room_id().to_owned()).or_default();
        if let Some(id) = seen.posted.get(key) {
            return Ok(Some(id.clone()));
        }
        if seen.events.len() > MOST {
            *seen = Seen::default();
        }
        self.read_on(room, seen, (tried - SKEW).timestamp_millis())
            .await?;
        if !seen.posted.contains_key(key) && !seen.unread.is_empty() {
            self.read_again(room, seen).await?;
        }
        Ok(seen.posted.get(key).cloned())
    }

    /// Reads what is new, and what is older than what was read until now, back to a time.
    async fn read_on(&self, room: &Room, seen: &mut Seen, oldest: i64) -> Result<(), ChatError> {
        let is_deep = seen.back_to.is_some_and(|to| to <= oldest);
        // Remembered only when it hangs together with what was read before.
        let mut fresh = Vec::new();
        let mut from = None;
        for _ in 0..PAGES {
            let mut request = Page::backward(room.room_id().to_owned());
            request.limit = UInt::from(100_u32);
            request.from = from;
            let page = self.client.send(request).await;
            let page = page.map_err(|error| fault::of_http("reading back", &error))?;
            let (mut is_known, mut last) = (false, None);
            for event in &page.chunk {
                let value: Value = serde_json::from_str(event.json().get()).unwrap_or_default();
                last = value["origin_server_ts"].as_i64();
                match value["event_id"].as_str() {
                    Some(id) if seen.events.contains(id) => is_known = true,
                    Some(id) => {
                        fresh.push(id.to_owned());
                        self.look_at(room, seen, event, &value).await;
                    }
                    None => {}
                }
            }
            let is_enough = last.is_none_or(|at| at < oldest) || (is_known && is_deep);
            from = page.end;
            if from.is_none() || is_enough {
                break;
            }
        }
        seen.events.extend(fresh);
        seen.back_to = Some(seen.back_to.map_or(oldest, |to| to.min(oldest)));
        Ok(())
    }

    async fn look_at(&self, room: &Room, seen: &mut Seen, event: &Raw<AnyTimelineEvent>, value: &Value) {
        if value["sender"] != self.user().as_str() {
            return;
        }
        if value["type"] != "m.room.encrypted" {
            seen.note(value);
            return;
        }
        match decrypted(room, event).await {
            Some(value) => seen.note(&value),
            None => {
                seen.unread.push(event.clone());
                seen.is_fetched = false;
            }
        }
    }

    /// What an earlier device of ours wrote, with its keys from the backup.
    async fn read_again(&self, room: &Room, seen: &mut Seen) -> Result<(), ChatError> {
        if !seen.is_fetched {
            let backups = self.client.encryption().backups();
            let fetched = backups.download_room_keys_for_room(room.room_id()).await;
            fetched.map_err(|error| fault::of("fetching room keys from the backup", &error))?;
            seen.is_fetched = true;
        }
        for event in std::mem::take(&mut seen.unread) {
            match decrypted(room, &event).await {
                Some(value) => seen.note(&value),
                None => seen.unread.push(event),
            }
        }
        Ok(())
    }
}

impl Seen {
    fn note(&mut self, value: &Value) {
        if let (Some(key), Some(id)) = (value["content"][KEY].as_str(), value["event_id"].as_str()) {
            self.posted.insert(key.to_owned(), id.to_owned());
        }
    }
}

async fn decrypted(room: &Room, event: &Raw<AnyTimelineEvent>) -> Option<Value> {
    let tried = room.decrypt_event(event.cast_ref_unchecked(), None).await.ok()?;
    if tried.kind.is_utd() {
        return None;
    }
    serde_json::from_str(tried.raw().json().get()).ok()
}
