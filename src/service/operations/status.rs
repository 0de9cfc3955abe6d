//! The status document: the truth, with or without a running service.

use chrono::{DateTime, Utc};

use super::super::instance::Instance;
use super::super::reading::{self, Loaded};
use super::super::view::{NodeView, Problem, ServiceView, Slots, Status, TaskView, VERSION};
use super::task_view::Records;
use super::{bus, node, repository, surface, unread};
use crate::domain::node::NodeName;
use crate::domain::ready::Used;
use crate::domain::task::Task;
use crate::files::{FileError, lock};
use crate::format::diagnostic::Diagnostic;
use crate::store::{Filter, Scope as Stored, StoreError};

/// How many tasks that are over are shown unless all are asked for.
const RECENT: u32 = 20;

/// Which tasks to show.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// All tasks that are over, not only the latest.
    pub all: bool,
    /// Of this project alone.
    pub project: Option<String>,
}

/// Makes the status document.
pub async fn status(instance: &Instance, scope: &Scope) -> Result<Status, StoreError> {
    instance.fleet.recall(&*instance.store).await?;
    let live = instance.store.live().await?;
    let nodes = node::nodes(instance).await?;
    let slots = Slots {
        used: Used::count(live.iter(), 0).total,
        total: nodes
            .as_ref()
            .map_or(instance.policy.max_concurrent, |nodes| open_slots(nodes)),
    };
    let ours = |t: &Task| scope.project.as_ref().is_none_or(|p| *p == t.definition.project);
    let mut tasks: Vec<Task> = live.into_iter().filter(ours).collect();
    let (ended, more_ended) = ended(instance, scope).await?;
    tasks.extend(ended);
    let loaded = reading::load(instance).await?;
    let unread = match &loaded {
        Ok(loaded) => unread::tasks(instance, &loaded.reading).await?,
        Err(_told_below) => Vec::new(),
    };
    let records = Records::load(instance, &tasks, &unread).await?;
    tasks.extend(unread.into_iter().filter(ours));
    let mut views: Vec<TaskView> = tasks.iter().map(|t| records.task(instance, t, false)).collect();
    views.sort_by_key(|v| (urgency(v), v.id.clone()));
    let service = service(instance).await?;
    let mut problems = match node::keeper_elsewhere(instance).await? {
        None => problems(instance, &loaded),
        Some(keeper) => {
            let mut problems = of_runtimes(instance);
            problems.extend(keeper_away(&keeper, nodes.as_deref().unwrap_or_default()));
            problems
        }
    };
    problems.extend(bus::problems(nodes.as_deref().unwrap_or_default()));
    problems.extend(surface::problems(instance).await?);
    problems.extend(repository::problems(instance).await?);
    Ok(Status {
        version: VERSION,
        generated_at: instance.clock.now(),
        bus: bus::view(instance, service.running, nodes.as_deref()).await?,
        surfaces: surface::views(instance, service.running).await?,
        service,
        slots,
        tasks: views,
        more_ended,
        problems,
        nodes,
    })
}

/// Nobody reads the queue file while its keeper is not there.
fn keeper_away(keeper: &NodeName, nodes: &[NodeView]) -> Option<Problem> {
    let there = |node: &&NodeView| matches!(node.state.as_str(), "there" | "cordoned");
    let is_there = nodes
        .iter()
        .filter(there)
        .any(|node| node.name == keeper.as_str());
    let message = format!("node '{keeper}' keeps the queue file and is not there: edits of it are not read");
    let found = of_file(reading::QUEUE, "queue-keeper-away", message);
    (!is_there).then(|| Problem {
        severity: "warning".to_owned(),
        help: Some("start it again, or have another one keep it: orchestrator node queue NAME".to_owned()),
        ..found
    })
}

/// The slots of the nodes that take work.
fn open_slots(nodes: &[NodeView]) -> u32 {
    let open = nodes.iter().filter(|node| node.state == "there");
    open.map(|node| node.slots).sum()
}

/// The tasks that are over and are to be shown, and whether there are earlier ones.
async fn ended(instance: &Instance, scope: &Scope) -> Result<(Vec<Task>, bool), StoreError> {
    let limit = if scope.all { 1000 } else { RECENT };
    let mut filter = Filter {
        scope: Stored::Ended,
        project: scope.project.clone(),
        before: None,
        limit,
    };
    let mut ended = Vec::new();
    loop {
        let page = instance.store.tasks(&filter).await?;
        ended.extend(page.rows);
        match page.next {
            Some(before) if scope.all => filter.before = Some(before),
            next => return Ok((ended, next.is_some())),
        }
    }
}

/// What people should look at first.
fn urgency(view: &TaskView) -> u8 {
    match view.state.as_str() {
        "blocked" => 0,
        "in-progress" => 1,
        "validating" => 2,
        "assessing" => 3,
        "pending" => 4,
        "paused" => 5,
        "completed" => 6,
        _ => 7,
    }
}

async fn service(instance: &Instance) -> Result<ServiceView, StoreError> {
    let holder = lock::holder(&instance.layout.lock()).unwrap_or(None);
    let running = holder.is_some();
    let since = match &instance.member {
        None => instance.store.flag("service").await?.map(|f| f.set_at),
        Some(member) => {
            let nodes = member.roster().nodes().await?;
            { nodes.iter().find(|node| node.name() == member.name()) }.map(|node| node.joined_at)
        }
    };
    let since = since.filter(|_| running);
    Ok(ServiceView {
        running,
        pid: holder.flatten(),
        since,
        next_tick_at: next_tick(instance).filter(|_| running),
        stopped: instance.stopped().await?,
    })
}

fn next_tick(instance: &Instance) -> Option<DateTime<Utc>> {
    instance
        .config
        .scheduler
        .schedule()
        .ok()?
        .next_after(instance.clock.now())
}

/// Mistakes of the queue file and its jobs, and what the instance lacks.
pub(super) fn problems(instance: &Instance, loaded: &Result<Loaded, FileError>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = match loaded {
        Ok(loaded) => loaded.reading.problems.iter().map(problem).collect(),
        Err(_) if repository::is_unread(instance) => {
            let message = "the queue's repository was not read yet".to_owned();
            vec![Problem {
                severity: "warning".to_owned(),
                help: Some("a running service reads it: orchestrator up".to_owned()),
                ..of_file(reading::QUEUE, "queue-repository-unread", message)
            }]
        }
        Err(error) => vec![of_file(reading::QUEUE, "unreadable-file", error.to_string())],
    };
    problems.extend(of_runtimes(instance));
    problems
}

/// Runtimes that are wanted and cannot be used.
fn of_runtimes(instance: &Instance) -> Vec<Problem> {
    let mut problems = Vec::new();
    for runtime in instance.fleet.report().into_iter().filter(|r| r.wanted) {
        if let Err(missing) = runtime.standing {
            let message = format!("runtime '{}' cannot be used: {}", runtime.name, missing.reason);
            let found = of_file("orchestrator.toml", "runtime-unavailable", message);
            problems.push(Problem {
                severity: "warning".to_owned(),
                help: Some(missing.cure),
                ..found
            });
        }
    }
    problems
}

pub(super) fn of_file(file: &str, code: &str, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        severity: "error".to_owned(),
        code: code.to_owned(),
        message,
        help: None,
    }
}

/// A diagnostic as people are shown it.
pub fn problem(diagnostic: &Diagnostic) -> Problem {
    Problem {
        file: diagnostic.file.clone(),
        line: diagnostic.line,
        column: diagnostic.column,
        severity: diagnostic.severity.as_str().to_owned(),
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        help: Some(diagnostic.help.clone()).filter(|h| !h.is_empty()),
    }
}
