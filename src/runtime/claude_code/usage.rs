//! What an attempt used, though the CLI counts by session.
//!
//! `modelUsage` and `total_cost_usd` are sums over the session, resumed runs included, so what earlier attempts were
//! told is taken off. Until the result comes, the requests of this run are counted, once a message.

use std::collections::HashSet;

use super::event::{Message, RunResult};
use crate::runtime::{Account, Brief, Spent};

/// Sums: US dollars, tokens read (cached ones included), tokens written.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    cost_usd: f64,
    input: u64,
    output: u64,
}

/// The counter of one attempt.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// What the session had used before this attempt.
    before: Sum,
    /// What this attempt used before the session's counters were set to zero.
    kept: Sum,
    /// The session's counters at the last result.
    reported: Option<Sum>,
    /// Messages that were counted.
    seen: HashSet<String>,
    /// Tokens read by them.
    input_seen: u64,
}

impl Usage {
    pub(super) fn new(brief: &Brief) -> Self {
        let before = match &brief.session {
            Some(_) => {
                let (input, output) = brief.session_tokens_before.unwrap_or_default();
                Sum {
                    cost_usd: brief.session_cost_usd_before.unwrap_or_default(),
                    input,
                    output,
                }
            }
            None => Sum::default(),
        };
        Self {
            before,
            ..Self::default()
        }
    }

    /// Counts a message; it comes again with every block of its content.
    pub(super) fn count(&mut self, message: &Message) -> bool {
        let new = !message.id.is_empty() && self.seen.insert(message.id.clone());
        if new {
            let usage = &message.usage;
            self.input_seen +=
                usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
        }
        new
    }

    pub(super) fn report(&mut self, result: &RunResult) {
        let mut sum = Sum::default();
        for usage in result.model_usage.values() {
            sum.cost_usd += usage.cost_usd;
            sum.input +=
                usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
            sum.output += usage.output_tokens;
        }
        if result.model_usage.is_empty() {
            sum.cost_usd = result.total_cost_usd.unwrap_or_default();
        }
        // A run that never reached the model, or a session that was not found, reports nothing instead of the sum.
        if sum == Sum::default() && self.before != Sum::default() {
            sum = self.before;
        }
        self.reported = Some(sum);
    }

    /// The session's counters start from zero.
    pub(super) fn reset(&mut self) {
        if let Some(own) = self.own() {
            self.kept = own;
        }
        self.before = Sum::default();
        self.reported = None;
    }

    /// What this attempt used; nothing before the first result.
    fn own(&self) -> Option<Sum> {
        let now = self.reported?;
        let less = now.cost_usd < self.before.cost_usd
            || now.input < self.before.input
            || now.output < self.before.output;
        let before = if less { Sum::default() } else { self.before };
        Some(Sum {
            cost_usd: self.kept.cost_usd + now.cost_usd - before.cost_usd,
            input: self.kept.input + now.input - before.input,
            output: self.kept.output + now.output - before.output,
        })
    }

    pub(super) fn spent(&self) -> Spent {
        match self.own() {
            Some(own) => Spent {
                cost_usd: Some(own.cost_usd),
                input_tokens: Some(own.input),
                output_tokens: Some(own.output),
            },
            None => Spent {
                input_tokens: (self.input_seen > 0).then_some(self.input_seen),
                ..Spent::default()
            },
        }
    }

    pub(super) fn account(&self, session: Option<String>, model: Option<String>) -> Account {
        let sum = self.reported.unwrap_or(self.before);
        Account {
            spent: self.spent(),
            session_cost_usd: session.is_some().then_some(sum.cost_usd),
            session_tokens: session.is_some().then_some((sum.input, sum.output)),
            session,
            model,
        }
    }
}
