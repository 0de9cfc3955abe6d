//! [`Messages`]: the runtime's options, its probe, and the process that it asks to be started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::reader::LineReader;
use super::settings::{KEY_VARIABLE, SESSIONS_VARIABLE, SETTINGS_VARIABLE, Settings, sessions_dir};
use super::spend::Prices;
use crate::runtime::{Available, Brief, Launch, Reader, Runtime, Unavailable, environment, host_of};

/// How to run workers of this kind.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own binary.
    pub exe: PathBuf,
    /// The endpoint, without `/v1/messages`.
    pub base_url: String,
    /// The key; an endpoint on loopback may do without.
    pub api_key: Option<SecretString>,
    /// Longest reply, in tokens.
    pub max_tokens: u32,
    /// Most calls in one attempt, where the brief names no limit.
    pub max_turns: u32,
    /// Longest silence of the provider.
    pub idle_timeout: Duration,
    /// Longest time of one shell command.
    pub tool_timeout: Duration,
    /// Whether to ask the provider to cache the prompt.
    pub prompt_cache: bool,
    /// Prices by model; a model without an entry has no known cost.
    pub prices: BTreeMap<String, Prices>,
    /// Names of further variables that the worker's tools may see.
    pub env: Vec<String>,
}

impl Options {
    /// The defaults, for the binary at `exe`.
    pub fn new(exe: PathBuf) -> Self {
        Self {
            exe,
            base_url: "https://api.anthropic.com".to_owned(),
            api_key: None,
            max_tokens: 8192,
            max_turns: 100,
            idle_timeout: Duration::from_secs(120),
            tool_timeout: Duration::from_secs(300),
            prompt_cache: true,
            prices: BTreeMap::new(),
            env: Vec::new(),
        }
    }
}

/// The runtime.
#[derive(Debug, Clone)]
pub struct Messages {
    options: Options,
}

impl Messages {
    /// A runtime with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    fn settings(&self, brief: &Brief) -> Settings {
        let options = &self.options;
        Settings {
            base_url: options.base_url.trim_end_matches('/').to_owned(),
            max_tokens: options.max_tokens,
            max_turns: brief.max_turns.unwrap_or(options.max_turns),
            budget_usd: brief.budget_usd,
            prices: options.prices.get(&brief.model).copied(),
            idle_timeout_ms: u64::try_from(options.idle_timeout.as_millis()).unwrap_or(u64::MAX),
            tool_timeout_s: options.tool_timeout.as_secs().max(1),
            prompt_cache: options.prompt_cache,
            resume: brief.session.clone(),
            attachments: brief.attachments.clone(),
        }
    }

    fn environment(&self, brief: &Brief) -> BTreeMap<OsString, OsString> {
        let mut env = environment::of(brief, &self.options.env);
        let mut set = |name: &str, value: OsString| env.insert(name.into(), value);
        // A map of strings and numbers always serialises; an empty document would be refused by the worker.
        let settings = serde_json::to_string(&self.settings(brief)).unwrap_or_default();
        set(SETTINGS_VARIABLE, settings.into());
        set(SESSIONS_VARIABLE, sessions_dir(&brief.attempt_dir).into());
        if let Some(key) = &self.options.api_key {
            set(KEY_VARIABLE, key.expose_secret().into());
        }
        env
    }
}

#[async_trait]
impl Runtime for Messages {
    fn kind(&self) -> &'static str {
        "messages"
    }

    /// Looks at the options alone; the first call tells whether the key is good.
    async fn probe(&self) -> Result<Available, Unavailable> {
        let unavailable = |reason: String, cure: &str| {
            Err(Unavailable {
                reason,
                cure: cure.to_owned(),
            })
        };
        let Ok(url) = reqwest::Url::parse(&self.options.base_url) else {
            let reason = format!("'{}' is no URL", self.options.base_url);
            return unavailable(
                reason,
                "set base_url of this runtime, for example to https://api.anthropic.com",
            );
        };
        if self.options.api_key.is_none() && !is_loopback(&url) {
            let cure = "set api_key of this runtime, for example to \"${ANTHROPIC_API_KEY}\"";
            return unavailable("there is no API key".to_owned(), cure);
        }
        if !self.options.exe.is_file() {
            let reason = format!("the program {} is gone", self.options.exe.display());
            return unavailable(reason, "install orchestrator again, and restart it");
        }
        Ok(Available {
            version: format!("messages, built in, {url}"),
        })
    }

    fn hosts(&self) -> Vec<String> {
        host_of(&self.options.base_url).into_iter().collect()
    }

    fn writes(&self, brief: &Brief) -> Vec<PathBuf> {
        vec![sessions_dir(&brief.attempt_dir)]
    }

    fn launch(&self, brief: &Brief) -> Launch {
        Launch {
            argv: vec![self.options.exe.clone().into(), super::VERB.into()],
            env: self.environment(brief),
            stdin: brief.prompt.clone().into_bytes(),
            cwd: brief.workspace.clone(),
        }
    }

    fn reader(&self, _brief: &Brief) -> Box<dyn Reader> {
        Box::new(LineReader::default())
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
