//! A connected device: logged in once, kept over restarts, alone in its process.
//!
//! Invariants: the session is on disk before it is used; a device that the server has forgotten is logged in anew and its
//! databases are thrown away, since they are worth nothing without it, and so is a device whose keys are gone; every request is bounded in time and tried once
//! (whoever calls tries again).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::config::{RequestConfig, SyncSettings, SyncToken};
use matrix_sdk::cross_process_lock::CrossProcessLockConfig;
use matrix_sdk::encryption::{BackupDownloadStrategy, EncryptionSettings};
use matrix_sdk::ruma::api::client::filter::{FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter};
use matrix_sdk::ruma::api::client::sync::sync_events::v3::Filter;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId, RoomId, UInt};
use matrix_sdk::store::{RoomLoadSettings, StateStoreDataKey};
use matrix_sdk::sync::SyncResponse;
use matrix_sdk::{Client, Room, RoomState};
use matrix_sdk_base::crypto::{CollectStrategy, DecryptionSettings, TrustRequirement};
use secrecy::ExposeSecret;

use super::keep::{Held, Keep};
use super::listening::Heard;
use super::reading_back::ReadBack;
use super::topology::Bindings;
use super::{Settings, fault, identity};
use crate::chat::ChatError;

/// How the device is named in the account's list.
const DEVICE: &str = "Orchestrator";
/// Events of one room that one answer of the server has; what is between is fetched besides.
const TIMELINE: u32 = 100;
/// Ids that are remembered of one kind.
const REMEMBERED: usize = 4_096;

/// A connected device.
pub(super) struct Session {
    pub client: Client,
    pub settings: Settings,
    pub keep: Keep,
    /// What rooms there are, and what for.
    pub bindings: tokio::sync::Mutex<Bindings>,
    /// What the server brought, until it is handed on.
    news: Mutex<News>,
    /// One talks to the server about news at a time.
    pub turn: tokio::sync::Mutex<()>,
    /// What was looked for among what is in the rooms.
    pub read_back: ReadBack,
    /// Messages of ours that are there.
    pub alive: Remembered,
    /// Messages that were taken back.
    pub redacted: Remembered,
    /// Cards on which the emoji to decide with were put.
    pub offered: Remembered,
    /// The server does not know the device any more.
    is_over: AtomicBool,
    /// The first news of a new device were not handed on yet: they have all there is, and not what is new.
    is_new: AtomicBool,
    _held: Held,
}

/// What the server brought.
#[derive(Default)]
struct News {
    /// How far it was asked.
    since: Option<String>,
    /// What was not handed on yet, the oldest first.
    waiting: VecDeque<Arc<SyncResponse>>,
}

/// The last ids of a kind.
#[derive(Default)]
pub(super) struct Remembered(Mutex<VecDeque<String>>);

impl Remembered {
    /// Whether it was seen.
    pub fn has(&self, id: &str) -> bool {
        self.all().iter().any(|one| one == id)
    }

    /// Remembers it; whether it is new.
    pub fn add(&self, id: &str) -> bool {
        let mut all = self.all();
        if all.iter().any(|one| one == id) {
            return false;
        }
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back(id.to_owned());
        true
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Connects: restores the device or logs in, sees to its keys, and learns what rooms there are.
    pub async fn open(settings: &Settings, reset_identity: bool) -> Result<Self, ChatError> {
        let keep = Keep::new(settings.folder.clone());
        let held = keep.hold()?;
        let is_new = keep.session::<MatrixSession>()?.is_none();
        let client = device(settings, &keep).await?;
        let is_new = is_new
            || client
                .state_store()
                .get_room_infos(&RoomLoadSettings::default())
                .await
                .is_ok_and(|rooms| rooms.is_empty());
        keep.close_to_others()?;
        let heard = keep.heard::<Heard>()?.unwrap_or_default();
        let session = Self {
            bindings: tokio::sync::Mutex::default(),
            // A new device knows no rooms: it asks for all of them, whatever was heard before.
            news: Mutex::new(News {
                since: heard.since.filter(|_| !is_new),
                waiting: VecDeque::new(),
            }),
            is_new: AtomicBool::new(is_new),
            turn: tokio::sync::Mutex::default(),
            read_back: ReadBack::default(),
            alive: Remembered::default(),
            redacted: Remembered::default(),
            offered: Remembered::default(),
            is_over: AtomicBool::new(false),
            settings: settings.clone(),
            client,
            keep,
            _held: held,
        };
        // It uploads the keys of a new device as well: they can be signed only when they are there.
        session.ask(Duration::ZERO).await?;
        identity::ensure(&session.client, settings, &session.keep, reset_identity).await?;
        *session.bindings.lock().await = session.bindings_of_store().await?;
        Ok(session)
    }

    /// The oldest news that was not handed on; where there is none, it is waited for. It stays until [`Session::handed`].
    pub async fn next(&self, wait: Duration) -> Result<Arc<SyncResponse>, ChatError> {
        loop {
            let first = self.news().waiting.front().cloned();
            match first {
                Some(news) => return Ok(news),
                None => self.ask(wait).await?,
            }
        }
    }

    /// The oldest news was handed on.
    pub fn handed(&self) {
        self.news().waiting.pop_front();
        self.is_new.store(false, Ordering::SeqCst);
    }

    /// Whether the news at hand are the first of a new device.
    pub fn is_new(&self) -> bool {
        self.is_new.load(Ordering::SeqCst)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what is new, and waits for it at most so long.
    async fn ask(&self, wait: Duration) -> Result<(), ChatError> {
        let before = self.news().waiting.len();
        let _turn = self.turn.lock().await;
        if self.news().waiting.len() > before {
            // Somebody else asked meanwhile.
            return Ok(());
        }
        let since = self.news().since.clone();
        let token = since.map_or(SyncToken::NoToken, SyncToken::Specific);
        let settings = SyncSettings::new().token(token).timeout(wait).filter(filter());
        let news = self.client.sync_once(settings).await.map_err(|error| {
            if fault::is_logged_out(error.client_api_error_kind()) {
                self.end();
            }
            fault::of("asking for news", &error)
        })?;
        let mut all = self.news();
        all.since = Some(news.next_batch.clone());
        all.waiting.push_back(Arc::new(news));
        Ok(())
    }

    /// The server has forgotten the device: what is kept of it goes, and the next connection logs in anew.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Err(error) = self.keep.forget_device() {
            tracing::warn!(%error, "what is kept of a device that the server forgot cannot be removed");
        }
    }

    /// Whether [`Session::end`] was called.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// A room that we are in.
    pub fn room(&self, id: &str) -> Result<Room, ChatError> {
        let gone = || ChatError::Gone {
            what: format!("the room {id}"),
        };
        let id = RoomId::parse(id).map_err(|_| gone())?;
        let room = self.client.get_room(&id).ok_or_else(gone)?;
        match room.state() {
            RoomState::Joined => Ok(room),
            _ => Err(gone()),
        }
    }

    /// A room that the server has just named: waits until it is known here.
    pub async fn known(&self, id: &OwnedRoomId) -> Result<Room, ChatError> {
        for _ in 0..5 {
            if let Some(room) = self
                .client
                .get_room(id)
                .filter(|room| room.state() == RoomState::Joined)
            {
                return Ok(room);
            }
            self.ask(Duration::from_millis(200)).await?;
        }
        Err(fault::away(
            &format!("the room {id}"),
            "the server does not tell of it",
        ))
    }

    /// The account.
    pub fn user(&self) -> &OwnedUserId {
        &self.settings.user
    }
}

fn filter() -> Filter {
    let mut timeline = RoomEventFilter::default();
    timeline.limit = Some(UInt::from(TIMELINE));
    let mut state = RoomEventFilter::default();
    state.lazy_load_options = LazyLoadOptions::Enabled {
        include_redundant_members: false,
    };
    timeline.lazy_load_options = state.lazy_load_options;
    let mut room = RoomFilter::default();
    room.timeline = timeline;
    room.state = state;
    let mut definition = FilterDefinition::default();
    definition.room = room;
    definition.into()
}

/// The client with its device.
async fn device(settings: &Settings, keep: &Keep) -> Result<Client, ChatError> {
    let kept: Option<MatrixSession> = keep.session()?;
    if let Some(session) = kept {
        if session.meta.user_id != settings.user {
            let why = format!(
                "the device that is kept is of {}, not of {}; remove {} and log in again",
                session.meta.user_id,
                settings.user,
                settings.folder.display()
            );
            return Err(ChatError::Refused { why });
        }
        if !keep.has_keys() {
            tracing::warn!("the keys of the device are gone; another one is logged in");
            return log_in(settings, keep).await;
        }
        let client = client(settings, keep).await?;
        // The library drops an answer that it has taken before, whether or not anybody heard of it.
        let forgotten = client
            .state_store()
            .remove_kv_data(StateStoreDataKey::SyncToken)
            .await;
        forgotten.map_err(|error| fault::away("taking up the device", &error.to_string()))?;
        let restored = client
            .matrix_auth()
            .restore_session(session, Default::default())
            .await;
        restored.map_err(|error| fault::of("taking up the device", &error))?;
        if let Err(error) = client.whoami().await {
            if !fault::is_logged_out(error.client_api_error_kind()) {
                return Err(fault::of_http("asking who we are", &error));
            }
            tracing::warn!("the server does not know the device any more; it is logged in anew");
            drop(client);
            return log_in(settings, keep).await;
        }
        return Ok(client);
    }
    log_in(settings, keep).await
}

async fn log_in(settings: &Settings, keep: &Keep) -> Result<Client, ChatError> {
    let Some(password) = &settings.password else {
        let why = format!(
            "nobody is logged in as {}; set its password, or run `orchestrator matrix login`",
            settings.user
        );
        return Err(ChatError::Refused { why });
    };
    keep.forget_device()?;
    let client = client(settings, keep).await?;
    let login = {
        client
            .matrix_auth()
            .login_username(&settings.user, password.expose_secret())
    }
    .initial_device_display_name(DEVICE);
    login
        .send()
        .await
        .map_err(|error| fault::of("logging in", &error))?;
    let session = client.matrix_auth().session();
    keep.keep_session(&session)?;
    tracing::info!(user = %settings.user, device = ?client.device_id(), "logged in to Matrix");
    Ok(client)
}

async fn client(settings: &Settings, keep: &Keep) -> Result<Client, ChatError> {
    let requests = RequestConfig::new().timeout(settings.timeout).disable_retry();
    let mut builder = Client::builder()
        .homeserver_url(&settings.homeserver)
        .respect_login_well_known(false)
        .sqlite_store(keep.store(), None)
        .request_config(requests)
        .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
        .cross_process_store_config(CrossProcessLockConfig::SingleProcess)
        .with_room_key_recipient_strategy(CollectStrategy::IdentityBasedStrategy)
        // What an unsigned device says is read, so that whoever sent it can be told that it is not obeyed.
        .with_decryption_settings(DecryptionSettings {
            sender_device_trust_requirement: TrustRequirement::Untrusted,
        })
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: false,
            backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
            auto_enable_backups: true,
        });
    if settings.homeserver.starts_with("http://") {
        // Without TLS no certificates are needed, and a machine without any must work too.
        builder = builder.disable_built_in_root_certificates();
    }
    builder.build().await.map_err(|error| ChatError::Away {
        why: format!(
            "the client of Matrix cannot be made in {}: {error}",
            settings.folder.display()
        ),
    })
}
