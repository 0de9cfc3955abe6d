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
use crate::service::view::VERSION;

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
struct Output {
    redactor: Redactor,
    said: Tail,
    /// Its standard error; with `--raw` nothing is mixed into its output.
    complained: Option<Tail>,
    look: Look,
    raw: bool,
}

impl Output {
    fn of(instance: &Instance, attempt: &Attempt, args: &Logs, ground: &Ground) -> Self {
        let dir = instance.layout.attempt(&args.id, attempt.epoch);
        let mut look = ground.look();
        look.color &= !ground.common.json;
        Self {
            redactor: instance.redactor_of(&args.id, attempt.epoch, attempt.started_at),
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
    fn redacted(&self, lines: &[Line]) -> String {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(&line.bytes))
            .collect();
        self.redactor.redact(&lines.join("\n")).into_owned()
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
