//! How the surfaces of the configuration are opened.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::Tongue;
use crate::chat::slack::Slack;
use crate::chat::webhook::Webhook;
use crate::config::section::{Chat, ChatKind};
use crate::domain::report::Surface;
use crate::service::instance::Instance;

/// Why a Matrix cannot be spoken to.
#[cfg(not(feature = "matrix"))]
const WITHOUT_MATRIX: &str =
    "this program was built without Matrix; build it with --features matrix, or take the image";

/// Why a surface cannot be opened, as far as that can be told without asking it.
pub(in crate::service) fn impediment(chat: &Chat) -> Option<String> {
    // An account whose device is kept needs no password.
    let secrets = match &chat.kind {
        ChatKind::Matrix(_) => Vec::new(),
        kind => kind.secrets(),
    };
    for secret in secrets {
        match secret.value() {
            Err(absent) => return Some(absent.to_string()),
            Ok(secret) if secret.expose_secret().is_empty() => return Some("its secret is empty".to_owned()),
            Ok(_) => {}
        }
    }
    match &chat.kind {
        ChatKind::Webhook { url, secret } => Webhook::new(url, secret.value().ok()?, chat.timeout).err(),
        ChatKind::Slack(slack) => Slack::new(slack, chat.timeout).err(),
        #[cfg(feature = "matrix")]
        ChatKind::Matrix(_) => None,
        #[cfg(not(feature = "matrix"))]
        ChatKind::Matrix(_) => Some(WITHOUT_MATRIX.to_owned()),
    }
}

/// What a surface speaks through; a sentence where it cannot be had.
pub(super) async fn tongue(instance: &Instance, surface: &Surface, chat: &Chat) -> Result<Tongue, String> {
    if let Some(lent) = instance.surfaces.lent(surface) {
        return Ok(lent);
    }
    if let Some(why) = impediment(chat) {
        return Err(why);
    }
    match &chat.kind {
        ChatKind::Webhook { url, secret } => {
            let secret = secret.value().map_err(ToString::to_string)?;
            Ok(Tongue::Webhook(Arc::new(Webhook::new(
                url,
                secret,
                chat.timeout,
            )?)))
        }
        ChatKind::Slack(slack) => Ok(Tongue::Chat(Arc::new(Slack::new(slack, chat.timeout)?))),
        #[cfg(feature = "matrix")]
        ChatKind::Matrix(matrix) => {
            let folder = instance.layout.chat(surface.as_str());
            let matrix = crate::chat::matrix::Matrix::open(matrix, &chat.roles, folder, chat.timeout)?;
            Ok(Tongue::Chat(Arc::new(matrix)))
        }
        #[cfg(not(feature = "matrix"))]
        ChatKind::Matrix(_) => Err(WITHOUT_MATRIX.to_owned()),
    }
}
