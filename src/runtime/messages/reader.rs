//! Reads the worker's lines, and tells from them how it ended.
//!
//! Invariants: whatever bytes come, nothing panics; a line that cannot be read is skipped and counts as no sign
//! of life; without a `result` line nothing is ever claimed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::line::{Closing, Line};
use super::spend::Totals;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::last_message::LastMessage;
use crate::runtime::process::{Cause, Status};
use crate::runtime::{Account, Exit, OutcomeFile, RateLimit, Reader, Signal, Spent, command};

/// The calls by which a worker ends; what it said before them is still its last word.
const CLOSING_TOOLS: [&str; 2] = ["finish", "progress"];

/// What was read so far.
#[derive(Debug, Default)]
pub struct LineReader {
    session: Option<String>,
    model: Option<String>,
    totals: Option<Totals>,
    closing: Option<Closing>,
    /// Retries in a row.
    retries: u32,
    last: LastMessage,
}

impl Reader for LineReader {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => self.take(line),
            Err(_) => Vec::new(),
        }
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        // A claim does not outlive a process whose end nobody saw, or that had to be ended.
        let closing = self.closing.as_ref().filter(|_| exit.cause == Cause::Exited);
        match closing {
            Some(closing) if closing.kind == EndKind::Claimed && !closing.finished => outcome
                .and_then(by_outcome_file)
                .unwrap_or_else(|| by_closing(closing)),
            Some(closing) => by_closing(closing),
            None => by_exit(exit, stderr_tail),
        }
    }

    fn account(&self) -> Account {
        Account {
            spent: Spent {
                cost_usd: self.totals.and_then(|totals| totals.cost_usd),
                input_tokens: self.totals.map(|totals| totals.input_tokens),
                output_tokens: self.totals.map(|totals| totals.output_tokens),
            },
            session: self.session.clone(),
            model: self.model.clone(),
            ..Account::default()
        }
    }

    fn last_message(&self) -> Option<&str> {
        Some(self.last.text())
    }
}

impl LineReader {
    fn take(&mut self, line: Line) -> Vec<Signal> {
        match line {
            Line::Init { session, model, .. } => {
                self.session = Some(session.clone());
                self.model = Some(model.clone());
                vec![Signal::Alive, Signal::Session(session), Signal::Model(model)]
            }
            Line::ToolUse { name, input } => {
                if !CLOSING_TOOLS.contains(&name.as_str()) {
                    self.last.works_on();
                }
                vec![Signal::Alive, Signal::Tool { name, call: input }]
            }
            Line::Phase { text } => vec![Signal::Alive, Signal::Phase(text)],
            Line::Usage(totals) => {
                self.totals = Some(totals);
                self.retries = 0;
                vec![Signal::Alive]
            }
            // Waiting for a provider that fails is no sign of life.
            Line::Retry {
                reason,
                status,
                delay_ms,
                rate_limit,
            } => {
                self.retries += 1;
                let limit = rate_limit.map(|limit| refused(limit.until));
                let waits = Signal::Retrying {
                    attempt: self.retries,
                    delay: Duration::from_millis(delay_ms),
                    status,
                    error: reason,
                };
                limit.into_iter().chain([waits]).collect()
            }
            Line::Unknown => Vec::new(),
            Line::Text { text } => {
                self.last.say(&text);
                vec![Signal::Alive, Signal::Said(text)]
            }
            Line::ToolResult { text, .. } => vec![Signal::Alive, Signal::Answered(text)],
            Line::Notice { .. } | Line::Alive => vec![Signal::Alive],
            Line::Result(closing) => self.close(closing),
        }
    }

    fn close(&mut self, closing: Closing) -> Vec<Signal> {
        self.totals = Some(closing.usage);
        self.session = closing.session.clone().or(self.session.take());
        let signals = match closing.kind {
            EndKind::RateLimited { until } => vec![Signal::Alive, refused(until)],
            _ => vec![Signal::Alive],
        };
        self.closing = Some(closing);
        signals
    }
}

fn by_closing(closing: &Closing) -> Ending {
    Ending {
        kind: closing.kind,
        reason: never_empty(&closing.reason, "the worker gave no reason"),
    }
}

fn refused(until: Option<DateTime<Utc>>) -> Signal {
    let (status, limit) = ("rejected".to_owned(), "rate".to_owned());
    Signal::RateLimit(RateLimit {
        status,
        limit,
        utilization: None,
        until,
    })
}

/// The outcome that the worker left through `orchestrator agent …` instead of the `finish` tool.
fn by_outcome_file(file: &OutcomeFile) -> Option<Ending> {
    file.ending()
}

fn by_exit(exit: &Exit, stderr_tail: &str) -> Ending {
    let (kind, phrase) = match (&exit.cause, exit.status) {
        (Cause::Exited, Some(Status::Code(0))) => (EndKind::Silent, "ended without a result".to_owned()),
        (Cause::Exited, None) => (EndKind::Interrupted, "ended without a result".to_owned()),
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

fn never_empty(text: &str, otherwise: &str) -> String {
    if text.trim().is_empty() {
        otherwise.to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
