//! A figure: samples of one thing, and the row that tells of them.

use std::time::{Duration, Instant};

/// The head of the table, as Markdown.
pub const HEAD: &str = "\
| section | figure | median | p95 | n | goal | met |\n\
| --- | --- | ---: | ---: | ---: | --- | --- |";

/// What a sample counts.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// Seconds.
    Time,
    /// Things a second; more is better.
    Rate,
    /// Bytes of memory.
    Memory,
    /// A part of one core.
    Share,
    /// Things.
    Count,
    /// How many times another figure of the same run; more is better.
    Ratio,
}

impl Unit {
    fn more_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Ratio)
    }
}

/// Samples of one thing.
pub struct Figure {
    what: String,
    unit: Unit,
    samples: Vec<f64>,
    goal: Option<f64>,
}

impl Figure {
    /// Of samples in the base of their unit (seconds, things a second, bytes, parts of one).
    pub fn new(what: impl Into<String>, unit: Unit, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self {
            what: what.into(),
            unit,
            samples,
            goal: None,
        }
    }

    /// Of durations.
    pub fn times(what: impl Into<String>, samples: &[Duration]) -> Self {
        Self::new(
            what,
            Unit::Time,
            samples.iter().map(Duration::as_secs_f64).collect(),
        )
    }

    /// The middle of its samples.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// With a lower bound, for a rate.
    pub fn above(self, goal: f64) -> Self {
        self.below(goal)
    }

    /// With an upper bound that the 95th percentile is held against.
    pub fn below(self, goal: f64) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    /// The smallest sample that `part` of all samples do not exceed.
    fn quantile(&self, part: f64) -> f64 {
        let rank = (part * self.samples.len() as f64).ceil() as usize;
        self.samples
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The row of the table.
    pub fn row(&self, section: &str) -> String {
        // Of rates the slow end is the low one.
        let slow = match self.unit {
            Unit::Rate | Unit::Ratio => self.quantile(0.05),
            Unit::Time | Unit::Memory | Unit::Share | Unit::Count => self.quantile(0.95),
        };
        let rate = self.unit.more_is_better();
        let sign = if rate { '>' } else { '<' };
        let goal = self
            .goal
            .map_or("-".to_owned(), |g| format!("{sign} {}", words(g, self.unit)));
        let met = match self.goal {
            None => "-",
            Some(goal) if (slow < goal) != rate => "yes",
            Some(_) => "NO",
        };
        let (what, median, n) = (
            &self.what,
            words(self.quantile(0.5), self.unit),
            self.samples.len(),
        );
        format!(
            "| {section} | {what} | {median} | {} | {n} | {goal} | {met} |",
            words(slow, self.unit)
        )
    }
}

/// A value with the unit that suits its size.
fn words(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Time if value < 1e-6 => format!("{:.0} ns", value * 1e9),
        Unit::Time if value < 1e-3 => format!("{:.1} µs", value * 1e6),
        Unit::Time if value < 1.0 => format!("{:.1} ms", value * 1e3),
        Unit::Time => format!("{value:.2} s"),
        Unit::Rate => format!("{value:.0} /s"),
        Unit::Count => format!("{value:.1}"),
        Unit::Ratio => format!("{value:.2} x"),
        Unit::Memory if value < 1e5 => format!("{:.1} kB", value / 1e3),
        Unit::Memory => format!("{:.1} MB", value / 1e6),
        Unit::Share => format!("{:.3} %", value * 100.0),
    }
}

/// Times `n` calls, after one that does not count.
pub fn time<T>(n: usize, mut call: impl FnMut() -> T) -> Vec<Duration> {
    std::hint::black_box(call());
    (0..n)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(call());
            begun.elapsed()
        })
        .collect()
}
