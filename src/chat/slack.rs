//! Slack: channels of a workspace, by its Web API, its events, and Block Kit.
//!
//! The models of requests and blocks are the library's (`slack-morphism`); the transport is not. Its HTTP client has no
//! timeouts and puts bodies into its errors, and brings a second TLS; its Socket Mode starts tasks that outlive whoever
//! listens, logs the address of the socket (which is good for whoever has it), connects anew in silence, and tells nobody that
//! it is deaf. So calls go by the HTTP client that every adapter uses (`api`), and the socket is one future that ends when
//! it is dropped and says why when it ends (`socket`). What comes in is read by models of our own (`wire`), which know what
//! is used and forgive the rest.
//!
//! Deliberately absent: trying again (`service::surface`), making channels (people do), and any judgement of who may what.
//! Reactions are not subscribed to: there are buttons.

mod account;
mod answer;
mod api;
mod canary;
mod fault;
mod file;
mod heard;
pub mod manifest;
mod markup;
mod method;
mod missed;
mod post;
mod render;
mod request;
mod room;
mod signature;
mod socket;
mod take;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, OnceCell};

use self::account::Accounts;
use self::api::Api;
use self::heard::Me;
use self::method::Method;
use self::room::Rooms;
use self::signature::Signing;
use super::ChatError;
use super::heard::{Attached, Heard};
use super::message::{Message, Place, Purpose};
use super::port::{Chat, Ear, Reply, Request};
use crate::clock::Clock;
use crate::config::section::Slack as Settings;

/// A workspace, as one app sees it.
pub struct Slack {
    api: Api,
    team: String,
    rooms: Rooms,
    accounts: Accounts,
    signing: Option<Signing>,
    /// The message that is the canary, once it is known.
    canary: Mutex<Option<String>>,
    me: OnceCell<Me>,
    clock: Clock,
    patience: Duration,
}

impl Slack {
    /// The workspace of the configuration, each answer of which takes `patience` at most. Nothing is called yet.
    ///
    /// # Errors
    /// A sentence, where a secret is missing or empty, or the API's address is none that a token may travel to.
    pub fn new(settings: &Settings, patience: Duration) -> Result<Self, String> {
        let signing = settings.signing_secret.as_ref().map(Signing::new);
        Ok(Self {
            api: Api::new(settings, patience)?,
            team: settings.team.clone(),
            rooms: Rooms::new(settings),
            accounts: Accounts::new(&settings.team),
            signing: signing.transpose()?,
            canary: Mutex::new(None),
            me: OnceCell::new(),
            clock: Clock::system(),
            patience,
        })
    }

    /// Who we are there; asked once.
    async fn me(&self) -> Result<&Me, ChatError> {
        self.me.get_or_try_init(|| self.introduce()).await
    }

    async fn introduce(&self) -> Result<Me, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            user_id: String,
            team_id: String,
            bot_id: Option<String>,
        }
        let answer: Answer = self.api.tell(Method::AuthTest, &json!({})).await?;
        if answer.team_id != self.team {
            let why = format!(
                "the token is of the workspace {}, the configuration says {}",
                answer.team_id, self.team
            );
            return Err(ChatError::Refused { why });
        }
        Ok(Me {
            user: answer.user_id,
            bot: answer.bot_id,
        })
    }
}

#[async_trait]
impl Chat for Slack {
    async fn room(&self, purpose: &Purpose) -> Result<String, ChatError> {
        self.rooms.of(purpose)
    }

    async fn post(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError> {
        self.post_once(to, message, key, tried).await
    }

    async fn edit(&self, room: &str, id: &str, message: &Message) -> Result<(), ChatError> {
        self.update(room, id, render::message(message)).await
    }

    async fn acknowledge(&self, heard: &Heard) -> Result<(), ChatError> {
        self.show_seen(heard).await
    }

    async fn whisper(&self, heard: &Heard, text: &str) -> Result<(), ChatError> {
        self.tell_alone(heard, text).await
    }

    async fn fetch(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError> {
        self.download(file, most).await
    }

    async fn upload(&self, to: &Place, name: &str, bytes: Vec<u8>, _key: &str) -> Result<(), ChatError> {
        self.share(to, name, bytes).await
    }

    async fn canary(&self, nonce: &str) -> Result<(), ChatError> {
        self.send_canary(nonce).await
    }

    async fn request(&self, request: &Request, ear: &dyn Ear) -> Reply {
        self.take_request(request, ear).await
    }

    fn to_read_back(&self) -> Vec<String> {
        self.rooms.all()
    }

    async fn read_back(
        &self,
        at: &Place,
        since: DateTime<Utc>,
        most: usize,
        ear: &dyn Ear,
    ) -> Result<usize, ChatError> {
        self.hand_on_since(at, since, most, ear).await
    }

    async fn listen(&self, ear: &dyn Ear) -> ChatError {
        match self.api.has_socket() {
            true => self.listen_by_socket(ear).await,
            // What comes by requests comes to `request`.
            false => std::future::pending().await,
        }
    }
}
