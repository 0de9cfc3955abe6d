//! The verbs that only read: `status`, `show`, `why`, `plan`.

use std::io::Write;
use std::time::Duration;

use super::super::args::look::{One, Status};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::{self, look, watch};
use super::ground::{Ground, of_store};
use crate::domain::id::TaskId;
use crate::service::instance::Instance;
use crate::service::operations::{self, Scope};
use crate::telemetry;

/// How often `status --watch` draws.
const REDRAW: Duration = Duration::from_secs(1);
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
        let page = telemetry::clean(&page);
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

pub(super) fn unknown(id: &TaskId) -> Failure {
    Failure::not_found(format!("there is no task '{id}'")).help(
        "`orchestrator status --all` lists them; `orchestrator lint` tells whether a section can be read",
    )
}
