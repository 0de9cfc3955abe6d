//! What the launch tells the worker beyond the contract's variables, and how the worker reads it back.
//!
//! One JSON document in one variable, so that both sides share one type. No secret is in it; the agent's keys travel
//! as variables of their own, which the runtime's `env` names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::permission::Permission;

/// The variable that holds the [`Settings`]; the agent does not see it.
pub const SETTINGS_VARIABLE: &str = "ORCHESTRATOR_ACP";
const MODEL_VARIABLE: &str = "ORCHESTRATOR_MODEL";
const WORKSPACE_VARIABLE: &str = "ORCHESTRATOR_WORKSPACE";
/// What the variables of the attempt begin with.
const OWN: &str = "ORCHESTRATOR_";

/// Which agent to start, and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The agent's program and its arguments.
    pub command: Vec<String>,
    /// What it may do without a person.
    pub permission: Permission,
    /// Whether it runs inside a sandbox or a container of ours.
    pub contained: bool,
    /// The way to sign in, by the agent's name for it.
    pub auth_method: Option<String>,
    /// The session to go on in.
    pub resume: Option<String>,
    /// What the session had cost before, in US dollars.
    pub cost_before_usd: Option<f64>,
    /// What the attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// Turns it may take, for agents that count them.
    pub max_turns: Option<u32>,
    /// The command of the MCP server with the agent verbs; empty where there is none.
    pub mcp: Vec<String>,
    /// Files to hand on with the prompt.
    pub attachments: Vec<PathBuf>,
    /// How long the agent may take for an answer before the prompt, in milliseconds.
    pub patience_ms: u64,
    /// How long the agent may take to end after it was told to, in milliseconds.
    pub grace_ms: u64,
}

/// All that the worker finds in its environment.
#[derive(Debug)]
pub struct Environment {
    /// What it was told.
    pub settings: Settings,
    /// The model that the tier names; empty for the agent's own choice.
    pub model: String,
    /// The folder to work in.
    pub workspace: PathBuf,
    /// The environment of the agent.
    pub agent: BTreeMap<OsString, OsString>,
}

/// A variable that is missing or cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's variable {name} {fault}; start it through `orchestrator`, not by hand")]
pub struct BadVariable {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub fault: String,
}

impl Environment {
    /// Reads the worker's own variables.
    pub fn read(variables: &BTreeMap<OsString, OsString>) -> Result<Self, BadVariable> {
        let need = |name: &'static str| {
            let value = variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
            value.ok_or(BadVariable {
                name,
                fault: "is not set".to_owned(),
            })
        };
        let document = need(SETTINGS_VARIABLE)?.to_string_lossy().into_owned();
        let settings = serde_json::from_str(&document).map_err(|fault| BadVariable {
            name: SETTINGS_VARIABLE,
            fault: format!("is no settings document: {fault}"),
        })?;
        let mut agent = variables.clone();
        agent.remove(OsStr::new(SETTINGS_VARIABLE));
        Ok(Self {
            settings,
            model: need(MODEL_VARIABLE)
                .map(|model| model.to_string_lossy().into_owned())
                .unwrap_or_default(),
            workspace: PathBuf::from(need(WORKSPACE_VARIABLE)?),
            agent,
        })
    }

    /// The attempt's own variables, for a server that speaks for it.
    pub fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |(name, value): (_, _)| Some((OsStr::to_str(name)?, OsStr::to_str(value)?));
        let all = self.agent.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()));
        all.filter_map(text).filter(|(name, _)| name.starts_with(OWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn settings() -> Settings {
        Settings {
            command: vec!["agent".into()],
            permission: Permission::Contained,
            contained: true,
            auth_method: None,
            resume: Some("s".into()),
            cost_before_usd: Some(0.5),
            budget_usd: None,
            max_turns: None,
            mcp: Vec::new(),
            attachments: vec!["/a b.png".into()],
            patience_ms: 1,
            grace_ms: 2,
        }
    }

    fn variables() -> BTreeMap<OsString, OsString> {
        let document = serde_json::to_string(&settings()).unwrap();
        [
            (SETTINGS_VARIABLE, document.as_str()),
            (MODEL_VARIABLE, "m"),
            (WORKSPACE_VARIABLE, "/w"),
            ("ORCHESTRATOR_TOKEN", "t"),
            ("PATH", "/bin"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    #[test]
    fn it_comes_back_as_it_went_and_the_agent_does_not_see_it() {
        let read = Environment::read(&variables()).unwrap();
        assert_eq!(read.settings, settings());
        assert_eq!((read.model.as_str(), read.agent.len()), ("m", 4));
        assert!(read.own().any(|pair| pair == ("ORCHESTRATOR_TOKEN", "t")));
        assert!(
            read.own()
                .all(|(name, _)| name != "PATH" && name != SETTINGS_VARIABLE)
        );
    }

    #[test]
    fn a_missing_or_broken_variable_is_named() {
        for name in [SETTINGS_VARIABLE, WORKSPACE_VARIABLE] {
            let mut variables = variables();
            variables.remove(OsStr::new(name));
            assert_eq!(Environment::read(&variables).unwrap_err().name, name);
        }
        let mut variables = variables();
        variables.insert(SETTINGS_VARIABLE.into(), "{".into());
        let fault = Environment::read(&variables).unwrap_err().to_string();
        assert!(fault.contains("no settings document"), "{fault}");
    }
}
