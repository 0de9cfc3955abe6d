//! The verbs that only read: `status`, `show`, `why`, `plan`, `logs`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::args::look::{Logs, One, Status};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, look, watch};
use super::ground::{Ground, of_store};
use crate::domain::id::TaskId;
use crate::runtime::process::file;
use crate::runtime::transcript::Tail;
use crate::service::instance::Instance;
use crate::service::operations::{self, Scope};

/// How often `status --watch` draws.
const REDRAW: Duration = Duration::from_secs(1);
/// How often `logs -f` looks.
const LOOK: Duration = Duration::from_millis(200);
/// How many tasks that are over `status` shows.
const RECENT: usize = 5;

pub(super) async fn status(ground: &Ground, args: Status) -> Outcome {
    let instance = ground.any_instance().await?;
    let scope = Scope {
        all: args.all,
        project: args.project,
    };
    let recent = if args.all { usize::MAX } else { RECENT };
    if args.watch {
        return watch_status(ground, &instance, &scope, recent).await;
    }
    let status = operations::status(&instance, &scope).await.map_err(of_store)?;
    ground.show(&status, |look| render::status::status(&status, recent, look))
}

async fn watch_status(ground: &Ground, instance: &Instance, scope: &Scope, recent: usize) -> Outcome {
    let looks = ground.look();
    let mut out = std::io::stdout();
    let failed = |e: std::io::Error| Failure::failed(format!("cannot draw: {e}"));
    write!(out, "{}", watch::ENTER).map_err(failed)?;
    let drawn = loop {
        let page = match operations::status(instance, scope).await {
            Ok(status) => render::status::status(&status, recent, &looks.at(ground.clock.now())),
            Err(error) => break Err(of_store(error)),
        };
        let frame = watch::frame(&page, look::size().map(|(_, rows)| rows));
        if let Err(error) = write!(out, "{frame}").and_then(|()| out.flush()) {
            break Err(failed(error));
        }
        tokio::select! {
            () = tokio::time::sleep(REDRAW) => {}
            _ = tokio::signal::ctrl_c() => break Ok(Exit::Done),
        }
    };
    write!(out, "{}", watch::LEAVE).map_err(failed)?;
    drawn
}

pub(super) async fn show(ground: &Ground, args: One) -> Outcome {
    let instance = ground.any_instance().await?;
    let shown = operations::show(&instance, &args.id).await.map_err(of_store)?;
    let shown = shown.ok_or_else(|| unknown(&args.id))?;
    ground.show(&shown, |look| render::show::show(&shown, look))
}

pub(super) async fn why(ground: &Ground, args: One) -> Outcome {
    let instance = ground.any_instance().await?;
    let why = operations::why(&instance, &args.id).await.map_err(of_store)?;
    let why = why.ok_or_else(|| unknown(&args.id))?;
    ground.show(&why, |look| render::why::why(&why, look))
}

pub(super) async fn plan(ground: &Ground) -> Outcome {
    let instance = ground.any_instance().await?;
    let plan = operations::plan(&instance).await.map_err(of_store)?;
    ground.show(&plan, |look| render::plan::plan(&plan, look))
}

pub(super) async fn logs(ground: &Ground, args: Logs) -> Outcome {
    let instance = ground.any_instance().await?;
    let (path, epoch) = transcript(&instance, &args).await?;
    let mut tail = Tail::new(&path, 0);
    let looks = ground.look();
    loop {
        let lines = tail
            .read()
            .map_err(|e| Failure::failed(format!("cannot read: {e}")).at(path.display()))?;
        let mut page = String::new();
        for line in &lines {
            let text = instance
                .redactor
                .redact(&String::from_utf8_lossy(&line.bytes))
                .into_owned();
            let shown = if args.raw {
                render::text::line(&text)
            } else {
                render::transcript::line(&text, &looks)
            };
            if !shown.is_empty() {
                page.push_str(shown.trim_end());
                page.push('\n');
            }
        }
        super::print(&page)?;
        let more = !lines.is_empty() || goes_on(&instance, &args.id, epoch).await?;
        if !args.follow || !more {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

async fn transcript(instance: &Arc<Instance>, args: &Logs) -> Result<(PathBuf, u64), Failure> {
    let attempts = instance.store.attempts(&args.id).await.map_err(of_store)?;
    let wanted = match args.attempt {
        Some(n) => attempts.iter().find(|a| a.attempt.n == n),
        None => attempts.last(),
    };
    let Some(found) = wanted else {
        let task = instance.store.task(&args.id).await.map_err(of_store)?;
        let failure = task.map_or_else(
            || unknown(&args.id),
            |_| Failure::not_found(format!("'{}' has no such attempt", args.id)),
        );
        return Err(failure.help(format!("`orchestrator show {}` lists its attempts", args.id)));
    };
    let epoch = found.attempt.epoch;
    Ok((instance.layout.attempt(&args.id, epoch).join(file::STDOUT), epoch))
}

async fn goes_on(instance: &Instance, id: &TaskId, epoch: u64) -> Result<bool, Failure> {
    let task = instance.store.task(id).await.map_err(of_store)?;
    Ok(task.and_then(|t| t.state.attempt().map(|a| a.epoch)) == Some(epoch))
}

pub(super) fn unknown(id: &TaskId) -> Failure {
    Failure::not_found(format!("there is no task '{id}'")).help(
        "`orchestrator status --all` lists them; a new one in the queue file is known after the next tick",
    )
}
