//! What a person's word does to a task, state by state.

use super::super::event::Command;
use super::super::outcome::{AttemptReport, Evidence, Outcome};
use super::super::stage::Stage;
use super::super::task::{Attempt, Block, Claim, End, StartKind, State, StopReason, Task};
use super::super::tier::{Route, TierName};
use super::draft::Draft;
use super::{AttemptChange, Context, Refused, Ruling, approval, desk, landing};

pub(super) fn decide(task: &Task, by: String, command: Command, cx: &Context<'_>) -> Result<Ruling, Refused> {
    let verb = command.verb();
    let refuse = |why: &str| {
        Err(Refused {
            task: task.id.to_string(),
            verb,
            why: why.to_owned(),
        })
    };
    match command {
        Command::Pause => pause(task, &by, cx).or_else(|why| refuse(&why)),
        Command::Hold => hold(task, &by, cx).or_else(|why| refuse(&why)),
        Command::Resume => resume(task, &by, cx).or_else(|why| refuse(&why)),
        Command::Cancel { reason } => Ok(cancel(task, by, reason, cx)),
        Command::Retry => Ok(retry(task, by, cx)),
        Command::Answer { text } => desk::answered(task, by, text, cx).or_else(|why| refuse(&why)),
        Command::Say { text, files } => desk::said(task, by, text, files, cx).or_else(|why| refuse(&why)),
        Command::Claim => claim(task, by, cx).or_else(|why| refuse(&why)),
        Command::Approve { comment, seen } => {
            approval::approve(task, &by, &comment, seen.as_deref(), cx).or_else(|why| refuse(&why))
        }
        Command::Reject { comment } => approval::reject(task, &by, &comment, cx).or_else(|why| refuse(&why)),
    }
}

fn pause(task: &Task, by: &str, cx: &Context<'_>) -> Result<Ruling, String> {
    let draft = Draft::new(task, "paused", cx);
    Ok(match &task.state {
        State::Pending { .. }
        | State::Assessing { .. }
        | State::Blocked {
            block: Block::Held { .. },
            ..
        } => draft.pause(by, None).done(),
        State::Ready { next, .. } => draft.pause(by, Some(next.clone())).done(),
        State::Claimed { attempt, .. } | State::Running { attempt, .. } | State::Stopping { attempt, .. } => {
            draft
                .stop(attempt.clone(), StopReason::Paused { by: by.to_owned() })
                .done()
        }
        State::Paused { .. } => Ruling::NoChange("is paused already"),
        State::Validating { .. } => {
            return Err("its gate is running and ends by itself; cancel it instead".to_owned());
        }
        State::Blocked { .. } => return Err("it is blocked, so nothing runs; retry or cancel it".to_owned()),
        State::Ended { .. } => return Err(format!("it is {}", task.state.name())),
    })
}

fn hold(task: &Task, by: &str, cx: &Context<'_>) -> Result<Ruling, String> {
    match &task.state {
        State::Pending { .. } | State::Assessing { .. } | State::Ready { .. } | State::Paused { .. } => {
            Ok(Draft::new(task, "held", cx)
                .block(Block::Held { by: by.to_owned() })
                .done())
        }
        State::Blocked { .. } => Ok(Ruling::NoChange("is blocked already")),
        _ => pause(task, by, cx),
    }
}

fn resume(task: &Task, by: &str, cx: &Context<'_>) -> Result<Ruling, String> {
    let draft = Draft::new(task, "resumed", cx).why(format!("resumed by {by}"));
    match &task.state {
        State::Paused { next: Some(next), .. } => Ok(draft
            .to(State::Ready {
                since: cx.now,
                next: next.clone(),
            })
            .done()),
        State::Stopping {
            reason: StopReason::Paused { .. },
            ..
        } => Err("its worker is still being stopped; resume it when it is paused".to_owned()),
        State::Paused { next: None, .. }
        | State::Blocked {
            block: Block::Held { .. },
            ..
        } => Ok(draft.to(State::Pending { since: cx.now }).done()),
        State::Blocked {
            block: Block::Approval { claim, .. },
            ..
        } if approval::is_stale(task, cx) => Ok(landing::again(draft, claim, cx).done()),
        State::Blocked {
            block: Block::Approval { claim, report, .. },
            ..
        } if report.lacks_host() => Ok(landing::again(draft, claim, cx).done()),
        State::Blocked {
            block: Block::Approval { .. },
            ..
        } => Err("it waits for approve or reject".to_owned()),
        State::Blocked {
            block: Block::Landing { claim, .. },
            ..
        } => Ok(landing::again(draft, claim, cx).done()),
        State::Blocked {
            block: Block::Question { .. },
            ..
        } => Err("it waits for an answer; answer it, or retry it without one".to_owned()),
        State::Blocked { .. } => Err("it is blocked; settle what it names, then retry it".to_owned()),
        State::Ended { .. } => Err(format!("it is {}; retry runs it again", task.state.name())),
        _ => Ok(Ruling::NoChange("is not paused")),
    }
}

fn cancel(task: &Task, by: String, reason: String, cx: &Context<'_>) -> Ruling {
    let draft = Draft::new(task, "cancelled", cx);
    match &task.state {
        State::Ended { .. } => Ruling::NoChange("is over already"),
        State::Claimed { attempt, .. } | State::Running { attempt, .. } | State::Stopping { attempt, .. } => {
            draft
                .stop(attempt.clone(), StopReason::Cancelled { by, reason })
                .done()
        }
        _ => draft.end(End::Cancelled { by, reason }).done(),
    }
}

fn retry(task: &Task, by: String, cx: &Context<'_>) -> Ruling {
    let mut draft = Draft::new(task, "retried", cx);
    match &task.state {
        State::Claimed { attempt, .. } | State::Running { attempt, .. } | State::Stopping { attempt, .. } => {
            draft.stop(attempt.clone(), StopReason::Retried { by }).done()
        }
        _ => {
            draft.task.history.reset();
            draft
                .why(format!("set to run by {by}"))
                .to(State::Pending { since: cx.now })
                .done()
        }
    }
}

/// Somebody says that it is complete: the gate judges the head of the task's branch, as an attempt of its own.
fn claim(task: &Task, by: String, cx: &Context<'_>) -> Result<Ruling, String> {
    match &task.state {
        State::Validating { .. } => return Ok(Ruling::NoChange("its gate is running")),
        State::Claimed { .. } | State::Running { .. } | State::Stopping { .. } => {
            return Err("a worker is at it; pause it first".to_owned());
        }
        State::Ended {
            end: End::Completed { .. },
            ..
        } => return Err("it is completed".to_owned()),
        _ => {}
    }
    let mut draft = Draft::new(task, "claimed-by-hand", cx);
    draft.task.epoch += 1;
    draft.task.history.opened += 1;
    let attempt = attempt_by_hand(&draft.task, &by, cx);
    let claim = Claim {
        attempt: attempt.n,
        epoch: attempt.epoch,
        by_hand: Some(by.clone()),
        commit: None,
        no_change: None,
    };
    let report = Box::new(report_by_hand(&by));
    Ok(draft
        .why(format!("said to be complete by {by}; the gate decides"))
        .attempt(AttemptChange::ByHand { attempt, report })
        .to(State::Validating {
            since: cx.now,
            claim,
            stage: Stage::Checks,
        })
        .done())
}

fn attempt_by_hand(task: &Task, by: &str, cx: &Context<'_>) -> Attempt {
    let route = Route {
        tier: TierName::new("none"),
        runtime: "none".to_owned(),
        model: "none".to_owned(),
        why: format!("said to be complete by {by}"),
        node: task.history.last_node.clone(),
    };
    let (n, epoch) = (task.history.opened, task.epoch);
    Attempt {
        n,
        epoch,
        route,
        started_at: cx.now,
        session: None,
        start: StartKind::First,
    }
}

fn report_by_hand(by: &str) -> AttemptReport {
    AttemptReport {
        outcome: Outcome::Done,
        reason: format!("said to be complete by {by}"),
        evidence: Evidence::default(),
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        session: None,
        retry_at: None,
        touched: Vec::new(),
    }
}
