//! The gate by hand: all that judges a task's work, run for a person who asks; nothing is changed by it.

use super::super::bench::Bench;
use super::super::dispatcher::ApplyError;
use super::super::instance::Instance;
use super::super::view::GateView;
use super::super::{judge, reviewer};
use super::task_view::check_views;
use crate::domain::gate::{CheckVerdict, GateReport, Verdict};
use crate::domain::id::TaskId;
use crate::domain::review::missed;
use crate::domain::task::{Claim, Task};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct ByHand {
    /// The commit; the head of the task's branch where absent.
    pub commit: Option<String>,
    /// Whether a review is left out where there would be one.
    pub no_review: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Whether it passed.
    pub passed: bool,
    /// The receipts.
    pub gate: GateView,
    /// Whether a review was left out that the service would have.
    pub review_left_out: bool,
}

/// Judges a task's branch as it is now, or a commit of its repository: every check, and the review where the task is to have one and no
/// check is red. The inner error says why it cannot be done now.
pub async fn validate(
    instance: &Instance,
    id: &TaskId,
    asked: &ByHand,
) -> Result<Result<Judged, String>, ApplyError> {
    let Some(task) = instance.store.task(id).await? else {
        return Err(ApplyError::Unknown(id.clone()));
    };
    if task.state.attempt().is_some() {
        return Ok(Err(
            "a worker is at it; pause it first, or wait for its end".to_owned()
        ));
    }
    let bench = match Bench::take(&instance.layout, id) {
        Ok(Some(bench)) => bench,
        Ok(None) => {
            let why = "it is being judged already, by the service or by another `validate`; `orchestrator why` tells what comes of it";
            return Ok(Err(why.to_owned()));
        }
        Err(error) => return Ok(Err(format!("{}: {error}", instance.layout.bench(id).display()))),
    };
    let claim = Claim {
        attempt: task.history.opened,
        epoch: task.epoch,
        by_hand: Some("validate".to_owned()),
        commit: asked.commit.clone(),
        no_change: None,
    };
    let report = match judge::run(instance, &task, &claim, &bench).await {
        Ok(report) => report,
        Err(refusal) => return Ok(Err(refusal.reason)),
    };
    let to_review = report.verdict() != Verdict::Failed
        && !report.lacks_host()
        && instance.policy.reviews(&task.definition);
    let report = match to_review && !asked.no_review {
        true => reviewed(instance, &task, &claim, report, &bench).await,
        false => report,
    };
    Ok(Ok(Judged {
        passed: report.verdict() == Verdict::Passed,
        gate: view(report),
        review_left_out: to_review && asked.no_review,
    }))
}

/// The report with another model's word; one that cannot be had is a person's to replace.
async fn reviewed(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    mut report: GateReport,
    bench: &Bench,
) -> GateReport {
    // Who can review is looked for by whoever runs workers; here nobody has yet.
    instance.fleet.probe().await;
    match reviewer::opinion(instance, task, claim, &report, bench).await {
        Ok(review) => {
            let verdict = match review.opinion.accepts {
                true => CheckVerdict::Passed,
                false => CheckVerdict::Failed,
            };
            review.applied(&report, verdict, instance.policy.review.may_vouch_tests)
        }
        Err(not_had) => {
            let receipt = missed(
                &report.commit,
                &report.tree,
                &not_had.reason,
                instance.clock.now(),
            );
            report.receipts.push(receipt);
            report
        }
    }
}

fn view(report: GateReport) -> GateView {
    let word = match report.verdict() {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::NeedsPerson => "none",
    };
    let checks = check_views(&report, true);
    GateView {
        verdict: word.to_owned(),
        commit: Some(report.commit),
        checks,
    }
}
