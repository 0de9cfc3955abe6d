//! A clerk: it reads what was heard, decides who may, has it done, and answers.
//!
//! Invariants: whoever is not trusted or has no role is refused, and that is written down like everything else; what was
//! done is written down before it is answered, so that nothing is done twice; an order that waited while nobody listened is
//! asked about, not done.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Open;
use super::agents::Agents;
use super::order::{CHANGED, Subject};
use super::post::carried;
use crate::chat::command::{self, Around, Order, Read, TaskVerb};
use crate::chat::heard::{Distrust, Heard, What};
use crate::chat::message::{Message, Place, Purpose, Text, Verb};
use crate::chat::{Chat, ChatError};
use crate::domain::role::Role;
use crate::store::{HeardRow, StoreError};

/// Rows taken in one go.
const BATCH: u32 = 100;
/// Looked for at least so often.
const LOOK: TimeDelta = TimeDelta::seconds(10);
/// The pause after the surface did not take an answer.
const PAUSE: Duration = Duration::from_secs(2);
/// An order that is older when it is first seen is asked about.
const OLD: TimeDelta = TimeDelta::minutes(10);

/// What came of something that was heard; kept as the record of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// `done`, `refused`, `unclear`, `asked`, `failed` or `ignored`.
    pub(super) verdict: String,
    /// In a sentence, for the record.
    pub(super) why: String,
    /// The role that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Role>,
    /// What is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reply: Option<Reply>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// Only for the person.
    pub(super) private: bool,
}

impl Reply {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: None,
            private: false,
        }
    }
}

impl Outcome {
    pub(super) fn of(verdict: &str, reply: Reply) -> Self {
        Self {
            verdict: verdict.to_owned(),
            why: super::card::cut(&reply.text),
            role: None,
            reply: Some(reply),
        }
    }

    pub(super) fn done(reply: Reply) -> Self {
        Self::of("done", reply)
    }

    /// The person alone is told.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        let reply = Reply {
            private: true,
            ..Reply::of(why)
        };
        Self::of("refused", reply)
    }

    pub(super) fn ignored(why: &str) -> Self {
        Self {
            verdict: "ignored".to_owned(),
            why: why.to_owned(),
            role: None,
            reply: None,
        }
    }
}

/// The clerk of a surface.
pub(super) struct Clerk {
    pub(super) open: Open,
    pub(super) chat: Arc<dyn Chat>,
    pub(super) agents: Agents,
    /// What was done before may have been answered by an earlier process.
    since: DateTime<Utc>,
    /// Whether it is this process that answers.
    begun: bool,
    /// Events whose answer may have arrived though the service did not say so.
    tried: HashSet<String>,
}

impl Clerk {
    pub(super) fn new(open: Open, chat: Arc<dyn Chat>) -> Self {
        Self {
            since: open.instance.clock.now(),
            begun: false,
            tried: HashSet::new(),
            agents: Agents::new(&open, &chat),
            open,
            chat,
        }
    }

    pub(super) async fn keep(mut self) {
        let instance = self.open.instance.clone();
        let mut news = instance.member.as_ref().map(|member| member.news());
        let mut handed = instance.handed.subscribe();
        loop {
            handed.mark_unchanged();
            let next = match self.attend_all().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(surface = %self.open.surface, %error, "what was heard waits for the store");
                    instance.clock.now() + TimeDelta::seconds(1)
                }
            };
            tokio::select! {
                () = self.open.standing.heard.notified() => {}
                _ = handed.changed() => {}
                () = crate::service::engine::heard(&mut news) => {}
                () = instance.clock.sleep_until(next) => {}
                () = self.agents.one_ended() => {}
            }
        }
    }

    /// Attends to all that is open, and answers when to look again.
    async fn attend_all(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let now = self.open.instance.clock.now();
        if !self.open.is_ours() {
            self.begun = false;
            return Ok(now + LOOK);
        }
        if !std::mem::replace(&mut self.begun, true) {
            self.since = now;
        }
        let rows = self
            .open
            .instance
            .store
            .unanswered(&self.open.surface, BATCH)
            .await?;
        for row in rows {
            match self.attend(row).await? {
                Ok(()) => {}
                Err(ChatError::Limited { after }) => return Ok(now + after),
                Err(error) => {
                    tracing::warn!(surface = %self.open.surface, %error, "an answer waits");
                    return Ok(now + PAUSE);
                }
            }
        }
        Ok(now + LOOK)
    }

    async fn attend(&mut self, row: HeardRow) -> Result<Result<(), ChatError>, StoreError> {
        let (store, clock) = (self.open.instance.store.clone(), self.open.instance.clock.clone());
        let heard: Option<Heard> = serde_json::from_value(row.body.clone()).ok();
        let outcome = match (&row.outcome, &heard) {
            (Some(outcome), _) => serde_json::from_value(outcome.clone()).ok(),
            (None, Some(heard)) => {
                if self.agents.is_at(&row.event) {
                    return Ok(Ok(()));
                }
                let Some(outcome) = self.decide(&row, heard).await? else {
                    // An agent is at it, and answers by itself.
                    return Ok(Ok(()));
                };
                let kept = serde_json::to_value(&outcome).unwrap_or_default();
                store
                    .answer(&self.open.surface, &row.event, &kept, clock.now())
                    .await?;
                Some(outcome)
            }
            (None, None) => {
                let lost = serde_json::json!({"verdict": "failed", "why": "it cannot be read"});
                store
                    .answer(&self.open.surface, &row.event, &lost, clock.now())
                    .await?;
                None
            }
        };
        if let (Some(reply), Some(heard)) = (outcome.and_then(|o: Outcome| o.reply), &heard) {
            let again = row.taken_at < self.since || self.tried.contains(&row.event);
            let tried = again.then_some(row.taken_at);
            match self.reply(heard, reply, &row.event, tried).await {
                Ok(()) => {
                    self.tried.remove(&row.event);
                }
                Err(ChatError::Gone { .. } | ChatError::Refused { .. }) => {
                    tracing::warn!(surface = %self.open.surface, event = row.event, "an answer could not be given");
                }
                Err(error) => {
                    self.tried.insert(row.event);
                    return Ok(Err(error));
                }
            }
        }
        store.told(&self.open.surface, &row.event, clock.now()).await?;
        self.open.standing.waiting.end(&row.event, clock.now());
        Ok(Ok(()))
    }

    async fn reply(
        &self,
        heard: &Heard,
        reply: Reply,
        event: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<(), ChatError> {
        // A person does not wait behind reports, but what is said counts.
        let _ = self.open.standing.pace(self.open.instance.clock.now());
        let thread = thread_of(heard);
        if reply.private || thread.is_none() {
            let text = match &reply.code {
                Some(code) => format!("{}\n{code}", reply.text),
                None => reply.text,
            };
            return self.chat.whisper(heard, &text).await;
        }
        let place = Place {
            room: heard.room.clone(),
            thread,
        };
        let message = Message::Text(Text {
            text: reply.text,
            code: reply.code,
            broadcast: false,
        });
        self.chat
            .post(&place, &message, &format!("answer:{event}"), tried)
            .await
            .map(drop)
    }

    /// What comes of it; none where somebody else answers later.
    async fn decide(&mut self, row: &HeardRow, heard: &Heard) -> Result<Option<Outcome>, StoreError> {
        if let Some(distrust) = heard.who.distrust {
            return Ok(Some(distrusted(distrust)));
        }
        let roles = &self.open.chat.roles;
        if !roles.knows(&heard.who.id) {
            return Ok(Some(self.no_role(heard)));
        }
        let mut subject = self.subject(heard).await?;
        let order = match self.wanted(heard, subject.as_ref()) {
            Ok(Some(order)) => order,
            Ok(None) => {
                return match roles.of(&heard.who.id, project_of(heard, None)) {
                    None => Ok(Some(self.no_role(heard))),
                    Some(Role::Viewer) => Ok(Some(no_right(Role::Viewer, Role::Operator))),
                    Some(_) => self.agents.talk(row, heard).await,
                };
            }
            Err(outcome) => return Ok(Some(outcome)),
        };
        // The task that is named decides, not the room in which it is named.
        if let Order::Task { of: Some(name), .. } = &order {
            match self.named(name).await? {
                Ok(task) => subject = Some(Subject { task, card: None }),
                Err(why) => return Ok(Some(Outcome::of("unclear", Reply::of(why)))),
            }
        }
        let Some(role) = self
            .open
            .chat
            .roles
            .of(&heard.who.id, project_of(heard, subject.as_ref()))
        else {
            return Ok(Some(self.no_role(heard)));
        };
        let needs = order.needs();
        if role < needs {
            return Ok(Some(no_right(role, needs)));
        }
        if needs > Role::Viewer && row.taken_at - heard.at > OLD {
            let text = "You wrote this while nobody listened. If it still holds, say it again.";
            return Ok(Some(Outcome::of("asked", Reply::of(text))));
        }
        let outcome = self.carry_out(order, subject, heard).await?;
        Ok(Some(Outcome {
            role: Some(role),
            ..outcome
        }))
    }

    fn no_role(&self, heard: &Heard) -> Outcome {
        Outcome::refused(format!(
            "You have no role here. Your id is {}: an owner can add it to [chat.{}] in orchestrator.toml.",
            heard.who.id, self.open.surface
        ))
    }

    /// The order that somebody gives; none where it is words for an agent.
    fn wanted(&self, heard: &Heard, subject: Option<&Subject>) -> Result<Option<Order>, Outcome> {
        let around = Around {
            addressed: matches!(&heard.what, What::Text { addressed: true, .. }),
            of_task: subject.is_some(),
        };
        match &heard.what {
            What::Press { nonce, .. } => self.pressed(subject, nonce).map(Some),
            What::Reaction { emoji, .. } => reacted(subject, emoji, heard.at).map(Some),
            What::Text { text, .. } => match command::read(text, around) {
                Read::Order(order) => Ok(Some(order)),
                Read::Unclear(why) => Err(Outcome::of("unclear", Reply::of(why))),
                Read::Words if subject.is_some() => Ok(Some(Order::Task {
                    verb: TaskVerb::Tell,
                    of: None,
                    words: text.trim().to_owned(),
                })),
                Read::Words => Ok(None),
            },
        }
    }

    /// What a message is about: the task whose card it is on, or in whose thread.
    async fn subject(&self, heard: &Heard) -> Result<Option<Subject>, StoreError> {
        let message = match &heard.what {
            What::Press { on, .. } | What::Reaction { on, .. } => Some(on),
            What::Text { .. } => heard.thread.as_ref(),
        };
        let Some(message) = message else {
            return Ok(None);
        };
        let store = &self.open.instance.store;
        let Some(card) = store.card_at(&self.open.surface, message).await? else {
            return Ok(None);
        };
        let task = store.task(&card.task).await?;
        Ok(task.filter(|_| card.room == heard.room).map(|task| Subject {
            task,
            card: Some(card),
        }))
    }

    /// A button counts while the task is as it was when it was shown.
    fn pressed(&self, subject: Option<&Subject>, nonce: &str) -> Result<Order, Outcome> {
        let Some((subject, card)) = subject.and_then(|subject| Some((subject, subject.card.as_ref()?)))
        else {
            return Err(Outcome::refused("This button is of no task that is known."));
        };
        let now = super::post::nonce(&subject.task, Some(&card.nonce));
        match Verb::ALL.into_iter().find(|verb| carried(&now, *verb) == nonce) {
            Some(verb) => offered(subject, verb),
            None => Err(Outcome::refused(CHANGED)),
        }
    }
}

/// A reaction has no nonce: it counts when it is newer than the state that it is about.
fn reacted(subject: Option<&Subject>, emoji: &str, at: DateTime<Utc>) -> Result<Order, Outcome> {
    let Some(verb) = verb_of(emoji) else {
        return Err(Outcome::ignored("a reaction that means nothing here"));
    };
    match subject {
        None => Err(Outcome::ignored("a reaction on something else")),
        Some(subject) if at < subject.task.state.since() => Err(Outcome::refused(CHANGED)),
        Some(subject) => offered(subject, verb),
    }
}

fn offered(subject: &Subject, verb: Verb) -> Result<Order, Outcome> {
    if !super::card::offered(&subject.task).contains(&verb) {
        let why = format!(
            "It is {} now: there is nothing to {}.",
            subject.task.state.name(),
            verb.word()
        );
        return Err(Outcome::refused(why));
    }
    let verb = match verb {
        Verb::Approve => TaskVerb::Approve,
        Verb::Reject => TaskVerb::Reject,
        Verb::Pause => TaskVerb::Pause,
        Verb::Resume => TaskVerb::Resume,
        Verb::Retry => TaskVerb::Retry,
        Verb::Cancel => TaskVerb::Cancel,
    };
    Ok(Order::Task {
        verb,
        of: None,
        words: String::new(),
    })
}

/// Emoji and their names, without variation selectors and skin tones.
fn verb_of(emoji: &str) -> Option<Verb> {
    let plain: String = emoji
        .trim_matches(':')
        .chars()
        .filter(|c| *c != '\u{fe0f}' && !('\u{1f3fb}'..='\u{1f3ff}').contains(c))
        .collect();
    Some(match plain.as_str() {
        "✅" | "👍" | "white_check_mark" | "+1" | "thumbsup" => Verb::Approve,
        "❌" | "👎" | "x" | "-1" | "thumbsdown" => Verb::Reject,
        "⏸" | "double_vertical_bar" => Verb::Pause,
        "▶" | "arrow_forward" => Verb::Resume,
        "🔁" | "repeat" => Verb::Retry,
        "🛑" | "octagonal_sign" => Verb::Cancel,
        _ => return None,
    })
}

fn distrusted(distrust: Distrust) -> Outcome {
    let why = match distrust {
        Distrust::Bot => return Outcome::ignored("a program is not obeyed"),
        Distrust::Guest => "Guests are not obeyed here.",
        Distrust::Foreign => "Accounts of other workspaces or servers are not obeyed here.",
        Distrust::Deactivated => return Outcome::ignored("the account is deactivated"),
        Distrust::UnsignedDevice => {
            "The device that this came from is not verified by its owner: verify it (cross-signing), then say it again."
        }
        Distrust::Unencrypted => "This came unencrypted into an encrypted room: it is not obeyed.",
        Distrust::Unknown => "It cannot be told who you are just now. Say it again in a minute.",
    };
    Outcome::refused(why)
}

/// Whose role counts: the task's project, else the room's.
fn project_of<'a>(heard: &'a Heard, subject: Option<&'a Subject>) -> Option<&'a str> {
    let of_room = || match &heard.purpose {
        Some(Purpose::Project(name)) => Some(name.as_str()),
        _ => None,
    };
    subject
        .map(|subject| subject.task.definition.project.as_str())
        .or_else(of_room)
}

fn no_right(has: Role, needs: Role) -> Outcome {
    Outcome::refused(format!(
        "You are {} here; this takes {}.",
        has.as_str(),
        match needs {
            Role::Owner => "an owner",
            Role::Operator => "an operator",
            Role::Viewer => "a viewer",
        }
    ))
}

/// Where an answer belongs.
pub(super) fn thread_of(heard: &Heard) -> Option<String> {
    match &heard.what {
        What::Press { on, .. } | What::Reaction { on, .. } => Some(on.clone()),
        What::Text { .. } => heard.thread.clone().or_else(|| heard.message.clone()),
    }
}
