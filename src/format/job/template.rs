//! The prompt template of a job: strict, so that a mistyped name is a mistake and never an empty place.
//!
//! Invariant: what a task says is put in as text; it is never read as a template.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior, Value};
use serde::Serialize;

use super::{Job, Place};
use crate::domain::definition::{Definition, Kind};
use crate::domain::id::TaskId;
use crate::format::diagnostic::{Code, Diagnostic};

/// Steps that a template may take; a loop over everything a task has needs a few thousand.
const FUEL: u64 = 2_000_000;

/// What a template may name.
#[derive(Serialize)]
struct Context<'c> {
    task: TaskContext<'c>,
    params: &'c BTreeMap<String, String>,
}

#[derive(Serialize)]
struct TaskContext<'c> {
    id: &'c str,
    title: &'c str,
    description: &'c str,
    kind: &'static str,
    job: &'c str,
    priority: &'static str,
    project: &'c str,
    workspace: &'c str,
    parent: &'c str,
    agent: &'c str,
    depends_on: Vec<&'c str>,
    acceptance: Vec<&'c str>,
    checks: Vec<&'c str>,
    review: &'c [String],
    extra: &'c BTreeMap<String, String>,
    context: &'c str,
}

const TASK_KEYS: [&str; 16] = [
    "id",
    "title",
    "description",
    "kind",
    "job",
    "priority",
    "project",
    "workspace",
    "parent",
    "agent",
    "depends_on",
    "acceptance",
    "checks",
    "review",
    "extra",
    "context",
];

/// Renders a job's template for a task.
pub(super) fn render(
    job: &Job,
    id: &TaskId,
    definition: &Definition,
    params: &BTreeMap<String, String>,
) -> Result<String, Box<Diagnostic>> {
    let environment = environment();
    let context = Context {
        task: task_context(id, definition),
        params,
    };
    let rendered = environment
        .template_from_str(&job.template)
        .and_then(|template| template.render(Value::from(Serde(&context))));
    rendered
        .map(|text| text.trim().to_owned())
        .map_err(|error| Box::new(fault(job, &error)))
}

fn environment<'s>() -> Environment<'s> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment
}

fn task_context<'c>(id: &'c TaskId, definition: &'c Definition) -> TaskContext<'c> {
    TaskContext {
        id: id.as_str(),
        title: &definition.title,
        description: &definition.description,
        kind: match definition.kind {
            Kind::OneOff => "one-off",
            Kind::Continuous => "continuous",
        },
        job: definition.job.as_deref().unwrap_or_default(),
        priority: definition.priority.as_str(),
        project: &definition.project,
        workspace: definition.workspace.as_deref().unwrap_or_default(),
        parent: definition.parent.as_ref().map(TaskId::as_str).unwrap_or_default(),
        agent: definition.agent.as_deref().unwrap_or_default(),
        depends_on: definition.depends_on.iter().map(TaskId::as_str).collect(),
        acceptance: definition.acceptance.iter().map(|c| c.text.as_str()).collect(),
        checks: definition.checks.iter().map(|c| c.run.trim()).collect(),
        review: &definition.review,
        extra: &definition.extra,
        context: &definition.context,
    }
}

/// The mistakes of a template that can be seen without a task: its syntax, and names in any branch.
pub(super) fn lint(job: &Job) -> Vec<Diagnostic> {
    let environment = environment();
    let template = match environment.template_from_str(&job.template) {
        Ok(template) => template,
        Err(error) => return vec![fault(job, &error)],
    };
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort();
    names.retain(|name| !is_known(job, name) && environment.globals().all(|(global, _)| global != name));
    names.iter().map(|name| unknown(job, name)).collect()
}

fn is_known(job: &Job, name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["task" | "params"] => true,
        ["task", "extra", ..] => true,
        ["task", key] => TASK_KEYS.contains(key),
        ["params", key] => job.params.contains_key(*key),
        _ => false,
    }
}

fn unknown(job: &Job, name: &str) -> Diagnostic {
    let params = job.params.keys().map(|key| format!("params.{key}"));
    let all: Vec<String> = TASK_KEYS
        .iter()
        .map(|key| format!("task.{key}"))
        .chain(params)
        .collect();
    let help = match crate::format::queue::best(name, all.iter().map(String::as_str)) {
        Some(best) => format!("did you mean '{best}'?"),
        None => format!("the names are: {}", all.join(", ")),
    };
    let at = place_of(&job.template, name).unwrap_or(0);
    located(
        job,
        at,
        Code::UnknownVariable,
        format!("the template names '{name}', which does not exist"),
        &help,
    )
}

/// Where a name stands as a whole word, with any spaces around its dots left out of account.
fn place_of(template: &str, name: &str) -> Option<usize> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let is_whole = |at: &usize| {
        let before = template[..*at].chars().next_back();
        let after = template[at + name.len()..].chars().next();
        !before.is_some_and(inner) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let in_tag = |at: &usize| template[..*at].rfind('{') > template[..*at].rfind('}');
    template
        .match_indices(name)
        .map(|(at, _)| at)
        .find(|at| is_whole(at) && in_tag(at))
}

fn fault(job: &Job, error: &Error) -> Diagnostic {
    let line = error.line().unwrap_or(1);
    let at = error
        .range()
        .map_or_else(|| super::line_start(&job.template, line), |range| range.start);
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let message = format!("the template cannot be used: {what}");
    let code = match error.kind() {
        minijinja::ErrorKind::UndefinedError => Code::UnknownVariable,
        _ => Code::BadTemplate,
    };
    let help = "write {{ task.description }} or {{ params.NAME }}; see docs/QUEUE-FILE.md for the names";
    located(job, at, code, message, help)
}

fn located(job: &Job, at: usize, code: Code, message: String, help: &str) -> Diagnostic {
    let before = job.template.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let line = before.matches('\n').count();
    let place = Place {
        file: &job.file,
        text: "",
    };
    place.error(
        job.template_line + line,
        before[start..].chars().count() + 1,
        code,
        message,
        help,
    )
}
