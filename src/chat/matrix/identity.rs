//! The account's keys: cross-signing, recovery (secret storage) and the backup of room keys.
//!
//! Invariants: a device that its account did not sign neither sends nor is listened to, so nothing is done before it is
//! signed; the recovery key is on disk (0600) before anything depends on it, or was given in the configuration; an identity
//! is replaced only when a person asks for it, since everybody else is warned of that.

use matrix_sdk::Client;
use matrix_sdk::encryption::CrossSigningResetAuthType;
use matrix_sdk::encryption::backups::BackupState;
use matrix_sdk::ruma::api::client::uiaa::{AuthData, Password, UserIdentifier};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::keep::Keep;
use super::{Settings, fault};
use crate::chat::ChatError;

/// How it stands with the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The account.
    pub user: String,
    /// The device.
    pub device: String,
    /// The fingerprint of the device, as other clients show it.
    pub fingerprint: String,
    /// Whether the account has signed the device.
    pub is_signed: bool,
    /// Whether the device has the account's private keys.
    pub has_private_keys: bool,
    /// Whether the account's keys are in secret storage.
    pub is_recoverable: bool,
    /// Whether room keys are backed up.
    pub is_backed_up: bool,
    /// Where the recovery key is.
    pub recovery_key: String,
}

impl Keys {
    /// Whether others trust what the device sends, and it can be recovered.
    pub fn are_good(&self) -> bool {
        self.is_signed && self.has_private_keys && self.is_recoverable && self.is_backed_up
    }
}

/// Sees to it that the device is signed and can be recovered.
pub(super) async fn ensure(
    client: &Client,
    settings: &Settings,
    keep: &Keep,
    reset: bool,
) -> Result<(), ChatError> {
    let encryption = client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    bootstrap(client, settings).await?;
    if reset {
        replace(client, settings).await?;
    }
    let is_complete = encryption
        .cross_signing_status()
        .await
        .is_some_and(|s| s.is_complete());
    if is_complete {
        write_down(client, settings, keep, reset).await?;
    } else {
        recover(client, settings, keep).await?;
    }
    if !is_signed(client).await? {
        sign(client).await?;
    }
    Ok(())
}

/// How it stands.
pub(super) async fn keys(client: &Client, settings: &Settings, keep: &Keep) -> Result<Keys, ChatError> {
    let encryption = client.encryption();
    let status = encryption.cross_signing_status().await;
    let storage = encryption.secret_storage().is_enabled().await;
    let configured = settings.recovery_key.is_some();
    Ok(Keys {
        user: settings.user.to_string(),
        device: client.device_id().map(ToString::to_string).unwrap_or_default(),
        fingerprint: encryption.ed25519_key().await.unwrap_or_default(),
        is_signed: is_signed(client).await?,
        has_private_keys: status.is_some_and(|status| status.is_complete()),
        is_recoverable: storage.map_err(|error| fault::of("asking for the secret storage", &error))?,
        is_backed_up: encryption.backups().state() == BackupState::Enabled,
        recovery_key: match configured {
            true => "the configuration".to_owned(),
            false => keep.recovery_file().display().to_string(),
        },
    })
}

/// Makes the account's identity, where it has none.
async fn bootstrap(client: &Client, settings: &Settings) -> Result<(), ChatError> {
    let encryption = client.encryption();
    let what = "setting up cross-signing";
    let Err(error) = encryption.bootstrap_cross_signing_if_needed(None).await else {
        return Ok(());
    };
    let Some(asked) = error.as_uiaa_response() else {
        return Err(fault::of(what, &error));
    };
    let auth = password(settings, asked.session.clone()).ok_or_else(|| ChatError::Refused {
        why: format!("{what}: the server asks for the password; set it, and start again"),
    })?;
    { encryption.bootstrap_cross_signing(Some(auth)) }
        .await
        .map_err(|error| fault::of(what, &error))
}

/// The account has an identity, but this device does not have its keys.
async fn recover(client: &Client, settings: &Settings, keep: &Keep) -> Result<(), ChatError> {
    let key = match &settings.recovery_key {
        Some(key) => Some(key.expose_secret().to_owned()),
        None => keep.recovery_key()?,
    };
    let Some(key) = key else {
        let why = format!(
            "the device is not signed by its account and cannot be: put the recovery key of {} into {} (or set \
             recovery_key), or replace the account's identity by `orchestrator matrix login --reset-identity`",
            settings.user,
            keep.recovery_file().display()
        );
        return Err(ChatError::Refused { why });
    };
    let recovery = client.encryption().recovery();
    { recovery.recover_and_fix_backup(&key) }
        .await
        .map_err(|error| fault::of_recovery("recovering the account's keys", &error))?;
    tracing::info!(user = %settings.user, "the account's keys are recovered on a new device");
    Ok(())
}

/// Puts the account's keys into secret storage, where they are not, and the key to that on disk.
async fn write_down(client: &Client, settings: &Settings, keep: &Keep, renew: bool) -> Result<(), ChatError> {
    let encryption = client.encryption();
    let enabled = encryption.secret_storage().is_enabled().await;
    let enabled = enabled.map_err(|error| fault::of("asking for the secret storage", &error))?;
    let is_known = settings.recovery_key.is_some() || keep.recovery_key()?.is_some();
    if enabled && is_known && !renew {
        return Ok(());
    }
    let recovery = encryption.recovery();
    let key = match enabled {
        // It was set up, and the process ended before its key was written down.
        true => recovery.reset_key().await,
        false => recovery.enable().await,
    };
    let key = key.map_err(|error| fault::of_recovery("setting up recovery", &error))?;
    keep.keep_recovery_key(&key)?;
    tracing::warn!(
        file = %keep.recovery_file().display(),
        "the recovery key of the account is in this file; keep a copy elsewhere"
    );
    Ok(())
}

/// Replaces the account's identity.
async fn replace(client: &Client, settings: &Settings) -> Result<(), ChatError> {
    let what = "replacing the account's identity";
    let recovery = client.encryption().recovery();
    let asked = recovery.reset_identity().await;
    let Some(asked) = asked.map_err(|error| fault::of_recovery(what, &error))? else {
        return Ok(());
    };
    let auth = match asked.auth_type() {
        CrossSigningResetAuthType::Uiaa(uiaa) => password(settings, uiaa.session.clone()),
        CrossSigningResetAuthType::OAuth(oauth) => {
            let why = format!("{what}: approve it at {} and run this again", oauth.approval_url);
            return Err(ChatError::Refused { why });
        }
    };
    if auth.is_none() {
        let why = format!("{what}: the server asks for the password; set it, and run this again");
        return Err(ChatError::Refused { why });
    }
    asked
        .reset(auth)
        .await
        .map_err(|error| fault::of_recovery(what, &error))
}

fn password(settings: &Settings, session: Option<String>) -> Option<AuthData> {
    let password = settings.password.as_ref()?.expose_secret().to_owned();
    let user = UserIdentifier::Matrix(matrix_sdk::ruma::api::client::uiaa::MatrixUserIdentifier::new(
        settings.user.to_string(),
    ));
    let mut auth = Password::new(user, password);
    auth.session = session;
    Some(AuthData::Password(auth))
}

async fn is_signed(client: &Client) -> Result<bool, ChatError> {
    let device = client.encryption().get_own_device().await;
    let device = device.map_err(|error| fault::away("looking at the own device", &error.to_string()))?;
    Ok(device.is_some_and(|device| device.is_cross_signed_by_owner()))
}

async fn sign(client: &Client) -> Result<(), ChatError> {
    let what = "signing the device";
    // Making or recovering the identity has signed it; only the server's answer says so here.
    if is_signed_there(client).await? {
        return Ok(());
    }
    let device = client.encryption().get_own_device().await;
    let device = device.map_err(|error| fault::away(what, &error.to_string()))?;
    let device = device.ok_or_else(|| fault::away(what, "the server does not tell of it yet"))?;
    { device.verify().await }.map_err(|error| fault::away(what, &error.to_string()))?;
    match is_signed_there(client).await? {
        true => Ok(()),
        false => Err(fault::away(what, "the server does not have the signature yet")),
    }
}

/// The same, after asking the server.
async fn is_signed_there(client: &Client) -> Result<bool, ChatError> {
    if let Some(user) = client.user_id() {
        let asked = client.encryption().request_user_identity(user).await;
        asked.map_err(|error| fault::of("asking for the account's keys", &error))?;
    }
    is_signed(client).await
}
