//! The way of work that passed into where it belongs: the last step before `completed` where the project asks for it.

use super::super::gate::{GateReport, Verdict};
use super::super::landing::Landing;
use super::super::stage::{Conflict, Destination, Stage};
use super::super::task::{Block, Claim, End, Next, StartKind, State, Task};
use super::draft::Draft;
use super::{Context, Ruling, gate};

const STALE: Ruling = Ruling::NoChange("the news is of another landing");

/// The work was accepted: it goes where it belongs, or the task is over.
pub(super) fn accepted<'a>(
    draft: Draft<'a>,
    claim: &Claim,
    report: GateReport,
    cx: &Context<'_>,
) -> Draft<'a> {
    let to = cx.policy.destination(&draft.task.definition);
    let draft = draft.gate(gate::record(claim, Verdict::Passed, report.clone()));
    match to {
        Destination::Branch => completed(draft, claim, &report, None),
        Destination::Base | Destination::PullRequest => {
            let draft = draft.why(format!(
                "the gate passed at {}; it goes into its base",
                report.commit
            ));
            on_its_way(draft, claim, report, to, cx)
        }
    }
}

/// To where it belongs, with these receipts.
fn on_its_way<'a>(
    draft: Draft<'a>,
    claim: &Claim,
    report: GateReport,
    to: Destination,
    cx: &Context<'_>,
) -> Draft<'a> {
    let since = match &draft.task.state {
        // Its place in the lane is that of its first try.
        State::Validating {
            since,
            stage: Stage::Landing { .. },
            ..
        } => *since,
        _ => cx.now,
    };
    let claim = at_commit(claim, report.commit.clone());
    let stage = Stage::Landing {
        report: Box::new(report),
        to,
    };
    draft.to(State::Validating { since, claim, stage })
}

fn at_commit(claim: &Claim, commit: String) -> Claim {
    Claim {
        commit: Some(commit),
        ..claim.clone()
    }
}

/// What is to be judged is a merge with the base as it is now.
pub(super) fn refreshed(task: &Task, epoch: u64, commit: String, cx: &Context<'_>) -> Ruling {
    match &task.state {
        State::Validating {
            since,
            claim,
            stage: Stage::Checks,
        } if claim.epoch == epoch => {
            let claim = at_commit(claim, commit);
            let draft =
                Draft::new(task, "refreshed", cx).why("its branch has moved on (its base was merged in, or somebody committed), and is judged there");
            draft
                .to(State::Validating {
                    since: *since,
                    claim,
                    stage: Stage::Checks,
                })
                .done()
        }
        _ => STALE,
    }
}

/// What was in its way is settled: the branch as it is now is judged, and goes where it belongs.
pub(super) fn again<'a>(draft: Draft<'a>, claim: &Claim, cx: &Context<'_>) -> Draft<'a> {
    draft.to(State::Validating {
        since: cx.now,
        claim: Claim {
            commit: None,
            ..claim.clone()
        },
        stage: Stage::Checks,
    })
}

fn completed<'a>(
    mut draft: Draft<'a>,
    claim: &Claim,
    report: &GateReport,
    landed: Option<String>,
) -> Draft<'a> {
    draft.task.history.conflict = None;
    let end = End::Completed {
        attempt: claim.attempt,
        epoch: claim.epoch,
        commit: report.commit.clone(),
        landed,
    };
    draft.complete(end, gate::green(report), report.exhibits())
}

/// The landing that an event of this epoch is about.
fn landing(task: &Task, epoch: u64) -> Option<(&Claim, &GateReport, Destination)> {
    match &task.state {
        State::Validating {
            claim,
            stage: Stage::Landing { report, to },
            ..
        } if claim.epoch == epoch => Some((claim, report, *to)),
        _ => None,
    }
}

/// What is to land is another commit now, and the gate's word on it is there.
pub(super) fn rejudged(task: &Task, epoch: u64, report: GateReport, cx: &Context<'_>) -> Ruling {
    let Some((claim, _, to)) = landing(task, epoch) else {
        return STALE;
    };
    let draft = Draft::new(task, "rejudged", cx);
    match report.verdict() {
        Verdict::Passed if cx.policy.asks_person(&task.definition) => {
            let reason = "its base has moved on, so what was approved is another commit now".to_owned();
            gate::for_approval(draft, claim, report, reason, cx).done()
        }
        Verdict::Passed => {
            let draft = draft
                .why(format!(
                    "merged with its base, and the gate passed at {}",
                    report.commit
                ))
                .gate(gate::record(claim, Verdict::Passed, report.clone()));
            on_its_way(draft, claim, report, to, cx).done()
        }
        Verdict::NeedsPerson => {
            let nothing = || "there is no check to run for this task".to_owned();
            let reason = report.referral().unwrap_or_else(nothing);
            gate::for_approval(draft, claim, report, reason, cx).done()
        }
        Verdict::Failed => {
            let reason = format!("merged with its base as it is now, {}", report.failure_line());
            gate::refused(draft, claim, Some(report), &reason, cx).done()
        }
    }
}

/// What is known of the pull request is written down before anything is done with it.
pub(super) fn noted(task: &Task, epoch: u64, known: Box<Landing>, cx: &Context<'_>) -> Ruling {
    if landing(task, epoch).is_none() {
        return STALE;
    }
    let why = match (&known.pull, &known.waits) {
        (Some(pull), Some(waits)) => format!("pull request #{pull} waits for {}", waits.why),
        (Some(pull), None) => format!("pull request #{pull} at {}", known.commit),
        (None, _) => format!("{} goes into {} by a pull request", known.commit, known.base),
    };
    let mut draft = Draft::new(task, "landing-noted", cx).why(why);
    draft.task.history.landing = Some(known);
    draft.done()
}

/// Objections go back to the worker as a red receipt.
pub(super) fn returned(
    task: &Task,
    epoch: u64,
    known: Box<Landing>,
    report: GateReport,
    cx: &Context<'_>,
) -> Ruling {
    let Some((claim, ..)) = landing(task, epoch) else {
        return STALE;
    };
    let mut draft = Draft::new(task, "returned", cx);
    draft.task.history.landing = Some(known);
    let reason = report.failure_line();
    gate::refused(draft, claim, Some(report), &reason, cx).done()
}

pub(super) fn landed(task: &Task, epoch: u64, commit: String, cx: &Context<'_>) -> Ruling {
    let Some((claim, report, _)) = landing(task, epoch) else {
        return STALE;
    };
    let why = format!(
        "the gate passed at {}, and it is merged as {commit}",
        report.commit
    );
    completed(Draft::new(task, "landed", cx), claim, report, Some(commit))
        .why(why)
        .done()
}

/// The first conflict of a round is an agent's, the next one a person's.
pub(super) fn conflicted(task: &Task, epoch: u64, conflict: Conflict, cx: &Context<'_>) -> Ruling {
    let claim = match &task.state {
        State::Validating { claim, .. } if claim.epoch == epoch => claim,
        _ => return STALE,
    };
    let why = conflict.sentence();
    let mut draft = Draft::new(task, "conflicted", cx);
    let last = task.history.tries.last().map(|t| t.tier.clone());
    let Some(tier) = last.filter(|_| task.history.conflict.is_none()) else {
        let reason = format!("{why}; resolve it on the task's branch, then resume the task");
        return blocked(draft, claim, reason);
    };
    draft.task.history.conflict = Some(conflict);
    let next = Next {
        tier,
        not_before: None,
        why: why.clone(),
        session: None,
        runtime: None,
        start: StartKind::Merge,
    };
    draft.why(why).to(State::Ready { since: cx.now, next }).done()
}

pub(super) fn not_landed(task: &Task, epoch: u64, reason: String, cx: &Context<'_>) -> Ruling {
    match landing(task, epoch) {
        Some((claim, ..)) => blocked(Draft::new(task, "not-landed", cx), claim, reason),
        None => STALE,
    }
}

fn blocked(draft: Draft<'_>, claim: &Claim, reason: String) -> Ruling {
    let claim = claim.clone();
    draft.block(Block::Landing { reason, claim }).done()
}
