//! What the gate's verdict makes of a task. The only road to `completed`, besides a person's approval of exactly
//! what the gate saw.

use super::super::approval::Asked;
use super::super::event::StartFault;
use super::super::fingerprint::Fingerprint;
use super::super::gate::{Category, CheckVerdict, GateReport, Verdict};
use super::super::outcome::Outcome;
use super::super::report::Report;
use super::super::stage::Stage;
use super::super::task::{Block, Claim, State, Task};
use super::draft::Draft;
use super::{AttemptChange, Context, GateRecord, Ruling, landing, review};

const STALE: Ruling = Ruling::NoChange("the verdict is of another claim");

pub(super) fn judged(task: &Task, epoch: u64, report: GateReport, cx: &Context<'_>) -> Ruling {
    let State::Validating {
        claim,
        stage: Stage::Checks,
        ..
    } = &task.state
    else {
        return STALE;
    };
    let moved = claim.commit.as_ref().is_some_and(|c| *c != report.commit);
    if claim.epoch != epoch || moved {
        return STALE;
    }
    let draft = Draft::new(task, "judged", cx);
    match report.verdict() {
        Verdict::Failed => {
            let reason = report.failure_line();
            refused(draft, claim, Some(report), &reason, cx).done()
        }
        // Nobody reviews what could not be checked.
        Verdict::NeedsPerson if report.lacks_host() => settled(draft, claim, report, cx).done(),
        Verdict::Passed | Verdict::NeedsPerson => match cx.policy.reviews(&task.definition) {
            true => review::wanted(draft, claim, report, cx).done(),
            false => settled(draft, claim, report, cx).done(),
        },
    }
}

/// Nothing is red, and no review is to come: it goes on by itself, or a person decides.
pub(super) fn settled<'a>(
    draft: Draft<'a>,
    claim: &Claim,
    report: GateReport,
    cx: &Context<'_>,
) -> Draft<'a> {
    match (report.verdict(), &claim.no_change) {
        (Verdict::Passed, None) if cx.policy.asks_person(&draft.task.definition) => {
            let reason =
                "everything is green, and a person's word is wanted before it is accepted".to_owned();
            for_approval(draft, claim, report, reason, cx)
        }
        (Verdict::Passed, None) => landing::accepted(draft, claim, report, cx),
        (Verdict::Passed, Some(reason)) => {
            let reason = format!("the worker says that nothing needs to change: {reason}");
            for_approval(draft, claim, report, reason, cx)
        }
        (Verdict::NeedsPerson, said) => {
            let nothing = report
                .referral()
                .unwrap_or_else(|| "there is no check to run for this task".to_owned());
            let reason = match said {
                Some(said) => format!("{nothing}, and the worker says that nothing needs to change: {said}"),
                None => nothing,
            };
            for_approval(draft, claim, report, reason, cx)
        }
        (Verdict::Failed, _) => {
            let reason = report.failure_line();
            refused(draft, claim, Some(report), &reason, cx)
        }
    }
}

/// A person decides about exactly what the gate saw.
pub(super) fn for_approval<'a>(
    draft: Draft<'a>,
    claim: &Claim,
    report: GateReport,
    reason: String,
    cx: &Context<'_>,
) -> Draft<'a> {
    let until = cx.now + cx.policy.approvals.expires;
    let asked = Asked::new(&draft.task.definition_hash, &reason, &report, until);
    let block = Block::Approval {
        reason,
        claim: claim.clone(),
        report: Box::new(report.clone()),
        asked: Some(asked),
    };
    draft
        .block(block)
        .gate(record(claim, Verdict::NeedsPerson, report))
}

/// The work is sent back: to the policy, or, where a person made the claim, to the queue.
pub(super) fn refused<'a>(
    draft: Draft<'a>,
    claim: &Claim,
    report: Option<GateReport>,
    reason: &str,
    cx: &Context<'_>,
) -> Draft<'a> {
    let reason = format!("gate: {reason}");
    let change = AttemptChange::Refused {
        n: claim.attempt,
        epoch: claim.epoch,
        reason: reason.clone(),
    };
    let mut draft = draft.attempt(change).report(Report::GateFailed {
        reason: reason.clone(),
    });
    let red = report.clone();
    if let Some(report) = report {
        draft = draft.gate(record(claim, Verdict::Failed, report));
    }
    if claim.by_hand.is_some() {
        return draft.why(reason).to(State::Pending { since: cx.now });
    }
    if let Some(last) = draft
        .task
        .history
        .tries
        .iter_mut()
        .rev()
        .find(|t| t.n == claim.attempt)
    {
        last.outcome = Outcome::GateFailed;
        last.reason = reason;
        if let Some(report) = red {
            let print = Fingerprint::read(&last.fingerprint).judged(&report);
            last.fingerprint = print.to_string();
        }
    }
    draft.plan()
}

pub(super) fn not_judged(
    task: &Task,
    epoch: u64,
    fault: StartFault,
    reason: String,
    cx: &Context<'_>,
) -> Ruling {
    match &task.state {
        State::Validating { claim, .. } if claim.epoch == epoch => {
            let block = match fault {
                StartFault::Sandbox => Block::Sandbox { reason },
                _ => Block::Workspace {
                    reason: format!("the gate could not run: {reason}"),
                },
            };
            Draft::new(task, "not-judged", cx).block(block).done()
        }
        _ => STALE,
    }
}

pub(super) fn record(claim: &Claim, verdict: Verdict, report: GateReport) -> GateRecord {
    GateRecord {
        attempt: claim.attempt,
        epoch: claim.epoch,
        verdict,
        report,
    }
}

/// The categories that at least one receipt speaks for, all of them green.
pub(super) fn green(report: &GateReport) -> Vec<Category> {
    let speaks = |c: &Category| report.receipts.iter().any(|r| r.category == *c);
    let red = |c: &Category| {
        report
            .receipts
            .iter()
            .any(|r| r.category == *c && r.verdict != CheckVerdict::Passed)
    };
    Category::ALL
        .into_iter()
        .filter(|c| speaks(c) && !red(c))
        .collect()
}
