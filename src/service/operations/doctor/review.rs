//! Who would review, and how independent that is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Level};
use crate::config::section::ReviewMode;
use crate::service::instance::Instance;

const NAME: &str = "review";

/// Where work is reviewed: whether anybody can, and whether another vendor's model is among them.
pub(super) fn review(instance: &Instance) -> Option<Finding> {
    let (wanted, now) = (&instance.config.review, instance.clock.now());
    if wanted.mode == ReviewMode::Off {
        return None;
    }
    let all = instance
        .fleet
        .reviewers(&wanted.runtimes, wanted.tier.as_ref(), None);
    let mut usable: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for candidate in &all {
        if instance.fleet.impediment(&candidate.runtime, now).is_none() {
            let of_vendor = usable.entry(candidate.vendor.clone()).or_default();
            of_vendor.insert(candidate.runtime.clone());
        }
    }
    let list: Vec<String> = usable
        .iter()
        .map(|(vendor, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} ({vendor})", names.join(", "))
        })
        .collect();
    let cure = "name runtimes of another vendor in review.runtimes";
    let list = list.join("; ");
    Some(match usable.len() {
        0 => Finding::of(NAME, Level::Bad, "nobody can review: finished work waits", cure),
        1 => Finding::of(NAME, Level::Warning, format!("of one vendor alone: {list}"), cure),
        _ => Finding::good(NAME, list),
    })
}
