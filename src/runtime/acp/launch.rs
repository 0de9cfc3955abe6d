//! [`Acp`]: the runtime's options, its probe, and the process that it asks to be started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::address;
use super::greeting::{Greeted, greet};
use super::permission::Permission;
use super::reader::LineReader;
use super::settings::{SETTINGS_VARIABLE, Settings};
use crate::runtime::process::probe;
use crate::runtime::{Available, Brief, Launch, Reader, Runtime, Unavailable, claude_code, environment};

/// The variable by which Claude Code believes that it is contained; its adapter takes any value for yes, the tool
/// itself only "1".
const IS_SANDBOX: &str = "IS_SANDBOX";

/// How to run workers of this kind.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own binary.
    pub exe: PathBuf,
    /// The agent's program and its arguments.
    pub command: Vec<String>,
    /// What it may do without a person.
    pub permission: Permission,
    /// The way to sign in, by the agent's name for it; without one it is taken to be signed in.
    pub auth_method: Option<String>,
    /// Turns an attempt may take, where the brief names no limit; for agents that count them.
    pub max_turns: Option<u32>,
    /// How long the agent may take for each answer before the prompt.
    pub patience: Duration,
    /// How long the agent may take to end after it was told to.
    pub grace: Duration,
    /// Names of the caller's variables that it gets besides the allow-list.
    pub env: Vec<String>,
    /// The caller's environment, to look for the program.
    pub inherited: BTreeMap<OsString, OsString>,
}

impl Options {
    /// The defaults, for the binary at `exe` and an agent.
    pub fn new(exe: PathBuf, command: Vec<String>) -> Self {
        Self {
            exe,
            command,
            permission: Permission::Contained,
            auth_method: None,
            max_turns: None,
            patience: Duration::from_secs(120),
            grace: Duration::from_secs(5),
            env: Vec::new(),
            inherited: BTreeMap::new(),
        }
    }
}

/// The runtime.
#[derive(Debug, Clone)]
pub struct Acp {
    options: Options,
}

impl Acp {
    /// A runtime with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    fn settings(&self, brief: &Brief) -> Settings {
        let options = &self.options;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mcp = brief.mcp.iter().map(|word| word.to_string_lossy().into_owned());
        Settings {
            command: options.command.clone(),
            permission: options.permission,
            contained: brief.contained,
            auth_method: options.auth_method.clone(),
            resume: brief.session.clone(),
            cost_before_usd: brief.session_cost_usd_before,
            budget_usd: brief.budget_usd,
            max_turns: brief.max_turns.or(options.max_turns),
            mcp: mcp.collect(),
            attachments: brief.attachments.clone(),
            patience_ms: milliseconds(options.patience),
            grace_ms: milliseconds(options.grace),
        }
    }

    fn environment(&self, brief: &Brief) -> BTreeMap<OsString, OsString> {
        let mut env = environment::of(brief, &self.options.env);
        env.remove(OsStr::new(IS_SANDBOX));
        if brief.contained {
            env.insert(IS_SANDBOX.into(), "1".into());
        }
        if address::is_claude(&self.options.command) {
            env.extend(claude_code::SWITCHES.map(|(name, value)| (name.into(), value.into())));
        }
        // Strings and numbers always serialise; an empty document would be refused by the worker.
        let settings = serde_json::to_string(&self.settings(brief)).unwrap_or_default();
        env.insert(SETTINGS_VARIABLE.into(), settings.into());
        env
    }
}

#[async_trait]
impl Runtime for Acp {
    fn kind(&self) -> &'static str {
        "acp"
    }

    async fn probe(&self) -> Result<Available, Unavailable> {
        let options = &self.options;
        let program = options.command.first().map(String::as_str).unwrap_or_default();
        let mut env = environment::allowed(&options.inherited, &options.env);
        env.remove(OsStr::new(IS_SANDBOX));
        if probe::find(OsStr::new(program), &env).is_none() {
            return Err(Unavailable {
                reason: format!("there is no program '{program}'"),
                cure: "install the agent, or correct the runtime's command".to_owned(),
            });
        }
        match greet(&options.command, &env).await {
            Greeted::By(version) => Ok(Available { version }),
            Greeted::NotYet => Ok(Available {
                version: format!("{program}, which is slow to greet"),
            }),
            Greeted::Failed(reason) => Err(Unavailable {
                reason: format!("'{program}' is no agent: {reason}"),
                cure: format!(
                    "run '{}' by hand; it should wait for messages (many agents need a word like `acp` or `--acp`)",
                    options.command.join(" ")
                ),
            }),
        }
    }

    fn hosts(&self) -> Vec<String> {
        let handed_on = environment::allowed(&self.options.inherited, &self.options.env);
        address::hosts(&self.options.command, &handed_on)
    }

    fn starts(&self) -> Vec<OsString> {
        self.options.command.iter().map(OsString::from).collect()
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
