//! What the launch tells the worker beyond the contract's variables, and how the worker reads it back.
//!
//! One JSON document in one variable, so that both sides share one type. The key travels apart from it, under
//! the provider's own name, and is never part of a `Debug` output or of a tool's environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::spend::Prices;

/// The variable that holds the [`Settings`].
pub const SETTINGS_VARIABLE: &str = "ORCHESTRATOR_MESSAGES";
/// The variable that holds the key.
pub const KEY_VARIABLE: &str = "ANTHROPIC_API_KEY";
/// The variable that names the folder of the saved conversations.
pub const SESSIONS_VARIABLE: &str = "ORCHESTRATOR_SESSION_DIR";
const MODEL_VARIABLE: &str = "ORCHESTRATOR_MODEL";
const WORKSPACE_VARIABLE: &str = "ORCHESTRATOR_WORKSPACE";
const PROGRESS_VARIABLE: &str = "ORCHESTRATOR_PROGRESS_FILE";

/// How to ask the model, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The endpoint, without `/v1/messages`.
    pub base_url: String,
    /// Longest reply, in tokens.
    pub max_tokens: u32,
    /// Most calls in this attempt.
    pub max_turns: u32,
    /// What the attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// What the model costs.
    pub prices: Option<Prices>,
    /// Longest silence of the provider, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Longest time of one shell command, in seconds.
    pub tool_timeout_s: u64,
    /// Whether to ask the provider to cache the prompt.
    pub prompt_cache: bool,
    /// The session to go on in.
    pub resume: Option<String>,
    /// Files that go with the task; the pictures among them are shown to the model.
    pub attachments: Vec<PathBuf>,
}

impl Settings {
    /// Longest silence of the provider.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
}

/// All that the worker finds in its environment.
#[derive(Debug)]
pub struct Environment {
    /// How to ask the model.
    pub settings: Settings,
    /// The key; absent for an endpoint that needs none.
    pub key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// The folder to work in.
    pub workspace: PathBuf,
    /// The task's progress file.
    pub progress_file: PathBuf,
    /// Where conversations are kept.
    pub sessions: PathBuf,
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
    /// Reads the environment through `get`, which gives a variable's value if it is set.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadVariable> {
        let need = |name| {
            get(name).ok_or(BadVariable {
                name,
                fault: "is not set".to_owned(),
            })
        };
        let settings = serde_json::from_str(&need(SETTINGS_VARIABLE)?).map_err(|fault| BadVariable {
            name: SETTINGS_VARIABLE,
            fault: format!("is no settings document: {fault}"),
        })?;
        Ok(Self {
            settings,
            key: get(KEY_VARIABLE)
                .filter(|key| !key.is_empty())
                .map(SecretString::from),
            model: need(MODEL_VARIABLE)?,
            workspace: PathBuf::from(need(WORKSPACE_VARIABLE)?),
            progress_file: PathBuf::from(need(PROGRESS_VARIABLE)?),
            sessions: PathBuf::from(need(SESSIONS_VARIABLE)?),
        })
    }
}

/// Where the conversations of a task's attempts are kept: beside the attempts, so that they outlive them.
pub fn sessions_dir(attempt_dir: &Path) -> PathBuf {
    attempt_dir.parent().unwrap_or(attempt_dir).join("sessions")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_missing_or_broken_variable_is_named() {
        let settings = r#"{"base_url":"http://x","max_tokens":1,"max_turns":1,"budget_usd":null,"prices":null,
            "idle_timeout_ms":1,"tool_timeout_s":1,"prompt_cache":true,"resume":null,"attachments":[]}"#;
        let full = BTreeMap::from([
            (SETTINGS_VARIABLE, settings),
            (MODEL_VARIABLE, "m"),
            (WORKSPACE_VARIABLE, "/w"),
            (PROGRESS_VARIABLE, "/p"),
            (SESSIONS_VARIABLE, "/s"),
        ]);
        let read =
            |vars: &BTreeMap<&str, &str>| Environment::read(|name| vars.get(name).map(|v| (*v).to_owned()));
        assert!(read(&full).unwrap().key.is_none());
        for name in [
            SETTINGS_VARIABLE,
            MODEL_VARIABLE,
            WORKSPACE_VARIABLE,
            PROGRESS_VARIABLE,
            SESSIONS_VARIABLE,
        ] {
            let mut vars = full.clone();
            vars.remove(name);
            assert_eq!(read(&vars).unwrap_err().name, name);
        }
        let mut vars = full;
        vars.insert(SETTINGS_VARIABLE, "{");
        assert!(
            read(&vars)
                .unwrap_err()
                .to_string()
                .contains("no settings document")
        );
    }

    #[test]
    fn the_key_is_never_printed() {
        let key = SecretString::from("sk-secret".to_owned());
        assert!(!format!("{key:?}").contains("sk-secret"));
    }
}
