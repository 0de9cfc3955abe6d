//! What is particular to each kind of surface.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::section::longer_than_zero;

/// The kinds of surface.
#[derive(Debug, Clone)]
pub enum ChatKind {
    /// Signed HTTP requests.
    Webhook {
        /// Where they go.
        url: String,
        /// What they are signed with.
        secret: Secret,
    },
    /// A workspace of Slack.
    Slack(Box<Slack>),
    /// A room of Matrix for each project.
    Matrix(Box<Matrix>),
}

impl ChatKind {
    /// Whether an agent has a room of its own there.
    pub fn has_room_of(&self, agent: &str) -> bool {
        match self {
            Self::Webhook { .. } => false,
            Self::Slack(slack) => slack.agents.contains_key(agent),
            Self::Matrix(matrix) => matrix.agents.iter().any(|name| name == agent),
        }
    }

    /// Its secrets.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Webhook { secret, .. } => vec![secret],
            Self::Slack(slack) => {
                let others = [&slack.app_token, &slack.signing_secret];
                let others = others.into_iter().flatten();
                std::iter::once(&slack.bot_token).chain(others).collect()
            }
            Self::Matrix(matrix) => { matrix.password.iter() }.chain(&matrix.recovery_key).collect(),
        }
    }
}

/// A workspace of Slack, as an app sees it.
#[derive(Debug, Clone)]
pub struct Slack {
    /// The bot's token (`xoxb-`).
    pub bot_token: Secret,
    /// The token for Socket Mode (`xapp-`).
    pub app_token: Option<Secret>,
    /// What Slack signs its requests with, where they come by HTTP.
    pub signing_secret: Option<Secret>,
    /// The workspace (`T…`): whoever is of another one is not obeyed.
    pub team: String,
    /// The channel (`C…`) where tasks are shown whose project has none of its own.
    pub channel: String,
    /// Channels of projects, by the project's name.
    pub rooms: BTreeMap<String, String>,
    /// Channels of agents, by the agent's name.
    pub agents: BTreeMap<String, String>,
    /// Where its API is.
    pub api: String,
}

/// An account at a homeserver of Matrix.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The homeserver's address.
    pub homeserver: String,
    /// The account (`@name:server`).
    pub user: String,
    /// Its password, for the first login; what is kept afterwards is a device of its own.
    pub password: Option<Secret>,
    /// What recovers the account's keys on a new device, where it is not kept beside the device: needed on every node of a
    /// fleet but the first.
    pub recovery_key: Option<Secret>,
    /// The name of the Space.
    pub space: String,
    /// Whether the rooms that it makes are encrypted.
    pub encrypted: bool,
    /// Named agents that have a room of their own.
    pub agents: Vec<String>,
    /// How long the homeserver is to keep what is said in each room; its own measure where it is not set.
    pub retention: Option<Duration>,
    /// The same in the rooms of single projects.
    pub project_retention: BTreeMap<String, Duration>,
}

/// Of the whole workspace.
fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn slack_api() -> String {
    "https://slack.com/api".to_owned()
}

fn space() -> String {
    "Orchestrator".to_owned()
}

fn encrypted() -> bool {
    true
}

fn no_agents() -> Vec<String> {
    Vec::new()
}

pub(super) fn webhook(section: &mut Section<'_, '_>) -> Option<ChatKind> {
    let url = address(section, "url", "write the address that is to be called");
    let help = "requests are signed with it: secret = \"${WEBHOOK_SECRET}\"";
    let secret = needed(section, "secret", help);
    Some(ChatKind::Webhook {
        url: url?,
        secret: secret?,
    })
}

pub(super) fn slack(section: &mut Section<'_, '_>) -> Option<ChatKind> {
    let bot_token = needed(section, "bot_token", "write bot_token = \"${SLACK_BOT_TOKEN}\"");
    let app_token = section.secret("app_token", None);
    let signing_secret = section.secret("signing_secret", None);
    if app_token.is_none() && signing_secret.is_none() {
        let help =
            "for Socket Mode write app_token = \"${SLACK_APP_TOKEN}\"; for requests by HTTP, signing_secret";
        let at = section.origin();
        section.fault(at, "nothing can be heard of it", Some(help.to_owned()));
    }
    let team = section.required("team", "write the workspace's id, such as \"T012AB3CD\"");
    let channel = section.required("channel", "write the channel's id, such as \"C012AB3CD\"");
    let rooms = section.get("rooms", none);
    let agents = section.get("agents", none);
    let api = section.get("api", slack_api);
    Some(ChatKind::Slack(Box::new(Slack {
        bot_token: bot_token?,
        app_token,
        signing_secret,
        team: team?,
        channel: channel?,
        rooms,
        agents,
        api,
    })))
}

pub(super) fn matrix(
    section: &mut Section<'_, '_>,
    project_retention: BTreeMap<String, Duration>,
) -> Option<ChatKind> {
    let homeserver = address(section, "homeserver", "write \"https://matrix.example.org\"");
    let user: Option<String> = section.required("user", "write \"@name:example.org\"");
    let user = user.filter(|user| whole_user(section, user));
    let password = section.secret("password", None);
    let recovery_key = section.secret("recovery_key", None);
    let space = section.get("space", space);
    let encrypted = section.get("encrypted", encrypted);
    let agents = section.get("agents", no_agents);
    let retention = retention(section);
    Some(ChatKind::Matrix(Box::new(Matrix {
        homeserver: homeserver?,
        user: user?,
        password,
        recovery_key,
        space,
        encrypted,
        agents,
        retention,
        project_retention,
    })))
}

/// How long what is said is kept: of a surface, or of one project in it.
pub(super) fn retention(section: &mut Section<'_, '_>) -> Option<Duration> {
    let time: Option<Duration> = section.maybe("retention");
    let wrong = time.and_then(|time| longer_than_zero(&time).err());
    if let Some(wrong) = &wrong {
        let at = section.origin_of("retention");
        section.fault(at, format!("retention: {wrong}"), None);
    }
    time.filter(|_| wrong.is_none())
}

fn whole_user(section: &mut Section<'_, '_>, user: &str) -> bool {
    let name = user.strip_prefix('@').and_then(|user| user.split_once(':'));
    let good = name.is_some_and(|(local, server)| !local.is_empty() && !server.is_empty());
    if !good {
        let at = section.origin_of("user");
        let help = "write the whole id: \"@name:example.org\"".to_owned();
        section.fault(at, "this is no account of Matrix", Some(help));
    }
    good
}

/// A secret that it cannot do without.
fn needed(section: &mut Section<'_, '_>, key: &'static str, help: &str) -> Option<Secret> {
    let secret = section.secret(key, None);
    if secret.is_none() {
        let at = section.origin();
        let words = key.replace('_', " ");
        section.fault(at, format!("its {words} is missing"), Some(help.to_owned()));
    }
    secret
}

fn address(section: &mut Section<'_, '_>, key: &'static str, help: &str) -> Option<String> {
    let url: String = section.required(key, help)?;
    let good = reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !good {
        let at = section.origin_of(key);
        let help = "write \"https://HOST/PATH\"".to_owned();
        section.fault(at, "this is no address that can be called", Some(help));
    }
    good.then_some(url)
}
