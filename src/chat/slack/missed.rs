//! What was said while nobody listened, and that Slack does not bring again: the histories have it.
//!
//! Invariants: what is read back has the id that its event would have had, so what came both ways counts once; of what was
//! changed meanwhile nobody knows what it said first, so it is not handed on. Presses and slash commands leave no trace: whoever
//! made one was told by Slack at once that it failed.

use chrono::{DateTime, Utc};

use super::Slack;
use super::heard::{self, Meaning, time};
use super::wire::Event;
use crate::chat::ChatError;
use crate::chat::message::Place;
use crate::chat::port::Ear;

impl Slack {
    pub(super) async fn hand_on_since(
        &self,
        at: &Place,
        since: DateTime<Utc>,
        most: usize,
        ear: &dyn Ear,
    ) -> Result<usize, ChatError> {
        let mut all = self.said_since(at, since, most).await?;
        let stamp = |event: &Event| event.ts.as_deref().and_then(time);
        // The first message of a thread always comes with it.
        all.retain(|event| stamp(event).is_some_and(|at| at > since));
        all.sort_by_key(stamp);
        let newest = all.split_off(all.len().saturating_sub(most));
        let (count, me) = (newest.len(), self.me().await?);
        for mut event in newest {
            event.channel = Some(at.room.clone());
            if let Meaning::Said(said) = heard::message(event, me) {
                let heard = self.known(*said).await;
                let taken = ear.hear(heard).await;
                taken.map_err(|deaf| ChatError::Away {
                    why: deaf.to_string(),
                })?;
            }
        }
        Ok(count)
    }

    /// Page by page: of a channel the newest come first, of a thread the oldest.
    async fn said_since(
        &self,
        at: &Place,
        since: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<Event>, ChatError> {
        let oldest = format!(
            "{}.{:06}",
            since.timestamp().max(0),
            since.timestamp_subsec_micros()
        );
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.page(at, &oldest, &cursor).await?;
            let next = page.next().map(str::to_owned);
            all.extend(page.messages);
            match next {
                Some(next) if at.thread.is_some() || all.len() < most => cursor = next,
                _ => return Ok(all),
            }
        }
    }
}
