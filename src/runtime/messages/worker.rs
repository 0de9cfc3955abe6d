//! The worker's process: reads its environment and its prompt, runs the loop, and exits with the contract's code.
//!
//! The process makes itself undumpable, so that a command of the model cannot read the key from its
//! `/proc` entry (root still can: against that stands the sandbox, not this).

use std::io::{Read, Stdout};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::agent::Agent;
use super::client::Client;
use super::line::{Closing, Line};
use super::session::Session;
use super::settings::Environment;
use super::spend::{Spend, Totals};
use super::tools::beneath::Root;
use super::tools::{Toolbox, bash::Shell};
use super::voice::Voice;
use super::wire::Block;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::attachment::Picture;

/// Runs the worker; to be called first thing in `main`, before any thread is started.
pub fn main() -> ExitCode {
    let mut voice = Voice::new(std::io::stdout());
    // A kernel that refuses this still runs the worker; the key's first guard is that tools never inherit it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let closing = match prepare() {
        Ok((environment, prompt)) => run(environment, prompt, voice),
        Err(reason) => {
            let closing = failed(EndKind::Failed, reason);
            voice.say(&Line::Result(closing.clone()));
            closing
        }
    };
    exit_code(closing.kind)
}

/// The present, truncated to microseconds as the store keeps it.
pub(super) fn now() -> DateTime<Utc> {
    crate::clock::Clock::system().now()
}

fn prepare() -> Result<(Environment, String), String> {
    let own = crate::config::Environment::capture();
    let environment =
        Environment::read(|name| own.get(name).map(str::to_owned)).map_err(|fault| fault.to_string())?;
    let mut prompt = Vec::new();
    std::io::stdin()
        .read_to_end(&mut prompt)
        .map_err(|fault| format!("the prompt cannot be read: {fault}"))?;
    let prompt = String::from_utf8_lossy(&prompt).trim().to_owned();
    if prompt.is_empty() {
        return Err("the prompt is empty; it is read from standard input".to_owned());
    }
    Ok((environment, prompt))
}

fn run(environment: Environment, prompt: String, mut voice: Voice<Stdout>) -> Closing {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let prepared = runtime
        .map_err(|fault| failed(EndKind::Failed, format!("no event loop: {fault}")))
        .and_then(|runtime| {
            let pictures = pictures(&environment)?;
            Ok((runtime, toolbox(&environment)?, client(&environment)?, pictures))
        });
    let (runtime, toolbox, client, pictures) = match prepared {
        Ok(prepared) => prepared,
        Err(closing) => {
            voice.say(&Line::Result(closing.clone()));
            return closing;
        }
    };
    let mut agent = agent(environment, toolbox, client, voice);
    // A session that goes on has been shown them.
    let new = pictures.into_iter().filter(|p| !agent.conversation.holds(p));
    let words = new.chain([Block::text(prompt)]).collect();
    agent.conversation.say(words);
    runtime.block_on(agent.run())
}

fn toolbox(environment: &Environment) -> Result<Toolbox, Closing> {
    let workspace = &environment.workspace;
    let root = Root::open(workspace).map_err(|fault| {
        failed(
            EndKind::Failed,
            format!("the workspace {} cannot be opened: {fault}", workspace.display()),
        )
    })?;
    let limit = Duration::from_secs(environment.settings.tool_timeout_s);
    let shell = Shell {
        workspace: workspace.clone(),
        limit,
    };
    Ok(Toolbox {
        shell,
        root,
        progress_file: environment.progress_file.clone(),
    })
}

fn client(environment: &Environment) -> Result<Client, Closing> {
    Client::new(&environment.settings, environment.key.as_ref()).map_err(|trouble| {
        let Ending { kind, reason } = trouble.ending(now());
        failed(kind, reason)
    })
}

/// A picture that cannot be shown is for a person to mend: no stronger model would see it.
fn pictures(environment: &Environment) -> Result<Vec<Block>, Closing> {
    let shown = environment
        .settings
        .attachments
        .iter()
        .map(|path| Picture::read(path));
    let shown = shown.filter_map(Result::transpose);
    shown
        .map(|picture| picture.map(|p| Block::Other(p.to_block())))
        .collect::<Result<_, _>>()
        .map_err(|fault| failed(EndKind::Blocked, fault.to_string()))
}

fn agent(
    environment: Environment,
    toolbox: Toolbox,
    client: Client,
    mut voice: Voice<Stdout>,
) -> Agent<Stdout> {
    let Environment {
        settings,
        model,
        sessions,
        ..
    } = environment;
    let opened = Session::open(&sessions, settings.resume.as_deref());
    let spend = Spend::new(settings.prices, settings.budget_usd);
    voice.say(&Line::Init {
        session: opened.session.id(),
        model: model.clone(),
        resumed: opened.resumed,
    });
    let notices = opened
        .notice
        .into_iter()
        .chain(spend.warning().map(str::to_owned));
    for text in notices {
        voice.say(&Line::Notice { text });
    }
    Agent {
        client,
        toolbox,
        settings,
        model,
        session: opened.session,
        conversation: opened.conversation,
        spend,
        voice,
        now,
    }
}

fn failed(kind: EndKind, reason: String) -> Closing {
    Closing {
        kind,
        reason,
        finished: false,
        http_status: None,
        turns: 0,
        usage: Totals::default(),
        session: None,
    }
}

/// The exit codes of a worker (docs/WORKERS.md).
fn exit_code(kind: EndKind) -> ExitCode {
    ExitCode::from(match kind {
        EndKind::Claimed | EndKind::NoChangeNeeded => 0,
        EndKind::Continue => 75,
        EndKind::Blocked => 77,
        _ => 1,
    })
}
