//! The workspace: what there is, and what happened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::pace::Pace;
use super::socket::Order;
use super::{Answer, DIRECT, ELSEWHERE, JANE, MAIN, ME, MEDIC, MY_BOT, SHOP, TEAM, blocks, refused, said};

/// What goes wrong with a call.
#[derive(Clone)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It is done, and the answer gets lost.
    Lose,
    /// It is done, and nobody ever answers.
    Hold,
    /// It takes so long.
    Slow(Duration),
    /// It is not done: a status with headers.
    Refuse(u16, Vec<(&'static str, String)>),
    /// It is not done: an error of the API.
    Say(&'static str),
}

/// A channel.
pub struct Channel {
    /// `channel`, `group` or `im`, as events have it.
    pub kind: &'static str,
    pub is_archived: bool,
    /// Its members.
    pub members: BTreeSet<String>,
    /// In the order of their times.
    pub messages: Vec<Value>,
}

/// Words for one person alone.
#[derive(Debug, Clone)]
pub struct Whisper {
    pub channel: String,
    pub user: String,
    pub thread: Option<String>,
    pub text: String,
    /// Whether it came by the address of an act.
    pub by_address: bool,
}

/// An envelope that was not acknowledged yet.
pub struct Pending {
    pub id: String,
    pub envelope: Value,
    pub tries: u32,
    pub sent: Option<Instant>,
}

/// The workspace.
pub struct World {
    pub root: String,
    pub link: String,
    pub channels: BTreeMap<String, Channel>,
    pub users: BTreeMap<String, Value>,
    /// What the app may, and which events it is told of, by its manifest.
    pub granted: BTreeSet<String>,
    pub subscribed: BTreeSet<String>,
    /// The scopes that its calls needed.
    pub used: BTreeSet<String>,
    pub pace: Pace,
    /// What goes wrong with every call, until it is taken back.
    pub always: Option<Trouble>,
    /// Where events are sent to instead of sockets.
    pub request_url: Option<String>,
    /// By a part of the path; each once, in this order.
    pub troubles: Vec<(String, Trouble)>,
    /// Every call of the API, with its arguments, and every error that was answered.
    pub calls: Vec<(String, Value)>,
    pub errors: Vec<(String, String)>,
    /// How many answers are held back.
    pub held: usize,
    pub whispers: Vec<Whisper>,
    /// Mentions and links in what the app wrote.
    pub pings: Vec<String>,
    /// By id: name, kind, bytes.
    pub files: BTreeMap<String, (String, String, Vec<u8>)>,
    pub uploads: BTreeMap<String, (String, usize)>,
    /// By id: the channel, the user, and how many uses are left.
    pub addresses: BTreeMap<String, (String, String, u8)>,
    pub tickets: BTreeSet<String>,
    pub sockets: Vec<UnboundedSender<Order>>,
    /// How many sockets were opened.
    pub opened: usize,
    pub pending: VecDeque<Pending>,
    pub acknowledged: Vec<String>,
    /// How long an acknowledgement is waited for, and how often an envelope is sent at the most.
    pub again_after: Duration,
    pub tries: u32,
    last: i64,
    count: u64,
}

impl World {
    pub fn new(root: &str, link: &str, manifest: &Value) -> Self {
        let texts = |place: &str| -> BTreeSet<String> {
            let list = manifest.pointer(place).and_then(Value::as_array).unwrap();
            list.iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        let mut world = Self {
            root: root.to_owned(),
            link: link.to_owned(),
            channels: BTreeMap::new(),
            users: BTreeMap::new(),
            granted: texts("/oauth_config/scopes/bot"),
            subscribed: texts("/settings/event_subscriptions/bot_events"),
            used: BTreeSet::new(),
            pace: Pace::default(),
            always: None,
            request_url: None,
            troubles: Vec::new(),
            calls: Vec::new(),
            errors: Vec::new(),
            held: 0,
            whispers: Vec::new(),
            pings: Vec::new(),
            files: BTreeMap::new(),
            uploads: BTreeMap::new(),
            addresses: BTreeMap::new(),
            tickets: BTreeSet::new(),
            sockets: Vec::new(),
            opened: 0,
            pending: VecDeque::new(),
            acknowledged: Vec::new(),
            again_after: Duration::from_millis(300),
            tries: 4,
            last: 0,
            count: 0,
        };
        world.people();
        world
    }

    fn people(&mut self) {
        for (id, kind, ours) in [
            (MAIN, "channel", true),
            (SHOP, "channel", true),
            (MEDIC, "group", true),
            (ELSEWHERE, "channel", false),
            (DIRECT, "im", true),
        ] {
            let members = [JANE, ME].into_iter().filter(|user| ours || *user != ME);
            let channel = Channel {
                kind,
                is_archived: false,
                members: members.map(str::to_owned).collect(),
                messages: Vec::new(),
            };
            self.channels.insert(id.to_owned(), channel);
        }
        self.account(JANE, json!({}));
        self.account(ME, json!({ "is_bot": true }));
    }

    /// An account of the workspace, in every channel; `differences` are laid over its record.
    pub fn account(&mut self, id: &str, differences: Value) {
        let mut user = json!({
            "id": id, "team_id": TEAM, "name": id.to_lowercase(), "deleted": false, "is_bot": false,
            "is_restricted": false, "is_ultra_restricted": false, "is_app_user": false, "updated": 1,
            "profile": { "real_name": id, "display_name": id },
        });
        for (key, value) in differences.as_object().unwrap() {
            user[key] = value.clone();
        }
        self.users.insert(id.to_owned(), user);
        for channel in self.channels.values_mut().filter(|_| id != ME) {
            channel.members.insert(id.to_owned());
        }
    }

    /// The next time of a message: later than all before.
    pub fn time(&mut self) -> String {
        self.last = Utc::now().timestamp_micros().max(self.last + 1);
        format!("{}.{:06}", self.last / 1_000_000, self.last % 1_000_000)
    }

    /// A word that was not said before.
    pub fn fresh(&mut self, start: &str) -> String {
        self.count += 1;
        format!("{start}{}", self.count)
    }

    /// From now on this goes wrong once, with the first call whose path holds `part`.
    pub fn fail(&mut self, part: &str, trouble: Trouble) {
        self.troubles.push((part.to_owned(), trouble));
    }

    pub fn trouble_with(&mut self, path: &str) -> Option<Trouble> {
        let fits = |(part, _): &(String, Trouble)| path.contains(part.as_str());
        match self.troubles.iter().position(fits) {
            Some(at) => Some(self.troubles.remove(at).1),
            None => self.always.clone(),
        }
    }

    pub fn message(&self, channel: &str, ts: &str) -> Option<&Value> {
        let messages = &self.channels.get(channel)?.messages;
        messages.iter().find(|message| message["ts"] == ts)
    }

    pub fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Value> {
        let messages = &mut self.channels.get_mut(channel)?.messages;
        messages.iter_mut().find(|message| message["ts"] == ts)
    }

    /// What the app wrote in a channel.
    pub fn ours(&self, channel: &str) -> Vec<&Value> {
        let messages = self.channels[channel].messages.iter();
        messages.filter(|message| message["user"] == ME).collect()
    }

    /// How often a method was called.
    pub fn calls_of(&self, method: &str) -> usize {
        self.calls.iter().filter(|(name, _)| name == method).count()
    }

    /// Writes a message down and tells of it. Everything that the app writes is held to the limits before.
    pub fn add(&mut self, channel: &str, mut message: Value) -> String {
        let ts = self.time();
        message["type"] = json!("message");
        message["ts"] = json!(ts);
        message["team"] = message.get("team").cloned().unwrap_or_else(|| json!(TEAM));
        if message["user"] == ME {
            message["bot_id"] = json!(MY_BOT);
            let text = message["text"].as_str().unwrap_or_default();
            let found = blocks::pings(text, &message["blocks"]);
            self.pings.extend(found);
        }
        let mut event = message.clone();
        self.channels.get_mut(channel).unwrap().messages.push(message);
        event["channel"] = json!(channel);
        event["channel_type"] = json!(self.channels[channel].kind);
        event["event_ts"] = json!(ts);
        self.tell(channel, event);
        ts
    }

    /// Tells the app of an event, where it is a member and is subscribed to it.
    pub fn tell(&mut self, channel: &str, event: Value) {
        let kind = match event["type"].as_str() {
            Some("message") => match self.channels[channel].kind {
                "channel" => "message.channels",
                "group" => "message.groups",
                _ => "message.im",
            },
            other => other.unwrap(),
        };
        if self.subscribed.contains(kind) && self.channels[channel].members.contains(ME) {
            let payload = self.callback(event);
            self.envelope("events_api", payload);
        }
    }

    /// An event as the Events API wraps it, in Socket Mode and over HTTP alike.
    pub fn callback(&mut self, event: Value) -> Value {
        json!({
            "token": "old", "team_id": TEAM, "api_app_id": "A0APP", "type": "event_callback",
            "event_id": self.fresh("Ev"), "event_time": Utc::now().timestamp(), "event": event,
            "authorizations": [{ "team_id": TEAM, "user_id": ME, "is_bot": true }],
        })
    }

    /// Sends an envelope by the next socket, or when there is one.
    pub fn envelope(&mut self, kind: &str, payload: Value) {
        let id = self.fresh("envelope-");
        let envelope = json!({
            "type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": kind != "events_api",
            "retry_attempt": 0, "retry_reason": "",
        });
        self.pending.push_back(Pending {
            id,
            envelope,
            tries: 0,
            sent: None,
        });
        self.push();
    }

    /// Sends what waits. Each envelope goes to one socket.
    pub fn push(&mut self) {
        self.sockets.retain(|socket| !socket.is_closed());
        let Some(socket) = self
            .sockets
            .last()
            .filter(|_| self.request_url.is_none())
            .cloned()
        else {
            return;
        };
        for envelope in self.due() {
            let _ = socket.send(Order::Send(envelope.to_string()));
        }
    }

    /// What is to be sent now; it counts as sent. What was sent too often is given up.
    pub fn due(&mut self) -> Vec<Value> {
        let (after, tries) = (self.again_after, self.tries);
        let waits = |one: &Pending| one.sent.is_some_and(|sent| sent.elapsed() < after);
        self.pending.retain(|one| one.tries < tries || waits(one));
        let mut due = Vec::new();
        for one in self.pending.iter_mut().filter(|one| !waits(one)) {
            one.envelope["retry_attempt"] = json!(one.tries);
            one.tries += 1;
            one.sent = Some(Instant::now());
            due.push(one.envelope.clone());
        }
        due
    }

    pub fn acknowledge(&mut self, id: &str) {
        self.pending.retain(|one| one.id != id);
        self.acknowledged.push(id.to_owned());
    }

    /// An address at which an act can be answered.
    pub fn address(&mut self, channel: &str, user: &str) -> String {
        let id = self.fresh("a");
        let url = format!("{}/response/{id}", self.root);
        self.addresses
            .insert(id, (channel.to_owned(), user.to_owned(), 5));
        url
    }

    pub fn take_response(&mut self, id: &str, body: &Bytes) -> Answer {
        let Some((channel, user, left)) = self.addresses.get_mut(id).filter(|(_, _, left)| *left > 0) else {
            return (404, Vec::new(), b"expired_url".to_vec());
        };
        *left -= 1;
        let (channel, user) = (channel.clone(), user.clone());
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = answer["text"].as_str().unwrap_or_default().to_owned();
        if let Some((code, _)) = blocks::error(&text, &answer["blocks"], &Value::Null) {
            return refused(code);
        }
        let found = blocks::pings(&text, &answer["blocks"]);
        self.pings.extend(found);
        self.whispers.push(Whisper {
            channel,
            user,
            thread: None,
            text,
            by_address: true,
        });
        (200, Vec::new(), b"ok".to_vec())
    }

    /// A file's bytes; to whom may not read it, the page for logging in.
    pub fn file(&mut self, id: &str, token: Option<&str>) -> Answer {
        self.used.insert("files:read".to_owned());
        if token != Some(super::BOT_TOKEN) || !self.granted.contains("files:read") {
            let kind = ("content-type", "text/html; charset=utf-8".to_owned());
            return (200, vec![kind], b"<!DOCTYPE html><title>Sign in</title>".to_vec());
        }
        match self.files.get(id) {
            Some((_, kind, bytes)) => (200, vec![("content-type", kind.clone())], bytes.clone()),
            None => (404, Vec::new(), Vec::new()),
        }
    }

    pub fn take_upload(&mut self, id: &str, body: &Bytes) -> Answer {
        let Some((name, length)) = self.uploads.remove(id) else {
            return (404, Vec::new(), Vec::new());
        };
        if body.len() != length {
            return (400, Vec::new(), b"length".to_vec());
        }
        let kind = "application/octet-stream".to_owned();
        self.files.insert(id.to_owned(), (name, kind, body.to_vec()));
        (200, Vec::new(), format!("OK - {length}").into_bytes())
    }

    /// A list of methods of this kind is answered so.
    pub fn done(extra: Value) -> Answer {
        let mut body = json!({ "ok": true });
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        said(&body)
    }
}
