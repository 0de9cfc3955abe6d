//! jobs/NAME.md: reusable definitions. YAML front matter holds defaults, the body is the prompt's template.
//!
//! Invariant: a task's own fields win over its job's. A field of the task that nobody else knows and that is
//! named like a parameter of the job gives that parameter its value (`- **Max Pages:** 4` for `max_pages`).
//! Deliberately absent: schedules; a job is made a task of by a line in the queue, and cron can write that line.

mod evidence;
mod front_matter;
mod template;

pub(in crate::format) use front_matter::{line_of, unreadable};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::definition::Definition;
use crate::domain::exhibit::ExhibitSpec;
use crate::domain::gate::CheckSpec;
use crate::domain::id::TaskId;
use crate::domain::stage::Destination;
use crate::domain::tier::TierName;
use crate::format::diagnostic::{Code, Diagnostic, Severity};
use crate::format::scan::scan;
use crate::format::text::normal_key;

/// One job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Job {
    /// Its name: that of its file.
    pub name: String,
    /// What it is for, in one sentence.
    pub description: String,
    /// The lowest tier that may try it.
    pub tier: Option<TierName>,
    /// The highest tier that may try it.
    pub max_tier: Option<TierName>,
    /// The most it may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// The most time an attempt may take.
    pub timeout: Option<Duration>,
    /// A name in agents/.
    pub agent: Option<String>,
    /// The one runtime to use.
    pub runtime: Option<String>,
    /// Its checks.
    pub checks: Vec<CheckSpec>,
    /// Whether changing tests and checks is its work.
    pub tests_may_change: Option<bool>,
    /// Whether another model reviews the work.
    pub reviewed: Option<bool>,
    /// Whether green work waits for a person's word.
    pub approval: Option<bool>,
    /// Patterns of the paths that its tasks may change; all where empty.
    pub scope: Vec<String>,
    /// Labels of the node that runs it.
    pub runs_on: Vec<String>,
    /// Where finished work goes.
    pub landing: Option<Destination>,
    /// The evidence that the gate keeps for people to look at.
    pub exhibits: Vec<ExhibitSpec>,
    /// Whether the documentation must change, or be waived.
    pub docs_required: Option<bool>,
    /// Whether its tasks must be planned before their first attempt.
    pub plan_gate: Option<bool>,
    /// Parameters and their defaults.
    pub params: BTreeMap<String, String>,
    /// The prompt's template.
    pub template: String,
    /// The file that it was read from, as diagnostics name it.
    pub file: String,
    /// The line of the file at which the template begins, from 1.
    pub template_line: usize,
}

/// All jobs of an instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Jobs {
    /// The usable ones, by name.
    pub ready: BTreeMap<String, Job>,
    /// The names of the files that have errors.
    pub broken: BTreeSet<String>,
}

impl Jobs {
    /// Takes a job in, usable or not, and returns its mistakes.
    pub fn add(&mut self, name: &str, file: &str, bytes: &[u8]) -> Vec<Diagnostic> {
        let (job, problems) = parse(name, file, bytes);
        match job {
            Some(job) => {
                self.ready.insert(name.to_owned(), job);
            }
            None => {
                self.broken.insert(name.to_owned());
            }
        }
        problems
    }
}

/// Reads a job file; no job where there is an error. `name` is the file's name without `.md`.
pub fn parse(name: &str, file: &str, bytes: &[u8]) -> (Option<Job>, Vec<Diagnostic>) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let place = Place { file, text };
    let mut problems = Vec::new();
    let job = read(&place, name, &mut problems);
    let failed = problems.iter().any(Diagnostic::is_error);
    problems.sort_by_key(|p| (p.line, p.column));
    (job.filter(|_| !failed), problems)
}

fn read(place: &Place, name: &str, problems: &mut Vec<Diagnostic>) -> Option<Job> {
    let Some(parts) = split(place.text) else {
        let message = "the file does not begin with front matter".to_owned();
        let help =
            "begin it with a line ---, then for example 'description: what it is for', then a line ---";
        problems.push(place.error(1, 1, Code::MissingFrontMatter, message, help));
        return None;
    };
    let mut job = front_matter::read(place, parts.front, name, problems)?;
    job.file = place.file.to_owned();
    job.template = parts.body.to_owned();
    job.template_line = parts.body_line;
    problems.extend(template::lint(&job));
    Some(job)
}

/// A file with front matter as text, for diagnostics.
pub(in crate::format) struct Place<'t> {
    pub(in crate::format) file: &'t str,
    pub(in crate::format) text: &'t str,
}

impl Place<'_> {
    pub(in crate::format) fn error(
        &self,
        line: usize,
        column: usize,
        code: Code,
        message: String,
        help: &str,
    ) -> Diagnostic {
        self.diagnostic(Severity::Error, line, column, code, message, help)
    }

    pub(in crate::format) fn warning(
        &self,
        line: usize,
        column: usize,
        code: Code,
        message: String,
        help: &str,
    ) -> Diagnostic {
        self.diagnostic(Severity::Warning, line, column, code, message, help)
    }

    fn diagnostic(
        &self,
        severity: Severity,
        line: usize,
        column: usize,
        code: Code,
        message: String,
        help: &str,
    ) -> Diagnostic {
        let start = line_start(self.text, line);
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |n| start + n);
        Diagnostic {
            file: self.file.to_owned(),
            line,
            column,
            severity,
            code,
            message,
            help: help.to_owned(),
            span: (start..end).into(),
            task: None,
        }
    }
}

fn line_start(text: &str, line: usize) -> usize {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0)
        .chain(ends)
        .nth(line.saturating_sub(1))
        .unwrap_or(text.len())
}

/// Front matter and what follows it.
pub(in crate::format) struct Parts<'t> {
    pub(in crate::format) front: &'t str,
    pub(in crate::format) body: &'t str,
    body_line: usize,
}

/// Parts a file at the two lines `---`; none where it does not begin with the first of them.
pub(in crate::format) fn split(text: &str) -> Option<Parts<'_>> {
    let lines = scan(text.as_bytes()).lines;
    let is_bar = |n: usize| {
        text.get(lines[n].range())
            .is_some_and(|line| line.trim_end() == "---")
    };
    let start = lines.get(1).filter(|_| is_bar(0))?.start;
    let close = (1..lines.len()).find(|n| is_bar(*n))?;
    let body = lines.get(close + 1).map_or(text.len(), |l| l.start);
    Some(Parts {
        front: text.get(start..lines[close].start)?,
        body: text.get(body..)?,
        body_line: close + 2,
    })
}

impl Job {
    /// Fills in what a task leaves open, and renders the prompt. An error of the template is the task's.
    pub fn fill(&self, id: &TaskId, definition: &mut Definition) -> Result<(), Box<Diagnostic>> {
        let params = self.params_of(definition);
        fill_with(&mut definition.min_tier, &self.tier);
        fill_with(&mut definition.max_tier, &self.max_tier);
        fill_with(&mut definition.budget_usd, &self.budget_usd);
        fill_with(&mut definition.timeout, &self.timeout);
        fill_with(&mut definition.agent, &self.agent);
        fill_with(&mut definition.runtime, &self.runtime);
        fill_with(&mut definition.tests_may_change, &self.tests_may_change);
        fill_with(&mut definition.reviewed, &self.reviewed);
        fill_with(&mut definition.approval, &self.approval);
        if definition.scope.is_empty() {
            definition.scope.clone_from(&self.scope);
        }
        if definition.runs_on.is_empty() {
            definition.runs_on.clone_from(&self.runs_on);
        }
        fill_with(&mut definition.landing, &self.landing);
        fill_with(&mut definition.docs_required, &self.docs_required);
        fill_with(&mut definition.plan_gate, &self.plan_gate);
        let own: BTreeSet<String> = definition.checks.iter().map(|check| check.name.clone()).collect();
        let more = self.checks.iter().filter(|check| !own.contains(&check.name));
        definition.checks.extend(more.cloned());
        definition.prompt = Some(template::render(self, id, definition, &params)?);
        Ok(())
    }

    /// The parameters' values for a task; those that it sets are taken out of its unknown fields.
    fn params_of(&self, definition: &mut Definition) -> BTreeMap<String, String> {
        let value = |(param, default): (&String, &String)| {
            let own = definition.extra.remove(&normal_key(param));
            (param.clone(), own.unwrap_or_else(|| default.clone()))
        };
        self.params.iter().map(value).collect()
    }
}

fn fill_with<T: Clone>(own: &mut Option<T>, default: &Option<T>) {
    if own.is_none() {
        own.clone_from(default);
    }
}

#[cfg(test)]
mod tests;
