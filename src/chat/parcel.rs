//! What is told next, of all that waits for a surface: one report, or a digest where too much waits or waits too long.
//! Pure.
//!
//! Invariants: the reports of a task stay in order; what somebody must act on comes first; nothing is left out, it is at
//! most said shorter.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::TaskId;
use crate::domain::report::{Report, Urgency};

/// More than so many at once are a digest.
pub const FLOOD: usize = 25;
/// Older ones are told in a digest, together with all that waits.
const STALE: TimeDelta = TimeDelta::minutes(15);

/// A report that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its place in the order.
    pub seq: u64,
    /// The same for every try, and on no other report.
    pub key: String,
    /// Of which task.
    pub task: TaskId,
    /// What.
    pub report: Report,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Failed tries so far.
    pub tries: u32,
}

/// What is told at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Parcel {
    /// One report.
    Report(Item),
    /// Many, shortly.
    Digest(Vec<Item>),
}

impl Parcel {
    /// The same for every try of the same parcel.
    pub fn key(&self) -> String {
        match self {
            Self::Report(item) => item.key.clone(),
            Self::Digest(items) => {
                let last = items.last().map(|item| item.seq).unwrap_or_default();
                format!("digest:{}-{last}", self.first())
            }
        }
    }

    /// The number of its first report; 0 for an empty digest.
    pub fn first(&self) -> u64 {
        match self {
            Self::Report(item) => item.seq,
            Self::Digest(items) => items.first().map(|item| item.seq).unwrap_or_default(),
        }
    }

    /// The numbers of its reports.
    pub fn seqs(&self) -> Vec<u64> {
        match self {
            Self::Report(item) => vec![item.seq],
            Self::Digest(items) => items.iter().map(|item| item.seq).collect(),
        }
    }
}

/// What is told next of what waits, which is in the order of its numbers.
pub fn next(mut items: Vec<Item>, now: DateTime<Utc>) -> Option<Parcel> {
    let oldest = items.first()?.at;
    if items.len() > FLOOD || (items.len() > 1 && now - oldest > STALE) {
        return Some(Parcel::Digest(items));
    }
    let mut tasks: BTreeMap<&TaskId, (Urgency, usize)> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        let urgency = item.report.urgency();
        tasks
            .entry(&item.task)
            .and_modify(|(most, _)| *most = urgency.min(*most))
            .or_insert((urgency, place));
    }
    let (_, first) = tasks.into_values().min()?;
    Some(Parcel::Report(items.swap_remove(first)))
}

/// The last word on each task, what somebody must act on first.
pub fn last_words(items: &[Item]) -> Vec<&Item> {
    let last: BTreeMap<&TaskId, &Item> = items.iter().map(|item| (&item.task, item)).collect();
    let mut last: Vec<&Item> = last.into_values().collect();
    last.sort_by_key(|item| (item.report.urgency(), item.seq));
    last
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::tier::TierName;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000, 0).unwrap()
    }

    fn item(seq: u64, task: &str, report: Report) -> Item {
        Item {
            seq,
            key: format!("{task}:{seq}"),
            task: TaskId::parse(task).unwrap(),
            report,
            at: start(),
            tries: 0,
        }
    }

    fn spawning() -> Report {
        Report::Spawning {
            model: TierName::new("haiku"),
        }
    }

    fn blocked() -> Report {
        Report::Blocked { reason: "x".into() }
    }

    #[test]
    fn what_somebody_must_act_on_comes_first_and_a_task_in_order() {
        let mut waiting = vec![
            item(1, "a", spawning()),
            item(2, "b", spawning()),
            item(3, "c", Report::Stuck),
            item(4, "b", blocked()),
        ];
        let mut told = Vec::new();
        while let Some(parcel) = next(waiting.clone(), start()) {
            let seqs = parcel.seqs();
            waiting.retain(|item| !seqs.contains(&item.seq));
            told.extend(seqs);
        }
        assert_eq!(told, [2, 4, 3, 1]);
    }

    #[test]
    fn too_much_or_too_old_is_a_digest() {
        let many: Vec<Item> = (0..=FLOOD as u64).map(|n| item(n, "a", spawning())).collect();
        assert!(matches!(next(many.clone(), start()), Some(Parcel::Digest(all)) if all == many));
        let few = vec![item(1, "a", spawning()), item(2, "b", blocked())];
        let late = start() + STALE + TimeDelta::seconds(1);
        let parcel = next(few.clone(), late).unwrap();
        assert_eq!((parcel.key().as_str(), parcel.seqs()), ("digest:1-2", vec![1, 2]));
        // One alone is told as it is, however old.
        assert!(matches!(next(few[..1].to_vec(), late), Some(Parcel::Report(_))));
        assert_eq!(next(Vec::new(), late), None);
    }

    #[test]
    fn a_digest_has_the_last_word_on_each_task() {
        let items = [
            item(1, "a", spawning()),
            item(2, "b", spawning()),
            item(3, "a", Report::Stuck),
            item(4, "c", blocked()),
        ];
        let seqs: Vec<u64> = last_words(&items).iter().map(|item| item.seq).collect();
        assert_eq!(seqs, [4, 3, 2]);
    }

    proptest! {
        #[test]
        fn everything_is_told_once_and_each_task_in_order(kinds in proptest::collection::vec((0_u8..4, 0_u8..4), 0..60)) {
            let all: Vec<Item> = kinds.iter().enumerate().map(|(seq, (task, kind))| {
                let report = match kind { 0 => spawning(), 1 => Report::Stuck, 2 => blocked(), _ => Report::Paused { by: "x".into() } };
                item(seq as u64, ["a", "b", "c", "d"][usize::from(*task)], report)
            }).collect();
            let mut waiting = all.clone();
            let mut told: Vec<u64> = Vec::new();
            while let Some(parcel) = next(waiting.clone(), start()) {
                let seqs = parcel.seqs();
                waiting.retain(|item| !seqs.contains(&item.seq));
                told.extend(seqs);
            }
            for task in ["a", "b", "c", "d"] {
                let of = |seq: &u64| all[usize::try_from(*seq).unwrap()].task.as_str() == task;
                prop_assert!(told.iter().copied().filter(of).is_sorted());
            }
            told.sort_unstable();
            prop_assert_eq!(told, (0..all.len() as u64).collect::<Vec<_>>());
        }
    }
}
