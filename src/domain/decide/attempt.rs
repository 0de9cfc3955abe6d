//! The way of an attempt: eligible, assessed, claimed, started, condemned, finished.

use super::super::assess::Assessment;
use super::super::event::StartFault;
use super::super::fingerprint::Fingerprint;
use super::super::outcome::{AttemptReport, Evidence, Outcome};
use super::super::ready::is_due;
use super::super::report::Report;
use super::super::retry::come_back;
use super::super::stage::Stage;
use super::super::task::{Attempt, Block, Claim, End, Next, StartKind, State, StopReason, Task, Try};
use super::super::tier::Route;
use super::desk;
use super::draft::Draft;
use super::{AttemptChange, Context, Ruling};
use crate::domain::definition::Kind;

const STALE: Ruling = Ruling::NoChange("the event is of another attempt");

pub(super) fn eligible(task: &Task, cx: &Context<'_>) -> Ruling {
    match task.state {
        State::Pending { .. } => Draft::new(task, "eligible", cx)
            .why("its dependencies are met")
            .to(State::Assessing { since: cx.now })
            .done(),
        _ => Ruling::NoChange("is past its assessment"),
    }
}

pub(super) fn assessed(task: &Task, assessment: Assessment, cx: &Context<'_>) -> Ruling {
    let State::Assessing { .. } = task.state else {
        return Ruling::NoChange("is not being assessed");
    };
    let mut draft = Draft::new(task, "assessed", cx);
    let bounds = match cx.policy.bounds(&task.definition) {
        Ok(bounds) => bounds,
        Err(reason) => return draft.block(Block::Exhausted { reason }).done(),
    };
    let tier = cx.policy.tiers[cx.policy.start_tier(bounds, &assessment)]
        .name
        .clone();
    let why = assessment.reasons.join("; ");
    draft.task.history.assessment = Some(assessment);
    let next = Next {
        tier,
        not_before: None,
        why: why.clone(),
        session: None,
        runtime: None,
        start: StartKind::First,
    };
    draft
        .why(format!("starts at {}: {why}", next.tier))
        .to(State::Ready { since: cx.now, next })
        .done()
}

pub(super) fn claimed(task: &Task, route: Route, cx: &Context<'_>) -> Ruling {
    let State::Ready { next, .. } = &task.state else {
        return Ruling::NoChange("is not ready");
    };
    if !is_due(task, cx.now) {
        return Ruling::NoChange("its time has not come");
    }
    // A session is known to the node alone that it was held on.
    let stays = route.node == task.history.last_node;
    let mut draft = Draft::new(task, "claimed", cx);
    draft.task.epoch += 1;
    draft.task.history.opened += 1;
    draft.task.history.started_at.get_or_insert(cx.now);
    draft.task.history.last_run_at = Some(cx.now);
    draft.task.history.last_tier = Some(route.tier.clone());
    draft.task.history.last_model = Some(route.model.clone());
    draft.task.history.last_node = route.node.clone();
    draft.task.history.remarks.tell(draft.task.epoch);
    draft.task.history.medic |= next.start == StartKind::Medic;
    let session = next
        .session
        .clone()
        .filter(|_| next.runtime.as_ref() == Some(&route.runtime) && stays);
    let attempt = Attempt {
        n: draft.task.history.opened,
        epoch: draft.task.epoch,
        started_at: cx.now,
        session,
        start: next.start,
        route,
    };
    let model = attempt.route.tier.clone();
    let why = format!(
        "attempt {} at {} by {}: {}",
        attempt.n, model, attempt.route.runtime, next.why
    );
    let draft = match next.start {
        StartKind::First | StartKind::Escalation => draft.report(Report::Spawning { model }),
        StartKind::Resume | StartKind::Retry => draft.report(Report::Resuming {
            model,
            reason: next.why.clone(),
        }),
        StartKind::Continuation | StartKind::Medic | StartKind::Merge => draft,
    };
    draft
        .why(why)
        .attempt(AttemptChange::Opened(attempt.clone()))
        .to(State::Claimed {
            since: cx.now,
            attempt,
        })
        .done()
}

pub(super) fn started(task: &Task, epoch: u64, cx: &Context<'_>) -> Ruling {
    match &task.state {
        State::Claimed { attempt, .. } if attempt.epoch == epoch => Draft::new(task, "started", cx)
            .why(format!("attempt {} runs", attempt.n))
            .to(State::Running {
                since: cx.now,
                attempt: attempt.clone(),
            })
            .done(),
        _ => STALE,
    }
}

pub(super) fn session_opened(task: &Task, epoch: u64, session: String, cx: &Context<'_>) -> Ruling {
    match &task.state {
        State::Running { since, attempt } if attempt.epoch == epoch => {
            if attempt.session.as_ref() == Some(&session) {
                return Ruling::NoChange("the session is known");
            }
            let attempt = Attempt {
                session: Some(session),
                ..attempt.clone()
            };
            let state = State::Running {
                since: *since,
                attempt,
            };
            Draft::new(task, "session", cx)
                .why("its worker told its session")
                .to(state)
                .done()
        }
        _ => STALE,
    }
}

pub(super) fn not_started(
    task: &Task,
    epoch: u64,
    fault: StartFault,
    reason: String,
    cx: &Context<'_>,
) -> Ruling {
    let attempt = match &task.state {
        State::Claimed { attempt, .. } if attempt.epoch == epoch => attempt,
        State::Stopping { attempt, .. } if attempt.epoch == epoch => {
            return finished(task, epoch, nothing_ran(Outcome::Failed, reason), cx);
        }
        _ => return STALE,
    };
    let outcome = match fault {
        StartFault::Workspace => Outcome::Failed,
        StartFault::Sandbox => Outcome::Blocked,
        StartFault::Runtime => Outcome::Network,
        StartFault::Interrupted => Outcome::Lost,
    };
    let report = nothing_ran(outcome, reason.clone());
    let draft = close(task, attempt, &report, Weight::NOTHING, cx);
    match fault {
        StartFault::Workspace => draft.block(Block::Workspace { reason }).done(),
        StartFault::Sandbox => draft.block(Block::Sandbox { reason }).done(),
        StartFault::Runtime | StartFault::Interrupted => draft.plan().done(),
    }
}

pub(super) fn nothing_ran(outcome: Outcome, reason: String) -> AttemptReport {
    AttemptReport {
        outcome,
        reason,
        evidence: Evidence::default(),
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        session: None,
        retry_at: None,
        touched: Vec::new(),
    }
}

pub(super) fn condemned(task: &Task, epoch: u64, reason: StopReason, cx: &Context<'_>) -> Ruling {
    match &task.state {
        State::Claimed { attempt, .. } | State::Running { attempt, .. } if attempt.epoch == epoch => {
            Draft::new(task, "condemned", cx)
                .stop(attempt.clone(), reason)
                .done()
        }
        State::Stopping { .. } => Ruling::NoChange("is being stopped already"),
        _ => STALE,
    }
}

pub(super) fn finished(task: &Task, epoch: u64, report: AttemptReport, cx: &Context<'_>) -> Ruling {
    match &task.state {
        State::Claimed { attempt, .. } | State::Running { attempt, .. } if attempt.epoch == epoch => {
            ended_by_itself(task, attempt, report, cx)
        }
        // It had come to its end by itself when it was stopped, and nobody minded what it did.
        State::Stopping {
            attempt,
            reason: StopReason::EmergencyStop | StopReason::Drained { .. },
            ..
        } if attempt.epoch == epoch && matches!(report.outcome, Outcome::Done | Outcome::NoChangeNeeded) => {
            ended_by_itself(task, attempt, report, cx)
        }
        State::Stopping { attempt, reason, .. } if attempt.epoch == epoch => {
            ended_by_us(task, attempt, reason, report, cx)
        }
        _ => STALE,
    }
}

fn ended_by_itself(task: &Task, attempt: &Attempt, report: AttemptReport, cx: &Context<'_>) -> Ruling {
    let (report, weight) = desk::seen(task, attempt.epoch, report);
    let draft = close(task, attempt, &report, weight, cx);
    let no_change = match report.outcome {
        Outcome::Done => None,
        Outcome::NoChangeNeeded => Some(report.reason),
        _ => {
            let retry_at = report.retry_at.map(|at| come_back(at, cx.now));
            return delayed(draft, retry_at).done();
        }
    };
    let claim = Claim {
        attempt: attempt.n,
        epoch: attempt.epoch,
        by_hand: None,
        commit: report.evidence.commit,
        no_change,
    };
    draft
        .why("claims to be done; the gate decides")
        .to(State::Validating {
            since: cx.now,
            claim,
            stage: Stage::Checks,
        })
        .done()
}

/// Plans what follows, and not before the time that a provider named.
fn delayed<'a>(draft: Draft<'a>, retry_at: Option<chrono::DateTime<chrono::Utc>>) -> Draft<'a> {
    let mut draft = draft.plan();
    if let (State::Ready { next, .. }, Some(at)) = (&mut draft.task.state, retry_at) {
        next.not_before = next.not_before.max(Some(at));
    }
    draft
}

fn ended_by_us(
    task: &Task,
    attempt: &Attempt,
    reason: &StopReason,
    report: AttemptReport,
    cx: &Context<'_>,
) -> Ruling {
    let report = AttemptReport {
        outcome: reason.outcome(),
        reason: reason.sentence(),
        ..report
    };
    let weight = Weight {
        spends: reason.is_its_own(),
        waited: false,
    };
    let mut draft = close(task, attempt, &report, weight, cx);
    let resume = |why: String| Next {
        tier: attempt.route.tier.clone(),
        not_before: None,
        why,
        session: report.session.clone(),
        runtime: Some(attempt.route.runtime.clone()),
        start: StartKind::Resume,
    };
    match reason {
        StopReason::Stuck | StopReason::Standstill { .. } | StopReason::Timeout | StopReason::Budget => {
            draft.plan()
        }
        StopReason::ProviderWait { until, .. } => delayed(draft, until.map(|at| come_back(at, cx.now))),
        StopReason::Paused { by } => draft.pause(by, Some(resume(format!("was paused by {by}")))),
        StopReason::Cancelled { by, reason } => draft.end(End::Cancelled {
            by: by.clone(),
            reason: reason.clone(),
        }),
        StopReason::Retried { by } => {
            draft.task.history.reset();
            draft
                .why(format!("restarted by {by}"))
                .to(State::Pending { since: cx.now })
        }
        StopReason::Drained { by } => {
            let next = resume(format!("its node was emptied by {by}"));
            draft
                .why("its node is emptied")
                .to(State::Ready { since: cx.now, next })
        }
        StopReason::EmergencyStop => {
            let next = resume("was interrupted by the emergency stop".to_owned());
            draft
                .why("emergency stop")
                .to(State::Ready { since: cx.now, next })
        }
    }
    .done()
}

/// How an end counts.
pub(super) struct Weight {
    /// Whether it spends one of the task's attempts.
    pub(super) spends: bool,
    /// Whether it ended to wait, for an answer or for its sub-tasks.
    pub(super) waited: bool,
}

impl Weight {
    const NOTHING: Self = Self {
        spends: false,
        waited: false,
    };
    /// Of an end that is the attempt's own.
    pub(super) const FULL: Self = Self {
        spends: true,
        waited: false,
    };
}

/// Closes the attempt: its row, the task's history, the counters.
fn close<'a>(
    task: &'a Task,
    attempt: &Attempt,
    report: &AttemptReport,
    weight: Weight,
    cx: &'a Context<'a>,
) -> Draft<'a> {
    let mut draft = Draft::new(task, "finished", cx).why(report.reason.clone());
    let history = &mut draft.task.history;
    let print = Fingerprint::read(&report.evidence.fingerprint);
    let known = history
        .tries
        .iter()
        .any(|t| Fingerprint::read(&t.fingerprint).brings_same(&print));
    let spawned = history.spawned_in == Some(attempt.epoch);
    let progressed = (report.evidence.any() && !known) || spawned;
    let goes_on =
        report.outcome == Outcome::Continue && progressed && task.definition.kind == Kind::Continuous;
    let trouble = report.outcome.is_provider_trouble();
    if !report.touched.is_empty() {
        history.touched = report.touched.clone();
    }
    history.troubles = if trouble { history.troubles + 1 } else { 0 };
    history.spent += u32::from(weight.spends && !trouble && !goes_on);
    history.push(Try {
        n: attempt.n,
        tier: attempt.route.tier.clone(),
        runtime: attempt.route.runtime.clone(),
        outcome: report.outcome,
        reason: report.reason.clone(),
        fingerprint: report.evidence.fingerprint.clone(),
        progressed,
        waited: weight.waited,
        cost_usd: report.cost_usd,
        session: report.session.clone(),
    });
    draft.attempt(AttemptChange::Closed {
        n: attempt.n,
        epoch: attempt.epoch,
        report: Box::new(report.clone()),
    })
}
