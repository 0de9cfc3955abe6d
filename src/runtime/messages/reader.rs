//! Reads the worker's lines, and tells from them how it ended.
//!
//! Invariants: whatever bytes come, nothing panics; a line that cannot be read is skipped and counts as no sign
//! of life; without a `result` line nothing is ever claimed.

use super::line::{Closing, Line};
use super::spend::Totals;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::{Account, Exit, ExitCause, OutcomeFile, Reader, Signal};

/// What was read so far.
#[derive(Debug, Default)]
pub struct LineReader {
    session: Option<String>,
    model: Option<String>,
    totals: Option<Totals>,
    closing: Option<Closing>,
}

impl Reader for LineReader {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => self.take(line),
            Err(_) => Vec::new(),
        }
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        match &self.closing {
            Some(closing) if closing.kind == EndKind::Claimed && !closing.finished => outcome
                .and_then(by_outcome_file)
                .unwrap_or_else(|| by_closing(closing)),
            Some(closing) => by_closing(closing),
            None => by_exit(exit, stderr_tail),
        }
    }

    fn account(&self) -> Account {
        Account {
            cost_usd: self.totals.and_then(|totals| totals.cost_usd),
            input_tokens: self.totals.map(|totals| totals.input_tokens),
            output_tokens: self.totals.map(|totals| totals.output_tokens),
            session: self.session.clone(),
            model: self.model.clone(),
        }
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
            Line::ToolUse { name, .. } => vec![Signal::Alive, Signal::Tool { name }],
            Line::Phase { text } => vec![Signal::Alive, Signal::Phase(text)],
            Line::Usage(totals) => {
                self.totals = Some(totals);
                vec![Signal::Alive]
            }
            Line::Retry {
                rate_limit: Some(limit),
                ..
            } => vec![Signal::RateLimit { until: limit.until }],
            // Waiting for a provider that fails is no sign of life.
            Line::Retry { .. } | Line::Unknown => Vec::new(),
            Line::Notice { .. } | Line::Text { .. } | Line::ToolResult { .. } | Line::Alive => {
                vec![Signal::Alive]
            }
            Line::Result(closing) => self.close(closing),
        }
    }

    fn close(&mut self, closing: Closing) -> Vec<Signal> {
        self.totals = Some(closing.usage);
        self.session = closing.session.clone().or(self.session.take());
        let signals = match closing.kind {
            EndKind::RateLimited { until } => vec![Signal::Alive, Signal::RateLimit { until }],
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

/// The outcome that the worker left through `orchestrator agent …` instead of the `finish` tool.
fn by_outcome_file(file: &OutcomeFile) -> Option<Ending> {
    let kind = match file.outcome.trim() {
        "done" => EndKind::Claimed,
        "no_change_needed" => EndKind::NoChangeNeeded,
        "continue" => EndKind::Continue,
        "blocked" => EndKind::Blocked,
        "needs_stronger_model" => EndKind::NeedsStrongerModel,
        "failed" => EndKind::Failed,
        _ => return None,
    };
    let reason = never_empty(
        &file.reason,
        &format!("the worker's outcome file says {}", file.outcome.trim()),
    );
    Some(Ending { kind, reason })
}

fn by_exit(exit: &Exit, stderr_tail: &str) -> Ending {
    let last = stderr_tail
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("nothing on stderr");
    let (kind, reason) = match (exit.cause, exit.signal, exit.code) {
        (ExitCause::Vanished, ..) => (EndKind::Vanished, "the worker's process vanished".to_owned()),
        (ExitCause::SpawnFailed, ..) => (EndKind::Failed, format!("the worker did not start: {last}")),
        (ExitCause::OutputLimit, ..) => (EndKind::Failed, "the worker wrote too much output".to_owned()),
        (ExitCause::Stopped, ..) => (EndKind::Interrupted, "the worker was stopped".to_owned()),
        (ExitCause::Timeout, ..) => (EndKind::Interrupted, "the worker took too long".to_owned()),
        (ExitCause::Exited, Some(signal), _) => (
            EndKind::Interrupted,
            format!("the worker was ended by signal {signal}"),
        ),
        (ExitCause::Exited, None, Some(0) | None) => (
            EndKind::Interrupted,
            "the worker ended without a result".to_owned(),
        ),
        (ExitCause::Exited, None, Some(code)) => (
            EndKind::Failed,
            format!("the worker exited with code {code} without a result: {last}"),
        ),
    };
    Ending { kind, reason }
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
