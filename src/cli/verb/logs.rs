//! `logs`: what the worker of an attempt wrote, once or as it comes.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::super::args::look::Logs;
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, Look};
use super::ground::{Ground, of_store};
use super::look::unknown;
use crate::domain::id::TaskId;
use crate::runtime::process::file;
use crate::runtime::transcript::{Line, Tail};
use crate::service::instance::Instance;
use crate::service::view::VERSION;

/// How often `-f` looks.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn logs(ground: &Ground, args: Logs) -> Outcome {
    let instance = ground.any_instance().await?;
    let (dir, epoch) = attempt(&instance, &args).await?;
    let mut output = Output::of(&instance, &dir, &args, ground);
    if ground.common.json {
        let mut lines = Vec::new();
        while let Some(more) = output.next()? {
            lines.extend(more);
        }
        lines.extend(output.rest());
        let document = json!({ "version": VERSION, "id": args.id.as_str(), "epoch": epoch, "lines": lines });
        return ground.show(&document, |_| String::new());
    }
    while args.follow && goes_on(&instance, &args.id, epoch).await? {
        output.print()?;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
    output.print_to_the_end()
}

/// What a worker wrote, in the form that was asked for.
struct Output<'a> {
    instance: &'a Instance,
    said: Tail,
    /// Its standard error; with `--raw` nothing is mixed into its output.
    complained: Option<Tail>,
    look: Look,
    raw: bool,
}

impl<'a> Output<'a> {
    fn of(instance: &'a Instance, dir: &Path, args: &Logs, ground: &Ground) -> Self {
        let mut look = ground.look();
        look.color &= !ground.common.json;
        Self {
            instance,
            said: Tail::new(&dir.join(file::STDOUT), 0),
            complained: (!args.raw).then(|| Tail::new(&dir.join(file::STDERR), 0)),
            look,
            raw: args.raw,
        }
    }

    /// The next whole lines; none where there are no more for now.
    fn next(&mut self) -> Result<Option<Vec<String>>, Failure> {
        let said = self.said.read().map_err(unreadable)?;
        let complained = self.complained.as_mut().map(Tail::read).transpose();
        let complained = complained.map_err(unreadable)?.unwrap_or_default();
        let any = !said.is_empty() || !complained.is_empty();
        Ok(any.then(|| self.shown(&said, &complained)))
    }

    /// What stands after the last line end.
    fn rest(&mut self) -> Vec<String> {
        let said: Vec<Line> = self.said.rest().into_iter().collect();
        let complained: Vec<Line> = self
            .complained
            .as_mut()
            .and_then(Tail::rest)
            .into_iter()
            .collect();
        self.shown(&said, &complained)
    }

    fn shown(&self, said: &[Line], complained: &[Line]) -> Vec<String> {
        let said = said.iter().map(|line| self.said(line));
        let complained = complained.iter().map(|line| self.complained(line));
        said.chain(complained).filter(|line| !line.is_empty()).collect()
    }

    fn said(&self, line: &Line) -> String {
        let text = self.redacted(line);
        match (self.raw, std::io::stdout().is_terminal()) {
            (true, false) => text,
            (true, true) => render::text::lines(&text).join("\n"),
            (false, _) => render::transcript::line(&text, &self.look).trim_end().to_owned(),
        }
    }

    fn complained(&self, line: &Line) -> String {
        self.look.dim(&render::text::line(&self.redacted(line)))
    }

    fn redacted(&self, line: &Line) -> String {
        let text = String::from_utf8_lossy(&line.bytes);
        self.instance.redactor.redact(&text).into_owned()
    }

    fn print(&mut self) -> Outcome {
        while let Some(lines) = self.next()? {
            super::print(&page(lines))?;
        }
        Ok(Exit::Done)
    }

    fn print_to_the_end(&mut self) -> Outcome {
        self.print()?;
        super::print(&page(self.rest()))
    }
}

fn page(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::failed(format!("the worker's output cannot be read: {error}"))
}

async fn attempt(instance: &Instance, args: &Logs) -> Result<(PathBuf, u64), Failure> {
    let attempts = instance.store.attempts(&args.id).await.map_err(of_store)?;
    let wanted = match args.attempt {
        Some(n) => attempts.iter().find(|a| a.attempt.n == n),
        None => attempts.last(),
    };
    if let Some(found) = wanted {
        let epoch = found.attempt.epoch;
        return Ok((instance.layout.attempt(&args.id, epoch), epoch));
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
