//! The store came from a backup: numbers that were given out since are not given out again, and what they were given to is over.

use super::attempt::{finished, nothing_ran};
use super::{Context, Draft, Ruling};
use crate::domain::outcome::Outcome;
use crate::domain::policy::Wait;
use crate::domain::task::{Block, StartKind, State, Task};

const WHY: &str = "the store was restored from a backup";

/// `seen` is the highest fencing number that anything bears; the workers of all of them are known to be dead.
pub(super) fn restored(task: &Task, seen: u64, cx: &Context<'_>) -> Ruling {
    let ruling = match &task.state {
        state if state.is_completed() => return Ruling::NoChange("is completed"),
        state if state.attempt().is_some() => {
            let lost = nothing_ran(Outcome::Lost, format!("{WHY}, and its worker is gone"));
            finished(task, task.epoch, lost, cx)
        }
        _ if seen <= task.epoch => return Ruling::NoChange("knows all its numbers"),
        State::Validating { claim, .. }
        | State::Blocked {
            block: Block::Approval { claim, .. } | Block::Landing { claim, .. },
            ..
        } => {
            let draft = Draft::new(task, "restored", cx);
            let why = format!("{WHY}, and there were later attempts");
            match task.history.last_tier.clone().filter(|_| claim.by_hand.is_none()) {
                None => draft.why(why).to(State::Pending { since: cx.now }).done(),
                Some(tier) => draft
                    .next(tier, StartKind::Resume, Wait::Continuation, why, None)
                    .done(),
            }
        }
        _ => {
            let why = format!("{WHY}; there were attempts up to number {seen}");
            Draft::new(task, "restored", cx).why(why).done()
        }
    };
    raised(ruling, seen)
}

/// The next attempt's number is above all that were seen.
fn raised(ruling: Ruling, seen: u64) -> Ruling {
    let Ruling::Change(mut decision) = ruling else {
        return ruling;
    };
    let task = &mut decision.task;
    let skipped = seen.saturating_sub(task.epoch);
    task.epoch += skipped;
    task.history.opened = task
        .history
        .opened
        .saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX));
    Ruling::Change(decision)
}
