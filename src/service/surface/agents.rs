//! Talks with named agents: a room (or thread) that is bound to one is a conversation with it, by the runtimes that tasks are
//! worked on by.
//!
//! Invariants: each room has a context of its own, kept in the store; what is said there is answered one after the other; a
//! runtime's failure is a polite reply and a line of the log, never a dead bot. Deliberately absent: what an agent of a task
//! does; in a talk it changes no files.

mod context;
mod turn;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::task::{Id, JoinSet};

use self::context::Context;
use self::turn::Turn;
use super::Open;
use super::clerk::{Outcome, Reply};
use crate::chat::Chat;
use crate::chat::command::Order;
use crate::chat::heard::{Heard, What};
use crate::chat::message::Purpose;
use crate::store::{HeardRow, StoreError};

/// The talks of a surface.
pub(super) struct Agents {
    open: Open,
    chat: Arc<dyn Chat>,
    under_way: JoinSet<()>,
    /// The event and the room of each.
    of: HashMap<Id, (String, String)>,
    events: HashSet<String>,
    rooms: HashSet<String>,
}

/// What a conversation is kept under: a thread is one of its own.
fn key(heard: &Heard) -> String {
    match &heard.thread {
        Some(thread) => format!("{}/{thread}", heard.room),
        None => heard.room.clone(),
    }
}

impl Agents {
    pub(super) fn new(open: &Open, chat: &Arc<dyn Chat>) -> Self {
        Self {
            open: open.clone(),
            chat: chat.clone(),
            under_way: JoinSet::new(),
            of: HashMap::new(),
            events: HashSet::new(),
            rooms: HashSet::new(),
        }
    }

    /// Whether an agent is at this event.
    pub(super) fn is_at(&self, event: &str) -> bool {
        self.events.contains(event)
    }

    /// Waits for the end of one; for ever where there is none.
    pub(super) async fn one_ended(&mut self) {
        let id = match self.under_way.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
        };
        if let Some((event, room)) = self.of.remove(&id) {
            self.events.remove(&event);
            self.rooms.remove(&room);
        }
    }

    /// Has the agent of this room answer; none where that is under way.
    pub(super) async fn talk(
        &mut self,
        row: &HeardRow,
        heard: &Heard,
    ) -> Result<Option<Outcome>, StoreError> {
        let room = key(heard);
        let context = self.context(heard).await?;
        let Some(agent) = context.agent.clone().or_else(|| bound(heard)) else {
            let addressed = matches!(&heard.what, What::Text { addressed: true, .. });
            return Ok(Some(match addressed {
                true => Outcome::of(
                    "unclear",
                    Reply::of("!help lists what I can do; !agent NAME lets you talk to an agent here."),
                ),
                false => Outcome::ignored("it is not for us"),
            }));
        };
        let Some(who) = self.find(&agent) else {
            let why = format!(
                "There is no agent '{}' that can be used; !agent lists them.",
                agent.escape_debug()
            );
            return Ok(Some(Outcome::of("failed", Reply::of(why))));
        };
        if self.rooms.contains(&room) {
            return Ok(None);
        }
        let turn = Turn {
            open: self.open.clone(),
            chat: self.chat.clone(),
            name: agent,
            agent: who,
            context,
            room: room.clone(),
            heard: heard.clone(),
            taken_at: row.taken_at,
        };
        let id = self.under_way.spawn(turn.take()).id();
        self.of.insert(id, (row.event.clone(), room.clone()));
        self.events.insert(row.event.clone());
        self.rooms.insert(room);
        Ok(None)
    }

    /// Orders about talks.
    pub(super) async fn order(&self, order: &Order, heard: &Heard) -> Result<Outcome, StoreError> {
        let mut context = self.context(heard).await?;
        let reply = match order {
            Order::Agent { name: None } => {
                let bound = context.agent.clone().or_else(|| bound(heard));
                return Ok(Outcome::done(Reply::of(self.list(bound.as_deref()))));
            }
            Order::Agent { name: Some(name) } => {
                if self.find(name).is_none() {
                    let why = format!(
                        "There is no agent '{}' that can be used; !agent lists them.",
                        name.escape_debug()
                    );
                    return Ok(Outcome::of("failed", Reply::of(why)));
                }
                context.bind(name);
                format!("From now on you talk to {name} here. !clear begins a new context.")
            }
            other => match context.obey(other) {
                Ok(said) => said,
                Err(why) => return Ok(Outcome::of("failed", Reply::of(why))),
            },
        };
        let (store, now) = (&self.open.instance.store, self.open.instance.clock.now());
        let body = serde_json::to_value(&context).unwrap_or_default();
        store
            .set_conversation(&self.open.surface, &key(heard), &body, now)
            .await?;
        Ok(Outcome::done(Reply::of(reply)))
    }

    async fn context(&self, heard: &Heard) -> Result<Context, StoreError> {
        let kept = self
            .open
            .instance
            .store
            .conversation(&self.open.surface, &key(heard))
            .await?;
        Ok(kept
            .and_then(|kept| serde_json::from_value(kept).ok())
            .unwrap_or_default())
    }

    fn find(&self, name: &str) -> Option<crate::format::agent::Agent> {
        let path = self.open.instance.layout.agent(name)?;
        let bytes = std::fs::read(&path).ok()?;
        crate::format::agent::parse(name, &path.display().to_string(), &bytes).0
    }

    fn list(&self, bound: Option<&str>) -> String {
        let files = std::fs::read_dir(self.open.instance.layout.agents())
            .into_iter()
            .flatten()
            .flatten();
        let name = |path: std::path::PathBuf| {
            let is_agent = path.extension().is_some_and(|extension| extension == "md");
            Some(path.file_stem()?.to_str()?.to_owned()).filter(|_| is_agent)
        };
        let mut names: Vec<String> = files.filter_map(|file| name(file.path())).collect();
        names.sort();
        let line = |name: &String| {
            let here = if bound == Some(name.as_str()) {
                " (here)"
            } else {
                ""
            };
            let what = self
                .find(name)
                .map_or_else(|| "its file has errors".to_owned(), |agent| agent.description);
            format!("{name}{here}: {what}")
        };
        match names.is_empty() {
            true => "There are no agents: a file agents/NAME.md makes one.".to_owned(),
            false => names.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// The agent that a room is made for.
fn bound(heard: &Heard) -> Option<String> {
    match &heard.purpose {
        Some(Purpose::Agent(name)) => Some(name.clone()),
        _ => None,
    }
}
