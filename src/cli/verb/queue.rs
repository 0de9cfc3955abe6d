//! `add` and `lint`: the verbs of the queue file.

use std::path::{Path, PathBuf};

use chrono::SecondsFormat;

use super::super::args::queue::{Add, Lint};
use super::super::exit::{Failure, Outcome};
use super::super::render::lint::{self, LintDocument, LintFile, LintTask};
use super::ground::{Ground, of_store};
use crate::config::home::CONFIG_FILE;
use crate::domain::definition::Kind;
use crate::files::QueueFile;
use crate::format::queue::{Known, NewTask, Reading, read};
use crate::format::{agent, job};
use crate::service::operations::{self, AddError};
use crate::service::{reading, view::Problem};

pub(super) async fn add(ground: &Ground, args: Add) -> Outcome {
    let instance = ground.persons_instance().await?;
    let id = args.id.clone();
    let created = ground.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
    operations::add(&instance, new_task(args, created))
        .await
        .map_err(|e| match e {
            AddError::Taken(_) | AddError::Elsewhere(_) => Failure::refused(e.to_string()),
            AddError::Store(e) => of_store(e),
            AddError::File(e) => Failure::failed(e.to_string()),
            AddError::Repository(e) => Failure::unreachable(e.to_string())
                .help("nothing was added; add it again when the repository is there"),
        })?;
    super::print(&format!(
        "{id} is in the queue; a running service starts it at once\n"
    ))
}

fn new_task(args: Add, created: String) -> NewTask {
    let text = |key: &str, value: Option<String>| value.map(|v| (key.to_owned(), v));
    let depends_on: Vec<String> = args.depends_on.iter().map(ToString::to_string).collect();
    let kind = if args.kind == Kind::Continuous {
        "continuous"
    } else {
        "one-off"
    };
    let description = args.description.or_else(|| args.title.clone());
    let fields = [
        text("Type", Some(kind.to_owned())),
        text("Job", args.job),
        text("Min Model", args.min_model.map(|t| t.to_string())),
        text("Max Model", args.max_model.map(|t| t.to_string())),
        text("Priority", Some(args.priority.as_str().to_owned())),
        text("Project", args.project),
        text("Workspace", args.workspace),
        text(
            "Depends On",
            Some(depends_on.join(", ")).filter(|d| !d.is_empty()),
        ),
        text("Description", description),
        text("Status", Some("pending".to_owned())),
        text("Created", Some(created)),
    ];
    let mut body = String::new();
    if !args.checks.is_empty() {
        body.push_str("#### Validation\n");
        args.checks
            .iter()
            .for_each(|check| body.push_str(&format!("\n```bash\n{check}\n```\n")));
    }
    NewTask {
        id: args.id,
        title: args.title.unwrap_or_default(),
        fields: fields.into_iter().flatten().collect(),
        body,
    }
}

pub(super) async fn lint(ground: &Ground, args: Lint) -> Outcome {
    let (document, sources) = if args.files.is_empty() {
        of_instance(ground).await?
    } else {
        of_files(&args.files)?
    };
    let source = |file: &str| {
        sources
            .iter()
            .find(|(name, _)| name == file)
            .map(|(_, bytes)| bytes.clone())
    };
    ground.show(&document, |look| lint::lint(&document, source, look))?;
    Ok(document.exit())
}

type Sources = Vec<(String, Vec<u8>)>;

/// The instance's queue, with everything that it refers to.
async fn of_instance(ground: &Ground) -> Result<(LintDocument, Sources), Failure> {
    let instance = ground.any_instance().await?;
    operations::look(&instance)
        .await
        .map_err(|e| Failure::unreachable(e.to_string()))?;
    let loaded = reading::load(&instance).await.map_err(of_store)?;
    let loaded = loaded.map_err(|e| Failure::usage(e.to_string()))?;
    let mut sources = vec![(reading::QUEUE.to_owned(), loaded.bytes)];
    for (folder, path) in [
        ("jobs", instance.layout.jobs()),
        ("agents", instance.layout.agents()),
    ] {
        let (files, _told_by_the_reading) = crate::files::folder::contents(&path, "md");
        let named = |(name, bytes)| (format!("{folder}/{name}.md"), bytes);
        sources.extend(files.into_iter().map(named));
    }
    let file = LintFile {
        file: reading::QUEUE.to_owned(),
        tasks: tasks(&loaded.reading),
    };
    Ok((LintDocument::new(vec![file], problems(&loaded.reading)), sources))
}

/// Files by name, without an instance: what they refer to elsewhere is not looked for.
fn of_files(files: &[PathBuf]) -> Result<(LintDocument, Sources), Failure> {
    let (mut found, mut mistakes, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for path in files {
        let name = path.display().to_string();
        let bytes = QueueFile::new(path).read().map_err(unreadable)?.bytes;
        if is_in(path, "jobs") || is_in(path, "agents") {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let diagnostics = match is_in(path, "jobs") {
                true => job::parse(&stem, &name, &bytes).1,
                false => agent::parse(&stem, &name, &bytes).1,
            };
            mistakes.extend(diagnostics.iter().map(crate::service::operations::problem));
            found.push(LintFile {
                file: name.clone(),
                tasks: Vec::new(),
            });
        } else {
            let reading = read(&name, bytes.clone(), &Known::default());
            mistakes.extend(problems(&reading));
            found.push(LintFile {
                file: name.clone(),
                tasks: tasks(&reading),
            });
        }
        sources.push((name, bytes));
    }
    Ok((LintDocument::new(found, mistakes), sources))
}

fn unreadable(error: crate::files::FileError) -> Failure {
    match error {
        crate::files::FileError::Missing { .. } => Failure::not_found(error.to_string()),
        _ => Failure::usage(error.to_string()),
    }
}

/// A file in a folder `jobs` beside an instance's configuration is a job; one in `agents`, an agent.
fn is_in(path: &Path, name: &str) -> bool {
    let folder = path.parent().filter(|p| p.file_name().is_some_and(|n| n == name));
    folder.and_then(Path::parent).is_some_and(|root| {
        let root = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root
        };
        root.join(CONFIG_FILE).exists()
    })
}

fn tasks(reading: &Reading) -> Vec<LintTask> {
    let task = |t: &crate::format::queue::QueuedTask| LintTask {
        id: t.id.to_string(),
        title: t.definition.title.clone(),
        line: t.line,
        status: t.declared.map(|d| d.as_str().to_owned()),
        section: t.under.clone(),
    };
    reading.tasks.iter().map(task).collect()
}

fn problems(reading: &Reading) -> Vec<Problem> {
    reading
        .problems
        .iter()
        .map(crate::service::operations::problem)
        .collect()
}
