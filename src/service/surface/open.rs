//! How the surfaces of the configuration are opened.

use std::sync::Arc;

use super::Tongue;
use crate::chat::slack::Slack;
use crate::chat::webhook::Webhook;
use crate::config::section::{Chat, ChatKind};
use crate::domain::report::Surface;
use crate::service::instance::Instance;

/// What a surface speaks through; a sentence where it cannot be had.
pub(super) async fn tongue(instance: &Instance, surface: &Surface, chat: &Chat) -> Result<Tongue, String> {
    if let Some(lent) = instance.surfaces.lent(surface) {
        return Ok(lent);
    }
    for secret in chat.kind.secrets() {
        secret.value().map_err(ToString::to_string)?;
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
        ChatKind::Matrix(_) => Err("this build does not have it".to_owned()),
    }
}
