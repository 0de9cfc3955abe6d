//! `up`, `tick` and `demo`: the verbs that run workers.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::super::args::house::{Demo, Tick, Up};
use super::super::exit::{Exit, Failure, Outcome};
use super::super::render::text::count;
use super::ground::{Ground, of_store};
use crate::config::Override;
use crate::demo;
use crate::http;
use crate::service::instance::Instance;
use crate::service::member::JoinError;
use crate::service::operations;
use crate::service::run::{self, RunError, Ticked};
use crate::store::OpenMode;

pub(super) async fn up(ground: &Ground, args: Up) -> Outcome {
    let role = { args.role }.map(|role| Override::flag("--role", "fleet.role", role.as_str()));
    let instance = ground.running_instance(role.as_slice()).await?;
    let stopping = until_told()?;
    let (begun, is_the_one) = oneshot::channel();
    let answering = async {
        match is_the_one.await {
            Ok(()) => answer(&instance).await.inspect_err(|_| stopping.cancel()),
            Err(_refused) => Ok(None),
        }
    };
    let (ended, server) = tokio::join!(run::up(instance.clone(), stopping.clone(), begun), answering);
    if let Some(server) = server? {
        server.close().await;
    }
    farewell(ended.map_err(refused)?)
}

/// Answers HTTP where that is wanted. Where nobody chose the address, another program may have it.
async fn answer(instance: &Arc<Instance>) -> Result<Option<http::Server>, Failure> {
    let server = &instance.config.server;
    let Some(at) = server.listen else {
        return Ok(None);
    };
    match http::Server::open(at, instance.clone()).await {
        Ok(opened) => {
            tracing::info!(address = %opened.address, "HTTP is answered");
            Ok(Some(opened))
        }
        Err(error) if server.is_chosen => {
            let failure = Failure::failed(format!("HTTP cannot be answered at {at}: {error}"));
            Err(failure.help("set server.listen to another address, or to \"\" for none"))
        }
        Err(error) => {
            tracing::warn!(%at, %error, "HTTP is not answered; [server] listen names another address, or \"\" for none");
            Ok(None)
        }
    }
}

pub(super) async fn tick(ground: &Ground, args: Tick) -> Outcome {
    let instance = ground.running_instance(&[]).await?;
    let ended = run::tick(instance, args.wait, until_told()?)
        .await
        .map_err(refused)?;
    farewell(ended)
}

pub(super) async fn demo(ground: &Ground, args: Demo) -> Outcome {
    let root = demo::Root::make(args.keep)
        .map_err(|e| Failure::failed(format!("the demo needs a temporary folder: {e}")))?;
    super::init::make(root.path())?;
    let scene = demo::Scene::set(&root)
        .await
        .map_err(|e| Failure::failed(e.to_string()))?;
    super::print(&scene.opening())?;
    let home = crate::config::Home::at(root.path());
    let loaded = ground.config(&home)?;
    ground.log(&loaded)?;
    let instance = ground.open(&home, loaded, OpenMode::Migrate).await?;
    let stopping = until_told()?;
    run::tick(instance.clone(), true, stopping)
        .await
        .map_err(refused)?;
    let status = operations::status(&instance, &operations::Scope::default())
        .await
        .map_err(of_store)?;
    super::print(&format!(
        "\n{}\n",
        super::super::render::status::status(&status, 10, &ground.look())
    ))?;
    super::print(&scene.closing(&root))?;
    let done = status.tasks.iter().filter(|t| t.state == "completed").count();
    if done == status.tasks.len() && done > 0 {
        return Ok(Exit::Done);
    }
    Err(
        Failure::failed(format!("{done} of {} tasks were completed", status.tasks.len()))
            .at(root.path().display())
            .help("run it with --keep and look at the folder with `orchestrator show`"),
    )
}

/// Cancelled by the first SIGTERM or SIGINT; the second one ends the program at once.
fn until_told() -> Result<CancellationToken, Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("signals cannot be heard: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let token = CancellationToken::new();
    let told = token.clone();
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the process")]
    tokio::spawn(async move {
        for round in 0..2 {
            let code = tokio::select! { _ = terminate.recv() => 143, _ = interrupt.recv() => 130 };
            if round == 1 {
                std::process::exit(code);
            }
            told.cancel();
        }
    });
    Ok(token)
}

fn farewell(ended: Ticked) -> Outcome {
    if ended.workers > 0 {
        let workers = count(ended.workers, "worker");
        super::print(&format!(
            "{workers} at it; the next `up` or `tick` takes over. `orchestrator stop --all` ends them.\n"
        ))?;
    }
    Ok(Exit::Done)
}

fn refused(error: RunError) -> Failure {
    match error {
        RunError::Lock(held) => Failure::refused(held.to_string()),
        RunError::Join(taken @ JoinError::Taken { .. }) => Failure::refused(taken.to_string()),
        RunError::Join(JoinError::Store(error)) | RunError::Store(error) => of_store(error),
        RunError::Join(error @ JoinError::File(_)) => Failure::failed(error.to_string()),
        RunError::NoTick => Failure::refused(RunError::NoTick.to_string()),
        RunError::Queue(error) => {
            Failure::usage(error.to_string()).help("nothing new is taken up before it can be read")
        }
        RunError::Schedule(error) => Failure::usage(error.to_string()),
        RunError::Ticker(error) => Failure::failed(error.to_string()),
    }
}
