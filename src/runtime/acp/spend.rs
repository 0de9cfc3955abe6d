//! What the attempt used, though agents count the cost by session.
//!
//! The cost of a usage update is the session's so far, so what it was before this attempt is taken off. An agent
//! that began to count anew when the session was opened again shows less than before, or is known for it; then all of
//! it is ours.

use agent_client_protocol::v1::schema::{Cost, Usage};

use super::line::Used;

/// The counter of one attempt.
#[derive(Debug, Default)]
pub struct Spend {
    before_usd: f64,
    used: Used,
}

impl Spend {
    /// A counter for a session that had cost this much, in US dollars.
    pub fn new(before_usd: Option<f64>) -> Self {
        Self {
            before_usd: before_usd.unwrap_or_default(),
            used: Used::default(),
        }
    }

    /// Takes in the session's cost; another currency says nothing here.
    pub fn cost(&mut self, cost: &Cost) {
        if !cost.currency.eq_ignore_ascii_case("USD") || !cost.amount.is_finite() || cost.amount < 0.0 {
            return;
        }
        if cost.amount > 0.0 && cost.amount < self.before_usd {
            self.counts_anew();
        }
        // A request that never reached the model reports nothing instead of the sum.
        let session = cost.amount.max(self.before_usd);
        self.used.session_cost_usd = Some(session);
        self.used.cost_usd = Some(session - self.before_usd);
    }

    /// The agent counts from zero with every process, not by session.
    pub fn counts_anew(&mut self) {
        self.before_usd = 0.0;
    }

    /// Takes in how full the context is.
    pub fn context(&mut self, used: u64, size: u64) {
        self.used.context_tokens = Some(used);
        self.used.context_size = Some(size);
    }

    /// Takes in the tokens of the prompt's turn. Some agents count cached tokens beside the input, some within it;
    /// their total tells.
    pub fn turn(&mut self, usage: &Usage) {
        let cached = usage
            .cached_read_tokens
            .unwrap_or_default()
            .saturating_add(usage.cached_write_tokens.unwrap_or_default());
        let beside = usage.input_tokens.saturating_add(cached);
        let most = usage.total_tokens.saturating_sub(usage.output_tokens);
        self.used.input_tokens = Some(beside.min(most.max(usage.input_tokens)));
        self.used.output_tokens = Some(usage.output_tokens);
    }

    /// What is known.
    pub fn used(&self) -> Used {
        self.used
    }

    /// Whether this attempt has cost this much, in US dollars.
    pub fn is_over(&self, budget_usd: Option<f64>) -> bool {
        matches!((self.used.cost_usd, budget_usd), (Some(cost), Some(budget)) if cost >= budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: Option<f64>, amounts: &[f64]) -> (Option<f64>, Option<f64>) {
        let mut spend = Spend::new(before);
        for amount in amounts {
            spend.cost(&Cost::new(*amount, "USD"));
        }
        (spend.used().cost_usd, spend.used().session_cost_usd)
    }

    #[test]
    fn a_session_is_not_counted_twice() {
        assert_eq!(after(None, &[0.25, 0.5]), (Some(0.5), Some(0.5)));
        assert_eq!(after(Some(0.5), &[0.75]), (Some(0.25), Some(0.75)));
        assert_eq!(
            after(Some(0.5), &[0.25]),
            (Some(0.25), Some(0.25)),
            "counted anew"
        );
        assert_eq!(
            after(Some(0.5), &[0.25, 0.75]),
            (Some(0.75), Some(0.75)),
            "and goes on so"
        );
        assert_eq!(
            after(Some(0.5), &[0.0]),
            (Some(0.0), Some(0.5)),
            "nothing was asked"
        );
        assert_eq!(after(Some(0.5), &[]), (None, None));
    }

    #[test]
    fn foreign_money_and_nonsense_are_no_cost() {
        let mut spend = Spend::new(None);
        spend.cost(&Cost::new(3.0, "credits"));
        spend.cost(&Cost::new(f64::NAN, "USD"));
        spend.cost(&Cost::new(-1.0, "USD"));
        assert_eq!(spend.used().cost_usd, None);
        assert!(!spend.is_over(Some(0.0)));
        spend.cost(&Cost::new(1.0, "usd"));
        assert!(spend.is_over(Some(1.0)) && !spend.is_over(Some(1.5)) && !spend.is_over(None));
    }

    #[test]
    fn cached_tokens_are_read_once() {
        // total, input, output, cached read, cached write: input read
        let rows = [
            ((19_060, 5_000, 160, Some(13_300), Some(600)), 18_900),
            ((1_240, 1_200, 40, None, None), 1_200),
            ((1_240, 1_200, 40, Some(1_000), None), 1_200),
            ((0, 1_200, 40, None, None), 1_200),
        ];
        for ((total, input, output, read, write), expected) in rows {
            let mut spend = Spend::new(None);
            let mut usage = Usage::new(total, input, output);
            usage.cached_read_tokens = read;
            usage.cached_write_tokens = write;
            spend.turn(&usage);
            assert_eq!(spend.used().input_tokens, Some(expected));
            assert_eq!(spend.used().output_tokens, Some(output));
        }
    }
}
