//! What stands between people and what they are to be told, as `status` and `doctor` show it.

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use super::super::instance::Instance;
use super::super::view::Problem;
use super::doctor::{Finding, Level};
use super::status::of_file;
use crate::chat::webhook::Webhook;
use crate::config::section::{Chat, ChatKind};
use crate::domain::report::Surface;
use crate::store::{OutboxKind, StoreError};

/// What waits for less is on its way.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// One trouble with a surface.
struct Trouble {
    code: &'static str,
    message: String,
    cure: &'static str,
}

pub(super) async fn problems(instance: &Instance) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    for (surface, chat) in &instance.config.chat {
        let trouble = trouble(instance, surface, chat).await?;
        problems.extend(trouble.map(|trouble| Problem {
            severity: "warning".to_owned(),
            help: Some(trouble.cure.to_owned()),
            ..of_file("orchestrator.toml", trouble.code, trouble.message)
        }));
    }
    Ok(problems)
}

pub(super) async fn findings(instance: &Instance) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (surface, chat) in &instance.config.chat {
        let name = format!("chat.{surface}");
        findings.push(match trouble(instance, surface, chat).await {
            Ok(None) => Finding::good(&name, "nothing waits for longer than it should"),
            Ok(Some(trouble)) => Finding::of(&name, Level::Warning, trouble.message, trouble.cure),
            Err(error) => Finding::of(&name, Level::Bad, error.to_string(), "see to the store first"),
        });
    }
    findings
}

async fn trouble(instance: &Instance, surface: &Surface, chat: &Chat) -> Result<Option<Trouble>, StoreError> {
    if let Some(why) = unusable(chat) {
        return Ok(Some(Trouble {
            code: "chat-unusable",
            message: format!("nobody is told by '{surface}': {why}"),
            cure: "set its secret and start the service again; what is to be told is kept meanwhile",
        }));
    }
    let channel = OutboxKind::To(surface.clone());
    let late = instance.clock.now() - PATIENCE;
    let waiting = instance.store.outbox_waiting(channel).await?;
    Ok(waiting.filter(|waiting| waiting.since < late).map(|waiting| {
        let why = waiting.error.map(|why| format!(": {why}")).unwrap_or_default();
        let since = waiting.since.format("%Y-%m-%d %H:%M");
        Trouble {
            code: "chat-behind",
            message: format!(
                "'{surface}' was not told {} reports since {since} UTC{why}",
                waiting.count
            ),
            cure: "see to what it answers; nothing is lost, and what waits is told in a digest",
        }
    }))
}

fn unusable(chat: &Chat) -> Option<String> {
    for secret in chat.kind.secrets() {
        match secret.value() {
            Err(absent) => return Some(absent.to_string()),
            Ok(secret) if secret.expose_secret().is_empty() => return Some("its secret is empty".to_owned()),
            Ok(_) => {}
        }
    }
    match &chat.kind {
        ChatKind::Webhook { url, secret } => Webhook::new(url, secret.value().ok()?, chat.timeout).err(),
        ChatKind::Slack(_) | ChatKind::Matrix(_) => None,
    }
}
