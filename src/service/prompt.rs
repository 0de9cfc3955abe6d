//! The prompt of an attempt: everything that a worker is told, in one text. Pure.
//!
//! The order is fixed: who you are, what to do, what was done, what went wrong, the rules of the house.

use std::fmt::Write;

use crate::domain::criteria::numbered;
use crate::domain::definition::{Definition, Kind};
use crate::domain::exhibit::ExhibitSpec;
use crate::domain::policy::repeats;
use crate::domain::remark::Remark;
use crate::domain::task::{Attempt, StartKind, Task};

/// What a prompt is made of, besides the task itself.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The agent's file.
    pub agent: Option<String>,
    /// The progress file as it is.
    pub progress: Option<String>,
    /// The report of the gate that refused the last attempt.
    pub gate_feedback: Option<String>,
    /// The project's memory.
    pub memory: Option<String>,
    /// Files of the workspace by which its repository tells agents how to work in it.
    pub guides: Vec<&'static str>,
    /// The files that go with the task, where the worker finds them.
    pub attachments: Vec<String>,
    /// Whether it may make sub-tasks.
    pub may_spawn: bool,
    /// The sub-tasks so far, a line each.
    pub children: Vec<String>,
    /// The branch that the work is on.
    pub branch: Option<String>,
    /// Where the progress file is.
    pub progress_file: String,
    /// Whether evidence is asked for of the acceptance criteria.
    pub asks_for_criteria: bool,
    /// The names of the checks that are known; where there are none, the project's own are found by its files.
    pub checks: Vec<String>,
    /// Whether the documentation must change, or be waived.
    pub asks_for_docs: bool,
    /// Whether the worker sees the repository's history and cannot write it.
    pub history_is_read_only: bool,
    /// Where the outcome may be written.
    pub outcome_file: String,
}

/// Writes the prompt.
pub fn prompt(task: &Task, attempt: &Attempt, material: &Material) -> String {
    let mut text = String::new();
    section(&mut text, "", material.agent.as_deref());
    section(&mut text, "", task.definition.prompt.as_deref());
    section(&mut text, "", Some(&what(task)));
    section(&mut text, "", attached(&material.attachments).as_deref());
    section(&mut text, "## Project memory", material.memory.as_deref());
    section(
        &mut text,
        "## Progress so far (the progress file)",
        material.progress.as_deref(),
    );
    section(&mut text, "## Earlier attempts", earlier(task).as_deref());
    section(&mut text, "## Your questions, answered", answers(task).as_deref());
    section(
        &mut text,
        "## What people told you meanwhile",
        remarks(task, attempt.epoch).as_deref(),
    );
    section(&mut text, "## Sub-tasks", children(&material.children).as_deref());
    section(
        &mut text,
        "## Why the last attempt was refused",
        material.gate_feedback.as_deref(),
    );
    section(
        &mut text,
        "## How to work here",
        Some(&rules(task, attempt, material)),
    );
    text
}

fn section(text: &mut String, heading: &str, body: Option<&str>) {
    let Some(body) = body.map(str::trim).filter(|b| !b.is_empty()) else {
        return;
    };
    if !heading.is_empty() {
        text.push_str(heading);
        text.push_str("\n\n");
    }
    text.push_str(body);
    text.push_str("\n\n");
}

fn what(task: &Task) -> String {
    let d = &task.definition;
    let title = if d.title.is_empty() {
        String::new()
    } else {
        format!(": {}", d.title)
    };
    let mut text = format!("# Task {}{title}\n\n{}\n", task.id, d.description);
    list(
        &mut text,
        "Acceptance criteria",
        numbered(&d.acceptance).map(|(number, c)| format!("{number}. {}", c.text)),
    );
    list(
        &mut text,
        "Checks that will be run on your commit",
        d.checks
            .iter()
            .map(|c| format!("{}: `{}`", c.name, one_line(&c.run))),
    );
    list(
        &mut text,
        "Paths that you may change, from the workspace's root (a change anywhere else is refused)",
        d.scope.iter().map(|pattern| format!("`{pattern}`")),
    );
    list(
        &mut text,
        "Evidence that will be kept from a fresh checkout of your commit, for people to look at",
        d.exhibits.iter().map(exhibit),
    );
    list(
        &mut text,
        "What a reviewer will look at",
        d.review.iter().cloned(),
    );
    list(
        &mut text,
        "Further fields",
        d.extra.iter().map(|(k, v)| format!("{k}: {v}")),
    );
    section(&mut text, "\n## Context", Some(&d.context));
    text
}

fn exhibit(spec: &ExhibitSpec) -> String {
    let run = spec.run.as_ref().map(|run| format!("by `{}`", one_line(run)));
    let files: Vec<&str> = spec.files.iter().map(|pattern| pattern.as_str()).collect();
    let files = (!files.is_empty()).then(|| files.join(", "));
    let parts: Vec<String> = files.into_iter().chain(run).collect();
    format!("{}: {}", spec.name, parts.join(" "))
}

fn list(text: &mut String, heading: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    let _ = write!(text, "\n## {heading}\n\n");
    for item in items {
        let _ = writeln!(text, "- {item}");
    }
}

fn attached(files: &[String]) -> Option<String> {
    let mut text = String::new();
    list(&mut text, "Files that go with the task", files.iter().cloned());
    (!text.is_empty()).then_some(text)
}

fn one_line(script: &str) -> String {
    script.trim().lines().collect::<Vec<_>>().join("; ")
}

fn earlier(task: &Task) -> Option<String> {
    let line = |t: &crate::domain::task::Try| {
        format!(
            "- attempt {} at {}: {}, {}",
            t.n,
            t.tier,
            t.outcome.as_str(),
            t.reason
        )
    };
    let lines: Vec<String> = task.history.tries.iter().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn answers(task: &Task) -> Option<String> {
    let told = task.history.questions.iter().filter_map(|q| {
        let answer = q.answer.as_ref()?;
        Some(format!(
            "- You asked: {}\n  {} answered: {}",
            q.text, answer.by, answer.text
        ))
    });
    let lines: Vec<String> = told.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What was said last stands last, and what no earlier attempt was told is marked.
fn remarks(task: &Task, epoch: u64) -> Option<String> {
    let line = |remark: &Remark| {
        let new = match remark.told_in == Some(epoch) {
            true => " (new)",
            false => "",
        };
        format!("- {}{new}: {}", remark.by, remark.text)
    };
    let lines: Vec<String> = task.history.remarks.iter().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn children(lines: &[String]) -> Option<String> {
    let how = "\nWhat is merged lies in your folder: check the whole, bring in what is not (`git diff HEAD...COMMIT` shows \
               it), and do yourself what a cancelled one left.";
    (!lines.is_empty()).then(|| format!("{}\n{how}", lines.join("\n")))
}

fn guides(material: &Material) -> Option<String> {
    let names = material.guides.join(" and ");
    (!names.is_empty())
        .then(|| format!("How this repository wants to be worked in stands in {names}: read that first."))
}

fn docs(material: &Material) -> Option<String> {
    material.asks_for_docs.then(|| {
        "The documentation changes with the work (README, CHANGELOG, docs/); where it need not, write the line `Docs: not \
         needed - REASON` into the progress file."
            .to_owned()
    })
}

fn criteria(material: &Material) -> Option<String> {
    let checks = match material.checks.as_slice() {
        [] => "its name is its command, such as `cargo test`".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    material.asks_for_criteria.then(|| {
        format!(
            "Show for each acceptance criterion that it holds: `orchestrator agent criterion NUMBER EVIDENCE`, or make its \
             line below `## Acceptance Criteria` in {} read `- [x] NUMBER. … - evidence: EVIDENCE`. EVIDENCE names what the \
             orchestrator can look up: a check that passes (`check NAME`; {checks}), a file of your work with its line \
             (`src/a.rs:12`), or a commit. Words alone are none.",
            material.progress_file
        )
    })
}

fn rules(task: &Task, attempt: &Attempt, material: &Material) -> String {
    let mut rules = house_rules(material);
    rules.extend(of_this_place(material));
    rules.extend(of_this_attempt(task, attempt));
    rules.extend(another_way(task, material));
    rules.iter().map(|r| format!("- {r}\n")).collect()
}

/// What holds for every worker.
fn house_rules(material: &Material) -> Vec<String> {
    let commits = if material.history_is_read_only {
        "Leave your changes in the folder: the orchestrator makes the commits; the repository's history is read-only \
         here, so `git add`, `git commit` and `git stash` fail."
    } else {
        "Leave your changes in the folder or commit them; the orchestrator commits what is left."
    };
    vec![
        "Work only in the current folder. Do not touch PROACTIVE-JOBS.md; the orchestrator keeps it.".to_owned(),
        format!(
            "Keep a log as you go: `orchestrator agent log TEXT`, or append `- <UTC time> text` below `## Work Log` in {}.",
            material.progress_file
        ),
        commits.to_owned(),
        "The orchestrator itself runs the checks on your commit. Saying that it is done proves nothing; do not weaken, \
         skip or delete tests or checks: that waits for a person."
            .to_owned(),
        format!(
            "When you cannot go on without a person, or a stronger model is needed, say so: `orchestrator agent \
             blocked|needs-stronger-model --reason TEXT` (or write {{\"outcome\":\"blocked\",\"reason\":\"…\"}} to {}).",
            material.outcome_file
        ),
        "When the files do not settle something that matters, ask a person: `orchestrator agent ask TEXT`, then end your \
         turn; the answer stands in your next prompt. What was answered is not asked again."
            .to_owned(),
    ]
}

fn of_this_place(material: &Material) -> Vec<String> {
    let mut rules = Vec::new();
    if material.may_spawn {
        rules.push(
            "Parts that others can do side by side may become sub-tasks: `orchestrator agent spawn --id NAME --title T \
             --description D` (also --tier, --depends-on, --validation). Then end your turn; you go on when they are over."
                .to_owned(),
        );
    }
    rules.extend(guides(material));
    rules.extend(criteria(material));
    rules.extend(docs(material));
    if let Some(branch) = &material.branch {
        rules.push(format!(
            "You are on branch {branch}; stay on it, and push nothing."
        ));
    }
    rules
}

fn of_this_attempt(task: &Task, attempt: &Attempt) -> Vec<String> {
    let mut rules = Vec::new();
    if task.definition.kind == Kind::Continuous {
        rules.push(
            "This is continuous work: do one useful phase, tick it off under `## Completed Phases`, note what follows \
             under `## Next Steps`, and end with `orchestrator agent continue`; say `done` only when nothing is left."
                .to_owned(),
        );
    }
    if attempt.start == StartKind::Medic {
        rules.push(
            "The attempts above have come to nothing, and you are the last before a person: find out why, repair what you \
             may, and finish the task; else write down what you found and say `blocked` with one precise question."
                .to_owned(),
        );
    }
    if let Some(conflict) = task
        .history
        .conflict
        .as_ref()
        .filter(|_| attempt.start == StartKind::Merge)
    {
        rules.push(format!(
            "The work passed its gate, and its base moved on meanwhile. The base ({}) is merged into your branch, with the \
             marks of the conflict in: {}. Resolve every mark so that both hold, run the checks, and say `done`.",
            conflict.base,
            conflict.files.join(", ")
        ));
    }
    if matches!(attempt.start, StartKind::Resume | StartKind::Continuation) {
        rules.push("Earlier work was interrupted or is going on: carry on from the progress file, do not start over.".to_owned());
    }
    rules
}

/// What was tried twice in vain is not tried a third time.
fn another_way(task: &Task, material: &Material) -> Option<String> {
    let split = if material.may_spawn {
        ", split the task into sub-tasks that can be checked one by one,"
    } else {
        ""
    };
    repeats(&task.history).then(|| {
        format!(
            "The last two attempts came to the same result, and a third one in their way will, too. Find out first why; then \
             take another way{split} or ask a person one precise question."
        )
    })
}

/// What the first line of a commit says that the orchestrator makes of leftovers.
pub fn commit_message(definition: &Definition, task: &str, attempt: u32) -> String {
    let title = if definition.title.is_empty() {
        task
    } else {
        &definition.title
    };
    format!("{}\n\nTask: {task}\nAttempt: {attempt}\n", one_line(title))
}
