//! One session, one prompt, in the protocol's order; then nothing more.
//!
//! Everything before the prompt has to be answered within a time; the prompt has the attempt's own. A stop tells the
//! agent to cancel and gives it a grace to say so.

use std::cell::Cell;
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    AgentCapabilities, AuthMethod, AuthenticateRequest, CancelNotification, Implementation,
    InitializeRequest, InitializeResponse, PromptRequest, PromptResponse, SetSessionConfigOptionRequest,
};
use agent_client_protocol::{
    Agent, Error, UntypedMessage, is_connection_terminated, is_incoming_transport_closed,
};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::line::Line;
use super::listener::{Listener, Why};
use super::model::{Offer, Way as ModelWay};
use super::opening::{Opened, Way};
use super::settings::Environment;
use super::verdict::{self, Step};
use crate::domain::outcome::{EndKind, Ending};

/// Models of an agent that a message names.
const NAMED: usize = 12;

/// How a conversation ended.
#[derive(Debug)]
pub enum Outcome {
    /// With a meaning.
    Ended(Ending),
    /// The agent was gone before its answer.
    Gone,
}

type Done<T> = Result<T, Outcome>;

/// A client's side of a conversation.
pub struct Conversation<'a, W> {
    /// What the worker was told.
    pub environment: &'a Environment,
    /// The prompt's text.
    pub prompt: &'a str,
    /// What hears the agent.
    pub listener: Arc<Mutex<Listener<W>>>,
    /// Whether to stop.
    pub stop: watch::Receiver<Option<Why>>,
    /// Where it is.
    pub step: &'a Cell<Step>,
}

/// What the client says of itself.
pub fn greeting() -> InitializeRequest {
    let us = Implementation::new("orchestrator", env!("CARGO_PKG_VERSION"));
    InitializeRequest::new(ProtocolVersion::V1).client_info(us)
}

/// An agent and its version, for people.
pub fn name(agent: &InitializeResponse) -> String {
    match &agent.agent_info {
        Some(info) => format!("{} {}", info.title.as_deref().unwrap_or(&info.name), info.version),
        None => "an agent that does not tell its name".to_owned(),
    }
}

impl<W: Write> Conversation<'_, W> {
    /// Holds it.
    pub async fn hold(mut self, cx: ConnectionTo<Agent>) -> Outcome {
        match self.talk(&cx).await {
            Ok(ending) => Outcome::Ended(ending),
            Err(outcome) => outcome,
        }
    }

    async fn talk(&mut self, cx: &ConnectionTo<Agent>) -> Done<Ending> {
        let agent = self
            .ask(Step::Greeting, cx.send_request(greeting()).block_task())
            .await?;
        if agent.protocol_version != ProtocolVersion::V1 {
            let version = agent.protocol_version;
            return Err(failed(format!(
                "the agent speaks version {version} of the protocol, and this program version 1; install another version of the agent"
            )));
        }
        if let Some(method) = self.environment.settings.auth_method.clone() {
            let request = AuthenticateRequest::new(method);
            self.ask(Step::SigningIn, cx.send_request(request).block_task())
                .await?;
        }
        let (session, model) = self.open(cx, &agent).await?;
        let blocks = super::prompt::blocks(
            self.prompt,
            &self.environment.settings.attachments,
            agent.agent_capabilities.prompt_capabilities.image,
        );
        tracing::debug!(session, model, "the session is open");
        self.prompt(cx, PromptRequest::new(session, blocks)).await
    }

    /// Opens the session with its model, and tells of it.
    async fn open(
        &mut self,
        cx: &ConnectionTo<Agent>,
        agent: &InitializeResponse,
    ) -> Done<(String, Option<String>)> {
        let wanted = self.environment.settings.resume.as_deref();
        let way = Way::of(wanted, &agent.agent_capabilities);
        if wanted.is_some() && way == Way::New {
            let text = "the agent cannot open its old session; a new one begins".to_owned();
            self.listener().say(&Line::Notice { text });
        }
        if counts_anew(&agent.agent_capabilities) {
            self.listener().counts_anew();
        }
        let step = if way == Way::New {
            Step::Opening
        } else {
            Step::Reopening
        };
        let request = way
            .request(self.environment)
            .map_err(|error| failed(error.to_string()))?;
        self.listener().replay(true);
        let answer = self.ask(step, cx.send_request(request).block_task()).await;
        self.listener().replay(false);
        let opened =
            Opened::read(&answer.map_err(|outcome| with_ways_to_sign_in(outcome, &agent.auth_methods))?);
        let session = way.session().map(str::to_owned).or(opened.session);
        let session =
            session.ok_or_else(|| failed("the agent opened a session without a name".to_owned()))?;
        let model = self.choose(cx, &session, opened.offer).await?;
        self.listener().say(&Line::Init {
            session: session.clone(),
            model: model.clone(),
            agent: name(agent),
            resumed: way != Way::New,
        });
        Ok((session, model))
    }

    /// Chooses the tier's model; gives the agent's name for it.
    async fn choose(
        &mut self,
        cx: &ConnectionTo<Agent>,
        session: &str,
        offer: Option<Offer>,
    ) -> Done<Option<String>> {
        let wanted = self.environment.model.as_str();
        let Some(offer) = offer else {
            return Ok(None);
        };
        if wanted.is_empty() {
            return Ok(Some(offer.current));
        }
        let Some(model) = offer.find(wanted).map(str::to_owned) else {
            return Err(Outcome::Ended(no_such_model(wanted, &offer)));
        };
        if model != offer.current {
            match offer.way {
                ModelWay::Option(option) => {
                    let request =
                        SetSessionConfigOptionRequest::new(session.to_owned(), option, model.as_str());
                    self.ask(Step::Choosing, cx.send_request(request).block_task())
                        .await?;
                }
                ModelWay::Method => {
                    let params = json!({ "sessionId": session, "modelId": model });
                    let request = UntypedMessage::new("session/set_model", params);
                    let request = request.map_err(|error| failed(error.to_string()))?;
                    self.ask(Step::Choosing, cx.send_request(request).block_task())
                        .await?;
                }
            }
        }
        Ok(Some(model))
    }

    async fn prompt(&mut self, cx: &ConnectionTo<Agent>, request: PromptRequest) -> Done<Ending> {
        self.step.set(Step::Prompt);
        let session = request.session_id.clone();
        let mut answer = pin!(cx.send_request(request).block_task());
        let answered = tokio::select! {
            answered = &mut answer => Some(answered),
            _ = stopped(&mut self.stop) => None,
        };
        if let Some(answered) = answered {
            return self.read(answered, false);
        }
        self.listener().cancel();
        // An agent that is gone needs no telling.
        let _ = cx.send_notification(CancelNotification::new(session));
        let grace = Duration::from_millis(self.environment.settings.grace_ms);
        match timeout(grace, answer).await {
            Ok(answered) => self.read(answered, true),
            Err(_) => Ok(self.ended_by_us()),
        }
    }

    /// What the answer to the prompt means.
    fn read(&self, answered: Result<PromptResponse, Error>, cancelled: bool) -> Done<Ending> {
        match answered {
            Ok(response) => {
                let mut listener = self.listener();
                listener.turn(response.usage.as_ref());
                let over = listener.spend().is_over(self.environment.settings.budget_usd);
                Ok(verdict::of_stop(response.stop_reason, listener.said(), over))
            }
            // Agents fail in their own ways when they are interrupted.
            Err(_) if cancelled => Ok(self.ended_by_us()),
            Err(error) => Err(self.refused(Step::Prompt, &error)),
        }
    }

    fn ended_by_us(&self) -> Ending {
        ended(*self.stop.borrow())
    }

    /// Asks for something before the prompt.
    async fn ask<T>(&mut self, step: Step, request: impl Future<Output = Result<T, Error>>) -> Done<T> {
        self.step.set(step);
        let patience = Duration::from_millis(self.environment.settings.patience_ms);
        let answered = tokio::select! {
            answered = timeout(patience, request) => answered,
            why = stopped(&mut self.stop) => return Err(Outcome::Ended(ended(Some(why)))),
        };
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.refused(step, &error)),
            Err(_) => Err(failed(format!(
                "the agent did not answer {} within {} s",
                step.phrase(),
                patience.as_secs_f64()
            ))),
        }
    }

    fn refused(&self, step: Step, error: &Error) -> Outcome {
        if is_incoming_transport_closed(error) || is_connection_terminated(error) {
            return Outcome::Gone;
        }
        Outcome::Ended(verdict::of_error(step, error, self.listener().refused_until()))
    }

    fn listener(&self) -> MutexGuard<'_, Listener<W>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn stopped(stop: &mut watch::Receiver<Option<Why>>) -> Why {
    match stop.wait_for(Option::is_some).await {
        Ok(why) => why.unwrap_or(Why::Signal),
        // Nobody is left who could ask for it.
        Err(_) => std::future::pending().await,
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Ended(Ending {
        kind: EndKind::Failed,
        reason,
    })
}

fn ended(why: Option<Why>) -> Ending {
    let (kind, reason) = match why {
        Some(Why::Budget) => (EndKind::Budget, "it has used up its budget"),
        Some(Why::Unheard) => (
            EndKind::Interrupted,
            "nobody reads what it writes; is the disk full?",
        ),
        _ => (EndKind::Interrupted, "it was cancelled"),
    };
    Ending {
        kind,
        reason: reason.to_owned(),
    }
}

/// The protocol's cost is the session's; the adapter of Claude Code tells that of its own process (seen with 0.49.0).
fn counts_anew(capabilities: &AgentCapabilities) -> bool {
    let meta = capabilities.meta.as_ref();
    meta.is_some_and(|meta| meta.contains_key("claudeCode"))
}

/// Only a person can say which of them is meant.
fn no_such_model(wanted: &str, offer: &Offer) -> Ending {
    let named: Vec<&str> = offer.models.iter().take(NAMED).map(String::as_str).collect();
    let more = offer.models.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Ending {
        kind: EndKind::Blocked,
        reason: format!(
            "the agent has no model '{wanted}'; name one of its own as the tier's model: {}{more}",
            named.join(", ")
        ),
    }
}

/// An agent that asks to be signed in says how.
fn with_ways_to_sign_in(outcome: Outcome, methods: &[AuthMethod]) -> Outcome {
    match outcome {
        Outcome::Ended(mut ending) if ending.kind == EndKind::Auth && !methods.is_empty() => {
            let names: Vec<String> = methods.iter().map(|method| method.id().to_string()).collect();
            ending.reason = format!(
                "{}; sign in by hand, or set auth_method to one of: {}",
                ending.reason,
                names.join(", ")
            );
            Outcome::Ended(ending)
        }
        other => other,
    }
}
