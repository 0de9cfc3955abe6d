//! The loop: ask, run the tools that the model calls, keep the conversation, until there is an end.
//!
//! Invariants: a session is saved only when every call in it has its answer; each limit is checked before a call;
//! one plain end of turn without `finish` is asked about once, because a model that stops to ask a question is
//! not done.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::assembly::Assembled;
use super::client::Client;
use super::conversation::Conversation;
use super::line::{Closing, Line, cut, cut_message};
use super::session::Session;
use super::settings::Settings;
use super::spend::Spend;
use super::tools::{Answer, Finish, Said, Toolbox, schemas};
use super::voice::{Telling, Voice};
use super::wire::{Block, KnownBlock, StopReason};
use crate::domain::outcome::{EndKind, Ending};

/// What the model is told before the prompt.
pub const HOUSE_RULES: &str = include_str!("house_rules.md");
const CUT_OFF: &str =
    "Your reply was cut off at its token limit. Go on in smaller steps; write long files in several pieces.";
const NO_FINISH: &str = "You ended your turn without calling `finish`. If there is work left, go on with it; nobody \
     reads questions here, `orchestrator agent ask` puts them. Otherwise call `finish` with the outcome that is true.";
/// Replies in a row that may be cut off at the token limit.
const MAX_CUTS: u32 = 3;

/// One worker at its work.
pub struct Agent<W> {
    /// Asks the model.
    pub client: Client,
    /// Carries out its calls.
    pub toolbox: Toolbox,
    /// The limits.
    pub settings: Settings,
    /// The model's name.
    pub model: String,
    /// Where the conversation is kept.
    pub session: Session,
    /// What was said so far, the new prompt included.
    pub conversation: Conversation,
    /// What was used so far.
    pub spend: Spend,
    /// Tells the world.
    pub voice: Voice<W>,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
}

/// What one attempt has gone through.
#[derive(Debug, Default)]
struct Course {
    turns: u32,
    cuts: u32,
    asked: bool,
}

/// How the loop ended.
struct End {
    ending: Ending,
    finished: bool,
    http_status: Option<u16>,
}

impl End {
    fn new(kind: EndKind, reason: impl Into<String>) -> Self {
        let ending = Ending {
            kind,
            reason: reason.into(),
        };
        Self {
            ending,
            finished: false,
            http_status: None,
        }
    }
}

impl<W: Write + Send> Agent<W> {
    /// Works until there is an end, and tells it.
    pub async fn run(mut self) -> Closing {
        let mut course = Course::default();
        self.save();
        let end = loop {
            if let Some(end) = self.step(&mut course).await {
                break end;
            }
        };
        let closing = Closing {
            kind: end.ending.kind,
            reason: cut(&end.ending.reason),
            finished: end.finished,
            http_status: end.http_status,
            turns: course.turns,
            usage: self.spend.totals(),
            session: Some(self.session.id()),
        };
        self.voice.say(&Line::Result(closing.clone()));
        closing
    }

    async fn step(&mut self, course: &mut Course) -> Option<End> {
        if let Some(end) = self.limit(course) {
            return Some(end);
        }
        course.turns += 1;
        let request = self.request();
        let first = self.conversation.is_fresh();
        let mut telling = Telling {
            voice: &mut self.voice,
            spend: &mut self.spend,
            now: self.now,
        };
        let reply = match self.client.ask(&request, first, &mut telling).await {
            Ok(reply) => reply,
            Err(trouble) => {
                let ending = trouble.ending((self.now)());
                return Some(End {
                    ending,
                    finished: false,
                    http_status: trouble.status,
                });
            }
        };
        self.spend.add(reply.usage);
        self.voice.say(&Line::Usage(self.spend.totals()));
        self.take(reply, course).await
    }

    fn limit(&self, course: &Course) -> Option<End> {
        if self.voice.is_broken() {
            return Some(End::new(
                EndKind::Failed,
                "the worker's output cannot be written; is the disk full?",
            ));
        }
        if course.turns >= self.settings.max_turns {
            let reason = format!("the limit of {} turns was reached", self.settings.max_turns);
            return Some(End::new(EndKind::MaxTurns, reason));
        }
        self.spend
            .exhausted()
            .map(|reason| End::new(EndKind::Budget, reason))
    }

    fn request(&self) -> Value {
        let cache = self.settings.prompt_cache;
        let mut rules = json!({"type": "text", "text": HOUSE_RULES});
        if cache {
            rules["cache_control"] = json!({"type": "ephemeral"});
        }
        json!({
            "model": self.model,
            "max_tokens": self.settings.max_tokens,
            "stream": true,
            "system": [rules],
            "tools": schemas(self.settings.tools.as_deref()),
            "messages": self.conversation.to_request(cache),
        })
    }

    async fn take(&mut self, reply: Assembled, course: &mut Course) -> Option<End> {
        let calls = calls_of(&reply);
        let text = text_of(&reply);
        if !text.is_empty() {
            self.voice.say(&Line::Text {
                text: cut_message(&text),
            });
        }
        let cut_off = reply.stop_reason == Some(StopReason::MaxTokens);
        course.cuts = if cut_off { course.cuts + 1 } else { 0 };
        match reply.stop_reason {
            Some(StopReason::Refusal) => return Some(End::new(EndKind::Failed, refusal(&text))),
            Some(StopReason::ContextFull) => {
                return Some(End::new(
                    EndKind::Poisoned,
                    "the model's context is full; a fresh session is needed",
                ));
            }
            Some(StopReason::MaxTokens) if course.cuts > MAX_CUTS => {
                let reason = format!(
                    "{} replies in a row were cut off at the token limit; raise max_tokens",
                    course.cuts
                );
                return Some(End::new(EndKind::Failed, reason));
            }
            _ => {}
        }
        let paused = reply.stop_reason == Some(StopReason::PauseTurn);
        self.conversation.reply(reply.message);
        let end = if !calls.is_empty() {
            course.asked = false;
            self.run_calls(calls, &reply.malformed).await
        } else if cut_off {
            self.conversation.say(vec![Block::text(CUT_OFF)]);
            None
        } else if paused {
            None
        } else if course.asked {
            Some(End::new(EndKind::Claimed, plain_end(&text)))
        } else {
            course.asked = true;
            self.conversation.say(vec![Block::text(NO_FINISH)]);
            None
        };
        self.save();
        end
    }

    async fn run_calls(&mut self, calls: Vec<Call>, malformed: &BTreeMap<String, String>) -> Option<End> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut end = None;
        for call in calls {
            let fault = malformed.get(&call.id);
            let (answer, said) = self.run_call(&call, fault).await;
            answers.push(Block::tool_result(&call.id, &answer.text, answer.is_error));
            if let Said::Finish(word) = said {
                end = Some(finished(&word));
            }
        }
        self.conversation.say(answers);
        end
    }

    async fn run_call(&mut self, call: &Call, fault: Option<&String>) -> (Answer, Said) {
        self.voice.say(&Line::ToolUse {
            name: cut(&call.name),
            input: cut(&call.input.to_string()),
        });
        let (answer, said) = match fault {
            Some(fault) => (
                Answer::error(format!("the input is no JSON: {fault}; nothing was done")),
                Said::Nothing,
            ),
            None => {
                let voice = &mut self.voice;
                let input = call.input.clone();
                self.toolbox
                    .call(&call.name, input, (self.now)(), &mut || voice.beat())
                    .await
            }
        };
        if let Said::Phase(text) = &said {
            self.voice.say(&Line::Phase { text: cut(text) });
        }
        let (name, text) = (cut(&call.name), cut(&answer.text));
        self.voice.say(&Line::ToolResult {
            name,
            is_error: answer.is_error,
            text,
        });
        (answer, said)
    }

    /// A conversation that cannot be kept costs a later attempt its memory, not this one its work.
    fn save(&mut self) {
        if let Err(fault) = self.session.save(&self.conversation) {
            self.voice.say(&Line::Notice {
                text: format!("the session cannot be saved: {fault}"),
            });
        }
    }
}

struct Call {
    id: String,
    name: String,
    input: Value,
}

fn calls_of(reply: &Assembled) -> Vec<Call> {
    let call = |block: &Block| match block {
        Block::Known(KnownBlock::ToolUse { id, name, input }) => Some(Call {
            id: id.clone(),
            name: name.clone(),
            input: input.clone(),
        }),
        _ => None,
    };
    reply.message.content.iter().filter_map(call).collect()
}

fn text_of(reply: &Assembled) -> String {
    let text = |block: &Block| match block {
        Block::Known(KnownBlock::Text { text }) => Some(text.trim().to_owned()),
        _ => None,
    };
    reply
        .message
        .content
        .iter()
        .filter_map(text)
        .collect::<Vec<_>>()
        .join("\n")
}

fn finished(word: &Finish) -> End {
    End {
        ending: word.ending(),
        finished: true,
        http_status: None,
    }
}

fn refusal(text: &str) -> String {
    let said = text.lines().next().unwrap_or("it gave no reason");
    format!("the model refused: {said}")
}

fn plain_end(text: &str) -> String {
    let said = text.lines().next().unwrap_or("it said nothing");
    format!("the model ended its turn without `finish`: {said}")
}
