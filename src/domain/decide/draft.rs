//! A decision in the making: the one place that raises versions, writes the log entry and notices that the queue
//! file has to be brought up to date.

use super::super::effect::Durable;
use super::super::gate::Category;
use super::super::mirror::mirror;
use super::super::outcome::Outcome;
use super::super::policy::{Situation, Step, Wait};
use super::super::report::Report;
use super::super::retry::backoff;
use super::super::task::{Attempt, Block, End, Next, StartKind, State, StopReason, Task, Try};
use super::super::tier::TierName;
use super::{AttemptChange, Context, Decision, GateRecord, LogEntry, Ruling};

/// A task on its way to its next version.
pub(super) struct Draft<'a> {
    pub(super) task: Task,
    before: &'a Task,
    cx: &'a Context<'a>,
    kind: &'static str,
    why: String,
    attempt: Option<AttemptChange>,
    gate: Option<GateRecord>,
    durable: Vec<Durable>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(before: &'a Task, kind: &'static str, cx: &'a Context<'a>) -> Self {
        let task = Task {
            version: before.version + 1,
            updated_at: cx.now,
            ..before.clone()
        };
        Self {
            task,
            before,
            cx,
            kind,
            why: String::new(),
            attempt: None,
            gate: None,
            durable: Vec::new(),
        }
    }

    pub(super) fn to(mut self, state: State) -> Self {
        self.task.state = state;
        self
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn attempt(mut self, change: AttemptChange) -> Self {
        self.attempt = Some(change);
        self
    }

    pub(super) fn gate(mut self, record: GateRecord) -> Self {
        self.gate = Some(record);
        self
    }

    pub(super) fn report(self, report: Report) -> Self {
        self.durable(Durable::Report(report))
    }

    pub(super) fn durable(mut self, durable: Durable) -> Self {
        self.durable.push(durable);
        self
    }

    /// The worker is to be killed; everything else waits until it is known to be dead.
    pub(super) fn stop(self, attempt: Attempt, reason: StopReason) -> Self {
        let since = self.cx.now;
        let draft = self.why(reason.sentence());
        let draft = if reason.outcome() == Outcome::Stuck {
            draft.report(Report::Stuck)
        } else {
            draft
        };
        draft.to(State::Stopping {
            since,
            attempt,
            reason,
        })
    }

    pub(super) fn block(self, block: Block) -> Self {
        let since = self.cx.now;
        let reason = block.reason();
        let draft = self.why(reason.clone());
        // A question was told when it was asked.
        let draft = match &block {
            Block::Question { .. } => draft,
            Block::Approval { report, .. } if !report.exhibits().is_empty() => {
                let evidence = report.exhibits().join("; ");
                draft.report(Report::Blocked {
                    reason: format!("{reason}. Evidence: {evidence}"),
                })
            }
            _ => draft.report(Report::Blocked { reason }),
        };
        draft.to(State::Blocked { since, block })
    }

    pub(super) fn pause(self, by: &str, next: Option<Next>) -> Self {
        let since = self.cx.now;
        let by = by.to_owned();
        self.why(format!("paused by {by}"))
            .report(Report::Paused { by: by.clone() })
            .to(State::Paused { since, by, next })
    }

    pub(super) fn end(self, end: End) -> Self {
        let since = self.cx.now;
        let draft = match &end {
            End::Cancelled { by, reason } => {
                self.why(format!("cancelled by {by}: {reason}"))
                    .report(Report::Cancelled {
                        by: by.clone(),
                        reason: reason.clone(),
                    })
            }
            End::Completed { commit, .. } => self.why(format!("the gate passed at {commit}")),
        };
        draft.to(State::Ended { since, end })
    }

    pub(super) fn complete(self, end: End, validated: Vec<Category>, evidence: Vec<String>) -> Self {
        self.end(end).report(Report::Completed { validated, evidence })
    }

    /// Asks the policy what follows the last try, and plans it.
    pub(super) fn plan(self) -> Self {
        let cx = self.cx;
        if let Some(text) = self.task.history.questions.open() {
            return self.block(Block::Question { text });
        }
        let bounds = match cx.policy.bounds(&self.task.definition) {
            Ok(bounds) => bounds,
            Err(reason) => return self.block(Block::Exhausted { reason }),
        };
        let definition = &self.task.definition;
        let step = cx.policy.after(&Situation {
            bounds,
            kind: definition.kind,
            budget_usd: definition.budget_usd,
            history: &self.task.history,
        });
        match step {
            Step::Person { reason } => self.for_a_person(reason),
            Step::Attempt {
                tier,
                start,
                keep_session,
                wait,
                why,
            } => {
                let tier = cx.policy.tiers[tier].name.clone();
                let last = self.task.history.tries.last().cloned();
                self.next(tier, start, wait, why, last.filter(|_| keep_session))
            }
        }
    }

    fn for_a_person(self, reason: String) -> Self {
        let asked = self
            .task
            .history
            .tries
            .last()
            .is_some_and(|t| t.outcome == Outcome::Blocked && t.reason == reason);
        self.block(if asked {
            Block::Asked { reason }
        } else {
            Block::Exhausted { reason }
        })
    }

    pub(super) fn next(
        mut self,
        tier: TierName,
        start: StartKind,
        wait: Wait,
        why: String,
        goes_on: Option<Try>,
    ) -> Self {
        let last = self.task.history.tries.last().cloned();
        if start == StartKind::Escalation {
            self.task.history.escalated_to = Some(tier.clone());
            let from = last.map_or_else(|| tier.clone(), |t| t.tier);
            self = self.report(Report::Escalating {
                from,
                to: tier.clone(),
                reason: why.clone(),
            });
        }
        if start == StartKind::Medic {
            self = self.report(Report::Medic { reason: why.clone() });
        }
        let next = Next {
            not_before: Some(self.due(wait)),
            why: why.clone(),
            session: goes_on.as_ref().and_then(|t| t.session.clone()),
            runtime: goes_on.map(|t| t.runtime),
            tier,
            start,
        };
        let since = self.cx.now;
        self.why(why).to(State::Ready { since, next })
    }

    fn due(&self, wait: Wait) -> chrono::DateTime<chrono::Utc> {
        let policy = self.cx.policy;
        let delay = match wait {
            Wait::Continuation => policy.continuation_delay,
            Wait::Backoff(n) | Wait::Provider(n) => backoff(policy, n, self.cx.roll),
        };
        self.cx.now + delay
    }

    pub(super) fn done(self) -> Ruling {
        Ruling::Change(Box::new(self.into_decision()))
    }

    fn into_decision(mut self) -> Decision {
        if mirror(&self.task) != mirror(self.before) {
            self.durable.push(Durable::Mirror);
        }
        let entry = LogEntry {
            at: self.cx.now,
            kind: self.kind.to_owned(),
            from: self.before.state.name().to_owned(),
            to: self.task.state.name().to_owned(),
            epoch: self.task.epoch,
            why: self.why,
        };
        Decision {
            task: self.task,
            entry,
            attempt: self.attempt,
            gate: self.gate,
            durable: self.durable,
            led: None,
        }
    }
}
