//! A store that does not answer for long: people are told in the room of the instance, and told when it is over.
//!
//! Invariants: needs nothing of the store; one message an outage, edited when it ends. Deliberately absent: what the outage
//! does to workers (`service::member`).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::card::span;
use crate::chat::message::{Message, Place, Purpose, Text};
use crate::chat::{Chat, ChatError};

/// So long it may be away before anybody is told.
const LONG: TimeDelta = TimeDelta::seconds(60);
/// How long telling may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Since when it does not answer, and where that was told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outage {
    since: Option<DateTime<Utc>>,
    told: Option<(String, String)>,
}

impl Outage {
    /// Takes in whether the store answered just now, and tells what is to be told.
    pub(super) async fn look(&mut self, answers: bool, now: DateTime<Utc>, chat: &dyn Chat) {
        let Some(text) = self.text(answers, now) else {
            return;
        };
        match timeout(PATIENCE, self.tell(text, chat)).await {
            Ok(Ok(told)) => self.told = Some(told).filter(|_| !answers),
            Ok(Err(ChatError::Gone { .. } | ChatError::Refused { .. })) if answers => self.told = None,
            // It is tried again with the next look.
            Ok(Err(_)) | Err(_) => return,
        }
        if answers {
            self.since = None;
        }
    }

    /// What is to be told now, if anything is.
    fn text(&mut self, answers: bool, now: DateTime<Utc>) -> Option<String> {
        if answers && self.told.is_none() {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let from = since.format("%H:%M UTC");
        match (answers, &self.told) {
            (true, _) => Some(format!(
                "✅ The store answers again. It did not from {from} on, for {}.",
                span(now - since)
            )),
            (false, None) if now - since >= LONG => Some(format!(
                "🔴 The store does not answer since {from}: nothing is begun or finished, and workers that hold a lease of it end \
                 with that. What you write is heard, and done when it answers."
            )),
            (false, _) => None,
        }
    }

    async fn tell(&self, text: String, chat: &dyn Chat) -> Result<(String, String), ChatError> {
        let message = Message::Text(Text::of(text));
        if let Some((room, id)) = &self.told {
            chat.edit(room, id, &message).await?;
            return Ok((room.clone(), id.clone()));
        }
        let room = chat.room(&Purpose::Instance).await?;
        let key = format!("outage:{}", self.since.unwrap_or_default().timestamp());
        let place = Place {
            room: room.clone(),
            thread: None,
        };
        let id = chat.post(&place, &message, &key, None).await?;
        Ok((room, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_long_outage_is_told_once_and_so_is_its_end() {
        let mut outage = Outage::default();
        assert_eq!(outage.text(true, at(0)), None);
        assert_eq!(outage.text(false, at(20)), None);
        assert_eq!(outage.text(false, at(60)), None);
        let told = outage.text(false, at(80)).unwrap();
        assert!(
            told.starts_with("🔴 The store does not answer since 00:00 UTC"),
            "{told}"
        );
        outage.told = Some(("C".to_owned(), "m".to_owned()));
        assert_eq!(outage.text(false, at(100)), None);
        let over = outage.text(true, at(140)).unwrap();
        assert!(over.ends_with("for 2 min 0 s."), "{over}");
    }

    #[test]
    fn a_short_one_is_not() {
        let mut outage = Outage::default();
        assert_eq!(outage.text(false, at(0)), None);
        assert_eq!(outage.text(true, at(40)), None);
        assert_eq!(outage, Outage::default());
    }
}
