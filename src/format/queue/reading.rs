//! The queue as the service takes it up: every task with what it asks for, and everything that is wrong.

use sha2::{Digest, Sha256};

use super::check::{Candidate, Known, cross_check, declared};
use super::document::Document;
use super::edit::StatusField;
use super::evidence;
use super::outline::{Place, Section};
use super::status::Status;
use crate::domain::definition::{Declared, Definition};
use crate::domain::id::TaskId;
use crate::format::diagnostic::Diagnostic;

/// What one reading of the file brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The tasks, in the order of the file; two with one id are both here, and neither is runnable.
    pub tasks: Vec<QueuedTask>,
    /// Everything that is wrong, in the order of the file.
    pub problems: Vec<Diagnostic>,
    /// Whether the whole file could be read. If not, a task that is missing was not deleted.
    pub whole: bool,
}

/// One task of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedTask {
    /// Its id.
    pub id: TaskId,
    /// Active or archived.
    pub place: Place,
    /// The heading that it stands under.
    pub under: Option<String>,
    /// Its status; `None` where it cannot be read. `blocked by` ids of tasks reads as pending, with those ids
    /// among the dependencies: it waits for tasks, not for a person.
    pub declared: Option<Declared>,
    /// What it asks for, with its job's defaults filled in and the job's prompt rendered.
    pub definition: Definition,
    /// See [`fingerprint`].
    pub hash: String,
    /// The heading's line, from 1.
    pub line: usize,
    /// Its own mistakes; they are in [`Reading::problems`] too.
    pub problems: Vec<Diagnostic>,
    /// Whether it is active and has no error.
    pub runnable: bool,
    /// Whether it bears a time that the orchestrator wrote: when its work began, or was completed.
    pub bears_times: bool,
}

/// Reads a queue file. `file` is the name that diagnostics bear.
pub fn read(file: &str, bytes: Vec<u8>, known: &Known) -> Reading {
    read_document(&Document::named(file, bytes), known)
}

/// Reads a queue file that is parsed already.
pub(super) fn read_document(document: &Document, known: &Known) -> Reading {
    let here: std::collections::HashSet<&TaskId> = document.sections().iter().map(|s| &s.id).collect();
    let is_task = |id: &TaskId| here.contains(id) || known.ids.contains(id);
    let (mut candidates, waits): (Vec<Candidate>, Vec<Vec<TaskId>>) = document
        .sections()
        .iter()
        .map(|section| candidate(document, section, &is_task))
        .unzip();
    let mut hashes = Vec::with_capacity(candidates.len());
    for (candidate, waits) in candidates.iter_mut().zip(waits) {
        fill(known, candidate);
        // The orchestrator replaces the status, so what only the status says is no part of the hash.
        hashes.push(fingerprint(&candidate.definition));
        let own = &mut candidate.definition.depends_on;
        waits.into_iter().for_each(|id| {
            if !own.contains(&id) {
                own.push(id)
            }
        });
    }
    cross_check(document, known, &mut candidates);
    let broken: std::collections::HashSet<TaskId> = document
        .problems()
        .iter()
        .filter(|p| p.is_error())
        .filter_map(|p| p.task.clone())
        .collect();
    let mut problems = document.problems().to_vec();
    problems.extend(candidates.iter().flat_map(|c| c.problems.iter().cloned()));
    problems.sort_by_key(|p| (p.line, p.column));
    let tasks = candidates
        .into_iter()
        .zip(hashes)
        .map(|(c, hash)| queued(c, hash, &broken))
        .collect();
    Reading {
        tasks,
        problems,
        whole: document.is_whole() && !is_blank(document.bytes()),
    }
}

/// A file that is being written, or was lost with the power, looks like this; nobody deletes tasks in this way.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}

fn candidate<'d>(
    document: &'d Document,
    section: &'d Section,
    is_task: &impl Fn(&TaskId) -> bool,
) -> (Candidate<'d>, Vec<TaskId>) {
    let (definition, mut problems) = document.definition(section);
    let status = declared(document, section);
    let (declared, waits) = match status {
        Ok(Status { blocked_by, .. }) if !blocked_by.is_empty() && blocked_by.iter().all(is_task) => {
            (Some(Declared::Pending), blocked_by)
        }
        Ok(status) => (Some(status.declared), Vec::new()),
        Err(problem) => {
            problems.push(*problem);
            (None, Vec::new())
        }
    };
    // An archived task is history: nothing in it is to be put right.
    if section.place == Place::Archived {
        problems.clear();
    }
    (
        Candidate {
            section,
            definition,
            declared,
            problems,
            held: false,
        },
        waits,
    )
}

fn fill(known: &Known, candidate: &mut Candidate) {
    if candidate.section.place != Place::Active {
        return;
    }
    let definition = &mut candidate.definition;
    let named = definition.job.clone();
    let job = known.jobs.as_ref().zip(named.as_ref());
    if let Some(job) = job.and_then(|(jobs, name)| jobs.ready.get(name))
        && let Err(mut problem) = job.fill(&candidate.section.id, definition)
    {
        problem.task = Some(candidate.section.id.clone());
        candidate.problems.push(*problem);
    }
    let offered = job.and_then(|(jobs, name)| jobs.ready.get(name));
    evidence::resolve(definition, offered.map_or(&[], |job| &job.exhibits));
    let agent = known.agents.as_ref().zip(definition.agent.as_ref());
    if let Some(agent) = agent.and_then(|(agents, name)| agents.ready.get(name)) {
        agent.fill(definition, known.tiers.as_deref());
    }
}

fn queued(candidate: Candidate, hash: String, broken: &std::collections::HashSet<TaskId>) -> QueuedTask {
    let section = candidate.section;
    let faulty =
        candidate.held || broken.contains(&section.id) || candidate.problems.iter().any(Diagnostic::is_error);
    QueuedTask {
        id: section.id.clone(),
        place: section.place,
        under: section.under.clone(),
        declared: candidate.declared,
        definition: candidate.definition,
        hash,
        line: section.line,
        problems: candidate.problems,
        runnable: section.place == Place::Active && !faulty,
        bears_times: bears_times(section),
    }
}

fn bears_times(section: &Section) -> bool {
    let times = [StatusField::Started.name(), StatusField::Completed.name()];
    let mut fields = section.fields.iter();
    fields.any(|field| times.contains(&field.name.as_str()) && !field.value.trim().is_empty())
}

/// A digest of what a task asks for: SHA-256, in hex, of the definition as canonical JSON.
///
/// Whether boxes are ticked is left out, and status fields are no part of a definition: neither a worker's ticks
/// nor the orchestrator's own writes are a change of what is asked.
pub fn fingerprint(definition: &Definition) -> String {
    let mut plain = definition.clone();
    plain
        .acceptance
        .iter_mut()
        .for_each(|criterion| criterion.checked = false);
    plain.context = plain.context.replace("[x]", "[ ]").replace("[X]", "[ ]");
    plain.description = plain.description.replace("[x]", "[ ]").replace("[X]", "[ ]");
    plain.prompt = None;
    let json = serde_json::to_vec(&plain).unwrap_or_default();
    let prompt = definition.prompt.as_deref().unwrap_or_default();
    let digest = Sha256::new().chain_update(json).chain_update(prompt).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
