//! The head of a job file: YAML between two `---` lines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::evidence::{self, Evidence};
use super::{Job, Place};
use crate::domain::exhibit::ExhibitSpec;
use crate::domain::gate::{Category, CheckSource, CheckSpec};
use crate::domain::glob;
use crate::domain::stage::Destination;
use crate::domain::tier::TierName;
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::duration;
use crate::format::queue::category_in;
use crate::format::text::shown;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    name: Option<String>,
    description: Option<String>,
    tier: Option<String>,
    max_tier: Option<String>,
    budget: Option<Scalar>,
    timeout: Option<String>,
    agent: Option<String>,
    runtime: Option<String>,
    #[serde(default)]
    validation: Vec<Check>,
    tests_may_change: Option<bool>,
    review: Option<bool>,
    approval: Option<bool>,
    landing: Option<Destination>,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    runs_on: Vec<String>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    docs: Option<Docs>,
    plan_gate: Option<bool>,
    #[serde(default)]
    params: BTreeMap<String, Scalar>,
}

/// Whether the documentation must change with the work.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Docs {
    Required,
    Optional,
}

/// A check in full, or its script alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Check {
    Script(String),
    Full(FullCheck),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullCheck {
    name: Option<String>,
    category: Option<Category>,
    run: String,
    timeout: Option<String>,
}

/// A YAML scalar, kept as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Nothing(()),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Flag(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::Nothing(()) => String::new(),
        }
    }
}

const KEYS: &str = "the keys are: name, description, tier, max_tier, budget, timeout, agent, runtime, validation, tests_may_change, landing, review, approval, scope, runs_on, evidence, docs, plan_gate, params";

/// Reads the front matter, which begins at the second line of the file.
pub(super) fn read(place: &Place, front: &str, name: &str, problems: &mut Vec<Diagnostic>) -> Option<Job> {
    if let Some(line) = line_of(front, "schedule") {
        let message = "a job has no schedule: it runs when a task in the queue names it".to_owned();
        let help = "remove 'schedule:' and let cron add the task: 0 6 * * 1 orchestrator add ID --job NAME";
        problems.push(place.error(line, 1, Code::ScheduleInJob, message, help));
        return None;
    }
    let text = if front.trim().is_empty() { "{}" } else { front };
    let matter: FrontMatter = match serde_saphyr::from_str(text) {
        Ok(matter) => matter,
        Err(error) => {
            problems.push(unreadable(place, &error, KEYS));
            return None;
        }
    };
    Some(
        Reader {
            place,
            front,
            problems,
        }
        .job(matter, name),
    )
}

/// YAML that cannot be read, with the place where that shows.
pub(in crate::format) fn unreadable(place: &Place, error: &serde_saphyr::Error, help: &str) -> Diagnostic {
    let (line, column) = match error.location() {
        Some(at) => (
            usize::try_from(at.line()).unwrap_or(1),
            usize::try_from(at.column()).unwrap_or(1),
        ),
        None => (1, 1),
    };
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    // Its own idea of the place counts from the line after the first ---.
    let what = first.split_once(" at line ").map_or(first, |(what, _)| what);
    let message = format!("the front matter cannot be read: {what}");
    place.error(line + 1, column.max(1), Code::BadFrontMatter, message, help)
}

/// The line of the file at which a top-level key stands.
pub(in crate::format) fn line_of(front: &str, key: &str) -> Option<usize> {
    let is_key = |line: &str| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    front.lines().position(is_key).map(|n| n + 2)
}

struct Reader<'r> {
    place: &'r Place<'r>,
    front: &'r str,
    problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn job(&mut self, matter: FrontMatter, name: &str) -> Job {
        self.own_name(matter.name.as_deref(), name);
        Job {
            name: name.to_owned(),
            description: matter.description.unwrap_or_default(),
            tier: matter.tier.map(|text| TierName::new(&text)),
            max_tier: matter.max_tier.map(|text| TierName::new(&text)),
            budget_usd: matter.budget.and_then(|budget| self.budget(&budget.text())),
            timeout: matter.timeout.and_then(|text| self.time("timeout", &text)),
            agent: matter.agent,
            runtime: matter.runtime,
            checks: self.checks(matter.validation),
            tests_may_change: matter.tests_may_change,
            reviewed: matter.review,
            approval: matter.approval,
            scope: self.scope(matter.scope),
            runs_on: matter.runs_on,
            landing: matter.landing,
            exhibits: self.exhibits(matter.evidence),
            docs_required: matter.docs.map(|docs| docs == Docs::Required),
            plan_gate: matter.plan_gate,
            params: matter
                .params
                .into_iter()
                .map(|(key, value)| (key, value.text()))
                .collect(),
            ..Job::default()
        }
    }

    fn own_name(&mut self, written: Option<&str>, name: &str) {
        let Some(written) = written.filter(|written| *written != name) else {
            return;
        };
        let message = format!(
            "the job calls itself '{written}', but tasks must name it '{name}', as the file is named"
        );
        let line = line_of(self.front, "name").unwrap_or(1);
        let help = "rename the file, or correct name:";
        let found = self
            .place
            .diagnostic(Severity::Warning, line, 1, Code::NameMismatch, message, help);
        self.problems.push(found);
    }

    fn budget(&mut self, text: &str) -> Option<f64> {
        let read = duration::parse_budget(text);
        read.map_err(|bad| self.bad("budget", Code::BadBudget, bad.to_string()))
            .ok()
    }

    fn time(&mut self, key: &str, text: &str) -> Option<Duration> {
        match duration::parse(text) {
            Ok(time) if !time.is_zero() => Some(time),
            Ok(_) => {
                self.bad(
                    key,
                    Code::BadTimeout,
                    "a timeout of nothing stops every attempt".to_owned(),
                );
                None
            }
            Err(bad) => {
                self.bad(key, Code::BadTimeout, bad.to_string());
                None
            }
        }
    }

    fn scope(&mut self, patterns: Vec<String>) -> Vec<String> {
        if let Some(bad) = patterns.iter().find(|p| !glob::is_inside(p)) {
            let message = format!("'{}' leads out of the workspace", shown(bad));
            let line = line_of(self.front, "scope").unwrap_or(1);
            let help = "write paths from the workspace's root, for example scope: [src/, \"docs/**\"]";
            self.problems
                .push(self.place.error(line, 1, Code::BadScope, message, help));
        }
        patterns
    }

    fn checks(&mut self, checks: Vec<Check>) -> Vec<CheckSpec> {
        let full = |check| match check {
            Check::Full(full) => full,
            Check::Script(run) => FullCheck {
                name: None,
                category: None,
                run,
                timeout: None,
            },
        };
        let specs = checks.into_iter().map(full).enumerate().map(|(n, check)| {
            let first = check.run.lines().next().unwrap_or_default().trim();
            let name = check.name.unwrap_or_else(|| match first.is_empty() {
                true => format!("job check {}", n + 1),
                false => first.chars().take(60).collect(),
            });
            CheckSpec {
                category: check
                    .category
                    .or_else(|| category_in(&name))
                    .unwrap_or(Category::Functionality),
                timeout: check.timeout.and_then(|text| self.time("validation", &text)),
                name,
                run: check.run,
                source: CheckSource::Job,
            }
        });
        specs.collect()
    }

    fn exhibits(&mut self, entries: Vec<Evidence>) -> Vec<ExhibitSpec> {
        let (specs, faults) = evidence::specs(entries);
        let line = line_of(self.front, "evidence").unwrap_or(1);
        let help = "write - name: NAME, with run: COMMAND, files: [PATTERN], or both; NAME only once";
        let faults = faults.into_iter();
        let found = faults.map(|fault| self.place.error(line, 1, Code::UnknownEvidence, fault, help));
        self.problems.extend(found);
        specs
    }

    fn bad(&mut self, key: &str, code: Code, message: String) {
        let line = line_of(self.front, key).unwrap_or(1);
        let found = self.place.error(
            line,
            1,
            code,
            message,
            "write for example budget: \"$2.50\" and timeout: 45m",
        );
        self.problems.push(found);
    }
}
