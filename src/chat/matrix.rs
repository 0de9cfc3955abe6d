//! A homeserver of Matrix as a surface: a Space for the instance, an encrypted room for each project and each agent.
//!
//! Invariants: the device is logged in once and kept (`keep`, `session`); nothing is sent before the account has signed it
//! (`identity`); which rooms there are is the server's to say (`topology`); what is heard is handed on before it is
//! acknowledged (`listening`), with what speaks against whoever said it (`trust`). A homeserver that is away is no fault
//! of the configuration: each call connects where that is not done yet, and says [`ChatError::Away`].
//! Deliberately absent: tasks, roles beyond whom to invite, and any obedience.

mod attachments;
mod fault;
mod hearing;
mod identity;
mod keep;
mod listening;
mod markup;
mod names;
mod people;
mod reading_back;
pub mod registration;
mod retention;
mod session;
mod telling;
mod topology;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::ruma::{OwnedUserId, UserId};
use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::Mutex;

pub use identity::Keys;
use names::{Names, Subject};
use retention::Retention;
use session::Session;

use super::heard::{Attached, Heard};
use super::message::{Message, Place, Purpose};
use super::{Chat, ChatError, Ear};
use crate::config::section;
use crate::domain::role::Roles;

/// What it needs to know.
#[derive(Clone)]
struct Settings {
    homeserver: String,
    user: OwnedUserId,
    password: Option<SecretString>,
    recovery_key: Option<SecretString>,
    names: Names,
    encrypted: bool,
    agents: Vec<String>,
    roles: Roles,
    retention: Retention,
    folder: PathBuf,
    timeout: Duration,
}

/// An account of Matrix.
pub struct Matrix {
    settings: Settings,
    session: Mutex<Option<Arc<Session>>>,
}

/// A room, as `orchestrator matrix bootstrap` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Room {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its alias.
    pub alias: String,
}

impl Matrix {
    /// An account that keeps its device in `folder` and invites whom `roles` name; each request is waited for `timeout`.
    /// Nothing is asked of the server yet.
    ///
    /// # Errors
    /// A sentence, where the account's name is none.
    pub fn open(
        config: &section::Matrix,
        roles: &Roles,
        folder: PathBuf,
        timeout: Duration,
    ) -> Result<Self, String> {
        let user = UserId::parse(&config.user).map_err(|error| format!("{}: {error}", config.user))?;
        // One that is not there is missed only where it is needed: a device that is kept needs none.
        let secret = |secret: &Option<crate::config::secret::Secret>| {
            let secret = secret.as_ref().and_then(|secret| secret.value().ok());
            secret.cloned()
        };
        let settings = Settings {
            homeserver: config.homeserver.trim_end_matches('/').to_owned(),
            names: Names::new(user.as_str(), &config.space),
            user,
            password: secret(&config.password),
            recovery_key: secret(&config.recovery_key),
            encrypted: config.encrypted,
            agents: config.agents.clone(),
            roles: roles.clone(),
            retention: Retention {
                everywhere: config.retention,
                of_project: config.project_retention.clone(),
            },
            folder,
            timeout,
        };
        Ok(Self {
            settings,
            session: Mutex::default(),
        })
    }

    /// Logs in where that is not done yet, and tells how it stands with the keys. With `reset_identity` the account's
    /// identity is replaced: everybody who verified it is warned by their clients.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn log_in(&self, reset_identity: bool) -> Result<Keys, ChatError> {
        let session = self.connect(reset_identity).await?;
        identity::keys(&session.client, &self.settings, &session.keep).await
    }

    /// Makes the Space, the rooms of the instance, of the named agents and of these projects where they are missing, and
    /// invites who is. Any number of times.
    ///
    /// # Errors
    /// [`ChatError`]; what was made until then stays.
    pub async fn bootstrap(&self, projects: &[String]) -> Result<Vec<Room>, ChatError> {
        let session = self.session().await?;
        let agents = self.settings.agents.iter().cloned().map(Purpose::Agent);
        let projects = projects.iter().cloned().map(Purpose::Project);
        let purposes = std::iter::once(Purpose::Instance).chain(projects).chain(agents);
        let mut rooms = Vec::new();
        for subject in std::iter::once(Subject::Space).chain(purposes.map(Subject::Room)) {
            let room = session.ensure(&subject).await?;
            let alias = self.settings.names.alias(&subject);
            rooms.push(Room {
                name: self.settings.names.title(&subject),
                id: room.room_id().to_string(),
                alias: format!("#{alias}:{}", self.settings.user.server_name()),
            });
        }
        Ok(rooms)
    }

    /// The access token of the device that is kept: what an administrator's account makes registration tokens with.
    ///
    /// # Errors
    /// [`ChatError`].
    pub fn kept_token(&self) -> Result<Option<SecretString>, ChatError> {
        let kept: Option<MatrixSession> = keep::Keep::new(self.settings.folder.clone()).session()?;
        Ok(kept.map(|session| session.tokens.access_token.into()))
    }

    async fn session(&self) -> Result<Arc<Session>, ChatError> {
        self.connect(false).await
    }

    async fn connect(&self, reset_identity: bool) -> Result<Arc<Session>, ChatError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| !session.is_over()) {
            return Ok(session.clone());
        }
        // Its lock goes with it.
        *kept = None;
        let session = Arc::new(Session::open(&self.settings, reset_identity).await?);
        *kept = Some(session.clone());
        Ok(session)
    }
}

#[async_trait]
impl Chat for Matrix {
    async fn room(&self, purpose: &Purpose) -> Result<String, ChatError> {
        let session = self.session().await?;
        let room = session.ensure(&Subject::Room(purpose.clone())).await?;
        Ok(room.room_id().to_string())
    }

    async fn post(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError> {
        self.session().await?.post(to, message, key, tried).await
    }

    async fn edit(&self, room: &str, id: &str, message: &Message) -> Result<(), ChatError> {
        self.session().await?.edit(room, id, message).await
    }

    async fn acknowledge(&self, heard: &Heard) -> Result<(), ChatError> {
        self.session().await?.acknowledge(heard).await
    }

    async fn whisper(&self, heard: &Heard, text: &str) -> Result<(), ChatError> {
        self.session().await?.whisper(heard, text).await
    }

    async fn fetch(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError> {
        self.session().await?.fetch(file, most).await
    }

    async fn upload(&self, to: &Place, name: &str, bytes: Vec<u8>, key: &str) -> Result<(), ChatError> {
        self.session().await?.upload(to, name, bytes, key).await
    }

    async fn canary(&self, nonce: &str) -> Result<(), ChatError> {
        self.session().await?.canary(nonce).await
    }

    async fn listen(&self, ear: &dyn Ear) -> ChatError {
        match self.session().await {
            Ok(session) => listening::listen(&session, ear).await,
            Err(error) => error,
        }
    }
}
