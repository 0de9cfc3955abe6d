//! Answers to what was heard: that it was, and words for one person alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use slack_morphism::api::{SlackApiChatPostEphemeralRequest, SlackApiReactionsAddRequest};
use slack_morphism::{SlackChannelId, SlackReactionName, SlackTs, SlackUserId};

use super::Slack;
use super::api::Done;
use super::fault::Fault;
use super::method::Method;
use super::render;
use crate::chat::ChatError;
use crate::chat::heard::Heard;
use crate::chat::message::Text;

/// The emoji that says: seen.
const SEEN: &str = "eyes";
/// Slack takes answers at such an address for half an hour, five times.
const YOUNG: Duration = Duration::from_mins(28);
const USES: u8 = 5;
/// More acts than there are in half an hour.
const MOST: usize = 1_000;

/// Where acts of people can be answered for a while, the newest last.
#[derive(Default)]
pub(super) struct Addresses {
    known: Mutex<VecDeque<Address>>,
}

struct Address {
    event: String,
    url: String,
    since: Instant,
    uses: u8,
}

impl Addresses {
    /// Keeps the address of an act; of one that is told again, the newest.
    pub(super) fn keep(&self, event: &str, url: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| one.event != event && one.since.elapsed() < YOUNG);
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back(Address {
            event: event.to_owned(),
            url: url.to_owned(),
            since: Instant::now(),
            uses: 0,
        });
    }

    /// An address that is still good, for one use.
    fn take(&self, event: &str) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |one: &&mut Address| one.event == event && one.uses < USES && one.since.elapsed() < YOUNG;
        let address = known.iter_mut().find(good)?;
        address.uses += 1;
        Some(address.url.clone())
    }
}

impl Slack {
    /// Messages get a reaction; a press or a command was acknowledged when its request, or its envelope, was.
    pub(super) async fn show_seen(&self, heard: &Heard) -> Result<(), ChatError> {
        let Some(message) = &heard.message else {
            return Ok(());
        };
        let request = SlackApiReactionsAddRequest::new(
            SlackChannelId(heard.room.clone()),
            SlackReactionName(SEEN.to_owned()),
            SlackTs(message.clone()),
        );
        match self.api.tell::<Done>(Method::ReactionsAdd, &request).await {
            Ok(Done {}) => Ok(()),
            Err(fault) if fault.is("already_reacted") => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// By the address that came with the act while that is good, which works in channels that the app is not in; else as a
    /// message that its author alone sees.
    pub(super) async fn tell_alone(&self, heard: &Heard, text: &str) -> Result<(), ChatError> {
        if let Some(url) = self.addresses.take(&heard.event) {
            match self.answer_at(&url, text).await {
                Ok(()) => return Ok(()),
                Err(Fault::Refused(why)) => tracing::debug!(%why, "an answer is sent another way"),
                Err(fault) => return Err(fault.into()),
            }
        }
        let user = heard.who.id.rsplit(':').next().unwrap_or_default();
        let mut request = SlackApiChatPostEphemeralRequest::new(
            SlackChannelId(heard.room.clone()),
            SlackUserId(user.to_owned()),
            render::text(&Text::of(text)),
        )
        .with_link_names(false)
        .with_parse("none".to_owned());
        request.thread_ts = heard.thread.clone().map(SlackTs);
        let Done {} = self.api.tell(Method::PostEphemeral, &request).await?;
        Ok(())
    }

    async fn answer_at(&self, url: &str, text: &str) -> Result<(), Fault> {
        let content = render::text(&Text::of(text));
        let answer = json!({
            "response_type": "ephemeral",
            "replace_original": false,
            "text": content.text,
            "blocks": content.blocks,
        });
        let kind = "application/json; charset=utf-8";
        self.api.send(url, kind, answer.to_string().into_bytes()).await
    }
}
