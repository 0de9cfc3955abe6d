//! What a review makes of a task: it goes on, goes back to the worker, or a person settles what the two do not agree about.
//! A review that cannot be had is waited for, for a bounded time, and then asked of a person; never passed over.

use super::super::gate::{CheckVerdict, GateReport};
use super::super::report::Report;
use super::super::review::{NotHad, Past, Review, Step, follow, missed};
use super::super::stage::{Later, Stage};
use super::super::task::{Claim, State, Task};
use super::draft::Draft;
use super::{Context, Ruling, gate};

const STALE: Ruling = Ruling::NoChange("the review is of another claim");
/// So much of what the worker said stands beside the reviewer's words, in characters.
const SAID: usize = 300;

/// No check is red: another model is asked.
pub(super) fn wanted<'a>(draft: Draft<'a>, claim: &Claim, report: GateReport, cx: &Context<'_>) -> Draft<'a> {
    let why = format!("no check is red at {}; another model reviews it", report.commit);
    let claim = Claim {
        commit: Some(report.commit.clone()),
        ..claim.clone()
    };
    let stage = Stage::Review {
        report: Box::new(report),
        waits: None,
    };
    let since = cx.now;
    draft.why(why).to(State::Validating { since, claim, stage })
}

/// The work that is under review under this epoch.
fn under_review(task: &Task, epoch: u64) -> Option<(&Claim, &GateReport)> {
    match &task.state {
        State::Validating {
            claim,
            stage: Stage::Review { report, .. },
            ..
        } if claim.epoch == epoch => Some((claim, report)),
        _ => None,
    }
}

pub(super) fn reviewed(task: &Task, epoch: u64, review: &Review, cx: &Context<'_>) -> Ruling {
    let Some((claim, report)) =
        under_review(task, epoch).filter(|(_, report)| report.commit == review.commit)
    else {
        return STALE;
    };
    let mut draft = Draft::new(task, "reviewed", cx);
    let history = &mut draft.task.history;
    history.review_cost_usd += review.cost_usd.unwrap_or_default();
    let rules = cx.policy.review;
    let step = follow(&history.reviews, &review.opinion, rules.rounds);
    let said = format!("review by {}: {}", review.by.name(), review.opinion.line());
    let with = |verdict| review.applied(report, verdict, rules.may_vouch_tests);
    match step {
        Step::GoOn => {
            history.reviews.clear();
            let report = with(CheckVerdict::Passed);
            let (by, line) = (review.by.name(), review.opinion.line());
            gate::settled(draft.report(Report::Reviewed { by, line }), claim, report, cx).done()
        }
        Step::Rework => {
            remember(&mut history.reviews, claim, review);
            let report = with(CheckVerdict::Failed);
            gate::refused(draft, claim, Some(report), &said, cx).done()
        }
        Step::Person(why) => {
            remember(&mut history.reviews, claim, review);
            let by = review.by.name();
            let worker = worker_says(task);
            let reason = format!("{by} and the worker do not agree: {why}; the worker says: {worker}");
            gate::for_approval(draft, claim, with(CheckVerdict::NeedsPerson), reason, cx).done()
        }
    }
}

pub(super) fn not_reviewed(task: &Task, epoch: u64, not_had: NotHad, cx: &Context<'_>) -> Ruling {
    let Some((claim, report)) = under_review(task, epoch) else {
        return STALE;
    };
    let NotHad {
        reason,
        again_at,
        cost_usd,
    } = not_had;
    let mut draft = Draft::new(task, "not-reviewed", cx);
    draft.task.history.review_cost_usd += cost_usd.unwrap_or_default();
    let since = task.state.since();
    match again_at.filter(|at| *at < since + cx.policy.review.wait) {
        Some(at) => {
            let stage = Stage::Review {
                report: Box::new(report.clone()),
                waits: Some(Later {
                    at,
                    why: reason.clone(),
                }),
            };
            let claim = claim.clone();
            draft
                .why(format!("waits for a review: {reason}"))
                .to(State::Validating { since, claim, stage })
                .done()
        }
        None => {
            let mut report = report.clone();
            let receipt = missed(&report.commit, &report.tree, &reason, cx.now);
            report.receipts.push(receipt);
            let reason = format!("no review was had: {reason}");
            gate::for_approval(draft, claim, report, reason, cx).done()
        }
    }
}

fn remember(past: &mut Vec<Past>, claim: &Claim, review: &Review) {
    if past.len() == Past::KEPT {
        past.remove(0);
    }
    past.push(Past::of(claim.attempt, review.by.name(), &review.opinion));
}

/// The worker's side, in its last words.
fn worker_says(task: &Task) -> String {
    let said = task.history.tries.last().map(|last| last.reason.as_str());
    let said = said.unwrap_or("that it is done");
    said.chars().take(SAID).collect()
}
