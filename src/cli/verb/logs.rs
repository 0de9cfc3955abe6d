//! `logs`: what the worker of an attempt wrote, once or as it comes.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::json;

use super::super::args::look::Logs;
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, Look};
use super::check_log;
use super::ground::{Ground, of_store};
use super::look::unknown;
use crate::domain::id::TaskId;
use crate::domain::task::Attempt;
use crate::format::redact::Redactor;
use crate::runtime::process::file;
use crate::runtime::transcript::{Line, Tail};
use crate::service::instance::Instance;
use crate::service::outlet::Copy;
use crate::service::view::VERSION;
use crate::store::OutputSource;

/// How often `-f` looks.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn logs(ground: &Ground, args: Logs) -> Outcome {
    let instance = ground.any_instance().await?;
    if let Some(name) = &args.check {
        return check_log::check(ground, &instance, &args, name).await;
    }
    let found = attempt(&instance, &args).await?;
    let epoch = found.epoch;
    let mut output = Output::of(&instance, &found, &args, ground);
    if ground.common.json {
        let mut lines = Vec::new();
        while let Some(more) = output.next().await? {
            lines.extend(more);
        }
        lines.extend(output.rest().await?);
        let document = json!({ "version": VERSION, "id": args.id.as_str(), "epoch": epoch, "lines": lines });
        return ground.show(&document, |_| String::new());
    }
    while args.follow && goes_on(&instance, &args.id, epoch).await? {
        output.print().await?;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
    output.print_to_the_end().await
}

/// What a worker wrote, in the form that was asked for.
struct Output {
    redactor: Redactor,
    said: Lines,
    /// Its standard error; with `--raw` nothing is mixed into its output.
    complained: Option<Lines>,
    look: Look,
    raw: bool,
}

/// Where lines come from.
enum Lines {
    /// The worker's own file.
    File(Tail),
    /// What the node that runs it, or ran it, sent.
    Copy(Copy),
}

impl Lines {
    fn of(instance: &Instance, attempt: &Attempt, id: &TaskId, source: OutputSource) -> Self {
        let dir = instance.layout.attempt(id, attempt.epoch);
        let me = instance.member.as_ref().map(|member| member.name());
        let is_here = attempt.route.node.as_ref() == me && dir.exists();
        match &instance.outlet {
            Some(outlet) if !is_here => Self::Copy(outlet.copy(id, attempt, source)),
            _ => Self::File(Tail::new(
                &dir.join(match source {
                    OutputSource::Said => file::STDOUT,
                    OutputSource::Complained => file::STDERR,
                }),
                0,
            )),
        }
    }

    /// The next whole lines; none where there are no more for now.
    async fn read(&mut self) -> Result<Vec<String>, Failure> {
        match self {
            Self::File(tail) => Ok(tail.read().map_err(unreadable)?.iter().map(text).collect()),
            Self::Copy(copy) => copy.read().await.map_err(of_store),
        }
    }

    /// What stands after the last line end, or behind a gap.
    async fn rest(&mut self) -> Result<Vec<String>, Failure> {
        match self {
            Self::File(tail) => Ok(tail.rest().iter().map(text).collect()),
            Self::Copy(copy) => copy.rest().await.map_err(of_store),
        }
    }
}

fn text(line: &Line) -> String {
    String::from_utf8_lossy(&line.bytes).into_owned()
}

impl Output {
    fn of(instance: &Instance, attempt: &Attempt, args: &Logs, ground: &Ground) -> Self {
        let lines = |source| Lines::of(instance, attempt, &args.id, source);
        let mut look = ground.look();
        look.color &= !ground.common.json;
        Self {
            redactor: instance.redactor_of(&args.id, attempt.epoch, attempt.started_at),
            said: lines(OutputSource::Said),
            complained: (!args.raw).then(|| lines(OutputSource::Complained)),
            look,
            raw: args.raw,
        }
    }

    /// The next whole lines; none where there are no more for now.
    async fn next(&mut self) -> Result<Option<Vec<String>>, Failure> {
        let said = self.said.read().await?;
        let complained = match &mut self.complained {
            Some(lines) => lines.read().await?,
            None => Vec::new(),
        };
        let any = !said.is_empty() || !complained.is_empty();
        Ok(any.then(|| self.shown(&said, &complained)))
    }

    /// What is left when nothing more comes.
    async fn rest(&mut self) -> Result<Vec<String>, Failure> {
        let said = self.said.rest().await?;
        let complained = match &mut self.complained {
            Some(lines) => lines.rest().await?,
            None => Vec::new(),
        };
        Ok(self.shown(&said, &complained))
    }

    fn shown(&self, said: &[String], complained: &[String]) -> Vec<String> {
        let said = self.redacted(said);
        let said = said.lines().map(|line| self.said(line));
        let complained = self.redacted(complained);
        let complained = complained
            .lines()
            .map(|line| self.look.dim(&render::text::line(line)));
        said.chain(complained).filter(|line| !line.is_empty()).collect()
    }

    fn said(&self, text: &str) -> String {
        match (self.raw, std::io::stdout().is_terminal()) {
            (true, false) => text.to_owned(),
            (true, true) => render::text::lines(text).join("\n"),
            (false, _) => render::transcript::line(text, &self.look).trim_end().to_owned(),
        }
    }

    /// Together, so that a secret that is broken over lines is found.
    fn redacted(&self, lines: &[String]) -> String {
        self.redactor.redact(&lines.join("\n")).into_owned()
    }

    async fn print(&mut self) -> Outcome {
        while let Some(lines) = self.next().await? {
            super::print(&page(lines))?;
        }
        Ok(Exit::Done)
    }

    async fn print_to_the_end(&mut self) -> Outcome {
        self.print().await?;
        super::print(&page(self.rest().await?))
    }
}

fn page(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::failed(format!("the worker's output cannot be read: {error}"))
}

async fn attempt(instance: &Instance, args: &Logs) -> Result<Attempt, Failure> {
    let attempts = instance.store.attempts(&args.id).await.map_err(of_store)?;
    let wanted = match args.attempt {
        Some(n) => attempts.iter().find(|a| a.attempt.n == n),
        None => attempts.last(),
    };
    if let Some(found) = wanted {
        return Ok(found.attempt.clone());
    }
    if instance.store.task(&args.id).await.map_err(of_store)?.is_none() {
        return Err(unknown(&args.id));
    }
    let what = match args.attempt {
        Some(n) => format!("'{}' has no attempt {n}", args.id),
        None => format!("'{}' had no attempt yet", args.id),
    };
    Err(Failure::not_found(what).help(format!("`orchestrator show {}` lists its attempts", args.id)))
}

async fn goes_on(instance: &Instance, id: &TaskId, epoch: u64) -> Result<bool, Failure> {
    let task = instance.store.task(id).await.map_err(of_store)?;
    Ok(task.and_then(|t| t.state.attempt().map(|a| a.epoch)) == Some(epoch))
}
