//! Reads the worker's lines, and tells from them how it ended.
//!
//! Invariants: whatever bytes come, nothing panics; a line that cannot be read is no sign of life; without a `result`
//! line nothing is ever claimed; a session that is poisoned or gone is not handed on.

use std::time::Duration;

use super::line::{Closing, Limit, Line, Used};
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::last_message::LastMessage;
use crate::runtime::printable::brief;
use crate::runtime::process::{Cause, Status};
use crate::runtime::{Account, Exit, OutcomeFile, RateLimit, Reader, Signal, Spent, command};

/// Characters of a tool call, and of what was said, that are shown.
const SHOWN: usize = 200;

/// What was read so far.
#[derive(Debug, Default)]
pub struct LineReader {
    session: Option<String>,
    model: Option<String>,
    used: Option<Used>,
    planned: bool,
    closing: Option<Closing>,
    last: LastMessage,
}

impl Reader for LineReader {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        match serde_json::from_slice::<Line>(line) {
            Ok(Line::Unknown) => Vec::new(),
            Ok(line) => {
                let mut signals = vec![Signal::Alive];
                self.take(line, &mut signals);
                signals
            }
            Err(_) => vec![Signal::Unreadable],
        }
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        let ending = match &self.closing {
            // A claim does not outlive a process whose end nobody saw, or that had to be ended.
            Some(closing) if exit.cause == Cause::Exited || closing.kind != EndKind::Claimed => {
                by_closing(closing, stderr_tail)
            }
            _ => by_exit(exit, stderr_tail),
        };
        if exit.cause != Cause::Exited {
            return ending;
        }
        outcome.and_then(|file| file.over(ending.kind)).unwrap_or(ending)
    }

    fn account(&self) -> Account {
        let lost = self
            .closing
            .as_ref()
            .is_some_and(|closing| matches!(closing.kind, EndKind::Poisoned | EndKind::Vanished));
        let session = self.session.clone().filter(|_| !lost);
        Account {
            spent: self.spent(),
            session_cost_usd: session
                .as_ref()
                .and(self.used.and_then(|used| used.session_cost_usd)),
            session_tokens: None,
            session,
            model: self.model.clone(),
        }
    }

    fn last_message(&self) -> Option<&str> {
        Some(self.last.text())
    }
}

impl LineReader {
    fn take(&mut self, line: Line, signals: &mut Vec<Signal>) {
        match line {
            Line::Init { session, model, .. } => {
                signals.push(Signal::Session(session.clone()));
                signals.extend(model.clone().map(Signal::Model));
                self.session = Some(session);
                self.model = model;
            }
            Line::Text { text } => {
                self.last.say(&text);
                signals.push(Signal::Said(brief(&text, SHOWN)));
            }
            Line::ToolUse { name, input } => {
                self.last.works_on();
                let call = brief(&input, SHOWN);
                if !self.planned {
                    signals.push(Signal::Phase(format!("{name}: {}", brief(&call, 80))));
                }
                signals.push(Signal::Tool { name, call });
            }
            Line::Phase { text } => {
                self.planned = true;
                signals.push(Signal::Phase(brief(&text, SHOWN)));
            }
            Line::Denied { tool, reason } => signals.push(Signal::Denied { tool, reason }),
            Line::Usage(used) => {
                self.used = Some(used);
                signals.push(Signal::Cost(self.spent()));
            }
            Line::Retrying {
                attempt,
                delay_ms,
                status,
                error,
                ..
            } => signals.push(Signal::Retrying {
                attempt,
                delay: Duration::from_millis(delay_ms),
                status,
                error,
            }),
            Line::RateLimit(limit) => signals.push(limited(limit)),
            Line::Result(closing) => self.close(closing, signals),
            Line::ToolResult { text, .. } => signals.push(Signal::Answered(text)),
            Line::Notice { .. } | Line::Thought { .. } | Line::Alive | Line::Unknown => {}
        }
    }

    fn close(&mut self, closing: Closing, signals: &mut Vec<Signal>) {
        self.used = Some(closing.usage);
        signals.push(Signal::Cost(self.spent()));
        if let EndKind::RateLimited { until } = closing.kind {
            signals.push(limited(Limit {
                status: "rejected".to_owned(),
                limit: "rate".to_owned(),
                utilization: None,
                until,
            }));
        }
        self.closing = Some(closing);
    }

    fn spent(&self) -> Spent {
        let used = self.used.unwrap_or_default();
        Spent {
            cost_usd: used.cost_usd,
            input_tokens: used.input_tokens,
            output_tokens: used.output_tokens,
        }
    }
}

fn limited(limit: Limit) -> Signal {
    Signal::RateLimit(RateLimit {
        status: limit.status,
        limit: limit.limit,
        utilization: limit.utilization,
        until: limit.until,
    })
}

fn by_closing(closing: &Closing, stderr_tail: &str) -> Ending {
    let reason = if closing.died {
        command::with_last_line(closing.reason.clone(), closing.kind, stderr_tail)
    } else {
        closing.reason.clone()
    };
    Ending {
        kind: closing.kind,
        reason: if reason.trim().is_empty() {
            "the worker gave no reason".to_owned()
        } else {
            reason
        },
    }
}

fn by_exit(exit: &Exit, stderr_tail: &str) -> Ending {
    let (kind, phrase) = match (&exit.cause, exit.status) {
        (Cause::Exited, Some(Status::Code(0)) | None) => {
            (EndKind::Interrupted, "ended without a result".to_owned())
        }
        (Cause::Exited, Some(Status::Code(_))) => {
            (EndKind::Failed, format!("{} without a result", exit.phrase()))
        }
        (Cause::Exited, Some(Status::Signal(_))) => (EndKind::Interrupted, exit.phrase()),
        (cause, _) => (command::by_cause(cause), exit.phrase()),
    };
    Ending {
        kind,
        reason: command::with_last_line(phrase, kind, stderr_tail),
    }
}

#[cfg(test)]
mod tests;
