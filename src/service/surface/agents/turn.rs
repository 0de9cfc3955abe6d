//! One turn of a talk: what was said goes to the agent's runtime, and its answer into the room.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::super::card::span;
use super::super::clerk::{Outcome, Reply, thread_of};
use super::super::{Open, answer};
use super::context::Context;
use crate::chat::heard::{Heard, What};
use crate::chat::message::{Message, Place, Purpose, Text};
use crate::chat::{Chat, ChatError};
use crate::domain::id::TaskId;
use crate::domain::review::Candidate;
use crate::domain::tool::Tool;
use crate::format::agent::Agent;
use crate::service::consult::{Consult, Missed, Voice};
use crate::service::operations::{self, Scope};

/// How often somebody who waits sees that it goes on.
const SIGN: Duration = Duration::from_secs(15);
/// The longest that an agent may take, where its file says nothing.
const LONGEST: Duration = Duration::from_mins(10);
/// Nobody answers: what is said then.
const SORRY: &str = "I could not get an answer";

/// A turn.
pub(super) struct Turn {
    pub(super) open: Open,
    pub(super) chat: Arc<dyn Chat>,
    pub(super) name: String,
    pub(super) agent: Agent,
    pub(super) context: Context,
    /// What the conversation is kept under.
    pub(super) room: String,
    pub(super) heard: Heard,
    pub(super) taken_at: DateTime<Utc>,
}

impl Turn {
    /// Answers, and writes down that it was answered.
    pub(super) async fn take(mut self) {
        let (instance, surface) = (self.open.instance.clone(), self.open.surface.clone());
        let (store, clock) = (&instance.store, &instance.clock);
        let begun = clock.now();
        let message = match self.say("…", None).await {
            Ok(message) => message,
            Err(error) => {
                // The event stays open, and is taken up again.
                tracing::warn!(%surface, %error, "an answer waits for its room");
                return clock.sleep(Duration::from_secs(2)).await;
            }
        };
        // From here on its own message shows that it goes on.
        self.open.standing.waiting.end(&self.heard.event, begun);
        let said = {
            let mut asking = std::pin::pin!(self.ask());
            loop {
                tokio::select! {
                    said = &mut asking => break said,
                    () = clock.sleep(SIGN) => {
                        let still = format!("… still at it ({})", span(clock.now() - begun));
                        let _unseen = self.show(&message, &still).await;
                    }
                }
            }
        };
        let (verdict, text) = self.take_in(said);
        while let Err(error) = self.show(&message, &text).await {
            tracing::warn!(%surface, %error, "an answer waits for its room");
            match error {
                ChatError::Gone { .. } | ChatError::Refused { .. } => break,
                ChatError::Limited { after } => clock.sleep(after).await,
                ChatError::Away { .. } => clock.sleep(SIGN).await,
            }
        }
        let outcome = Outcome {
            reply: None,
            ..Outcome::of(verdict, Reply::of(text))
        };
        let kept = serde_json::to_value(&self.context).unwrap_or_default();
        let outcome = serde_json::to_value(&outcome).unwrap_or_default();
        let (event, now) = (&self.heard.event, clock.now());
        let written = async {
            store.set_conversation(&surface, &self.room, &kept, now).await?;
            store.answer(&surface, event, &outcome, now).await?;
            store.told(&surface, event, now).await
        };
        if let Err(error) = written.await {
            tracing::warn!(%surface, %error, "a talk was not written down; it is answered again");
        }
    }

    /// What was said becomes a part of the talk; what failed does not.
    fn take_in(&mut self, said: Result<(String, Option<f64>), String>) -> (&'static str, String) {
        match said {
            Ok((text, cost)) => {
                let asked = self.words().to_owned();
                self.context.add(&self.heard.who.id, &asked);
                self.context.add(&self.name, &text);
                self.context.cost_usd += cost.unwrap_or_default();
                ("done", text)
            }
            Err(why) => {
                let surface = &self.open.surface;
                tracing::warn!(%surface, agent = self.name, why, "an agent gave no answer");
                ("failed", format!("{SORRY}: {why}. Say it again a little later."))
            }
        }
    }

    fn words(&self) -> &str {
        match &self.heard.what {
            What::Text { text, .. } => text,
            _ => "",
        }
    }

    /// In an agent's own room the talk stands in the room; elsewhere in a thread.
    fn place(&self) -> Place {
        let own = matches!(self.heard.purpose, Some(Purpose::Agent(_))) && self.heard.thread.is_none();
        Place {
            room: self.heard.room.clone(),
            thread: thread_of(&self.heard).filter(|_| !own),
        }
    }

    async fn say(&self, text: &str, code: Option<String>) -> Result<String, ChatError> {
        let message = Message::Text(Text {
            text: text.to_owned(),
            code,
            broadcast: false,
        });
        // An earlier process may have begun.
        let tried = Some(self.taken_at);
        let key = format!("answer:{}", self.heard.event);
        self.chat.post(&self.place(), &message, &key, tried).await
    }

    async fn show(&self, message: &str, text: &str) -> Result<(), ChatError> {
        let shown = Message::Text(Text::of(text));
        self.chat.edit(&self.heard.room, message, &shown).await
    }

    /// The answer and its cost, or why there is none.
    async fn ask(&self) -> Result<(String, Option<f64>), String> {
        let instance = &self.open.instance;
        let by = self
            .voice()
            .ok_or_else(|| "nobody can be asked just now".to_owned())?;
        let prompt = self.prompt().await;
        let folder = self.folder();
        let (tree, home) = (folder.join("tree"), folder.join("home"));
        std::fs::create_dir_all(&tree).map_err(|error| error.to_string())?;
        let about =
            TaskId::parse(&format!("talk-{}", self.open.surface)).map_err(|error| error.to_string())?;
        let mut consult = Consult {
            instance,
            about: &about,
            attempt: 1,
            epoch: 1,
            by: Voice {
                runtime: &by.runtime,
                tier: &by.tier,
                model: &by.model,
            },
            tree: &tree,
            home,
            tools: Some(looking(self.agent.tools.clone())),
            read: Vec::new(),
            budget_usd: self.agent.budget_usd,
            timeout: self.agent.timeout.unwrap_or(LONGEST),
            cost_usd: None,
        };
        let dir = folder.join(format!("answer-{}", uuid::Uuid::new_v4().simple()));
        let answer = consult.ask(&dir, &prompt, None).await;
        let cost = consult.cost_usd;
        // What is kept of it is the talk.
        let _left = std::fs::remove_dir_all(&dir);
        let clean = |text: &str| instance.redactor.redact(text.trim()).into_owned();
        match answer {
            Err(Missed::Failed(why)) => Err(clean(&why)),
            Err(Missed::Trouble(trouble)) => {
                let now = instance.clock.now();
                let pause = trouble.pause.min(TimeDelta::minutes(5));
                instance
                    .fleet
                    .rest(&by.runtime, trouble.until.unwrap_or(now + pause));
                Err(clean(&trouble.reason))
            }
            Ok(answer) => match (answer.message.trim(), answer.broken) {
                ("", broken) => Err(clean(&broken.unwrap_or_else(|| "it said nothing".to_owned()))),
                (text, _) => Ok((clean(text), cost)),
            },
        }
    }

    /// The first runtime that can be used, at the agent's lowest tier.
    fn voice(&self) -> Option<Candidate> {
        let instance = &self.open.instance;
        let lowest = instance.config.tiers.first().map(|tier| tier.name.clone());
        let tier = self.agent.tier.clone().or(lowest);
        let all = instance
            .fleet
            .reviewers(&self.agent.runtimes, tier.as_ref(), tier.as_ref());
        let now = instance.clock.now();
        all.into_iter()
            .find(|by| instance.fleet.impediment(&by.runtime, now).is_none())
    }

    fn folder(&self) -> PathBuf {
        let hash = Sha256::new()
            .chain_update(self.open.surface.as_str())
            .chain_update(&self.room)
            .finalize();
        let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.open.instance.layout.state().join("talks").join(name)
    }

    async fn prompt(&self) -> String {
        let status = operations::status(&self.open.instance, &Scope::default()).await;
        let status = status
            .map(|status| answer::status(&status).text)
            .unwrap_or_default();
        let so_far = self.context.transcript();
        let prompt = format!(
            "{}\n\n# A talk in a chat\n\nYou are {}, and talk with people who run an orchestrator of AI workers. Answer the last \
             message in plain words, short enough for a phone. You change nothing here: where something is to be done, say \
             which order does it (`!new`, `!retry ID`, …).\n\n## How everything stands\n\n{status}\n\n## So far\n\n{so_far}\n## Now\n\n{}: {}\n",
            self.agent.personality.trim(),
            self.name,
            self.heard.who.id,
            self.words()
        );
        self.open.instance.redactor.redact(&prompt).into_owned()
    }
}

/// What looks and does not change.
fn looking(tools: Option<Vec<Tool>>) -> Vec<Tool> {
    let mut tools = tools.unwrap_or_else(|| vec![Tool::Read]);
    tools.retain(|tool| *tool == Tool::Read);
    tools
}
