//! `[gate]`: what must hold before any task is archived.

use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::setting::{Bytes, words};
use crate::domain::gate::{Category, CheckSource, CheckSpec};
use crate::domain::glob;
use crate::format::hosts::HostRule;

/// `[gate]`.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Checks for every task, besides its own and its job's.
    pub checks: Vec<CheckSpec>,
    /// Whether a worker must bring an entry of its own in the progress file's work log.
    pub require_progress: bool,
    /// Of whom evidence is asked for each acceptance criterion.
    pub criteria: Criteria,
    /// Whether the documentation must change with the work, or be waived with a reason.
    pub require_docs: bool,
    /// Whether a task must be planned before its first attempt.
    pub plan: PlanGate,
    /// Whether every task may change tests and checks without a person's word.
    pub tests_may_change: bool,
    /// The largest file that work may add or change, in bytes.
    pub max_file_bytes: u64,
    /// Patterns of files that are not looked through for secrets.
    pub secrets_ignore: Vec<String>,
    /// The most time a check may take that does not say it itself.
    pub timeout: Duration,
    /// What checks run in.
    pub containment: Containment,
    /// Hosts that checks may reach, besides those of `containment.network`.
    pub network: Vec<HostRule>,
}

/// What checks run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// In nothing: they can do whatever this user can.
    None,
    /// In a sandbox of their own, by the kernel of this machine.
    Sandbox,
}

/// Of whom evidence is asked for each acceptance criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criteria {
    /// Of workers that can write it; what a plain command or a claim by hand leaves open rests on the checks.
    Worker,
    /// Of everybody: what a plain command or a claim by hand leaves open needs a person's word.
    Always,
    /// Of nobody.
    Never,
}

words!(Criteria { "worker" => Worker, "always" => Always, "never" => Never });

/// Whether a task must be planned before its first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanGate {
    /// Only where its job says so.
    Off,
    /// Unless its job says otherwise.
    On,
}

words!(PlanGate { "off" => Off, "on" => On });

words!(Containment { "none" => None, "sandbox" => Sandbox });

words!(Category {
    "build" => Build,
    "functionality" => Functionality,
    "dependencies" => Dependencies,
    "integration" => Integration,
    "documentation" => Documentation,
});

/// What is not written down did not happen.
fn require_progress() -> bool {
    true
}

/// What must hold at the end is shown by whoever did it.
fn criteria() -> Criteria {
    Criteria::Worker
}

/// Not every change has a word for users.
fn require_docs() -> bool {
    false
}

/// A line is enough to begin with.
fn plan() -> PlanGate {
    PlanGate::Off
}

/// What judges the work is not the worker's to change.
fn tests_may_change() -> bool {
    false
}

/// More than any honest source, less than a dump, an archive or a binary.
fn max_file_size() -> Bytes {
    Bytes(5_000_000)
}

/// Nothing: whoever has fixtures names them.
fn secrets_ignore() -> Vec<String> {
    Vec::new()
}

/// Enough for a test suite.
fn timeout() -> Duration {
    Duration::from_mins(15)
}

/// What a worker wrote runs in a check.
fn containment() -> Containment {
    Containment::Sandbox
}

/// A script speaks for what the task asks.
fn category() -> Category {
    Category::Functionality
}

impl Gate {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let checks = section.tables("checks", check).unwrap_or_default();
        Self {
            checks: checks.into_iter().flatten().collect(),
            require_progress: section.get("require_progress", require_progress),
            criteria: section.get("criteria", criteria),
            require_docs: section.get("require_docs", require_docs),
            plan: section.get("plan", plan),
            tests_may_change: section.get("tests_may_change", tests_may_change),
            max_file_bytes: section.get_if("max_file_size", max_file_size, some).0,
            secrets_ignore: patterns(section),
            timeout: section.get_if("timeout", timeout, longer_than_zero),
            containment: section.get("containment", containment),
            network: super::containment::hosts(section),
        }
    }
}

fn some(size: &Bytes) -> Result<(), String> {
    match size.0 {
        0 => Err("must be more than nothing".to_owned()),
        _ => Ok(()),
    }
}

fn patterns(section: &mut Section<'_, '_>) -> Vec<String> {
    let given: Vec<String> = section.get("secrets_ignore", secrets_ignore);
    for (place, pattern) in given.iter().enumerate() {
        if !glob::is_inside(pattern) {
            let at = section.origin_of_item("secrets_ignore", place);
            let help =
                "write a path from the top of the repository, for example tests/fixtures/**".to_owned();
            let message = format!("'{}' leads out of the workspace", pattern.escape_debug());
            section.fault(at, message, Some(help));
        }
    }
    given
}

fn check(section: &mut Section<'_, '_>) -> Option<CheckSpec> {
    let name = section.required("name", "name the check, for example name = \"tests\"");
    let category = section.get("category", category);
    let run = section.required("run", "write the script, for example run = \"cargo test\"");
    let timeout = section.maybe("timeout");
    Some(CheckSpec {
        name: name?,
        category,
        run: run?,
        timeout,
        source: CheckSource::Config,
    })
}
