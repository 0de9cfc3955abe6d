//! What Slack sends, in the words of the port. Pure.
//!
//! Invariants: of messages only new ones count: no edit, no deletion, nothing that Slack says itself; what we wrote
//! ourselves is at most an echo of a canary; a mention that comes both as a message and as a mention has one id.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::canary;
use super::markup::{mentions, spoken};
use super::wire::{Action, Command, Event, File, Interaction};
use crate::chat::heard::{Attached, What};

/// Who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Me {
    /// Our account.
    pub(super) user: String,
    /// The bot behind it.
    pub(super) bot: Option<String>,
}

impl Me {
    /// Whether a message is of our own.
    pub(super) fn wrote(&self, event: &Event) -> bool {
        let same = |a: &Option<String>, b: Option<&String>| b.is_some() && a.as_ref() == b;
        event.user.as_ref() == Some(&self.user) || same(&event.bot_id, self.bot.as_ref())
    }
}

/// What it comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// Nothing to us.
    Nothing,
    /// A canary of our own came back.
    Echo(String),
    /// Somebody did something.
    Said(Box<Said>),
}

/// What somebody did, before it is known who it is.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub(super) event: String,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) user: String,
    /// The workspace that it came from, where that is said.
    pub(super) team: Option<String>,
    /// Whether a program wrote it.
    pub(super) bot: bool,
    pub(super) room: String,
    pub(super) thread: Option<String>,
    pub(super) message: Option<String>,
    pub(super) what: What,
    /// Where it can be answered for a while.
    pub(super) response_url: Option<String>,
}

/// An event of the Events API.
pub(super) fn event(event: Value, me: &Me) -> Meaning {
    match event.get("type").and_then(Value::as_str) {
        Some("message" | "app_mention") => {}
        _ => return Meaning::Nothing,
    }
    match serde_json::from_value::<Event>(event) {
        Ok(event) => message(event, me),
        Err(fault) => {
            tracing::warn!(%fault, "a message from Slack cannot be read");
            Meaning::Nothing
        }
    }
}

/// A message, or what has the form of one.
pub(super) fn message(event: Event, me: &Me) -> Meaning {
    if let Some(nonce) = echo(&event, me) {
        return Meaning::Echo(nonce);
    }
    let counts = matches!(
        event.subtype.as_deref(),
        None | Some("file_share" | "thread_broadcast")
    );
    if !counts || event.hidden || event.edited.is_some() || me.wrote(&event) {
        return Meaning::Nothing;
    }
    let (Some(room), Some(ts), Some(user)) = (event.channel, event.ts, event.user) else {
        return Meaning::Nothing;
    };
    let text = event.text.unwrap_or_default();
    let direct = event.channel_type.as_deref() == Some("im");
    let what = What::Text {
        addressed: direct || event.kind == "app_mention" || mentions(&text, &me.user),
        text: spoken(&text, &me.user),
        files: event.files.into_iter().filter_map(attached).collect(),
    };
    Meaning::Said(Box::new(Said {
        event: format!("message:{room}:{ts}"),
        at: time(&ts),
        user,
        team: event.user_team.or(event.source_team).or(event.team),
        bot: event.bot_id.is_some(),
        room,
        thread: event.thread_ts.filter(|thread| *thread != ts),
        message: Some(ts),
        what,
        response_url: None,
    }))
}

/// The nonce of a canary that we wrote, new or changed.
fn echo(event: &Event, me: &Me) -> Option<String> {
    let message = match event.subtype.as_deref() {
        Some("message_changed") => event.message.as_deref()?,
        _ => event,
    };
    canary::nonce_in(message).filter(|_| me.wrote(message))
}

fn attached(file: File) -> Option<Attached> {
    // Files that Slack hides, has deleted, or keeps elsewhere have no address.
    let handle = file.url_private_download.or(file.url_private)?;
    let name = file.name.or(file.title).unwrap_or_else(|| "file".to_owned());
    Some(Attached {
        name,
        bytes: file.size,
        handle,
    })
}

/// Buttons that were pressed.
pub(super) fn interaction(interaction: Interaction) -> Vec<Said> {
    if interaction.kind != "block_actions" {
        return Vec::new();
    }
    let container = interaction.container;
    let message = interaction.message.unwrap_or_default();
    let room = interaction
        .channel
        .map(|channel| channel.id)
        .or(container.channel_id);
    let on = container.message_ts.or(message.ts);
    let (Some(room), Some(on)) = (room, on) else {
        return Vec::new();
    };
    let team = interaction.user.team_id.or(interaction.team.map(|team| team.id));
    let thread = container
        .thread_ts
        .or(message.thread_ts)
        .filter(|thread| *thread != on);
    let press = |action: Action| {
        let nonce = action.value.filter(|_| action.kind == "button")?;
        let trigger = interaction.trigger_id.as_deref();
        let parts = [&room, &on, &interaction.user.id, &action.action_id, &nonce];
        let stamp = action.action_ts.as_deref().unwrap_or_default();
        Some(Said {
            event: format!("press:{}:{}", once(trigger, &parts, stamp), action.action_id),
            at: time(stamp),
            user: interaction.user.id.clone(),
            team: team.clone(),
            bot: false,
            room: room.clone(),
            thread: thread.clone(),
            message: None,
            what: What::Press {
                on: on.clone(),
                nonce,
            },
            response_url: interaction.response_url.clone(),
        })
    };
    interaction.actions.into_iter().filter_map(press).collect()
}

/// A slash command.
pub(super) fn command(command: Command) -> Option<Said> {
    if command.user_id.is_empty() || command.channel_id.is_empty() {
        return None;
    }
    let parts = [&command.channel_id, &command.user_id, &command.text];
    let url = command.response_url.clone().unwrap_or_default();
    let event = format!("command:{}", once(command.trigger_id.as_deref(), &parts, &url));
    Some(Said {
        event,
        at: None,
        user: command.user_id,
        team: command.team_id,
        bot: false,
        room: command.channel_id,
        thread: None,
        message: None,
        what: What::Text {
            text: spoken(&command.text, ""),
            addressed: true,
            files: Vec::new(),
        },
        response_url: command.response_url,
    })
}

/// What is the same for every delivery: the trigger, which Slack makes anew for each act; else all that there is.
fn once(trigger: Option<&str>, parts: &[&String], stamp: &str) -> String {
    if let Some(trigger) = trigger {
        return trigger.to_owned();
    }
    let mut hash = Sha256::new();
    for part in parts.iter().map(|part| part.as_str()).chain([stamp]) {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `1355517523.000005`: seconds since 1970, and what makes it unique.
pub(super) fn time(ts: &str) -> Option<DateTime<Utc>> {
    let (seconds, micros) = ts.split_once('.')?;
    let micros: u32 = format!("{micros:0<6}").get(..6)?.parse().ok()?;
    DateTime::from_timestamp(seconds.parse().ok()?, micros * 1_000)
}

#[cfg(test)]
mod tests;
