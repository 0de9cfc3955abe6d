//! A task as people are shown it, put together from what is recorded.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::super::driver::StartFacts;
use super::super::instance::Instance;
use super::super::view::{
    AttemptView, CheckView, ContainmentView, EventView, GateView, QuestionView, ReceiptView, Stopped,
    TaskView, WaitingView,
};
use crate::domain::family;
use crate::domain::gate::{GateReport, Receipt, Verdict};
use crate::domain::id::TaskId;
use crate::domain::lane;
use crate::domain::node::{Node, NodeName};
use crate::domain::outcome::Outcome;
use crate::domain::overlap;
use crate::domain::plan;
use crate::domain::question::Question;
use crate::domain::ready::{DependencyState, Waiting, World, is_due, waiting};
use crate::domain::share::Shares;
use crate::domain::stage::Destination;
use crate::domain::task::{Attempt, State, Task};
use crate::format::heartbeat;
use crate::runtime::process;
use crate::sandbox::Probed;
use crate::store::{AttemptFacts, AttemptRecord, Event, GateRun, StoreError};

/// What the views of many tasks are made from, read in a few queries.
pub(super) struct Records {
    attempts: HashMap<TaskId, Vec<AttemptRecord>>,
    gates: HashMap<TaskId, GateRun>,
    standings: HashMap<TaskId, DependencyState>,
    /// Sub-tasks that are not over, of tasks that wait for them.
    children: HashMap<TaskId, Vec<TaskId>>,
    /// The task that is merged before it, by the one that waits.
    lane: BTreeMap<TaskId, TaskId>,
    /// Who has how many of the slots, and who waits for one.
    shares: Shares,
    /// Tasks that are not over, where one of the shown may wait for them.
    live: Vec<Task>,
    stopped: Option<Stopped>,
    /// The nodes of the fleet, where there is one.
    nodes: Option<Vec<Node>>,
    now: DateTime<Utc>,
}

impl Records {
    /// Of these tasks; `unread` ones are on their way into the store.
    pub(super) async fn load(
        instance: &Instance,
        tasks: &[Task],
        unread: &[Task],
    ) -> Result<Self, StoreError> {
        let ids: Vec<TaskId> = tasks.iter().map(|t| t.id.clone()).collect();
        let named: Vec<TaskId> = tasks
            .iter()
            .flat_map(|t| t.definition.depends_on.iter().cloned())
            .collect();
        let standings = instance.store.dependency_states(&named).await?;
        let merged = |t: &Task| instance.policy.destination(&t.definition) != Destination::Branch;
        let now = instance.clock.now();
        let asks = |t: &Task| family::waits(t) || merged(t) || is_due(t, now);
        let live = match tasks.iter().any(asks) {
            true => instance.store.live().await?,
            false => Vec::new(),
        };
        Ok(Self {
            attempts: instance.store.attempts_of(&ids).await?,
            gates: instance.store.latest_gates(&ids).await?,
            standings: standings
                .into_iter()
                .map(|(id, s)| (id, super::super::standing(s)))
                .chain(unread.iter().map(|t| (t.id.clone(), DependencyState::Live)))
                .collect(),
            shares: shares(instance, &live, now),
            children: open_children(&live),
            lane: lane::waiting(live.iter()),
            live,
            stopped: instance.stopped().await?,
            nodes: match &instance.member {
                Some(member) => Some(member.roster().nodes().await?),
                None => None,
            },
            now,
        })
    }

    /// The newest run of a task's gate.
    pub(super) fn gate(&self, id: &TaskId) -> Option<&GateRun> {
        self.gates.get(id)
    }

    pub(super) fn waiting(&self, instance: &Instance, task: &Task) -> Waiting {
        let obstacle = match &self.nodes {
            None => instance.fleet.known_obstacle(task, self.now),
            Some(nodes) => instance.fleet.obstacle_in(task, nodes, self.now),
        };
        let lacks = plan::holds(task, &instance.policy);
        let world = World {
            stopped: self.stopped.as_ref().map(|s| (s.by.as_str(), s.at)),
            unavailable: obstacle.as_deref(),
            children: self.children.get(&task.id).map(Vec::as_slice).unwrap_or_default(),
            lane: self.lane.get(&task.id),
            beside: overlap::before(task, self.live.iter(), &instance.policy),
            plan: lacks.as_deref(),
            share: self.shares.why(task, self.now, &instance.policy),
        };
        let standing = |id: &TaskId| {
            self.standings
                .get(id)
                .copied()
                .unwrap_or(DependencyState::Unknown)
        };
        waiting(task, self.now, &world, standing)
    }

    pub(super) fn task(&self, instance: &Instance, task: &Task, with_output: bool) -> TaskView {
        let attempts = self.attempts.get(&task.id).map(Vec::as_slice).unwrap_or_default();
        let last = attempts.last();
        let live = Live::look(
            instance,
            task,
            last.map(|a| &a.facts),
            self.nodes.as_deref(),
            self.now,
        );
        let planned = match &task.state {
            State::Ready { next, .. } | State::Paused { next: Some(next), .. } => Some(next.tier.to_string()),
            _ => None,
        };
        TaskView {
            id: task.id.to_string(),
            title: task.definition.title.clone(),
            project: project(task),
            state: task.state.name().to_owned(),
            archived: task.state.is_completed(),
            tier: planned.or_else(|| last.map(|a| a.attempt.route.tier.to_string())),
            model: last.map(|a| a.attempt.route.model.clone()),
            runtime: last.map(|a| a.attempt.route.runtime.clone()),
            node: task.history.last_node.as_ref().map(ToString::to_string),
            attempt: last.map_or(0, |a| a.attempt.n),
            priority: task.definition.priority.as_str().to_owned(),
            progress_pct: live.pct,
            phase: live.phase,
            heartbeat_age_s: live.age_s,
            session: live.session.to_owned(),
            cost_usd: attempts
                .iter()
                .filter_map(cost)
                .fold(task.history.review_cost_usd, |sum, cost| sum + cost),
            blocked_reason: match &task.state {
                State::Blocked { block, .. } => Some(block.reason()),
                _ => None,
            },
            waiting: waiting_view(self.waiting(instance, task)),
            gate: gate_view(task, self.gates.get(&task.id), with_output),
            attempts: attempts
                .iter()
                .map(|record| attempt_view(record, with_output.then_some((instance, task))))
                .collect(),
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

fn open_children(live: &[Task]) -> HashMap<TaskId, Vec<TaskId>> {
    let families = family::children(live.iter()).into_iter();
    families
        .map(|(parent, children)| (parent.clone(), children.into_iter().cloned().collect()))
        .collect()
}

fn shares(instance: &Instance, live: &[Task], now: DateTime<Utc>) -> Shares {
    let parents = family::children(live.iter());
    let held = |task: &Task| family::waits(task) && parents.contains_key(&task.id);
    Shares::of(live.iter().filter(|task| !held(task)), now, &instance.policy)
}

fn project(task: &Task) -> String {
    if task.definition.project.is_empty() {
        "default".to_owned()
    } else {
        task.definition.project.clone()
    }
}

fn cost(attempt: &AttemptRecord) -> Option<f64> {
    attempt
        .report
        .as_ref()
        .and_then(|r| r.cost_usd)
        .or(attempt.facts.cost_usd)
}

/// What can be seen of a live attempt.
struct Live {
    pct: Option<u8>,
    phase: Option<String>,
    age_s: Option<f64>,
    session: &'static str,
}

impl Live {
    fn look(
        instance: &Instance,
        task: &Task,
        facts: Option<&AttemptFacts>,
        nodes: Option<&[Node]>,
        now: DateTime<Utc>,
    ) -> Self {
        let Some(attempt) = task.state.attempt() else {
            return Self {
                pct: None,
                phase: None,
                age_s: None,
                session: "none",
            };
        };
        let there =
            |name: &NodeName| nodes.is_some_and(|all| all.iter().any(|n| n.name() == name && n.is_there()));
        let alive = match elsewhere(instance, attempt) {
            Some(node) => there(node),
            None => process::is_alive(&instance.layout.attempt(&task.id, attempt.epoch)),
        };
        let facts = facts
            .filter(|f| f.epoch == attempt.epoch)
            .cloned()
            .unwrap_or_default();
        let file = instance.files.heartbeats.read(&task.id).ok();
        let file = file.and_then(|b| heartbeat::parse(&b, &task.id, now, chrono::TimeDelta::minutes(2)).ok());
        let file = file.filter(|b| b.attempt.is_none_or(|n| n == attempt.n));
        let beat = facts
            .beat_at
            .max(file.as_ref().map(|b| b.last_heartbeat))
            .unwrap_or(attempt.started_at);
        let pct = file.as_ref().and_then(|b| b.progress_pct).or(facts.progress_pct);
        let phase = file.and_then(|b| b.current_phase).or(facts.phase);
        Self {
            pct,
            phase: phase.map(|words| instance.redactor.redact(&words).into_owned()),
            age_s: Some((now - beat).num_milliseconds().max(0) as f64 / 1000.0),
            session: if alive { "alive" } else { "gone" },
        }
    }
}

/// The node that has an attempt, where that is another one.
fn elsewhere<'a>(instance: &Instance, attempt: &'a Attempt) -> Option<&'a NodeName> {
    let me = instance.member.as_ref().map(|member| member.name());
    attempt.route.node.as_ref().filter(|node| Some(*node) != me)
}

pub(super) fn waiting_view(waiting: Waiting) -> WaitingView {
    WaitingView {
        what: waiting.what.as_str().to_owned(),
        on: waiting.on.iter().map(ToString::to_string).collect(),
        since: waiting.since,
        until: waiting.until,
        who: waiting.who,
        why: waiting.why,
    }
}

fn gate_view(task: &Task, run: Option<&GateRun>, with_output: bool) -> GateView {
    let running = matches!(task.state, State::Validating { .. });
    let verdict = match run.map(|r| r.record.verdict) {
        _ if running => "running",
        Some(Verdict::Passed) => "passed",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::NeedsPerson) | None => "none",
    };
    let shown = run.filter(|_| !running);
    GateView {
        verdict: verdict.to_owned(),
        commit: shown.map(|r| r.record.report.commit.clone()),
        checks: shown
            .map(|r| check_views(&r.record.report, with_output))
            .unwrap_or_default(),
    }
}

pub(super) fn check_views(report: &GateReport, with_output: bool) -> Vec<CheckView> {
    let view = |receipt: &Receipt| CheckView {
        name: receipt.name.clone(),
        category: receipt.category.as_str().to_owned(),
        verdict: receipt.verdict.as_str().to_owned(),
        exit_code: receipt.exit_code,
        duration_s: receipt.duration.as_secs_f64(),
        directory: receipt.directory.clone(),
        command: receipt.command.clone(),
        output_tail: with_output.then(|| receipt.output_tail.clone()),
        receipt: with_output.then(|| receipt_view(receipt)),
    };
    report.receipts.iter().map(view).collect()
}

fn receipt_view(receipt: &Receipt) -> ReceiptView {
    let trace = &receipt.trace;
    ReceiptView {
        commit: receipt.commit.clone(),
        tree: trace.tree.clone(),
        environment: trace.environment.clone(),
        sandbox: Some(trace.sandbox.clone()).filter(|sandbox| !sandbox.is_empty()),
        started_at: receipt.started_at,
        output_sha256: receipt.output_sha256.clone(),
        output_bytes: trace.output_bytes,
    }
}

/// `whole` is where the attempt's own records are looked at, too.
fn attempt_view(record: &AttemptRecord, whole: Option<(&Instance, &Task)>) -> AttemptView {
    let route = &record.attempt.route;
    AttemptView {
        n: record.attempt.n,
        tier: route.tier.to_string(),
        runtime: route.runtime.clone(),
        model: route.model.clone(),
        node: route.node.as_ref().map(ToString::to_string),
        outcome: record.outcome.map(|o| word(o).to_owned()),
        reason: record.reason.clone(),
        cost_usd: cost(record),
        started_at: record.attempt.started_at,
        ended_at: record.ended_at,
        containment: whole.and_then(|(instance, task)| {
            let dir = instance.layout.attempt(&task.id, record.attempt.epoch);
            let facts = StartFacts::load(&dir);
            let own = facts.claimed_at == Some(record.attempt.started_at);
            facts.contained.filter(|_| own).map(containment_view)
        }),
    }
}

fn containment_view(probed: Probed) -> ContainmentView {
    ContainmentView {
        tier: probed.tier.to_string(),
        by: probed.by,
        policy: probed.policy,
        tried: probed.tried,
        gaps: probed.gaps,
    }
}

/// The outcome in the words of the contract, which knows fewer of them; the reason tells the rest.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NoChangeNeeded => "done",
        Outcome::NeedsStrongerModel
        | Outcome::RateLimited
        | Outcome::Overloaded
        | Outcome::Auth
        | Outcome::Network
        | Outcome::Budget
        | Outcome::MaxTurns
        | Outcome::Poisoned => "failed",
        other => other.as_str(),
    }
}

pub(super) fn question_view(question: &Question) -> QuestionView {
    let answer = question.answer.as_ref();
    QuestionView {
        question: question.text.clone(),
        asked_at: question.asked_at,
        answer: answer.map(|a| a.text.clone()),
        by: answer.map(|a| a.by.clone()),
    }
}

pub(super) fn event_view(event: &Event) -> EventView {
    let entry = &event.entry;
    EventView {
        at: entry.at,
        kind: entry.kind.clone(),
        from: entry.from.clone(),
        to: entry.to.clone(),
        why: entry.why.clone(),
    }
}
