//! What an attempt has used, and the limits on it. Pure.
//!
//! There is no price table here: a cost is known only when the options name the model's prices, and only then
//! can a budget be enforced. The budget is checked before each call, so it overshoots by at most one call.

use serde::{Deserialize, Serialize};

use super::wire::Usage;

/// A model's prices, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Read.
    pub input: f64,
    /// Written.
    pub output: f64,
    /// Read, and put into the cache; as `input` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Read from the cache; as `input` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
}

/// Running totals of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Tokens read, whether from the cache or not.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Of the tokens read, those that came from the cache.
    pub cached_tokens: u64,
    /// US dollars; absent when the prices are not known.
    pub cost_usd: Option<f64>,
}

/// Adds up calls and knows when to stop.
#[derive(Debug, Clone)]
pub struct Spend {
    prices: Option<Prices>,
    budget_usd: Option<f64>,
    totals: Totals,
}

impl Spend {
    /// Nothing spent yet.
    pub fn new(prices: Option<Prices>, budget_usd: Option<f64>) -> Self {
        let totals = Totals {
            cost_usd: prices.map(|_| 0.0),
            ..Totals::default()
        };
        Self {
            prices,
            budget_usd,
            totals,
        }
    }

    /// Adds one call, also one that broke off: what it used is paid for.
    pub fn add(&mut self, usage: Usage) {
        let plain = usage.input_tokens.unwrap_or(0);
        let write = usage.cache_creation_input_tokens.unwrap_or(0);
        let read = usage.cache_read_input_tokens.unwrap_or(0);
        let output = usage.output_tokens.unwrap_or(0);
        let total = &mut self.totals;
        total.input_tokens = total
            .input_tokens
            .saturating_add(plain.saturating_add(write).saturating_add(read));
        total.output_tokens = total.output_tokens.saturating_add(output);
        total.cached_tokens = total.cached_tokens.saturating_add(read);
        if let (Some(prices), Some(cost)) = (self.prices, total.cost_usd.as_mut()) {
            *cost += dollars(plain, prices.input)
                + dollars(write, prices.cache_write.unwrap_or(prices.input))
                + dollars(read, prices.cache_read.unwrap_or(prices.input))
                + dollars(output, prices.output);
        }
    }

    /// The totals so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The sentence that ends the attempt, once the budget is used up.
    pub fn exhausted(&self) -> Option<String> {
        let (cost, budget) = (self.totals.cost_usd?, self.budget_usd?);
        (cost >= budget).then(|| format!("the attempt's budget of ${budget:.2} is used up (${cost:.4})"))
    }

    /// What to say at the start when a budget is set that cannot be enforced.
    pub fn warning(&self) -> Option<&'static str> {
        (self.budget_usd.is_some() && self.prices.is_none())
            .then_some("the budget is not enforced: the runtime's options name no prices for this model")
    }
}

/// Tokens are far below 2^52, where the conversion would begin to round.
fn dollars(tokens: u64, per_million: f64) -> f64 {
    tokens as f64 * per_million / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage {
        input_tokens: Some(1_000_000),
        output_tokens: Some(100_000),
        cache_creation_input_tokens: Some(200_000),
        cache_read_input_tokens: Some(1_000_000),
    };

    #[test]
    fn costs_follow_the_prices() {
        let prices = Prices {
            input: 3.0,
            output: 15.0,
            cache_write: Some(3.75),
            cache_read: Some(0.3),
        };
        let mut spend = Spend::new(Some(prices), Some(5.6));
        assert_eq!(spend.exhausted(), None);
        spend.add(USAGE);
        let totals = spend.totals();
        assert_eq!(
            (totals.input_tokens, totals.output_tokens, totals.cached_tokens),
            (2_200_000, 100_000, 1_000_000)
        );
        assert!((totals.cost_usd.unwrap() - (3.0 + 0.75 + 0.3 + 1.5)).abs() < 1e-9);
        assert_eq!(spend.exhausted(), None);
        spend.add(USAGE);
        assert!(spend.exhausted().unwrap().contains("$5.60"));
        assert_eq!(spend.warning(), None);
    }

    #[test]
    fn without_prices_the_cost_is_unknown_and_the_budget_is_said_to_be_idle() {
        let mut spend = Spend::new(None, Some(0.0));
        spend.add(USAGE);
        assert_eq!(spend.totals().cost_usd, None);
        assert_eq!(spend.exhausted(), None);
        assert!(spend.warning().is_some());
        assert!(Spend::new(None, None).warning().is_none());
    }
}
