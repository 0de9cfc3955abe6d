//! Telling: messages, edits, reactions, receipts.
//!
//! Invariants: the transaction id follows from the key, so the server takes a repetition from the same device for the same
//! message; where an earlier try may have come from another device, the room is read back for the key first; what is put
//! beside a message (an emoji to tap, a typing notice) never makes the message fail.

use chrono::{DateTime, Utc};
use matrix_sdk::Room;
use matrix_sdk::ruma::api::client::receipt::create_receipt::v3::ReceiptType;
use matrix_sdk::ruma::events::GlobalAccountDataEventType;
use matrix_sdk::ruma::events::receipt::ReceiptThread;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{EventId, OwnedEventId, OwnedTransactionId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fault;
use super::markup::{self, Relation};
use super::names::CANARY;
use super::session::Session;
use crate::chat::ChatError;
use crate::chat::heard::{Heard, What};
use crate::chat::message::{Message, Place, Text};

impl Session {
    pub async fn post(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError> {
        let room = self.room(&to.room)?;
        let relation = to.thread.as_deref().map_or(Relation::Alone, Relation::Thread);
        let there = match tried {
            Some(at) => self.find(&room, key, at).await?,
            None => None,
        };
        let id = match there {
            Some(id) => id,
            None => self.say(&room, message, key, relation).await?,
        };
        if let (Message::Text(text), Some(root)) = (message, &to.thread)
            && text.broadcast
        {
            self.ring(&room, text, key, root, tried).await?;
        }
        self.alive.add(&id);
        self.offer(&room, &id, message).await;
        Ok(id)
    }

    /// Sends a message under a key.
    pub async fn say(
        &self,
        room: &Room,
        message: &Message,
        key: &str,
        relation: Relation<'_>,
    ) -> Result<String, ChatError> {
        // What somebody must act on rings in the room; a thread is quiet.
        let rings = matches!((message, relation), (Message::Text(text), Relation::Alone | Relation::Reply(_)) if text.broadcast);
        let content = markup::content(message, Some(key), relation, rings);
        self.send(room, "m.room.message", content, key).await
    }

    pub async fn edit(&self, room: &str, id: &str, message: &Message) -> Result<(), ChatError> {
        let room = self.room(room)?;
        self.must_be_there(&room, id).await?;
        let key = uuid::Uuid::new_v4().to_string();
        self.send(&room, "m.room.message", markup::edit(message, id), &key)
            .await?;
        self.offer(&room, id, message).await;
        Ok(())
    }

    pub async fn acknowledge(&self, heard: &Heard) -> Result<(), ChatError> {
        let room = self.room(&heard.room)?;
        let (seen, read, typing) = tokio::join!(
            async {
                match &heard.message {
                    Some(message) => self.react(&room, message, "👀").await,
                    None => Ok(()),
                }
            },
            self.read(&room, &heard.event),
            async {
                match &heard.what {
                    // It goes out by itself after some seconds.
                    What::Text { addressed: true, .. } => room.typing_notice(true).await.map(drop),
                    _ => Ok(()),
                }
            },
        );
        if let Err(error) = typing {
            tracing::debug!(error = %fault::of("typing", &error), "no typing notice");
        }
        seen.and(read)
    }

    pub async fn whisper(&self, heard: &Heard, text: &str) -> Result<(), ChatError> {
        let room = self.room(&heard.room)?;
        let on = match &heard.what {
            What::Press { on, .. } | What::Reaction { on, .. } => on,
            What::Text { .. } => heard.message.as_ref().unwrap_or(&heard.event),
        };
        let relation = match &heard.thread {
            Some(root) => Relation::Answer(root, on),
            None => Relation::Reply(on),
        };
        let key = format!("whisper:{}:{}", heard.event, digest(text));
        let _ = room.typing_notice(false).await;
        self.say(&room, &Message::Text(Text::of(text)), &key, relation)
            .await
            .map(drop)
    }

    pub async fn canary(&self, nonce: &str) -> Result<(), ChatError> {
        let content = serde_json::value::to_raw_value(&json!({ "nonce": nonce }));
        let content = content.map_err(|error| ChatError::Refused {
            why: error.to_string(),
        })?;
        let kind = GlobalAccountDataEventType::from(CANARY);
        let sent = self
            .client
            .account()
            .set_account_data_raw(kind, Raw::from_json(content))
            .await;
        sent.map(drop).map_err(|error| {
            if fault::is_logged_out(error.client_api_error_kind()) {
                self.end();
            }
            fault::of("sending a canary", &error)
        })
    }

    /// The transaction id of a key.
    pub fn transaction(key: &str) -> OwnedTransactionId {
        OwnedTransactionId::from(format!("orchestrator-{}", digest(key)))
    }

    async fn send(&self, room: &Room, kind: &str, content: Value, key: &str) -> Result<String, ChatError> {
        let transaction = Self::transaction(key);
        let sent = room
            .send_raw(kind, content)
            .with_transaction_id(&transaction)
            .await;
        match sent {
            Ok(sent) => Ok(sent.response.event_id.to_string()),
            Err(error) => {
                if fault::is_logged_out(error.client_api_error_kind()) {
                    self.end();
                }
                Err(fault::of("sending", &error))
            }
        }
    }

    /// In the room as well, where phones ring: somebody must act.
    async fn ring(
        &self,
        room: &Room,
        text: &Text,
        key: &str,
        root: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<(), ChatError> {
        let key = format!("{key}/room");
        if let Some(at) = tried
            && self.find(room, &key, at).await?.is_some()
        {
            return Ok(());
        }
        let message = Message::Text(text.clone());
        self.say(room, &message, &key, Relation::Reply(root))
            .await
            .map(drop)
    }

    /// Puts up the emoji that decide. Whoever reads on a phone has them to tap.
    async fn offer(&self, room: &Room, id: &str, message: &Message) {
        let emojis = markup::offered(message);
        if emojis.is_empty() || !self.offered.add(id) {
            return;
        }
        for emoji in emojis {
            if let Err(error) = self.react(room, id, emoji).await {
                tracing::debug!(%error, "an emoji is not put up");
            }
        }
    }

    async fn react(&self, room: &Room, on: &str, emoji: &str) -> Result<(), ChatError> {
        let content = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": on, "key": emoji } });
        let transaction = Self::transaction(&format!("react:{on}:{emoji}"));
        match room
            .send_raw("m.reaction", content)
            .with_transaction_id(&transaction)
            .await
        {
            Err(error) if !fault::is_repeated(&error) => Err(fault::of("reacting", &error)),
            _ => Ok(()),
        }
    }

    async fn read(&self, room: &Room, event: &str) -> Result<(), ChatError> {
        let Ok(event) = EventId::parse(event) else {
            return Ok(());
        };
        let sent = room
            .send_single_receipt(ReceiptType::Read, ReceiptThread::Unthreaded, event)
            .await;
        sent.map_err(|error| fault::of("saying that it is read", &error))
    }

    /// Whether a message of ours is still there: the server would take an edit of nothing.
    async fn must_be_there(&self, room: &Room, id: &str) -> Result<(), ChatError> {
        let gone = || ChatError::Gone {
            what: format!("the message {id}"),
        };
        if self.redacted.has(id) {
            return Err(gone());
        }
        if self.alive.has(id) {
            return Ok(());
        }
        let parsed: OwnedEventId = EventId::parse(id).map_err(|_| gone())?;
        let event = room.event(&parsed, None).await;
        let event = event.map_err(|error| match fault::of("looking for a message", &error) {
            ChatError::Gone { .. } | ChatError::Refused { .. } => gone(),
            other => other,
        })?;
        let value: Value = serde_json::from_str(event.raw().json().get()).unwrap_or_default();
        if value["unsigned"].get("redacted_because").is_some() {
            return Err(gone());
        }
        self.alive.add(id);
        Ok(())
    }
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_the_same_transaction() {
        let id = |key: &str| Session::transaction(key).to_string();
        assert_eq!(id("fix-api:7:0@home"), id("fix-api:7:0@home"));
        assert_ne!(id("fix-api:7:0@home"), id("fix-api:7:1@home"));
        assert_eq!(id("ä/../\n").len(), "orchestrator-".len() + 32);
    }
}
