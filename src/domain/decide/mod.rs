//! `decide`: what a task becomes, and what the world is asked to do. The heart of the product, and pure.
//!
//! [`admit`] makes a task from a section that was not known before; [`decide`] takes everything that happens later.
//! Each event has its function; each of them matches on the state. What does not fit is either explicitly nothing
//! ([`Ruling::NoChange`]: late or repeated events) or a refusal that a person is told ([`Refused`]).
//! What follows a failure is not decided here but in [`super::policy`].

mod admit;
mod approval;
mod attempt;
mod desk;
mod draft;
mod gate;
mod landing;
mod node;
mod person;
mod restored;
mod review;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::admit::admit;
use self::draft::Draft;
use super::definition::Definition;
use super::effect::Durable;
use super::event::Event;
use super::gate::{GateReport, Verdict};
use super::outcome::AttemptReport;
use super::policy::Policy;
use super::task::{Attempt, End, Next, StartKind, State, StopReason, Task};

/// What comes in from outside with every event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time, truncated to microseconds.
    pub now: DateTime<Utc>,
    /// A random number in `0.0..1.0`, for jitter.
    pub roll: f64,
    /// The policy in force.
    pub policy: &'a Policy,
}

/// What a task becomes and what is to be recorded with it, in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The task as it is from now on (its version already raised).
    pub task: Task,
    /// The row of the event log.
    pub entry: LogEntry,
    /// The row of the attempt that opened or closed.
    pub attempt: Option<AttemptChange>,
    /// The run of the gate that ended.
    pub gate: Option<GateRecord>,
    /// Durable effects, in order.
    pub durable: Vec<Durable>,
    /// The leadership of the fleet that it was decided under, where it is the leader's to decide.
    pub led: Option<u64>,
}

/// One line of the event log: what happened, and what it led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of event, for example `finished`.
    pub kind: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// The fencing number at that time.
    pub epoch: u64,
    /// Why, in one sentence for people.
    pub why: String,
}

/// A change of an attempt's row.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptChange {
    /// A new one.
    Opened(Attempt),
    /// One that a person stands for: opened and closed in one, no worker ran.
    ByHand {
        /// The attempt.
        attempt: Attempt,
        /// What is claimed.
        report: Box<AttemptReport>,
    },
    /// It ended. `n` and `epoch` name it.
    Closed {
        /// Its number.
        n: u32,
        /// Its fencing number.
        epoch: u64,
        /// How it ended.
        report: Box<AttemptReport>,
    },
    /// The gate refused what it claimed: its outcome becomes `gate-failed`.
    Refused {
        /// Its number.
        n: u32,
        /// Its fencing number.
        epoch: u64,
        /// What is red.
        reason: String,
    },
}

/// A run of the gate as it is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRecord {
    /// The attempt that was judged.
    pub attempt: u32,
    /// Its fencing number.
    pub epoch: u64,
    /// The verdict in force (a person's approval turns `NeedsPerson` into `Passed`).
    pub verdict: Verdict,
    /// Its receipts.
    pub report: GateReport,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Ruling {
    /// The task changes.
    Change(Box<Decision>),
    /// Nothing changes, and that is right: the event is late, repeated, or says what is so already.
    NoChange(&'static str),
}

/// A person's wish that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} {task}: {why}")]
pub struct Refused {
    /// The task.
    pub task: String,
    /// What was wanted.
    pub verb: &'static str,
    /// Why not, and what can be done instead.
    pub why: String,
}

/// Decides what an event makes of a task.
pub fn decide(task: &Task, event: Event, cx: &Context<'_>) -> Result<Ruling, Refused> {
    Ok(match event {
        Event::Redefined { definition, hash } => redefined(task, *definition, hash, cx),
        Event::Removed => removed(task, cx),
        Event::Person { by, command } => return person::decide(task, by, command, cx),
        Event::Eligible => attempt::eligible(task, cx),
        Event::Assessed(assessment) => attempt::assessed(task, assessment, cx),
        Event::Claimed(route) => attempt::claimed(task, route, cx),
        Event::Started { epoch } => attempt::started(task, epoch, cx),
        Event::SessionOpened { epoch, session } => attempt::session_opened(task, epoch, session, cx),
        Event::Asked { epoch, text } => desk::asked(task, epoch, &text, cx),
        Event::Spawned { epoch, child } => desk::spawned(task, epoch, child, cx),
        Event::NotStarted { epoch, fault, reason } => attempt::not_started(task, epoch, fault, reason, cx),
        Event::Condemned { epoch, reason } => attempt::condemned(task, epoch, reason, cx),
        Event::NodeLost { epoch, node } => node::lost(task, epoch, &node, cx),
        Event::Restored { seen } => restored::restored(task, seen, cx),
        Event::Finished { epoch, report } => attempt::finished(task, epoch, *report, cx),
        Event::Judged { epoch, report } => gate::judged(task, epoch, *report, cx),
        Event::Reviewed { epoch, review } => review::reviewed(task, epoch, &review, cx),
        Event::NotReviewed { epoch, not_had } => review::not_reviewed(task, epoch, not_had, cx),
        Event::Refreshed { epoch, commit } => landing::refreshed(task, epoch, commit, cx),
        Event::Rejudged { epoch, report } => landing::rejudged(task, epoch, *report, cx),
        Event::LandingNoted { epoch, landing } => landing::noted(task, epoch, landing, cx),
        Event::Returned {
            epoch,
            landing,
            report,
        } => landing::returned(task, epoch, landing, *report, cx),
        Event::Landed { epoch, commit } => landing::landed(task, epoch, commit, cx),
        Event::Conflicted { epoch, conflict } => landing::conflicted(task, epoch, conflict, cx),
        Event::NotLanded { epoch, reason } => landing::not_landed(task, epoch, reason, cx),
        Event::NotJudged { epoch, fault, reason } => gate::not_judged(task, epoch, fault, reason, cx),
    })
}

/// The section or its job changed: the definition is replaced, and what was planned on the old one is planned anew.
fn redefined(task: &Task, definition: Definition, hash: String, cx: &Context<'_>) -> Ruling {
    if task.definition_hash == hash {
        return Ruling::NoChange("the definition is the same");
    }
    let mut draft = Draft::new(task, "redefined", cx).why("its definition changed");
    let told = definition.description != task.definition.description;
    draft.task.definition = definition;
    draft.task.definition_hash = hash;
    match &task.state {
        State::Assessing { .. } => draft.to(State::Pending { since: cx.now }).done(),
        State::Ready { since, next } => {
            let state = replanned(&draft.task, *since, next, cx);
            draft.to(state).done()
        }
        State::Paused {
            since,
            by,
            next: Some(next),
        } => {
            let next = match replanned(&draft.task, *since, next, cx) {
                State::Ready { next, .. } => Some(next),
                _ => None,
            };
            let (since, by) = (*since, by.clone());
            draft.to(State::Paused { since, by, next }).done()
        }
        State::Claimed { .. } | State::Running { .. } if told => {
            let words = &draft.task.definition.description;
            let line = format!("the description of this task was changed meanwhile; it now says: {words}");
            draft.durable(Durable::Progress { line }).done()
        }
        _ => draft.done(),
    }
}

/// A first attempt is assessed anew; a later one stays planned, within what the task may use from now on.
fn replanned(task: &Task, since: DateTime<Utc>, next: &Next, cx: &Context<'_>) -> State {
    let pending = State::Pending { since: cx.now };
    let (Ok(bounds), Some(tier)) = (
        cx.policy.bounds(&task.definition),
        cx.policy.tier_index(&next.tier),
    ) else {
        return pending;
    };
    if next.start == StartKind::First {
        return pending;
    }
    let tier = cx.policy.tiers[tier.clamp(bounds.min, bounds.max)].name.clone();
    State::Ready {
        since,
        next: Next { tier, ..next.clone() },
    }
}

/// The section is gone: nobody wants the task any more.
fn removed(task: &Task, cx: &Context<'_>) -> Ruling {
    let by = State::DELETED_BY.to_owned();
    let reason = State::DELETED.to_owned();
    match &task.state {
        State::Ended { .. } => Ruling::NoChange("an ended task's section may go"),
        State::Stopping {
            reason: StopReason::Cancelled { .. },
            ..
        } => Ruling::NoChange("is being cancelled"),
        State::Claimed { attempt, .. } | State::Running { attempt, .. } | State::Stopping { attempt, .. } => {
            let attempt = attempt.clone();
            let reason = StopReason::Cancelled { by, reason };
            Draft::new(task, "removed", cx).stop(attempt, reason).done()
        }
        _ => Draft::new(task, "removed", cx)
            .end(End::Cancelled { by, reason })
            .done(),
    }
}
