//! Messages of ours: new ones, once for each key, and other words in old ones.
//!
//! Each carries its key in its metadata, which people do not see. Slack has no key of its own for "the same message": after
//! a try whose outcome is not known, the channel or the thread is read back for it first.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use slack_morphism::api::{SlackApiChatPostMessageRequest, SlackApiChatUpdateRequest};
use slack_morphism::{SlackChannelId, SlackMessageContent, SlackMessageMetadata, SlackTs};

use super::Slack;
use super::api::Done;
use super::method::Method;
use super::render;
use super::wire::{Event, each};
use crate::chat::ChatError;
use crate::chat::message::{Message, Place};

/// What the metadata of messages is called, and what it holds.
const KIND: &str = "orchestrator_message";
const KEY: &str = "key";
/// How far Slack's clock may be from ours.
const APART: TimeDelta = TimeDelta::minutes(5);
/// Messages of one page: the most that Slack recommends.
const PAGE: &str = "200";
/// More pages than there are messages since a try that is still worth repeating.
const PAGES: usize = 50;

/// A page of messages.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default, deserialize_with = "each")]
    pub(super) messages: Vec<Event>,
    #[serde(default)]
    response_metadata: Cursor,
}

impl Page {
    /// Where the next one begins; none where this is the last.
    pub(super) fn next(&self) -> Option<&str> {
        Some(self.response_metadata.next_cursor.as_str()).filter(|cursor| !cursor.is_empty())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cursor {
    next_cursor: String,
}

#[derive(Deserialize)]
struct Posted {
    ts: String,
}

impl Slack {
    pub(super) async fn post_once(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError> {
        if let Some(since) = tried
            && let Some(there) = self.find(to, KIND, KEY, key, since - APART).await?
        {
            return Ok(there);
        }
        let broadcast = matches!(message, Message::Text(text) if text.broadcast);
        let content = render::message(message).with_metadata(metadata(KIND, KEY, key));
        self.post_content(to, content, broadcast).await
    }

    /// Posts what is rendered already.
    pub(super) async fn post_content(
        &self,
        to: &Place,
        content: SlackMessageContent,
        broadcast: bool,
    ) -> Result<String, ChatError> {
        let mut request = SlackApiChatPostMessageRequest::new(SlackChannelId(to.room.clone()), content)
            .with_link_names(false)
            .with_parse("none".to_owned())
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        if let Some(thread) = &to.thread {
            request.thread_ts = Some(SlackTs(thread.clone()));
            request.reply_broadcast = Some(broadcast);
        }
        let posted: Posted = self.api.tell(Method::PostMessage, &request).await?;
        Ok(posted.ts)
    }

    /// Other words in a message of ours; its metadata stays.
    pub(super) async fn update(
        &self,
        room: &str,
        id: &str,
        content: SlackMessageContent,
    ) -> Result<(), ChatError> {
        let request =
            SlackApiChatUpdateRequest::new(SlackChannelId(room.to_owned()), content, SlackTs(id.to_owned()))
                .with_link_names(false)
                .with_parse("none".to_owned());
        let Done {} = self.api.tell(Method::Update, &request).await?;
        Ok(())
    }

    /// The message of ours with this in its metadata, since then.
    pub(super) async fn find(
        &self,
        at: &Place,
        kind: &str,
        name: &str,
        value: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<String>, ChatError> {
        let oldest = format!("{}.000000", since.timestamp().max(0));
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let page = self.page(at, &oldest, &cursor).await?;
            let me = self.me().await?;
            let ours = |event: &&Event| {
                let metadata = event.metadata.as_ref();
                me.wrote(event) && metadata.and_then(|one| one.value(kind, name)) == Some(value)
            };
            if let Some(event) = page.messages.iter().find(ours) {
                return Ok(event.ts.clone());
            }
            match page.next() {
                Some(next) => cursor = next.to_owned(),
                None => return Ok(None),
            }
        }
        Err(ChatError::Away {
            why: format!("too much was written since to tell whether it arrived ({PAGES} pages)"),
        })
    }

    /// The newest messages of a channel first, or those of a thread.
    pub(super) async fn page(&self, at: &Place, oldest: &str, cursor: &str) -> Result<Page, ChatError> {
        let mut query = vec![
            ("channel", at.room.as_str()),
            ("limit", PAGE),
            ("include_all_metadata", "true"),
            ("oldest", oldest),
        ];
        if !cursor.is_empty() {
            query.push(("cursor", cursor));
        }
        let method = match &at.thread {
            Some(thread) => {
                query.push(("ts", thread));
                Method::Replies
            }
            None => Method::History,
        };
        Ok(self.api.ask(method, &query).await?)
    }
}

/// Metadata of one value.
pub(super) fn metadata(kind: &str, name: &str, value: &str) -> SlackMessageMetadata {
    let payload = HashMap::from([(name.to_owned(), value.to_owned())]);
    SlackMessageMetadata::new(kind.to_owned()).with_event_payload(payload)
}
