//! The gate's turn: what is judged is put together, the gate runs, its receipts are told.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::mpsc::Sender;

use super::bench::Bench;
use super::driver::StartFacts;
use super::engine::Input;
use super::exhibits::Exhibits;
use super::gate_output::GateOutput;
use super::instance::Instance;
use super::landing;
use crate::config::GateCriteria;
use crate::domain::definition::Kind;
use crate::domain::event::{Event, StartFault};
use crate::domain::gate::{Category, CheckVerdict, GateReport};
use crate::domain::stage::Destination;
use crate::domain::task::{Claim, State, Task};
use crate::format::progress::{self, Section};
use crate::gate::{
    Asked, Confine, Criteria, Docs, Gallery, Gate, GateError, GateRequest, Rules, Without, select,
};
use crate::store::StoreError;
use crate::workspace::{Workspace, WorkspaceError};

/// How often a branch that moves while it is judged is judged anew.
const ROUNDS: u32 = 3;

/// Runs the gate for a task that claims to be done, and reports.
pub async fn judge(instance: &Instance, task: &Task, inbox: &Sender<Input>) {
    let State::Validating { claim, .. } = &task.state else {
        return;
    };
    let event = match on_the_bench(instance, task, claim, inbox).await {
        Ok(Some(event)) => event,
        Ok(None) => return,
        Err(refusal) => Event::NotJudged {
            epoch: claim.epoch,
            fault: refusal.fault,
            reason: instance.redactor.redact(&refusal.reason).into_owned(),
        },
    };
    // A closed inbox is a service that goes down; the next one judges again.
    let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
}

/// None where the service goes down before its turn.
async fn on_the_bench(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    inbox: &Sender<Input>,
) -> Result<Option<Event>, NotJudged> {
    let bench = Bench::wait(instance, &task.id).await?;
    // One at a time for each worker slot, so that gates do not starve the machine.
    let Ok(_turn) = instance.gate_turns.acquire().await else {
        return Ok(None);
    };
    look(instance, task, claim, inbox, &bench).await.map(Some)
}

/// What goes into its base is judged together with it.
async fn look(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    inbox: &Sender<Input>,
    bench: &Bench,
) -> Result<Event, NotJudged> {
    let epoch = claim.epoch;
    let mut claim = claim.clone();
    let mut workspace = workspace(instance, task).await?;
    if instance.policy.destination(&task.definition) != Destination::Branch {
        let commit = match &claim.commit {
            Some(commit) => commit.clone(),
            None => workspace.head().await?,
        };
        let fresh = workspace.bring_up_to_date(&commit).await?;
        if let Some(conflict) = landing::conflict(&fresh) {
            return Ok(Event::Conflicted { epoch, conflict });
        }
        if fresh.commit != commit {
            let commit = fresh.commit.clone();
            let event = Event::Refreshed { epoch, commit };
            let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
            // It starts from another base now.
            workspace = self::workspace(instance, task).await?;
        }
        claim.commit = Some(fresh.commit);
    }
    for _ in 0..ROUNDS {
        let report = Box::new(run_in(instance, task, &claim, &workspace, bench).await?);
        let head = workspace.head().await?;
        if head == report.commit {
            return Ok(Event::Judged { epoch, report });
        }
        // Somebody committed meanwhile: what people will find on the branch is what is to be judged.
        claim.commit = Some(head.clone());
        let event = Event::Refreshed { epoch, commit: head };
        let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
    }
    Err(NotJudged {
        fault: StartFault::Workspace,
        reason: format!(
            "its branch was moved {ROUNDS} times while it was judged; leave it alone, then `orchestrator resume {}`",
            task.id
        ),
    })
}

/// The workspace of a task that no worker is at.
pub(super) async fn workspace(instance: &Instance, task: &Task) -> Result<Workspace, WorkspaceError> {
    let d = &task.definition;
    let workspaces = &instance.workspaces;
    workspaces
        .prepare(&task.id, d.workspace.as_deref(), &d.title, &d.depends_on)
        .await
}

/// Why nothing was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJudged {
    /// Whose fault it is.
    pub fault: StartFault,
    /// What went wrong and what to do.
    pub reason: String,
}

impl From<WorkspaceError> for NotJudged {
    fn from(error: WorkspaceError) -> Self {
        GateError::from(error).into()
    }
}

impl From<GateError> for NotJudged {
    fn from(error: GateError) -> Self {
        let fault = match &error {
            GateError::Workspace(_) => StartFault::Workspace,
            GateError::Unconfined(_) => StartFault::Sandbox,
        };
        let reason = error.to_string();
        Self { fault, reason }
    }
}

impl From<StoreError> for NotJudged {
    fn from(error: StoreError) -> Self {
        Self {
            fault: StartFault::Workspace,
            reason: error.to_string(),
        }
    }
}

impl From<io::Error> for NotJudged {
    fn from(error: io::Error) -> Self {
        Self {
            fault: StartFault::Workspace,
            reason: format!(
                "the file that lets one judge at a time cannot be used: {error}; check the state folder"
            ),
        }
    }
}

/// Runs the gate over a claim.
pub async fn run(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    bench: &Bench,
) -> Result<GateReport, NotJudged> {
    let workspace = workspace(instance, task).await?;
    run_in(instance, task, claim, &workspace, bench).await
}

/// In a workspace that was prepared, by whoever sits on the task's bench.
async fn run_in(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    workspace: &Workspace,
    _bench: &Bench,
) -> Result<GateReport, NotJudged> {
    let d = &task.definition;
    let commit = match &claim.commit {
        Some(commit) => commit.clone(),
        None => workspace.head().await?,
    };
    let checks = select(&d.checks, &[], &instance.config.gate.checks, Vec::new());
    let text = instance.files.progress_text(&task.id);
    let cells = instance.containment.gate(&task.id);
    let kept = GateOutput::new(instance, &task.id);
    let gallery = match d.exhibits.is_empty() {
        true => None,
        false => Some(Exhibits::load(instance, &task.id).await?),
    };
    let request = GateRequest {
        workspace,
        commit: &commit,
        checks: &checks,
        default_timeout: instance.config.gate.timeout,
        env: BTreeMap::new(),
        confine: cells.as_ref().map(|cells| cells as &dyn Confine),
        keep: Some(&kept),
        require_progress: require_progress(instance, task, claim),
        progress_missing: text.as_deref().map(|t| missing(t, d.kind)),
        tests_may_change: d
            .tests_may_change
            .unwrap_or(instance.config.gate.tests_may_change),
        spares: Some(&instance.spares),
        rules: Rules {
            scope: d.scope.clone(),
            secrets_ignore: instance.config.gate.secrets_ignore.clone(),
            max_file_size: instance.config.gate.max_file_bytes,
            known: instance.redactor.clone(),
        },
        worker_entries: worker_entries(instance, task, claim, text.as_deref()),
        asked: asked(instance, task, claim, text.as_deref(), gallery.as_ref()),
    };
    let clock = instance.clock.clone();
    let report = Gate.run(&request, &move || clock.now()).await?;
    let report = redacted(instance, report);
    note(instance, task, &report);
    Ok(report)
}

fn missing(text: &str, kind: Kind) -> Vec<String> {
    progress::completeness(text, kind)
        .into_iter()
        .map(|s| s.title().to_owned())
        .collect()
}

/// What the task asks for besides its checks, with what its worker answers in the progress file.
fn asked<'a>(
    instance: &Instance,
    task: &'a Task,
    claim: &Claim,
    text: Option<&str>,
    gallery: Option<&'a Exhibits<'a>>,
) -> Asked<'a> {
    let (d, text) = (&task.definition, text.unwrap_or_default());
    let config = &instance.config.gate;
    let docs = d.docs_required.unwrap_or(config.require_docs);
    let without = match config.criteria {
        GateCriteria::Never => None,
        _ if require_progress(instance, task, claim) => Some(Without::Red),
        GateCriteria::Worker => Some(Without::Checks),
        GateCriteria::Always => Some(Without::Person),
    };
    Asked {
        criteria: without.map(|without| Criteria {
            list: &d.acceptance,
            answers: progress::answers(text),
            without,
        }),
        docs: docs.then(|| Docs {
            waiver: progress::docs_waiver(text),
        }),
        exhibits: &d.exhibits,
        gallery: gallery.map(|gallery| gallery as &dyn Gallery),
    }
}

/// A claim by hand and a plain command need not have written anything.
fn require_progress(instance: &Instance, task: &Task, claim: &Claim) -> bool {
    let attempt = task.history.tries.iter().rev().find(|t| t.n == claim.attempt);
    let plain = attempt.is_none_or(|t| instance.fleet.is_plain_command(&t.runtime));
    instance.config.gate.require_progress && claim.by_hand.is_none() && !plain
}

fn worker_entries(instance: &Instance, task: &Task, claim: &Claim, text: Option<&str>) -> u32 {
    let before = StartFacts::load(&instance.layout.attempt(&task.id, claim.epoch));
    let text = text.unwrap_or_default();
    let entries = progress::worker_entries(text)
        .len()
        .saturating_sub(before.worker_entries);
    // Who shows that a criterion holds has written something down.
    let shown = progress::answered(text).saturating_sub(before.answered);
    u32::try_from(entries + shown).unwrap_or(u32::MAX)
}

fn redacted(instance: &Instance, mut report: GateReport) -> GateReport {
    for receipt in &mut report.receipts {
        receipt.output_tail = instance.redactor.redact(&receipt.output_tail).into_owned();
    }
    report
}

/// The receipts, in the progress file's own words.
fn note(instance: &Instance, task: &Task, report: &GateReport) {
    let line = |category: Category| {
        let of: Vec<_> = report
            .receipts
            .iter()
            .filter(|r| r.category == category)
            .collect();
        let green = of.iter().filter(|r| r.verdict == CheckVerdict::Passed).count();
        format!("- {}: {green} of {} checks passed\n", category.as_str(), of.len())
    };
    let mut body = format!("Gate at commit {}:\n\n", report.commit);
    Category::ALL.into_iter().for_each(|c| body.push_str(&line(c)));
    let written = instance.files.log(&task.id, |text| {
        progress::set_section(text, Section::Tests, &body)
    });
    if let Err(error) = written {
        tracing::error!(task = %task.id, %error, "its progress file was not written");
    }
}
