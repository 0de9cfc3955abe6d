//! The probe: the agent is started, greeted, and ended. It asks no model, so it spends nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::{Agent as AgentRole, Client};

use super::agent::Agent;
use super::conversation::{greeting, name};
use crate::runtime::printable::brief;

/// How long an agent may take to greet back.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to end.
const PARTING: Duration = Duration::from_millis(500);

/// What an agent answered to the greeting.
pub enum Greeted {
    /// Its name and version.
    By(String),
    /// Nothing yet; a slow start is no fault.
    NotYet,
    /// No agent: what happened instead.
    Failed(String),
}

/// Greets the agent of a command.
pub async fn greet(command: &[String], env: &BTreeMap<OsString, OsString>) -> Greeted {
    let mut agent = match Agent::start(command, env, Path::new("/"), true) {
        Ok(agent) => agent,
        Err(fault) => return Greeted::Failed(format!("it cannot be started: {fault}")),
    };
    let Some(transport) = agent.transport() else {
        return Greeted::Failed("it has no standard input and output".to_owned());
    };
    let connection = Client
        .v1()
        .connect_with(transport, async |cx: ConnectionTo<AgentRole>| {
            cx.send_request(greeting()).block_task().await
        });
    let answered = tokio::time::timeout(PATIENCE, connection).await;
    let first = agent.strays().first();
    agent.end(PARTING).await;
    match (answered, first) {
        (Ok(Ok(answer)), _) => Greeted::By(name(&answer)),
        (Err(_), None) => Greeted::NotYet,
        (_, Some(line)) => Greeted::Failed(format!(
            "its output is no Agent Client Protocol: {}",
            brief(&line, 120)
        )),
        (Ok(Err(error)), None) => {
            Greeted::Failed(format!("it did not greet back: {}", brief(&error.message, 120)))
        }
    }
}
