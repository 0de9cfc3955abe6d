//! What a worker is given to read: its task and its gate reports, as files in a folder of its attempt.
//!
//! A contained worker reaches neither the store nor the queue, so the driver writes this down before it starts one.
//! Invariants: the folder is written before the worker runs and never read back by the orchestrator, so what a worker
//! does to it misleads that worker alone; secrets are taken out. Deliberately absent: the prompt (it lies beside).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::definition::Criterion;
use crate::domain::gate::{CheckSpec, CheckVerdict, GateReport, Receipt};
use crate::domain::id::TaskId;
use crate::domain::task::{Attempt, Task};
use crate::files::{FileError, atomic};
use crate::format::redact::Redactor;
use crate::runtime::process::file;

/// The task.
const TASK: &str = "task.json";
/// The runs of its gate.
const GATE: &str = "gate.json";
/// The digest of the attempt's token.
const TOKEN: &str = "token.sha256";
/// Reports of the gate that are handed over, the newest ones.
const REPORTS: usize = 5;

/// The task as its worker may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenTask {
    /// Its id.
    pub id: TaskId,
    /// The attempt's number.
    pub attempt: u32,
    /// The heading without the id.
    pub title: String,
    /// What to do.
    pub description: String,
    /// What must hold at the end.
    pub acceptance_criteria: Vec<Criterion>,
    /// Scripts that will be run on the commit.
    pub checks: Vec<GivenCheck>,
    /// What a reviewer will look at.
    pub review: Vec<String>,
    /// Everything else below the heading.
    pub context: String,
}

/// A check that will be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenCheck {
    /// Its name.
    pub name: String,
    /// The script.
    pub run: String,
}

/// One run of the gate over the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenReport {
    /// `passed`, `failed` or `needs-person`.
    pub verdict: String,
    /// The commit that was judged.
    pub commit: String,
    /// Its receipts.
    pub checks: Vec<GivenReceipt>,
}

/// What one check left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenReceipt {
    /// The check's name.
    pub name: String,
    /// What it speaks for.
    pub category: String,
    /// How it ended.
    pub verdict: CheckVerdict,
    /// The exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// The last of its output.
    pub output: String,
}

/// The folder of what a worker is given.
#[derive(Debug, Clone)]
pub struct Given(PathBuf);

impl Given {
    /// That of the attempt with this folder.
    pub fn of_attempt(dir: &Path) -> Self {
        Self(dir.join(file::GIVEN))
    }

    /// That of the worker whose prompt is this file.
    pub fn of_prompt_file(path: &Path) -> Self {
        Self::of_attempt(path.parent().unwrap_or(Path::new("")))
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.is_dir()
    }

    /// Writes all of it; `reports` are the oldest first.
    pub fn write(
        &self,
        task: &Task,
        attempt: &Attempt,
        reports: &[GateReport],
        fingerprint: &str,
        redactor: &Redactor,
    ) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let newest = &reports[reports.len().saturating_sub(REPORTS)..];
        let reports: Vec<GivenReport> = newest.iter().map(GivenReport::from).collect();
        self.put(TASK, &redactor.redact(&json(&given_task(task, attempt))?))?;
        self.put(GATE, &redactor.redact(&json(&reports)?))?;
        self.put(TOKEN, fingerprint)
    }

    /// The task.
    pub fn task(&self) -> io::Result<GivenTask> {
        self.read(TASK)
    }

    /// The runs of its gate, the oldest first.
    pub fn reports(&self) -> io::Result<Vec<GivenReport>> {
        self.read(GATE)
    }

    /// The digest of the attempt's token.
    pub fn fingerprint(&self) -> io::Result<String> {
        std::fs::read_to_string(self.0.join(TOKEN)).map(|text| text.trim().to_owned())
    }

    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.0.join(name);
        atomic::write(&path, text.as_bytes())
            .map_err(|fault: FileError| io::Error::other(fault.to_string()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        let bytes = std::fs::read(self.0.join(name))?;
        serde_json::from_slice(&bytes).map_err(io::Error::from)
    }
}

fn json(value: &impl Serialize) -> io::Result<String> {
    serde_json::to_string_pretty(value).map_err(io::Error::from)
}

fn given_task(task: &Task, attempt: &Attempt) -> GivenTask {
    let d = &task.definition;
    let check = |c: &CheckSpec| GivenCheck {
        name: c.name.clone(),
        run: c.run.clone(),
    };
    GivenTask {
        id: task.id.clone(),
        attempt: attempt.n,
        title: d.title.clone(),
        description: d.description.clone(),
        acceptance_criteria: d.acceptance.clone(),
        checks: d.checks.iter().map(check).collect(),
        review: d.review.clone(),
        context: d.context.clone(),
    }
}

impl From<&GateReport> for GivenReport {
    fn from(report: &GateReport) -> Self {
        Self {
            verdict: report.verdict().as_str().to_owned(),
            commit: report.commit.clone(),
            checks: report.receipts.iter().map(GivenReceipt::from).collect(),
        }
    }
}

impl From<&Receipt> for GivenReceipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            name: receipt.name.clone(),
            category: receipt.category.as_str().to_owned(),
            verdict: receipt.verdict,
            exit_code: receipt.exit_code,
            duration_s: receipt.duration.as_secs_f64(),
            output: receipt.output_tail.clone(),
        }
    }
}
