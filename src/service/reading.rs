//! Reading the queue file with everything that it refers to: jobs, agents, tiers, runtimes, tasks that left the file.

use std::collections::{BTreeSet, HashSet};

use super::attachments;
use super::instance::Instance;
use crate::domain::id::TaskId;
use crate::files::folder::{self, Listing};
use crate::files::{FileError, Identity};
use crate::format::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::format::job::Jobs;
use crate::format::queue::{Known, Place, Reading, read};
use crate::store::StoreError;

/// The name that diagnostics of the queue bear.
pub const QUEUE: &str = "PROACTIVE-JOBS.md";

/// What tells one state of the files from another, at the cost of a few `stat`s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    queue: Option<Identity>,
    jobs: Listing,
    agents: Listing,
}

impl Print {
    /// Of the files as they are now.
    pub fn take(instance: &Instance) -> Self {
        Self {
            queue: instance.files.queue.identity().ok(),
            jobs: folder::listing(&instance.layout.jobs(), "md"),
            agents: folder::listing(&instance.layout.agents(), "md"),
        }
    }

    /// Whether only the queue file may have changed.
    pub fn same_besides_queue(&self, other: &Self) -> bool {
        self.jobs == other.jobs && self.agents == other.agents
    }
}

/// A reading with its source, for showing mistakes in their place.
pub struct Loaded {
    /// What the file asks for.
    pub reading: Reading,
    /// The file as it was.
    pub bytes: Vec<u8>,
}

/// Reads the queue file and the jobs.
pub async fn load(instance: &Instance) -> Result<Result<Loaded, FileError>, StoreError> {
    let bytes = match instance.files.queue.read() {
        Ok(snapshot) => snapshot.bytes,
        Err(error) => return Ok(Err(error)),
    };
    let (mut known, problems) = known(instance);
    let mut reading = read(QUEUE, bytes.clone(), &known);
    known.ids = elsewhere(instance, &reading).await?;
    known.missing = attachments::missing(instance, &reading);
    if !known.ids.is_empty() || !known.missing.is_empty() {
        reading = read(QUEUE, bytes.clone(), &known);
    }
    reading.problems.extend(problems);
    Ok(Ok(Loaded { reading, bytes }))
}

/// What the file may refer to.
pub fn known(instance: &Instance) -> (Known, Vec<Diagnostic>) {
    let (jobs, problems) = jobs(instance);
    let agents = folder::listing(&instance.layout.agents(), "md");
    let known = Known {
        tiers: Some(instance.config.tiers.iter().map(|t| t.name.clone()).collect()),
        jobs: Some(jobs),
        agents: Some(agents.stems().map(str::to_owned).collect::<BTreeSet<_>>()),
        runtimes: Some(instance.config.runtimes.keys().cloned().collect()),
        ids: HashSet::new(),
        missing: BTreeSet::new(),
    };
    (known, problems)
}

/// The definitions in jobs/, and their mistakes.
fn jobs(instance: &Instance) -> (Jobs, Vec<Diagnostic>) {
    let mut jobs = Jobs::default();
    let mut problems = Vec::new();
    let (contents, faults) = folder::contents(&instance.layout.jobs(), "md");
    for (name, bytes) in contents {
        problems.extend(jobs.add(&name, &format!("jobs/{name}.md"), &bytes));
    }
    problems.extend(faults.iter().map(|fault| unreadable(instance, fault)));
    (jobs, problems)
}

/// A file that cannot be read; its cure is in its own words.
fn unreadable(instance: &Instance, fault: &FileError) -> Diagnostic {
    let path = fault.path();
    let file = path.strip_prefix(instance.layout.root()).unwrap_or(path);
    Diagnostic {
        file: file.display().to_string(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        code: Code::UnreadableFile,
        message: fault.to_string(),
        help: String::new(),
        span: Span::default(),
        task: None,
    }
}

/// Tasks that others depend on and that are not in the file, but in the store.
async fn elsewhere(instance: &Instance, reading: &Reading) -> Result<HashSet<TaskId>, StoreError> {
    let here: HashSet<&TaskId> = reading.tasks.iter().map(|t| &t.id).collect();
    let named = reading
        .tasks
        .iter()
        .filter(|t| t.place == Place::Active)
        .flat_map(|t| &t.definition.depends_on);
    let absent: Vec<TaskId> = named.filter(|id| !here.contains(id)).cloned().collect();
    if absent.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(instance
        .store
        .dependency_states(&absent)
        .await?
        .into_keys()
        .collect())
}
