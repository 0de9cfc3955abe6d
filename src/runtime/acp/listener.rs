//! What the agent tells while it works, as lines; and the answers to its questions.
//!
//! Pieces of a text are joined until another kind of event comes. What is told again while an old session is opened
//! is no news. After a cancel every question is answered as cancelled.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use agent_client_protocol::UntypedMessage;
use agent_client_protocol::v1::schema::{
    ContentBlock, ContentChunk, Meta, Plan, PlanEntryStatus, RequestPermissionOutcome,
    RequestPermissionRequest, RequestPermissionResponse, SelectedPermissionOutcome, SessionNotification,
    SessionUpdate, ToolCallStatus, Usage, UsageUpdate,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::calls::Calls;
use super::line::{Limit, Line, cut, cut_message};
use super::lull::Lull;
use super::permission::{Permission, Question, option};
use super::spend::Spend;
use super::voice::Voice;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::printable::brief;

/// A text that grows beyond this, in bytes, is told in parts.
const PART: usize = 3_000;
/// Characters of a complaint that are told.
const SHOWN: usize = 200;

/// Why the worker stops before the agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody asked for it.
    Signal,
    /// The budget is used up.
    Budget,
    /// Nobody reads what the worker writes.
    Unheard,
}

/// The rules of the attempt.
#[derive(Debug)]
pub struct Rules {
    /// What is answered with yes.
    pub permission: Permission,
    /// Whether the worker is contained.
    pub contained: bool,
    /// The folder to work in.
    pub workspace: PathBuf,
    /// What the attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
}

/// Listens to the agent.
pub struct Listener<W> {
    voice: Voice<W>,
    rules: Rules,
    spend: Spend,
    calls: Calls,
    lull: Lull,
    text: Option<Text>,
    said: String,
    phase: String,
    refused_until: Option<DateTime<Utc>>,
    refused: Vec<String>,
    replaying: bool,
    cancelled: bool,
    stop: watch::Sender<Option<Why>>,
}

#[derive(Debug, PartialEq)]
struct Text {
    thought: bool,
    message: Option<String>,
    text: String,
}

impl<W: Write> Listener<W> {
    /// A listener that speaks by `voice` and asks for a stop by `stop`.
    pub fn new(voice: Voice<W>, rules: Rules, spend: Spend, stop: watch::Sender<Option<Why>>) -> Self {
        Self {
            voice,
            rules,
            spend,
            calls: Calls::default(),
            lull: Lull::default(),
            text: None,
            said: String::new(),
            phase: String::new(),
            refused_until: None,
            refused: Vec::new(),
            replaying: false,
            cancelled: false,
            stop,
        }
    }

    /// Tells a line of the worker's own.
    pub fn say(&mut self, line: &Line) {
        self.lull.ends();
        self.flush();
        self.voice.say(line);
        self.look_whether_to_go_on();
    }

    /// Says whether what comes now is the past of an old session.
    pub fn replay(&mut self, replaying: bool) {
        self.replaying = replaying;
    }

    /// The agent counts its cost from zero with every process.
    pub fn counts_anew(&mut self) {
        self.spend.counts_anew();
    }

    /// From now on every question is answered as cancelled.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Takes in what the prompt's answer tells of its tokens.
    pub fn turn(&mut self, usage: Option<&Usage>) {
        if let Some(usage) = usage {
            self.spend.turn(usage);
        }
    }

    /// The last that the agent said.
    pub fn said(&self) -> &str {
        self.text
            .as_ref()
            .filter(|text| !text.thought)
            .map_or(&self.said, |text| &text.text)
    }

    /// What was used.
    pub fn spend(&self) -> &Spend {
        &self.spend
    }

    /// When the provider's limit that refuses ends.
    pub fn refused_until(&self) -> Option<DateTime<Utc>> {
        self.refused_until
    }

    /// The tools that were refused, each once.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Takes in a line of the agent's standard error.
    pub fn complaint(&mut self, line: &str, now: Instant) {
        self.lull.complains(line, now);
    }

    /// Tells of a silence that is a wait for the agent's provider.
    pub fn look_at_silence(&mut self, now: Instant) {
        if let Some(line) = self.lull.tell(now) {
            self.flush();
            self.voice.say(&line);
            self.look_whether_to_go_on();
        }
    }

    /// A failure after a complaint that the agent did not get over is its provider's.
    pub fn blame(&self, ending: Ending) -> Ending {
        match self.lull.complaint() {
            Some((complaint, said)) if ending.kind == EndKind::Failed => Ending {
                kind: complaint.kind,
                reason: format!("{}; it had complained: {}", ending.reason, brief(said, SHOWN)),
            },
            _ => ending,
        }
    }

    /// Takes in a notification.
    pub fn hear(&mut self, message: UntypedMessage) {
        self.lull.ends();
        let (method, params) = message.into_parts();
        if let Some(line) = retrying(&method, &params) {
            return self.say(&line);
        }
        // A kind of update that is not known here is still a sign of life.
        let update = (method == "session/update")
            .then(|| SessionNotification::deserialize(params).ok())
            .flatten();
        match update.map(|notification| notification.update) {
            // Sums stay true however old they are.
            Some(SessionUpdate::UsageUpdate(update)) => self.usage(&update),
            Some(update) if !self.replaying => self.take(update),
            _ => self.voice.beat(),
        }
        self.look_whether_to_go_on();
    }

    /// Answers a question.
    pub fn answer(&mut self, request: RequestPermissionRequest) -> RequestPermissionResponse {
        let cancelled = RequestPermissionResponse::new(RequestPermissionOutcome::Cancelled);
        if self.cancelled {
            return cancelled;
        }
        self.lull.ends();
        let (call, lines) = self.calls.asked(request.tool_call);
        self.tell(lines);
        let tool = call.name();
        let question = Question {
            tool: &tool,
            kind: call.kind,
            places: &call.places,
        };
        let rules = &self.rules;
        let allowed = rules
            .permission
            .allows(rules.contained, &rules.workspace, &question);
        self.lull.works(allowed.is_ok());
        let chosen = option(&request.options, allowed.is_ok());
        if let Some(reason) = allowed.err().or_else(|| no_option(chosen.is_none())) {
            if !self.refused.contains(&tool) {
                self.refused.push(tool.clone());
            }
            self.say(&Line::Denied { tool, reason });
        }
        chosen.map_or(cancelled, |id| {
            let chosen = SelectedPermissionOutcome::new(id);
            RequestPermissionResponse::new(RequestPermissionOutcome::Selected(chosen))
        })
    }

    fn take(&mut self, update: SessionUpdate) {
        match update {
            SessionUpdate::AgentMessageChunk(chunk) => self.chunk(false, &chunk),
            SessionUpdate::AgentThoughtChunk(chunk) => self.chunk(true, &chunk),
            SessionUpdate::ToolCall(call) => {
                self.lull.works(is_open(call.status));
                let lines = self.calls.begin(call);
                self.tell(lines);
            }
            SessionUpdate::ToolCallUpdate(update) => {
                // Some tell a little more of a call that has ended.
                if let Some(status) = update.fields.status {
                    self.lull.works(is_open(status));
                }
                let lines = self.calls.update(update);
                self.tell(lines);
            }
            SessionUpdate::Plan(plan) => self.plan(&plan),
            _ => self.voice.beat(),
        }
    }

    fn chunk(&mut self, thought: bool, chunk: &ContentChunk) {
        self.lull.works(false);
        let ContentBlock::Text(piece) = &chunk.content else {
            return self.voice.beat();
        };
        let message = chunk.message_id.as_ref().map(ToString::to_string);
        let goes_on = self
            .text
            .as_ref()
            .is_some_and(|text| text.thought == thought && text.message == message && text.text.len() < PART);
        if !goes_on {
            self.flush();
        }
        let text = self.text.get_or_insert_with(|| Text {
            thought,
            message,
            text: String::new(),
        });
        text.text.push_str(&piece.text);
        self.voice.beat();
    }

    /// Tells what was said until now.
    pub fn flush(&mut self) {
        let Some(Text { thought, text, .. }) = self.text.take() else {
            return;
        };
        if text.trim().is_empty() {
            return;
        }
        if thought {
            self.voice.say(&Line::Thought { text: cut(&text) });
        } else {
            self.voice.say(&Line::Text {
                text: cut_message(&text),
            });
            self.said = text;
        }
    }

    fn tell(&mut self, lines: Vec<Line>) {
        if lines.is_empty() {
            return self.voice.beat();
        }
        self.flush();
        for line in lines {
            self.voice.say(&line);
        }
    }

    fn plan(&mut self, plan: &Plan) {
        let now = plan
            .entries
            .iter()
            .find(|entry| entry.status == PlanEntryStatus::InProgress);
        match now.map(|entry| cut(&entry.content)) {
            Some(text) if text != self.phase => {
                self.phase.clone_from(&text);
                self.say(&Line::Phase { text });
            }
            _ => self.voice.beat(),
        }
    }

    fn usage(&mut self, update: &UsageUpdate) {
        let before = self.spend.used();
        self.spend.context(update.used, update.size);
        if let Some(cost) = &update.cost {
            self.spend.cost(cost);
        }
        if let Some(limit) = update.meta.as_ref().and_then(limit) {
            if limit.status == "rejected" {
                self.refused_until = self.refused_until.max(limit.until);
            }
            self.say(&Line::RateLimit(limit));
        }
        let now = self.spend.used();
        if now == before {
            self.voice.beat();
        } else {
            // Not by `say`: the numbers come in the middle of a sentence.
            self.voice.say(&Line::Usage(now));
        }
    }

    fn look_whether_to_go_on(&mut self) {
        let why = if self.voice.is_broken() {
            Why::Unheard
        } else if self.spend.is_over(self.rules.budget_usd) {
            Why::Budget
        } else {
            return;
        };
        self.stop.send_if_modified(|stop| {
            stop.is_none() && {
                *stop = Some(why);
                true
            }
        });
    }
}

fn is_open(status: ToolCallStatus) -> bool {
    !matches!(status, ToolCallStatus::Completed | ToolCallStatus::Failed)
}

fn no_option(none: bool) -> Option<String> {
    none.then(|| "the agent offers no answer that holds only once".to_owned())
}

/// What the adapter of Claude Code hands on of its own retries, as it was asked to.
fn retrying(method: &str, params: &Value) -> Option<Line> {
    let message = params.get("message").filter(|_| method == "_claude/sdkMessage")?;
    if message.get("subtype")?.as_str()? != "api_retry" {
        return None;
    }
    let number = |key: &str| message.get(key).and_then(Value::as_f64).unwrap_or_default();
    let error = message.get("error").and_then(Value::as_str).unwrap_or("unknown");
    Some(Line::Retrying {
        attempt: number("attempt") as u32,
        delay_ms: number("retry_delay_ms") as u64,
        status: Some(number("error_status") as u16).filter(|status| *status > 0),
        error: cut(error),
        said: String::new(),
    })
}

/// What the adapter of Claude Code hands on of its provider's limits.
fn limit(meta: &Meta) -> Option<Limit> {
    let told = meta.get("_claude/rateLimit")?;
    let text = |key: &str| {
        told.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let until = told.get("resetsAt").and_then(Value::as_f64);
    Some(Limit {
        status: text("status"),
        limit: text("rateLimitType"),
        utilization: told.get("utilization").and_then(Value::as_f64),
        until: until.and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0)),
    })
}

#[cfg(test)]
mod tests;
