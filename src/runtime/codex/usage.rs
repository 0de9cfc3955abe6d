//! What an attempt used, though the CLI counts by thread.
//!
//! A closing event tells the sum over the thread, resumed runs included, so what earlier attempts were told is taken
//! off. A run that was killed tells nothing; its tokens then show in the next attempt of the thread.

use super::event::ThreadUsage;
use crate::runtime::{Account, Brief, Spent};

/// The counter of one attempt.
#[derive(Debug)]
pub(super) struct Usage {
    /// The thread that is to go on.
    resumed: Option<String>,
    /// Tokens of the thread before this attempt: read, written.
    before: (u64, u64),
    /// Tokens of the thread as last reported.
    reported: Option<(u64, u64)>,
}

impl Usage {
    pub(super) fn new(brief: &Brief) -> Self {
        let resumed = brief.session.clone();
        let before = resumed.as_ref().and(brief.session_tokens_before);
        Self {
            resumed,
            before: before.unwrap_or_default(),
            reported: None,
        }
    }

    /// The thread that really runs: where the CLI does not know the one that it was given, a new one begins at zero.
    pub(super) fn runs_in(&mut self, thread: &str) {
        if self.resumed.as_deref() != Some(thread) {
            self.before = (0, 0);
        }
    }

    pub(super) fn report(&mut self, usage: ThreadUsage) {
        self.reported = Some((usage.input_tokens, usage.output_tokens));
    }

    /// What this attempt used; nothing before the first report.
    pub(super) fn spent(&self) -> Spent {
        let Some((input, output)) = self.reported else {
            return Spent::default();
        };
        let less = input < self.before.0 || output < self.before.1;
        let before = if less { (0, 0) } else { self.before };
        Spent {
            cost_usd: None,
            input_tokens: Some(input - before.0),
            output_tokens: Some(output - before.1),
        }
    }

    pub(super) fn account(&self, session: Option<String>) -> Account {
        Account {
            spent: self.spent(),
            session_cost_usd: None,
            session_tokens: session.as_ref().map(|_| self.reported.unwrap_or(self.before)),
            session,
            model: None,
        }
    }
}
