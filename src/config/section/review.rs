//! `[review]`: whether another model looks at work before it is accepted, which one, and what its word is worth.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::tiers::check_runtimes;
use super::{Runtime, Tier, longer_than_zero};
use crate::config::fault::suggestion;
use crate::config::reader::Section;
use crate::config::setting::words;
use crate::domain::review::Rules;
use crate::domain::tier::TierName;

/// `[review]`.
#[derive(Debug, Clone)]
pub struct Review {
    /// Whether work is reviewed where neither task nor job says it.
    pub mode: Mode,
    /// The runtimes that may review, the preferred first; those of the tiers where empty.
    pub runtimes: Vec<String>,
    /// The tier whose model reviews; that of the work, else the nearest, where absent.
    pub tier: Option<TierName>,
    /// The agent's file whose personality and tools reviewers get.
    pub agent: String,
    /// The most time one review may take.
    pub timeout: Duration,
    /// The rejection with which a person is asked.
    pub rounds: NonZeroU32,
    /// Whether an acceptance is the word that changed tests and checks need.
    pub may_vouch_tests: bool,
    /// How long a review may be waited for before a person is asked.
    pub wait: Duration,
}

/// Whether work is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only where a task or a job says so.
    Off,
    /// Unless a task or a job says otherwise.
    On,
}

words!(Mode { "off" => Off, "on" => On });

/// Nobody pays for a second model unasked.
fn mode() -> Mode {
    Mode::Off
}

/// As `init` writes it.
fn agent() -> String {
    "reviewer".to_owned()
}

/// Enough to read a change and to try what it says.
fn timeout() -> Duration {
    Duration::from_mins(15)
}

/// One rework; a second rejection is a disagreement.
fn rounds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

/// What judges the work is for a person to settle.
fn may_vouch_tests() -> bool {
    false
}

/// Enough for most limits of a provider to open again.
fn wait() -> Duration {
    Duration::from_hours(2)
}

impl Review {
    /// Reads it; `runtimes` and `tiers` are the configured ones.
    pub(in crate::config) fn read(
        section: &mut Section<'_, '_>,
        runtimes: &BTreeMap<String, Runtime>,
        tiers: &[Tier],
    ) -> Self {
        let review = Self {
            mode: section.get("mode", mode),
            runtimes: section.get("runtimes", Vec::new),
            tier: section.maybe::<String>("tier").map(|name| TierName::new(&name)),
            agent: section.get("agent", agent),
            timeout: section.get_if("timeout", timeout, longer_than_zero),
            rounds: section.get("rounds", rounds),
            may_vouch_tests: section.get("may_vouch_tests", may_vouch_tests),
            wait: section.get_if("wait", wait, longer_than_zero),
        };
        check_runtimes(section, &review.runtimes, runtimes);
        let names: Vec<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        let known = |name: &TierName| names.contains(&name.as_str());
        if let Some(name) = review.tier.as_ref().filter(|name| !known(name)) {
            let at = section.origin_of("tier");
            let help = suggestion(name.as_str(), &names);
            section.fault(at, format!("there is no tier '{name}'"), help);
        }
        review
    }

    /// What decisions depend on.
    pub fn rules(&self) -> Rules {
        Rules {
            on: self.mode == Mode::On,
            rounds: self.rounds.get(),
            may_vouch_tests: self.may_vouch_tests,
            wait: self.wait,
        }
    }
}
