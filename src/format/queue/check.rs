//! What is wrong between tasks, and with names that only the rest of the instance knows.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::cycle::cycles;
use super::document::Document;
use super::evidence;
use super::field::FieldKind;
use super::heading::Mark;
use super::outline::{Place, Section};
use super::status::{self, parse_status};
use crate::domain::definition::{Declared, Definition};
use crate::domain::id::TaskId;
use crate::domain::tier::TierName;
use crate::format::agent::Agents;
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::job::Jobs;
use crate::format::text::shown;

/// What else there is, besides the file. `None` means: not known here, so it is not checked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The tiers, cheapest first.
    pub tiers: Option<Vec<TierName>>,
    /// The jobs.
    pub jobs: Option<Jobs>,
    /// The agents.
    pub agents: Option<Agents>,
    /// The names of the configured runtimes.
    pub runtimes: Option<BTreeSet<String>>,
    /// Tasks that are not in the file any more, but in the store or the archive.
    pub ids: HashSet<TaskId>,
    /// Attachments of tasks, as they are written, of which it is known that they are not there.
    pub missing: BTreeSet<(TaskId, String)>,
}

/// All mistakes of a file: as a text, in each task, and between tasks; in the order of the file.
pub fn check(document: &Document, known: &Known) -> Vec<Diagnostic> {
    super::reading::read_document(document, known).problems
}

/// A section with what it asks for.
pub(super) struct Candidate<'d> {
    pub(super) section: &'d Section,
    pub(super) definition: Definition,
    pub(super) declared: Option<Declared>,
    /// Its own mistakes.
    pub(super) problems: Vec<Diagnostic>,
    /// Held up by an error that is reported elsewhere.
    pub(super) held: bool,
}

/// Checks the candidates against each other and against what is known.
pub(super) fn cross_check(document: &Document, known: &Known, candidates: &mut [Candidate]) {
    duplicates(document, candidates);
    dependencies(document, known, candidates);
    circles(document, candidates);
    for candidate in candidates.iter_mut().filter(|c| c.section.place == Place::Active) {
        names(document, known, candidate);
        attachments(document, known, candidate);
        mark(document, candidate);
    }
}

/// The status of a section, and the complaint about one that cannot be read.
pub(super) fn declared(document: &Document, section: &Section) -> Result<super::Status, Box<Diagnostic>> {
    let pending = super::Status {
        declared: Declared::Pending,
        blocked_by: Vec::new(),
    };
    let Some(field) = section.fields.iter().find(|f| f.kind == FieldKind::Status) else {
        return Ok(pending);
    };
    let text = field.text(document.bytes());
    parse_status(&text).ok_or_else(|| {
        let message = format!("the status '{}' cannot be read", shown(&text));
        let mut found = document.diagnostic(
            field.span.clone(),
            Severity::Error,
            Code::UnreadableStatus,
            message,
            status::HELP,
        );
        found.task = Some(section.id.clone());
        Box::new(found)
    })
}

impl Candidate<'_> {
    fn complain(
        &mut self,
        document: &Document,
        at: FieldKind,
        severity: Severity,
        code: Code,
        message: String,
        help: &str,
    ) {
        let field = self.section.fields.iter().find(|f| f.kind == at);
        let span = field.map_or(self.section.heading.clone(), |f| f.span.clone());
        let mut found = document.diagnostic(span, severity, code, message, help);
        found.task = Some(self.section.id.clone());
        self.problems.push(found);
    }

    fn error(&mut self, document: &Document, at: FieldKind, code: Code, message: String, help: &str) {
        self.complain(document, at, Severity::Error, code, message, help);
    }
}

fn duplicates(document: &Document, candidates: &mut [Candidate]) {
    let mut by_id: HashMap<TaskId, Vec<usize>> = HashMap::new();
    for (n, candidate) in candidates.iter().enumerate() {
        by_id.entry(candidate.section.id.clone()).or_default().push(n);
    }
    for same in by_id.into_values().filter(|same| same.len() > 1) {
        let lines: Vec<usize> = same.iter().map(|n| candidates[*n].section.line).collect();
        for (at, n) in same.iter().enumerate() {
            // Each names one other, so that many doubles make no message of many lines.
            let other = lines[usize::from(at == 0)];
            let other = if at == 0 { other } else { lines[0] };
            let message = format!(
                "the id '{}' stands in line {other} too; neither runs",
                candidates[*n].section.id
            );
            let help = "give one of them another id, or remove it";
            candidates[*n].heading_error(document, Code::DuplicateId, message, help);
        }
    }
}

impl Candidate<'_> {
    fn heading_error(&mut self, document: &Document, code: Code, message: String, help: &str) {
        let mut found =
            document.diagnostic(self.section.heading.clone(), Severity::Error, code, message, help);
        found.task = Some(self.section.id.clone());
        self.problems.push(found);
    }
}

fn dependencies(document: &Document, known: &Known, candidates: &mut [Candidate]) {
    let here: HashSet<TaskId> = candidates.iter().map(|c| c.section.id.clone()).collect();
    let exists = |id: &TaskId| here.contains(id) || known.ids.contains(id);
    for candidate in candidates.iter_mut().filter(|c| c.section.place == Place::Active) {
        let missing: Vec<TaskId> = candidate
            .definition
            .depends_on
            .iter()
            .filter(|id| !exists(id))
            .cloned()
            .collect();
        for id in missing {
            let message = format!(
                "'{id}' is no task in this file or its archive{}",
                nearest(&id, &here)
            );
            let help = "correct the id, add the task, or remove it from Depends On";
            candidate.error(
                document,
                FieldKind::DependsOn,
                Code::UnknownDependency,
                message,
                help,
            );
        }
        if let Some(parent) = candidate.definition.parent.clone().filter(|id| !exists(id)) {
            let message = format!(
                "the parent '{parent}' is no task in this file or its archive{}",
                nearest(&parent, &here)
            );
            let help = "correct the id, or remove Parent";
            candidate.complain(
                document,
                FieldKind::Parent,
                Severity::Warning,
                Code::UnknownParent,
                message,
                help,
            );
        }
    }
}

fn nearest(id: &TaskId, here: &HashSet<TaskId>) -> String {
    // Looking at all of very many names for each of very many mistakes would take too long.
    let names = here.iter().take(1000).map(TaskId::as_str);
    match best(id.as_str(), names) {
        Some(name) => format!(" (did you mean '{name}'?)"),
        None => String::new(),
    }
}

/// The most similar of some names, if one is similar enough to be meant.
pub(in crate::format) fn best<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names
        .map(|name| (strsim::jaro_winkler(text, name), name))
        .filter(|(score, _)| *score > 0.85);
    scored
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

fn circles(document: &Document, candidates: &mut [Candidate]) {
    let waits = |c: &Candidate| c.section.place == Place::Active;
    let mut at: HashMap<TaskId, usize> = HashMap::new();
    for (n, candidate) in candidates.iter().enumerate().filter(|(_, c)| waits(c)) {
        at.entry(candidate.section.id.clone()).or_insert(n);
    }
    let targets = |c: &Candidate| {
        c.definition
            .depends_on
            .iter()
            .filter_map(|id| at.get(id).copied())
            .collect()
    };
    let mut edges: Vec<Vec<usize>> = candidates
        .iter()
        .map(|c| if waits(c) { targets(c) } else { Vec::new() })
        .collect();
    // A parent waits for its sub-tasks.
    for (n, child) in candidates.iter().enumerate().filter(|(_, c)| waits(c)) {
        if let Some(parent) = child.definition.parent.as_ref().and_then(|id| at.get(id)) {
            edges[*parent].push(n);
        }
    }
    for cycle in cycles(&edges) {
        let names: Vec<&str> = cycle
            .path
            .iter()
            .chain(&cycle.path[..1])
            .map(|n| candidates[*n].section.id.as_str())
            .collect();
        let shown = if names.len() > 12 {
            [&names[..11], &["..."]].concat()
        } else {
            names
        };
        let message = format!(
            "these tasks wait for each other in a circle: {}",
            shown.join(" -> ")
        );
        cycle.members.iter().for_each(|n| candidates[*n].held = true);
        let help = "remove one of these ids from a Depends On or a Parent; a task waits for its sub-tasks";
        candidates[cycle.members[0]].error(
            document,
            FieldKind::DependsOn,
            Code::DependencyCycle,
            message,
            help,
        );
    }
}

fn names(document: &Document, known: &Known, candidate: &mut Candidate) {
    tiers(document, known, candidate);
    if let (Some(jobs), Some(job)) = (&known.jobs, candidate.definition.job.clone())
        && !jobs.ready.contains_key(&job)
    {
        let message = match jobs.broken.contains(&job) {
            true => format!("the job '{job}' has errors"),
            false => format!("there is no job '{job}'"),
        };
        let help = format!(
            "{}look at jobs/{job}.md",
            hint(&job, jobs.ready.keys().map(String::as_str))
        );
        candidate.error(document, FieldKind::Job, Code::UnknownJob, message, &help);
    }
    agent(document, known, candidate);
    runtimes(document, known, candidate);
    unknown_evidence(document, known, candidate);
}

/// Where jobs are not known here, the names of their evidence are not either.
fn unknown_evidence(document: &Document, known: &Known, candidate: &mut Candidate) {
    if candidate.definition.job.is_some() && known.jobs.is_none() {
        return;
    }
    for entry in evidence::unknown(&candidate.definition) {
        let message = format!(
            "'{}' is no evidence of the task's job, and no pattern of files",
            shown(&entry)
        );
        let help = "name what the job lists under evidence:, or write a path such as shots/*.png";
        candidate.error(
            document,
            FieldKind::Evidence,
            Code::UnknownEvidence,
            message,
            help,
        );
    }
}

fn attachments(document: &Document, known: &Known, candidate: &mut Candidate) {
    let id = candidate.section.id.clone();
    for path in candidate.definition.attachments.clone() {
        if !known.missing.contains(&(id.clone(), path.clone())) {
            continue;
        }
        let message = format!("there is no file '{}'", shown(&path));
        candidate.complain(
            document,
            FieldKind::Attachments,
            Severity::Warning,
            Code::MissingAttachment,
            message,
            "name files that are in the workspace, below the instance, or by their full path",
        );
    }
}

fn agent(document: &Document, known: &Known, candidate: &mut Candidate) {
    let (Some(agents), Some(name)) = (&known.agents, candidate.definition.agent.clone()) else {
        return;
    };
    if agents.ready.contains_key(&name) {
        return;
    }
    let (message, help) = match agents.broken.contains(&name) {
        true => (
            format!("the agent '{name}' has errors"),
            format!("look at agents/{name}.md"),
        ),
        false => {
            let near = hint(&name, agents.ready.keys().map(String::as_str));
            let message = format!("there is no agent '{}'", shown(&name));
            (message, format!("{near}the names are in agents/"))
        }
    };
    candidate.error(document, FieldKind::Agent, Code::UnknownAgent, message, &help);
}

fn runtimes(document: &Document, known: &Known, candidate: &mut Candidate) {
    let Some(set) = &known.runtimes else { return };
    let own = candidate
        .definition
        .runtime
        .clone()
        .map(|name| (name, FieldKind::Runtime));
    let of_agent = candidate.definition.runtimes.clone().into_iter();
    let wanted = own
        .into_iter()
        .chain(of_agent.map(|name| (name, FieldKind::Agent)));
    for (name, at) in wanted.filter(|(name, _)| !set.contains(name)) {
        let message = format!("there is no runtime '{}'", shown(&name));
        let help = format!(
            "{}the names are in [runtimes] of orchestrator.toml",
            hint(&name, set.iter().map(String::as_str))
        );
        candidate.error(document, at, Code::UnknownRuntime, message, &help);
    }
}

fn hint<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    best(name, names).map_or_else(String::new, |best| format!("did you mean '{best}'? "))
}

fn tiers(document: &Document, known: &Known, candidate: &mut Candidate) {
    let Some(tiers) = &known.tiers else { return };
    let wanted = [
        (candidate.definition.min_tier.clone(), FieldKind::MinModel),
        (candidate.definition.max_tier.clone(), FieldKind::MaxModel),
    ];
    let mut places = Vec::new();
    for (tier, at) in wanted {
        let Some(tier) = tier else { continue };
        match tiers.iter().position(|t| *t == tier) {
            Some(n) => places.push(n),
            None => {
                let all: Vec<&str> = tiers.iter().map(TierName::as_str).collect();
                let message = format!("there is no tier '{}'", shown(tier.as_str()));
                let help = format!("the tiers are: {}", all.join(", "));
                candidate.error(document, at, Code::UnknownTier, message, &help);
            }
        }
    }
    if matches!(places[..], [low, high] if low > high) {
        let message = "Min Model is above Max Model, so no tier may try it".to_owned();
        candidate.error(
            document,
            FieldKind::MaxModel,
            Code::TierRange,
            message,
            "raise Max Model or lower Min Model",
        );
    }
}

fn mark(document: &Document, candidate: &mut Candidate) {
    let sign = match (candidate.section.mark, candidate.declared) {
        (Some(Mark::Done), Some(Declared::Pending)) => "done",
        (Some(Mark::Dropped), Some(Declared::Pending)) => "dropped",
        _ => return,
    };
    let message = format!("the mark in the heading says {sign}, but the status says pending, which counts");
    let help = "set the Status to completed or cancelled, or remove the mark";
    candidate.complain(
        document,
        FieldKind::Status,
        Severity::Warning,
        Code::MarkContradictsStatus,
        message,
        help,
    );
}
