//! Who of the fleet could review, and who of them can do it now.

use chrono::{DateTime, Utc};

use super::Fleet;
use crate::domain::review::{Candidate, Maker, vendor};
use crate::domain::task::Try;
use crate::domain::tier::TierName;

impl Fleet {
    /// All that could review: runtimes in the order that is wanted (those of the tiers where none is named), each with the
    /// models of the tiers, the nearest to `near` first and of equally near ones the higher; or of the one tier alone.
    pub fn reviewers(
        &self,
        wanted: &[String],
        only: Option<&TierName>,
        near: Option<&TierName>,
    ) -> Vec<Candidate> {
        let at = near.and_then(|near| self.rungs.iter().position(|rung| rung.tier == *near));
        let at = at.unwrap_or(self.rungs.len().saturating_sub(1));
        let mut rungs: Vec<_> = self.rungs.iter().enumerate().collect();
        rungs.retain(|(_, rung)| only.is_none_or(|only| rung.tier == *only));
        rungs.sort_by_key(|(n, _)| (n.abs_diff(at), std::cmp::Reverse(*n)));
        let mut names: Vec<&String> = match wanted.is_empty() {
            true => rungs.iter().flat_map(|(_, rung)| &rung.runtimes).collect(),
            false => wanted.iter().collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let of = |name: &String| {
            let listed = |n: &&String| *n == name;
            let fits =
                move |rung: &&super::Rung| !wanted.is_empty() || rung.runtimes.iter().any(|n| listed(&n));
            let found = rungs.iter().map(|(_, rung)| *rung).filter(fits);
            let found = found.map(|rung| self.candidate(name, &rung.tier, rung.model_of(name)));
            found.collect::<Vec<_>>()
        };
        names.into_iter().flat_map(of).collect()
    }

    /// Who made an attempt.
    pub fn maker(&self, done: &Try) -> Option<Maker> {
        let rung = self.rungs.iter().find(|rung| rung.tier == done.tier)?;
        let Candidate { vendor, model, .. } =
            self.candidate(&done.runtime, &done.tier, rung.model_of(&done.runtime));
        Some(Maker { vendor, model })
    }

    /// Why a runtime cannot be used; none where it can.
    pub fn impediment(&self, name: &str, now: DateTime<Utc>) -> Option<String> {
        let usable = self.members.get(name).is_some_and(|member| member.is_usable(now));
        let why = || {
            self.why_not(name, now)
                .unwrap_or_else(|| format!("{name} was not looked for yet"))
        };
        (!usable).then(why)
    }

    fn candidate(&self, runtime: &str, tier: &TierName, model: &str) -> Candidate {
        let kind = self.members.get(runtime).map_or("command", |m| m.runtime.kind());
        Candidate {
            runtime: runtime.to_owned(),
            tier: tier.clone(),
            model: model.to_owned(),
            vendor: vendor(kind, runtime, model),
        }
    }
}
