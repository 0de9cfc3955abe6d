//! A node of the fleet that is gone: what becomes of the tasks that it had.
//!
//! An attempt there is lost, and goes on elsewhere. Work that was being judged there is taken up by a worker elsewhere,
//! who finds what can be reached of it. Work that was being merged stays where it is: whether it has arrived can only be
//! told there, or by a person.

use super::attempt::{finished, nothing_ran};
use super::{Context, Draft, Ruling};
use crate::domain::node::NodeName;
use crate::domain::outcome::Outcome;
use crate::domain::policy::Wait;
use crate::domain::stage::Stage;
use crate::domain::task::{StartKind, State, Task};

pub(super) fn lost(task: &Task, epoch: u64, node: &NodeName, cx: &Context<'_>) -> Ruling {
    let why = format!("node {node} is not there any more");
    let claim = match &task.state {
        State::Validating { claim, stage, .. } if claim.epoch == epoch => match stage {
            Stage::Landing { .. } => return Ruling::NoChange("is being merged"),
            Stage::Checks | Stage::Review { .. } => claim,
        },
        state if state.attempt().is_some_and(|a| a.epoch == epoch) => {
            let why = format!("{why}; its workers ended with its lease");
            return finished(task, epoch, nothing_ran(Outcome::Lost, why), cx);
        }
        _ => return Ruling::NoChange("is not with that node any more"),
    };
    let draft = Draft::new(task, "node-lost", cx);
    let tier = task.history.last_tier.clone();
    match tier.filter(|_| claim.by_hand.is_none()) {
        None => draft.why(why).to(State::Pending { since: cx.now }).done(),
        Some(tier) => {
            let why = format!("{why}, and its work was not judged there");
            draft
                .next(tier, StartKind::Resume, Wait::Continuation, why, None)
                .done()
        }
    }
}
