//! Reading the CLI's output: signals while it runs, the result at its end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::event::{Event, Message, RateLimitNotice, RunResult};
use super::usage::Usage;
use super::verdict;
use crate::domain::fingerprint::digest;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::printable::brief as shorten;
use crate::runtime::{Account, Brief, Exit, OutcomeFile, RateLimit, Reader, Signal};

/// The name under which the CLI speaks itself, for example of an error.
const NOBODY: &str = "<synthetic>";
/// Characters of a tool call, and of what was said, that are shown.
const SHOWN: usize = 200;

/// What was heard so far.
pub(super) struct Stream {
    usage: Usage,
    session: Option<String>,
    model: Option<String>,
    result: Option<RunResult>,
    /// When the provider said that the limit which refused ends.
    refused_until: Option<DateTime<Utc>>,
}

impl Stream {
    pub(super) fn new(brief: &Brief) -> Self {
        Self {
            usage: Usage::new(brief),
            session: None,
            model: None,
            result: None,
            refused_until: None,
        }
    }

    fn system(&mut self, event: Event, signals: &mut Vec<Signal>) {
        match event.subtype.as_str() {
            "init" => {
                signals.extend(event.model.clone().map(Signal::Model));
                self.model = event.model.or(self.model.take());
            }
            "api_retry" => signals.push(retrying(&event)),
            "permission_denied" => signals.push(Signal::Denied {
                tool: event.tool_name.unwrap_or_default(),
                reason: shorten(event.message.as_str().unwrap_or_default(), SHOWN),
            }),
            "conversation_reset" => self.usage.reset(),
            "status" => signals.extend(event.status.map(|status| Signal::Phase(shorten(&status, SHOWN)))),
            _ => {}
        }
    }

    fn assistant(&mut self, message: Value, signals: &mut Vec<Signal>) {
        let Ok(message) = Message::deserialize(message) else {
            return;
        };
        if message.model != NOBODY && !message.model.is_empty() && self.usage.count(&message) {
            signals.push(Signal::Cost(self.usage.spent()));
            if self.model.as_ref() != Some(&message.model) {
                signals.push(Signal::Model(message.model.clone()));
                self.model = Some(message.model.clone());
            }
        }
        for block in &message.content {
            content(block, signals);
        }
    }

    fn rate_limit(&mut self, info: RateLimitNotice, signals: &mut Vec<Signal>) {
        let until = info.resets_at.and_then(instant);
        if info.status == "rejected" {
            // Of several limits that refuse, the last to open decides.
            self.refused_until = self.refused_until.max(until);
        }
        signals.push(Signal::RateLimit(RateLimit {
            status: info.status,
            limit: info.rate_limit_type.unwrap_or_default(),
            utilization: info.utilization,
            until,
        }));
    }

    fn take(&mut self, event: Event, signals: &mut Vec<Signal>) {
        if let Some(session) = event
            .session_id
            .as_ref()
            .filter(|id| self.session.as_ref() != Some(id))
        {
            self.session = Some(session.clone());
            signals.push(Signal::Session(session.clone()));
        }
        match event.kind.as_str() {
            "system" => self.system(event, signals),
            "assistant" => self.assistant(event.message, signals),
            "user" => answers(&event.message, signals),
            "conversation_reset" => self.usage.reset(),
            "rate_limit_event" => {
                if let Some(info) = event.rate_limit_info {
                    self.rate_limit(info, signals);
                }
            }
            _ => {}
        }
    }

    fn take_result(&mut self, value: Value, signals: &mut Vec<Signal>) {
        let Ok(result) = RunResult::deserialize(value) else {
            signals.push(Signal::Unreadable);
            return;
        };
        self.usage.report(&result);
        signals.push(Signal::Cost(self.usage.spent()));
        self.result = Some(result);
    }
}

impl Reader for Stream {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        let mut signals = vec![Signal::Alive];
        if line.trim_ascii().is_empty() {
            return signals;
        }
        // Foreign bytes in a text must not cost the event; a line that was cut is no JSON any more.
        let text = String::from_utf8_lossy(line);
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            signals.push(Signal::Unreadable);
            return signals;
        };
        let is_result = value.get("type").is_some_and(|kind| kind == "result");
        match Event::deserialize(&value) {
            Ok(event) => self.take(event, &mut signals),
            Err(_) if is_result => {}
            Err(_) => signals.push(Signal::Unreadable),
        }
        if is_result {
            self.take_result(value, &mut signals);
        }
        signals
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        verdict::ending(&verdict::Witnesses {
            result: self.result.as_ref(),
            began: self.session.is_some(),
            exit,
            outcome,
            stderr_tail,
            refused_until: self.refused_until,
        })
    }

    fn account(&self) -> Account {
        let lost = self.result.as_ref().is_some_and(|result| {
            matches!(
                verdict::of_result(result, None).0,
                EndKind::Poisoned | EndKind::Vanished
            )
        });
        self.usage
            .account(self.session.clone().filter(|_| !lost), self.model.clone())
    }

    fn last_message(&self) -> Option<&str> {
        let result = self.result.as_ref().filter(|result| !result.is_error);
        Some(
            result
                .and_then(|result| result.result.as_str())
                .unwrap_or_default(),
        )
    }
}

fn content(block: &Value, signals: &mut Vec<Signal>) {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "text" if !text("text").trim().is_empty() => signals.push(Signal::Said(shorten(text("text"), SHOWN))),
        "tool_use" => {
            let name = shorten(text("name"), SHOWN);
            let call = call(block.get("input").unwrap_or(&Value::Null));
            signals.push(Signal::Phase(format!("{name}: {}", shorten(&call, 80))));
            let call = distinct(call, block.get("input").unwrap_or(&Value::Null));
            signals.push(Signal::Tool { name, call });
        }
        _ => {}
    }
}

/// What a call does, for people: the one argument that says it, or all of them.
fn call(input: &Value) -> String {
    let telling = [
        "command",
        "file_path",
        "path",
        "pattern",
        "url",
        "query",
        "description",
    ];
    let said = telling.iter().find_map(|key| input.get(key)?.as_str());
    shorten(
        said.map_or_else(|| input.to_string(), str::to_owned).as_str(),
        SHOWN,
    )
}

/// A call with arguments that its text does not show is told apart by a digest of them. How the model describes the
/// call is no part of it.
fn distinct(call: String, input: &Value) -> String {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.remove("description");
    }
    let whole = input.to_string();
    if input.as_object().is_none_or(|fields| fields.len() < 2) && whole.len() < SHOWN {
        return call;
    }
    format!("{call} #{}", digest(&[whole]))
}

/// What the tools gave back.
fn answers(message: &Value, signals: &mut Vec<Signal>) {
    let blocks = message.get("content").and_then(Value::as_array);
    for block in blocks.into_iter().flatten() {
        if block.get("type").is_some_and(|kind| kind == "tool_result") {
            let content = block.get("content").unwrap_or(&Value::Null);
            let text = content
                .as_str()
                .map_or_else(|| content.to_string(), str::to_owned);
            signals.push(Signal::Answered(text));
        }
    }
}

fn retrying(event: &Event) -> Signal {
    let seconds = event.retry_delay_ms.unwrap_or_default() / 1000.0;
    Signal::Retrying {
        attempt: event.attempt.unwrap_or_default(),
        delay: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        status: event.error_status,
        error: shorten(event.error.as_str().unwrap_or("unknown"), SHOWN),
    }
}

/// A time from seconds since 1970.
fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds as i64, 0)
}
