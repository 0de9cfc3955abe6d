//! Starting a worker: its workspace, its prompt, its brief, its process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tokio::sync::SemaphorePermit;
use tokio::sync::watch::Receiver;

use super::super::attachments::{self, AttachmentError};
use super::super::engine::Wish;
use super::super::given::Given;
use super::super::prompt::{Material, prompt};
use super::super::token;
use super::children::Child;
use super::{Drive, NotStarted, StartFacts, out_of_touch, stopped_first};
use crate::config::Config;
use crate::config::GateCriteria;
use crate::domain::event::StartFault;
use crate::domain::gate::Verdict;
use crate::domain::task::StartKind;
use crate::domain::tool::Tool;
use crate::format::agent::{self, Agent};
use crate::format::progress;
use crate::gate;
use crate::gate::select;
use crate::runtime::process::{self, Limits, Spec, file};
use crate::runtime::{Brief, Launch};
use crate::workspace::{Tracking, Workspace};

/// Not every client reads these by itself: Claude Code does not when the settings of a repository are not trusted.
const GUIDES: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];

/// The agent that has a turn before a person must look.
pub(in crate::service) const MEDIC: &str = "medic";
/// The agent that has a turn where work and base conflict.
const MERGER: &str = "merger";

impl Drive<'_> {
    pub(super) async fn start(&self, wishes: &Receiver<Wish>) -> Result<process::Running, NotStarted> {
        let _turn = self.turn(wishes.clone()).await?;
        let workspace = self.prepare_workspace().await?;
        // Before the start is marked: what sub-tasks did is no work of this attempt.
        let children = self.children(&workspace).await;
        self.take_over_progress().await;
        let (worker_entries, answered) = self.prepare_progress().map_err(workspace_fault)?;
        let commit = workspace.head().await.map_err(workspace_fault)?;
        let (session_cost_usd, session_tokens) = self.session_before().await;
        let mut facts = StartFacts {
            claimed_at: Some(self.attempt.started_at),
            commit,
            worker_entries,
            answered,
            session_cost_usd,
            session_tokens,
            contained: None,
        };
        self.lay_desk()
            .and_then(|()| facts.save(&self.dir))
            .map_err(workspace_fault)?;
        self.remove_old_heartbeat();
        let attachments = self.attachments(&workspace).map_err(workspace_fault)?;
        let prompt = self.prompt(&workspace, &attachments, &children).await;
        let token = self.hand_over().await.map_err(workspace_fault)?;
        let brief = Brief {
            attachments,
            token,
            mcp: vec![self.instance.exe.clone().into(), "mcp".into()],
            ..self.brief(workspace.root.clone(), prompt, &facts)
        };
        let elsewhere = children.into_iter().filter_map(|child| child.elsewhere);
        let (launch, probed) = self
            .contain(&brief, &workspace, elsewhere.collect(), self.launch(&brief))
            .await?;
        if probed.is_some() {
            facts.contained = probed;
            facts.save(&self.dir).map_err(workspace_fault)?;
        }
        // With the lease as it is now: what is started later than that allows is refused by the supervisor.
        let spec = self.spec(&brief, launch);
        // A workspace can take its time; meanwhile somebody may have changed their mind.
        if matches!(*wishes.borrow(), Wish::Stop { .. }) {
            return Err(stopped_first());
        }
        if !self.instance.may_start(self.term) {
            return Err(out_of_touch());
        }
        let running = process::start(&self.instance.exe, &spec)
            .await
            .map_err(runtime_fault)?;
        // While it works there is time to lay out what its gate will need.
        self.instance.spares.lay_soon(&workspace);
        Ok(running)
    }

    /// A turn to start; whoever is to be stopped meanwhile waits for none.
    async fn turn(&self, mut wishes: Receiver<Wish>) -> Result<SemaphorePermit<'_>, NotStarted> {
        tokio::select! {
            turn = self.instance.start_turns.acquire() => turn.map_err(|_closed| stopped_first()),
            Ok(_) = wishes.wait_for(|wish| matches!(wish, Wish::Stop { .. })) => Err(stopped_first()),
        }
    }

    async fn prepare_workspace(&self) -> Result<Workspace, NotStarted> {
        let d = &self.task.definition;
        let workspaces = &self.instance.workspaces;
        workspaces
            .prepare(&self.task.id, d.workspace.as_deref(), &d.title, &d.depends_on)
            .await
            .map_err(workspace_fault)
    }

    /// Whether evidence is asked for of the acceptance criteria that there are.
    fn asks_for_criteria(&self) -> bool {
        self.instance.config.gate.criteria != GateCriteria::Never
            && !self.task.definition.acceptance.is_empty()
    }

    /// Makes sure that the progress file has its sections, and counts what workers have written into it so far:
    /// entries of the work log, and criteria with evidence.
    fn prepare_progress(&self) -> Result<(usize, usize), crate::files::FileError> {
        let (id, d) = (&self.task.id, &self.task.definition);
        self.instance.files.log(id, |text| match text {
            "" => progress::create(id, &d.title, d.kind),
            text => progress::ensure(text, d.kind),
        })?;
        if self.asks_for_criteria() {
            self.instance
                .files
                .log(id, |text| progress::with_criteria(text, &d.acceptance))?;
        }
        let text = self.instance.files.progress_text(id).unwrap_or_default();
        Ok((progress::worker_entries(&text).len(), progress::answered(&text)))
    }

    async fn session_before(&self) -> (Option<f64>, Option<(u64, u64)>) {
        let Some(session) = &self.attempt.session else {
            return (None, None);
        };
        let Ok(earlier) = self.instance.store.attempts(&self.task.id).await else {
            return (None, None);
        };
        let same = earlier
            .iter()
            .filter_map(|a| a.report.as_ref())
            .filter(|r| r.session.as_ref() == Some(session));
        let (mut cost, mut tokens) = (None, None);
        for report in same {
            cost = report.cost_usd.map(|c| cost.unwrap_or(0.0) + c).or(cost);
            let (read, written) = tokens.unwrap_or((0, 0));
            tokens = report
                .input_tokens
                .zip(report.output_tokens)
                .map(|(i, o)| (read + i, written + o))
                .or(tokens);
        }
        (cost, tokens)
    }

    /// A heartbeat of an earlier attempt must not speak for this one.
    fn remove_old_heartbeat(&self) {
        if let Err(error) = self.instance.files.heartbeats.remove(&self.task.id) {
            tracing::warn!(task = %self.task.id, %error, "an old heartbeat file stays");
        }
    }

    fn attachments(&self, workspace: &Workspace) -> Result<Vec<PathBuf>, AttachmentError> {
        let desk = self.dir.join(file::DESK);
        attachments::gather(self.instance, self.task, &workspace.root, &desk)
    }

    async fn prompt(&self, workspace: &Workspace, attachments: &[PathBuf], children: &[Child]) -> String {
        let layout = &self.instance.layout;
        let d = &self.task.definition;
        let material = Material {
            agent: self.agent_file().map(|agent| agent.personality),
            progress: self.progress_cleaned(),
            gate_feedback: self.gate_feedback().await,
            memory: read(layout.project_memory(&d.project)),
            may_spawn: self.may_spawn().await,
            children: children.iter().map(|child| child.line.clone()).collect(),
            branch: Some(workspace.branch.clone()),
            guides: GUIDES
                .into_iter()
                .filter(|name| workspace.root.join(name).is_file())
                .collect(),
            attachments: attachments
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            progress_file: self.progress_path().display().to_string(),
            asks_for_criteria: self.asks_for_criteria(),
            checks: select(&d.checks, &[], &self.instance.config.gate.checks, Vec::new())
                .into_iter()
                .map(|check| check.name)
                .collect(),
            asks_for_docs: d.docs_required.unwrap_or(self.instance.config.gate.require_docs),
            history_is_read_only: self.is_contained() && !matches!(workspace.tracking, Tracking::Own { .. }),
            outcome_file: self.outcome_path().display().to_string(),
        };
        prompt(self.task, self.attempt, &material)
    }

    /// Writes down what the worker may read of its task and its gate, and makes the token that it shows for that.
    async fn hand_over(&self) -> std::io::Result<String> {
        let (instance, attempt) = (self.instance, self.attempt);
        let token = instance
            .tokens
            .of(&self.task.id, attempt.epoch, attempt.started_at)?;
        let gates = instance.store.gates(&self.task.id).await;
        let gates = gates.map_err(std::io::Error::other)?.into_iter();
        let reports: Vec<_> = gates.map(|run| run.record.report).collect();
        let known = token::fingerprint(&token);
        Given::of_attempt(&self.dir).write(self.task, attempt, &reports, &known, &self.redactor)?;
        Ok(token)
    }

    /// What earlier workers wrote goes to a provider: without secrets.
    fn progress_cleaned(&self) -> Option<String> {
        let text = self.instance.files.progress_text(&self.task.id)?;
        Some(self.redactor.redact(&text).into_owned())
    }

    /// The agent of the attempt: medic and merger have a turn at other agents' tasks.
    fn agent_file(&self) -> Option<Agent> {
        let name = match self.attempt.start {
            StartKind::Medic => MEDIC,
            StartKind::Merge => MERGER,
            _ => self.task.definition.agent.as_deref()?,
        };
        let text = read(self.instance.layout.agent(name))?;
        agent::parse(name, name, text.as_bytes()).0
    }

    fn agent_tools(&self) -> Option<Vec<Tool>> {
        match self.attempt.start {
            StartKind::Medic | StartKind::Merge => self.agent_file().and_then(|agent| agent.tools),
            _ => self.task.definition.tools.clone(),
        }
    }

    /// What the runtime is told; a reader of the worker's output needs neither prompt nor workspace, token nor tools.
    pub(super) fn brief(&self, workspace: PathBuf, prompt: String, facts: &StartFacts) -> Brief {
        let d = &self.task.definition;
        let tier = self.instance.policy.tier(&self.attempt.route.tier);
        Brief {
            task: self.task.id.clone(),
            attempt: self.attempt.n,
            epoch: self.attempt.epoch,
            tier: self.attempt.route.tier.clone(),
            model: self.attempt.route.model.clone(),
            workspace,
            attempt_dir: self.dir.clone(),
            prompt,
            heartbeat_file: self.heartbeat_path(),
            progress_file: self.progress_path(),
            outcome_file: self.outcome_path(),
            token: String::new(),
            url: None,
            timeout: d
                .timeout
                .or(tier.map(|t| t.timeout))
                .unwrap_or(std::time::Duration::from_secs(1800)),
            session: self.attempt.session.clone(),
            session_cost_usd_before: facts.session_cost_usd,
            session_tokens_before: facts.session_tokens,
            budget_usd: self.budget_left(tier.and_then(|t| t.budget_usd)),
            max_turns: None,
            attachments: Vec::new(),
            mcp: Vec::new(),
            contained: self.is_contained(),
            tools: self.agent_tools(),
            inherited: self.instance.environment.clone(),
        }
    }

    /// Where the worker may say how it ended.
    pub(super) fn outcome_path(&self) -> PathBuf {
        self.dir.join(file::DESK).join(file::OUTCOME)
    }

    /// The smaller of what the tier allows an attempt and what the task has left.
    pub(super) fn budget_left(&self, of_tier: Option<f64>) -> Option<f64> {
        let left = self
            .task
            .definition
            .budget_usd
            .map(|b| (b - self.task.history.cost_usd()).max(0.0));
        match (left, of_tier) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    async fn gate_feedback(&self) -> Option<String> {
        let latest = self
            .instance
            .store
            .latest_gate(&self.task.id)
            .await
            .ok()
            .flatten()?;
        let refused = latest.record.verdict != Verdict::Passed;
        let feedback = refused.then(|| gate::feedback(&latest.record.report));
        feedback.filter(|text| !text.is_empty())
    }

    fn launch(&self, brief: &Brief) -> Launch {
        let mut launch = self.runtime.launch(brief);
        lend_path(&self.instance.exe, &mut launch.env);
        launch
    }

    fn spec(&self, brief: &Brief, launch: Launch) -> Spec {
        let limits = limits(&self.instance.config);
        Spec {
            grace: self.instance.policy.kill_grace,
            lease: Some(self.instance.lease_terms()),
            ..Spec::new(brief, launch, limits)
        }
    }
}

/// What a worker or a reviewer may use.
pub(in crate::service) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        output_bytes: limits.output_bytes,
        output_rate: limits.output_rate,
        memory_bytes: limits.memory_bytes,
        processes: Some(u64::from(limits.processes.get())),
        disk_bytes: limits.disk_bytes,
        file_bytes: limits.file_bytes,
    }
}

/// A worker's `orchestrator agent …` must be this very program, wherever it is installed.
pub(in crate::service) fn lend_path(exe: &Path, env: &mut BTreeMap<OsString, OsString>) {
    let Some(ours) = exe.parent() else {
        return;
    };
    let theirs = env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let paths = std::env::split_paths(&theirs).chain(std::iter::once(ours.to_owned()));
    if let Ok(path) = std::env::join_paths(paths) {
        env.insert("PATH".into(), path);
    }
}

fn read(path: Option<std::path::PathBuf>) -> Option<String> {
    std::fs::read_to_string(path?).ok()
}

pub(super) fn workspace_fault(error: impl std::fmt::Display) -> NotStarted {
    NotStarted {
        fault: StartFault::Workspace,
        reason: error.to_string(),
    }
}

fn runtime_fault(error: impl std::fmt::Display) -> NotStarted {
    NotStarted {
        fault: StartFault::Runtime,
        reason: error.to_string(),
    }
}
