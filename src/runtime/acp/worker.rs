//! The worker: the client of one agent, from the prompt on standard input to the last line.

use std::cell::{Cell, RefCell};
use std::io::{Read, Stdout};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::RequestPermissionRequest;
use agent_client_protocol::{Agent as AgentRole, Client, ConnectTo, UntypedMessage};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::agent::Agent;
use super::conversation::{Conversation, Outcome};
use super::errors::Errors;
use super::line::{Closing, Line, Used};
use super::listener::{Listener, Rules, Why};
use super::settings::Environment;
use super::spend::Spend;
use super::verdict::{self, Step};
use super::voice::Voice;
use crate::domain::outcome::{EndKind, Ending};
use crate::runtime::printable::brief;

/// For the last message to reach an agent that does not read any more.
const FLUSH: Duration = Duration::from_secs(1);

type Ear = Arc<Mutex<Listener<Stdout>>>;

/// Runs the worker; to be called first thing in `main`, before any thread is started.
pub fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let closing = match (prepare(), runtime) {
        (Ok((environment, prompt)), Ok(runtime)) => runtime.block_on(run(&environment, &prompt)),
        (Err(reason), _) => failed(reason),
        (_, Err(fault)) => failed(format!("no event loop: {fault}")),
    };
    let kind = closing.kind;
    Voice::new(std::io::stdout()).say(&Line::Result(closing));
    exit_code(kind)
}

fn prepare() -> Result<(Environment, String), String> {
    let own = crate::config::Environment::capture();
    let environment = Environment::read(own.variables()).map_err(|fault| fault.to_string())?;
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

async fn run(environment: &Environment, prompt: &str) -> Closing {
    let settings = &environment.settings;
    let agent = Agent::start(
        &settings.command,
        &environment.agent,
        &environment.workspace,
        false,
    );
    let mut agent = match agent {
        Ok(agent) => agent,
        Err(fault) => return failed(cannot_start(&settings.command, &fault)),
    };
    let Some(transport) = agent.transport() else {
        return failed("the agent has no standard input and output".to_owned());
    };
    let (stop, stopped) = watch::channel(None);
    let listener = Arc::new(Mutex::new(listener(environment, stop.clone())));
    let mut errors = Errors::new(agent.errors(), listener.clone());
    let step = Cell::new(Step::Greeting);
    let conversation = Conversation {
        environment,
        prompt,
        listener: listener.clone(),
        stop: stopped,
        step: &step,
    };
    let outcome = tokio::select! {
        outcome = converse(transport, listener.clone(), conversation) => outcome,
        () = forward_signals(&stop) => Outcome::Gone,
        () = errors.overhear() => Outcome::Gone,
    };
    let (first_stray, garbage) = (agent.strays().first(), agent.strays().are_too_many());
    let left = errors
        .during(agent.end(Duration::from_millis(settings.grace_ms)))
        .await;
    let (ending, died) = match outcome {
        Outcome::Ended(ending) => (ending, false),
        Outcome::Gone if garbage => (no_protocol(first_stray.as_deref()), false),
        Outcome::Gone => (gone(step.get(), left, first_stray.as_deref()), true),
    };
    close(ending, died, &listener)
}

fn listener(environment: &Environment, stop: watch::Sender<Option<Why>>) -> Listener<Stdout> {
    let settings = &environment.settings;
    let rules = Rules {
        permission: settings.permission,
        contained: settings.contained,
        workspace: environment.workspace.clone(),
        budget_usd: settings.budget_usd,
    };
    let before = settings.resume.as_ref().and(settings.cost_before_usd);
    Listener::new(Voice::new(std::io::stdout()), rules, Spend::new(before), stop)
}

/// Serves the connection until the conversation is over.
async fn converse(
    transport: impl ConnectTo<Client> + 'static,
    listener: Ear,
    conversation: Conversation<'_, Stdout>,
) -> Outcome {
    let (outcome, over) = (RefCell::new(None), Notify::new());
    let (told, asked) = (listener.clone(), listener);
    let connection = Client
        .v1()
        .name("orchestrator")
        .on_receive_notification(
            async move |message: UntypedMessage, _cx| {
                told.lock().unwrap_or_else(PoisonError::into_inner).hear(message);
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |request: RequestPermissionRequest, responder, _cx| {
                let answer = asked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .answer(request);
                responder.respond(answer)
            },
            agent_client_protocol::on_receive_request!(),
        )
        .connect_with(transport, async |cx: ConnectionTo<AgentRole>| {
            outcome.replace(Some(conversation.hold(cx).await));
            over.notify_one();
            Ok(())
        });
    let flushed = async {
        over.notified().await;
        tokio::time::sleep(FLUSH).await;
    };
    tokio::select! {
        // A transport that broke shows in the missing outcome.
        _ = connection => {}
        () = flushed => {}
    }
    outcome.take().unwrap_or(Outcome::Gone)
}

/// Hands polite signals on as a wish to stop; never ends.
async fn forward_signals(stop: &watch::Sender<Option<Why>>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without them a signal ends the worker at once, which is how every program starts.
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(Some(Why::Signal));
    }
}

fn cannot_start(command: &[String], fault: &std::io::Error) -> String {
    let program = command.first().map(String::as_str).unwrap_or_default();
    format!("the agent '{program}' cannot be started ({fault}); install it, or correct the runtime's command")
}

fn no_protocol(first: Option<&str>) -> Ending {
    Ending {
        kind: EndKind::Failed,
        reason: format!(
            "the agent does not speak the Agent Client Protocol on its standard output, which begins: {}; \
             look at the runtime's command (many agents need a word like `acp` or `--acp`)",
            brief(first.unwrap_or_default(), 200)
        ),
    }
}

fn gone(step: Step, left: Option<std::process::ExitStatus>, stray: Option<&str>) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    let signal = left.and_then(|status| status.signal());
    let phrase = match (left.and_then(|status| status.code()), signal) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "it closed its output".to_owned(),
    };
    verdict::of_death(step, &phrase, signal.is_some(), stray)
}

fn close(mut ending: Ending, died: bool, listener: &Ear) -> Closing {
    let mut listener = listener.lock().unwrap_or_else(PoisonError::into_inner);
    listener.flush();
    ending = listener.blame(ending);
    if ending.kind == EndKind::Claimed && !listener.refused().is_empty() {
        // A claim that something speaks against is still a claim: the gate decides, and people are told.
        ending.reason = format!(
            "{} (refused tools: {})",
            ending.reason,
            listener.refused().join(", ")
        );
    }
    Closing {
        kind: ending.kind,
        reason: ending.reason,
        died,
        usage: listener.spend().used(),
    }
}

fn failed(reason: String) -> Closing {
    Closing {
        kind: EndKind::Failed,
        reason,
        died: false,
        usage: Used::default(),
    }
}

/// The exit codes of a worker (docs/WORKERS.md).
fn exit_code(kind: EndKind) -> ExitCode {
    ExitCode::from(match kind {
        EndKind::Claimed => 0,
        EndKind::Blocked => 77,
        _ => 1,
    })
}
