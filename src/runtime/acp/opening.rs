//! The requests that open a session, and what comes back.
//!
//! A session is opened again by `session/resume` where the agent has it, since `session/load` tells all of the past
//! once more. The answer is read leniently: one odd option must not cost the attempt.

use agent_client_protocol::v1::schema::{
    AgentCapabilities, EnvVariable, LoadSessionRequest, McpServer, McpServerStdio, Meta, NewSessionRequest,
    ResumeSessionRequest, SessionConfigOption,
};
use agent_client_protocol::{Error, UntypedMessage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Models, Offer};
use super::permission::VERBS_SERVER;
use super::settings::Environment;

/// How a session is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A new one.
    New,
    /// An old one, without its past being told.
    Resume(String),
    /// An old one, with its past told again.
    Load(String),
}

impl Way {
    /// How the agent can open the session; a new one where it cannot open old ones.
    pub fn of(session: Option<&str>, capabilities: &AgentCapabilities) -> Self {
        match session {
            Some(id) if capabilities.session_capabilities.resume.is_some() => Self::Resume(id.to_owned()),
            Some(id) if capabilities.load_session => Self::Load(id.to_owned()),
            _ => Self::New,
        }
    }

    /// The session that goes on.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::New => None,
            Self::Resume(id) | Self::Load(id) => Some(id),
        }
    }

    /// The request.
    pub fn request(&self, environment: &Environment) -> Result<UntypedMessage, Error> {
        let (cwd, servers, meta) = (&environment.workspace, servers(environment), meta(environment));
        match self {
            Self::New => {
                let request = NewSessionRequest::new(cwd).mcp_servers(servers).meta(meta);
                UntypedMessage::new("session/new", request)
            }
            Self::Resume(id) => {
                let request = ResumeSessionRequest::new(id.clone(), cwd)
                    .mcp_servers(servers)
                    .meta(meta);
                UntypedMessage::new("session/resume", request)
            }
            Self::Load(id) => {
                let request = LoadSessionRequest::new(id.clone(), cwd)
                    .mcp_servers(servers)
                    .meta(meta);
                UntypedMessage::new("session/load", request)
            }
        }
    }
}

/// An open session.
#[derive(Debug, PartialEq)]
pub struct Opened {
    /// Its name; absent in the answer for an old one.
    pub session: Option<String>,
    /// The models to choose from.
    pub offer: Option<Offer>,
}

impl Opened {
    /// Reads the agent's answer.
    pub fn read(answer: &Value) -> Self {
        let options = answer
            .get("configOptions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let options: Vec<SessionConfigOption> = options
            .filter_map(|option| SessionConfigOption::deserialize(option).ok())
            .collect();
        let models = answer
            .get("models")
            .and_then(|models| Models::deserialize(models).ok());
        Self {
            session: answer.get("sessionId").and_then(Value::as_str).map(str::to_owned),
            offer: Offer::of(&options, models.as_ref()),
        }
    }
}

/// The server of the agent verbs, with the attempt's own variables: agents start servers without theirs.
fn servers(environment: &Environment) -> Vec<McpServer> {
    let Some((program, arguments)) = environment.settings.mcp.split_first() else {
        return Vec::new();
    };
    let env = environment
        .own()
        .map(|(name, value)| EnvVariable::new(name, value));
    let server = McpServerStdio::new(VERBS_SERVER, program.as_str())
        .args(arguments.to_vec())
        .env(env.collect());
    vec![McpServer::Stdio(server)]
}

/// What adapters take beside the protocol's fields. For Claude Code: what a repository brings along (hooks, MCP
/// servers) is code of whoever wrote it, so only the user's own settings count; and it can count turns.
fn meta(environment: &Environment) -> Meta {
    let mut options = json!({ "settingSources": ["user"], "strictMcpConfig": true });
    if let Some(turns) = environment.settings.max_turns {
        options["maxTurns"] = turns.into();
    }
    if let Some(budget) = environment.settings.budget_usd {
        options["maxBudgetUsd"] = budget.into();
    }
    let mut meta = Meta::new();
    // Its retries have no place in the protocol; they are asked for as they are.
    let raw = json!([{ "type": "system", "subtype": "api_retry" }]);
    let claude = json!({ "options": options, "emitRawSDKMessages": raw });
    meta.insert("claudeCode".to_owned(), claude);
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(value: Value) -> AgentCapabilities {
        serde_json::from_value(value).unwrap()
    }

    fn environment(mcp: &[&str]) -> Environment {
        let settings = json!({"command":["a"],"permission":"deny","contained":false,"auth_method":null,"resume":null,
            "cost_before_usd":null,"budget_usd":1.5,"max_turns":7,"mcp":mcp,"attachments":[],"patience_ms":1,"grace_ms":1});
        Environment {
            settings: serde_json::from_value(settings).unwrap(),
            model: String::new(),
            workspace: "/w".into(),
            agent: [
                ("ORCHESTRATOR_TOKEN".into(), "t".into()),
                ("PATH".into(), "/bin".into()),
            ]
            .into(),
        }
    }

    #[test]
    fn an_old_session_is_opened_in_the_quietest_way_that_there_is() {
        let both = capabilities(json!({"loadSession":true,"sessionCapabilities":{"resume":{}}}));
        let load = capabilities(json!({"loadSession":true}));
        let none = capabilities(json!({}));
        assert_eq!(Way::of(Some("s"), &both), Way::Resume("s".into()));
        assert_eq!(Way::of(Some("s"), &load), Way::Load("s".into()));
        assert_eq!(Way::of(Some("s"), &none), Way::New);
        assert_eq!(Way::of(None, &both), Way::New);
    }

    #[test]
    fn the_verbs_come_as_a_server_with_the_attempts_own_variables() {
        let environment = environment(&["/bin/orchestrator", "mcp"]);
        for way in [Way::New, Way::Resume("s".into()), Way::Load("s".into())] {
            let (_, params) = way.request(&environment).unwrap().into_parts();
            assert_eq!(params["cwd"], "/w");
            let server = json!({"name":"orchestrator","command":"/bin/orchestrator","args":["mcp"],
                "env":[{"name":"ORCHESTRATOR_TOKEN","value":"t"}]});
            assert_eq!(params["mcpServers"], json!([server]));
            assert_eq!(params.get("sessionId").and_then(Value::as_str), way.session());
            let options = &params["_meta"]["claudeCode"]["options"];
            assert_eq!(options["settingSources"], json!(["user"]));
            assert_eq!(
                (&options["maxTurns"], &options["maxBudgetUsd"]),
                (&json!(7), &json!(1.5))
            );
        }
    }

    #[test]
    fn without_verbs_there_is_no_server() {
        let (_, params) = Way::New.request(&environment(&[])).unwrap().into_parts();
        assert_eq!(params["mcpServers"], json!([]));
    }

    #[test]
    fn an_odd_option_costs_nothing() {
        let answer = json!({"sessionId":"s","configOptions":[{"id":1},
            {"id":"m","name":"M","category":"model","type":"select","currentValue":"a","options":[{"value":"a","name":"A"}]}]});
        let opened = Opened::read(&answer);
        assert_eq!(
            (opened.session.as_deref(), opened.offer.unwrap().current.as_str()),
            (Some("s"), "a")
        );
        assert_eq!(
            Opened::read(&Value::Null),
            Opened {
                session: None,
                offer: None
            }
        );
    }
}
