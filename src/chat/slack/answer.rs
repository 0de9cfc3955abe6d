//! Answers to what was heard: that it was, and words for one person alone.
//!
//! The address that came with an act is kept with it, so whichever node took it, the one that leads can answer, also after a
//! restart. Slack takes answers there for half an hour, five times.

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
        if let Some(url) = &heard.answer_at {
            match self.answer_at(url, text).await {
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
