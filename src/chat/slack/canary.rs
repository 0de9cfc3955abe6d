//! The canary: one message of ours that is changed with a nonce; the change comes back by the stream of events.
//!
//! So a round trip goes the whole way that work goes: the Web API, Slack, the events that are subscribed to, the socket or
//! the request. The message stands in the surface's own channel, one line, posted once and then changed; after a start it is
//! looked for among the newest messages, so there is one for each start at the most. The nonce stands in the metadata and in
//! the id of a block: Slack tells both with a message, and shows neither; the words hold its beginning, so that they change.

use slack_morphism::SlackMessageContent;
use slack_morphism::blocks::{SlackBlockId, SlackBlockPlainText, SlackContextBlock};

use super::Slack;
use super::markup::within;
use super::post::metadata;
use super::wire::Event;
use crate::chat::ChatError;
use crate::chat::message::Place;

/// What its metadata is called, and what it holds.
const KIND: &str = "orchestrator_canary";
const NONCE: &str = "nonce";
/// What the id of its block begins with.
const BLOCK: &str = "canary:";
/// The longest nonce that fits into the id of a block (255) besides.
const LONGEST: usize = 200;
/// How much of it is shown.
const SHOWN: usize = 8;

/// The nonce that a message carries, where it is a canary.
pub(super) fn nonce_in(message: &Event) -> Option<String> {
    let told = message.metadata.as_ref().and_then(|one| one.value(KIND, NONCE));
    let ids = message
        .blocks
        .iter()
        .filter_map(|block| block.block_id.as_deref());
    let shown = ids.filter_map(|id| id.strip_prefix(BLOCK)).next();
    // The blocks are what `chat.update` certainly replaced.
    shown.or(told).map(str::to_owned)
}

impl Slack {
    pub(super) async fn send_canary(&self, nonce: &str) -> Result<(), ChatError> {
        if nonce.is_empty() || nonce.len() > LONGEST {
            let why = format!("a canary's nonce has 1 to {LONGEST} bytes");
            return Err(ChatError::Refused { why });
        }
        let place = Place {
            room: self.rooms.whole().to_owned(),
            thread: None,
        };
        let mut known = self.canary.lock().await;
        if known.is_none() {
            *known = self.old_canary(&place).await?;
        }
        if let Some(id) = known.as_deref() {
            match self.update(&place.room, id, content(nonce)).await {
                Err(ChatError::Gone { .. }) => *known = None,
                other => return other,
            }
        }
        *known = Some(self.post_content(&place, content(nonce), false).await?);
        Ok(())
    }

    /// The one of before the last start, where it is still among the newest messages.
    async fn old_canary(&self, place: &Place) -> Result<Option<String>, ChatError> {
        let me = self.me().await?;
        let page = self.page(place, "0", "").await?;
        let ours = |event: &&Event| me.wrote(event) && nonce_in(event).is_some();
        Ok(page.messages.iter().find(ours).and_then(|event| event.ts.clone()))
    }
}

fn content(nonce: &str) -> SlackMessageContent {
    let start: String = nonce.chars().take(SHOWN).collect();
    let words = within(&format!("Both ways are open while this changes: {start}"), 200);
    let mut block = SlackContextBlock::new(vec![
        SlackBlockPlainText::new(words.clone()).with_emoji(false).into(),
    ]);
    block.block_id = Some(SlackBlockId(format!("{BLOCK}{nonce}")));
    SlackMessageContent::new()
        .with_text(words)
        .with_blocks(vec![block.into()])
        .with_metadata(metadata(KIND, NONCE, nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_found_again() {
        let sent = serde_json::to_value(content("0f9a-nonce")).unwrap();
        let mut event: Event = serde_json::from_value(sent).unwrap();
        assert_eq!(nonce_in(&event).as_deref(), Some("0f9a-nonce"));
        event.metadata = None;
        assert_eq!(nonce_in(&event).as_deref(), Some("0f9a-nonce"));
        event.blocks.clear();
        assert_eq!(nonce_in(&event), None);
    }

    #[test]
    fn the_words_change_with_it() {
        assert_ne!(content("aaaa").text, content("bbbb").text);
    }
}
