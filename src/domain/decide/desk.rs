//! What comes from a worker's desk while it runs, questions and sub-tasks, what people say to it, and what that makes of its
//! end.
//!
//! A worker that asked has not failed, whatever its client's exit says: the task waits for the answer and goes on in
//! the same session. One that made sub-tasks has not finished its own: it goes on when they are over.

use super::super::effect::Durable;
use super::super::id::TaskId;
use super::super::outcome::{AttemptReport, Outcome};
use super::super::question::{Answer, Asked};
use super::super::remark::{Remark, Remarks};
use super::super::report::Report;
use super::super::task::{Attempt, Block, History, Next, StartKind, State, Task};
use super::attempt::Weight;
use super::draft::Draft;
use super::{Context, Ruling, replanned};

const STALE: Ruling = Ruling::NoChange("the request is of another attempt");

pub(super) fn asked(task: &Task, epoch: u64, text: &str, cx: &Context<'_>) -> Ruling {
    if live(task, epoch).is_none() {
        return STALE;
    }
    if task.history.questions.was_asked_in(text, epoch) {
        return Ruling::NoChange("this attempt has asked that already");
    }
    let mut draft = Draft::new(task, "asked", cx).why(format!("its worker asks: {text}"));
    match draft.task.history.questions.ask(text, epoch, cx.now) {
        Asked::New => draft.report(Report::Question {
            text: text.to_owned(),
        }),
        Asked::Open => draft,
        Asked::Answered(answer) => {
            let line = told(text, &answer);
            draft.durable(Durable::Progress { line })
        }
    }
    .done()
}

pub(super) fn spawned(task: &Task, epoch: u64, child: TaskId, cx: &Context<'_>) -> Ruling {
    if live(task, epoch).is_none() {
        return STALE;
    }
    if task.history.children.contains(&child) {
        return Ruling::NoChange("the sub-task is known");
    }
    let mut draft = Draft::new(task, "spawned", cx).why(format!("its worker made the sub-task {child}"));
    draft.task.history.children.push(child);
    draft.task.history.spawned_in = Some(epoch);
    draft.done()
}

fn live(task: &Task, epoch: u64) -> Option<&Attempt> {
    task.state.attempt().filter(|a| a.epoch == epoch)
}

/// An end as it counts for an attempt that asked or made sub-tasks.
pub(super) fn seen(task: &Task, epoch: u64, report: AttemptReport) -> (AttemptReport, Weight) {
    let history = &task.history;
    let told_an_end = matches!(
        report.outcome,
        Outcome::Done | Outcome::NoChangeNeeded | Outcome::Continue | Outcome::Bailed | Outcome::Blocked
    );
    let waits = |spends| Weight { spends, waited: true };
    // A `command` that only knows success and failure may end with any code after it asked.
    if let Some(text) = history.questions.open()
        && (told_an_end || report.outcome == Outcome::Failed)
    {
        return (
            read(report, Outcome::Blocked, format!("asks: {text}")),
            waits(false),
        );
    }
    if history.questions.any_asked_in(epoch) && matches!(report.outcome, Outcome::Blocked | Outcome::Bailed) {
        let reason = "what it asked is answered";
        return (read(report, Outcome::Continue, reason), waits(true));
    }
    if history.spawned_in == Some(epoch) && told_an_end && report.outcome != Outcome::Blocked {
        let reason = "goes on when its sub-tasks are over";
        return (read(report, Outcome::Continue, reason), waits(false));
    }
    if history.remarks.any_untold() && told_an_end && report.outcome != Outcome::Blocked {
        let reason = "goes on with what it was told meanwhile";
        return (read(report, Outcome::Continue, reason), waits(false));
    }
    // What was done before stands already; where its sub-tasks left nothing to add, the gate is to say so.
    if report.outcome == Outcome::Bailed && comes_after_its_sub_tasks(history) {
        let reason = "has nothing to add to its sub-tasks";
        return (read(report, Outcome::Done, reason), Weight::FULL);
    }
    (report, Weight::FULL)
}

fn read(report: AttemptReport, outcome: Outcome, reason: impl Into<String>) -> AttemptReport {
    AttemptReport {
        outcome,
        reason: reason.into(),
        ..report
    }
}

/// Whether sub-tasks were made and nobody has come to a result since; who was interrupted in between has not.
fn comes_after_its_sub_tasks(history: &History) -> bool {
    let mut earlier = history.tries.iter().rev();
    let last = earlier.find(|t| t.waited || !t.outcome.comes_from_outside());
    history.spawned_in.is_some() && last.is_some_and(|t| t.waited)
}

/// A person's answer: to what was asked, or to a worker that said in its own words what it needs.
pub(super) fn answered(task: &Task, by: String, text: String, cx: &Context<'_>) -> Result<Ruling, String> {
    let mut draft = Draft::new(task, "answered", cx).why(format!("answered by {by}: {text}"));
    let answer = Answer {
        text,
        by: by.clone(),
        at: cx.now,
    };
    let questions = &mut draft.task.history.questions;
    // A worker that only says what it needs has asked, too.
    if let State::Blocked {
        block: Block::Asked { reason: text } | Block::Question { text },
        ..
    } = &task.state
        && questions.open().is_none()
    {
        questions.ask(text, task.epoch, cx.now);
    }
    let question = questions.open().unwrap_or_default();
    if !questions.answer(&answer) {
        return Err("it has asked nothing that is still open".to_owned());
    }
    Ok(match &task.state {
        State::Blocked {
            block: Block::Question { .. } | Block::Asked { .. },
            ..
        } => {
            let state = goes_on(&draft.task, &by, cx);
            draft.to(state)
        }
        State::Claimed { .. } | State::Running { .. } => {
            let line = told(&question, &answer);
            draft.durable(Durable::Progress { line })
        }
        _ => draft,
    }
    .done())
}

/// Words for its worker: a running one hears them when it ends its turn, before anything of its work is judged.
pub(super) fn said(
    task: &Task,
    by: String,
    text: String,
    files: Vec<String>,
    cx: &Context<'_>,
) -> Result<Ruling, String> {
    match &task.state {
        State::Validating { .. } => {
            return Err("its work is being judged; say it again when that is over, or cancel it".to_owned());
        }
        State::Ended { .. } => return Err(format!("it is {}; retry runs it again", task.state.name())),
        _ => {}
    }
    let line = format!("{by} says: {text}");
    let mut draft = Draft::new(task, "said", cx).why(line.clone());
    let remark = Remark {
        text,
        by,
        at: cx.now,
        files,
        told_in: None,
    };
    match draft.task.history.remarks.add(remark) {
        true => Ok(draft.durable(Durable::Progress { line }).done()),
        false => Err(format!(
            "its worker was not told the last {} things yet",
            Remarks::KEPT
        )),
    }
}

/// In the same session, where there is one that can be used again.
fn goes_on(task: &Task, by: &str, cx: &Context<'_>) -> State {
    let Some(last) = task.history.tries.last() else {
        return State::Pending { since: cx.now };
    };
    let kept = (!last.outcome.poisons_session()).then(|| last.clone());
    let next = Next {
        tier: last.tier.clone(),
        not_before: None,
        why: format!("answered by {by}"),
        session: kept.as_ref().and_then(|t| t.session.clone()),
        runtime: kept.map(|t| t.runtime),
        start: StartKind::Continuation,
    };
    replanned(task, cx.now, &next, cx)
}

fn told(question: &str, answer: &Answer) -> String {
    format!("answer of {} to '{question}': {}", answer.by, answer.text)
}
