//! The command line and the environment of the CLI, and whether it is there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::input;
use super::reader::Stream;
use crate::domain::tool::Tool;
use crate::runtime::process::probe;
use crate::runtime::{Available, Brief, Launch, Reader, Runtime, Unavailable, environment, host_of};

/// Switches that every worker gets: it is a worker, not somebody's desktop.
pub(in crate::runtime) const SWITCHES: [(&str, &str); 5] = [
    // Its default of ten keeps a dead provider hidden for three minutes; the orchestrator backs off by itself.
    ("CLAUDE_CODE_MAX_RETRIES", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("DISABLE_ERROR_REPORTING", "1"),
];

/// Modes by which somebody wants less than a contained worker could be allowed.
pub const RESTRICTING: [&str; 2] = ["plan", "dontAsk"];

/// The name of the orchestrator's MCP server; its tools are `mcp__orchestrator__…`.
const SERVER: &str = "orchestrator";
/// The provider's API, and where a login is renewed.
pub(in crate::runtime) const HOSTS: [&str; 3] = [
    "api.anthropic.com",
    "console.anthropic.com",
    "platform.claude.com",
];

/// The CLI's own tools for a kind of tool.
fn names_of(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::Read => &["Read", "Glob", "Grep"],
        Tool::Edit => &["Edit", "Write", "NotebookEdit"],
        Tool::Bash => &["Bash"],
        Tool::Web => &["WebFetch", "WebSearch"],
    }
}

fn names(tools: &[Tool]) -> Vec<&'static str> {
    tools.iter().flat_map(|tool| names_of(*tool)).copied().collect()
}

/// The variable by which the CLI believes that it is contained; anything but "1" confuses it and its adapters.
const IS_SANDBOX: &str = "IS_SANDBOX";

const BASE_URL: &str = "ANTHROPIC_BASE_URL";

/// A `claude-code` runtime's settings.
#[derive(Clone)]
pub struct Options {
    /// The program: a name on the PATH, or a path.
    pub binary: String,
    /// Further arguments, after the runtime's own.
    pub args: Vec<String>,
    /// Names of the caller's variables that it gets besides the allow-list.
    pub env: Vec<String>,
    /// `--permission-mode` of a worker that is not contained, and of one that is where it restricts on purpose (see
    /// `RESTRICTING`). As root, the CLI refuses `bypassPermissions` unless it is told that it is contained.
    pub permission_mode: String,
    /// Tools that it may use without being asked (`--allowedTools`).
    pub allowed_tools: Vec<String>,
    /// The limit of turns, where the brief has none.
    pub max_turns: Option<u32>,
    /// Another address of the provider's API.
    pub base_url: Option<String>,
    /// The API key; without one the CLI uses its own login.
    pub api_key: Option<SecretString>,
    /// The caller's environment, to look for the program.
    pub inherited: BTreeMap<OsString, OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binary: "claude".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            permission_mode: "acceptEdits".to_owned(),
            allowed_tools: ["Bash", "Edit", "Write", "NotebookEdit"]
                .map(str::to_owned)
                .to_vec(),
            max_turns: None,
            base_url: None,
            api_key: None,
            inherited: BTreeMap::new(),
        }
    }
}

/// The runtime.
#[derive(Clone)]
pub struct ClaudeCode {
    options: Options,
}

impl ClaudeCode {
    /// The runtime with these settings.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Another address of the API, where the runtime's `env` hands it on.
    fn address_in_environment(&self) -> Option<String> {
        let env = environment::allowed(&self.options.inherited, &self.options.env);
        let address = env.get(OsStr::new(BASE_URL))?;
        address.to_str().map(str::to_owned)
    }

    fn argv(&self, brief: &Brief) -> Vec<OsString> {
        let options = &self.options;
        let mut argv: Vec<String> = [
            &options.binary,
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--model",
            &brief.model,
        ]
        .map(str::to_owned)
        .to_vec();
        argv.extend(match &brief.session {
            Some(session) => ["--resume".to_owned(), session.clone()],
            None => ["--session-id".to_owned(), new_session(brief)],
        });
        if let Some(turns) = brief.max_turns.or(options.max_turns) {
            argv.extend(["--max-turns".to_owned(), turns.to_string()]);
        }
        if let Some(budget) = brief.budget_usd {
            argv.extend(["--max-budget-usd".to_owned(), budget.to_string()]);
        }
        if let Some(tools) = &brief.tools {
            argv.extend(["--tools".to_owned(), names(tools).join(",")]);
        }
        let allowed = self.allowed_tools(brief);
        if !allowed.is_empty() {
            argv.extend(["--allowedTools".to_owned(), allowed.join(",")]);
        }
        argv.extend(["--permission-mode".to_owned(), self.permission_mode(brief)]);
        // What a repository brings along (hooks, MCP servers) is code of whoever wrote it.
        argv.extend(["--setting-sources=user", "--strict-mcp-config"].map(str::to_owned));
        argv.extend(server(brief).map(|server| format!("--mcp-config={server}")));
        if input::has_pictures(brief) {
            argv.push("--input-format=stream-json".to_owned());
        }
        argv.extend(options.args.iter().cloned());
        argv.into_iter().map(OsString::from).collect()
    }

    fn permission_mode(&self, brief: &Brief) -> String {
        let configured = &self.options.permission_mode;
        if brief.contained && !RESTRICTING.contains(&configured.as_str()) {
            return "bypassPermissions".to_owned();
        }
        configured.clone()
    }

    /// Nobody is there to be asked for what the agent's file allows.
    fn allowed_tools(&self, brief: &Brief) -> Vec<String> {
        let ours = (!brief.mcp.is_empty()).then(|| format!("mcp__{SERVER}"));
        let mut allowed = self.options.allowed_tools.clone();
        if let Some(tools) = &brief.tools {
            allowed.retain(|name| names(tools).contains(&name.as_str()));
            let web = tools.iter().filter(|tool| **tool == Tool::Web);
            allowed.extend(
                web.flat_map(|tool| names_of(*tool))
                    .map(|name| (*name).to_owned()),
            );
        }
        allowed.extend(ours);
        allowed
    }

    fn env(&self, brief: &Brief) -> BTreeMap<OsString, OsString> {
        let options = &self.options;
        let mut env = environment::of(brief, &options.env);
        env.remove(OsStr::new(IS_SANDBOX));
        let mut set = |name: &str, value: &str| env.insert(name.into(), value.into());
        for (name, value) in SWITCHES {
            set(name, value);
        }
        if brief.contained {
            set(IS_SANDBOX, "1");
        }
        if let Some(url) = &options.base_url {
            set(BASE_URL, url);
        }
        if let Some(key) = &options.api_key {
            set("ANTHROPIC_API_KEY", key.expose_secret());
        }
        env
    }
}

#[async_trait]
impl Runtime for ClaudeCode {
    fn kind(&self) -> &'static str {
        "claude-code"
    }

    async fn probe(&self) -> Result<Available, Unavailable> {
        let options = &self.options;
        let env = environment::allowed(&options.inherited, &options.env);
        let install = "install Claude Code (npm install -g @anthropic-ai/claude-code), or set binary = \"/path/to/claude\"";
        let program = probe::client(&options.binary, install, &env)?;
        probe::version(&program, &env).await
    }

    fn hosts(&self) -> Vec<String> {
        let given = self
            .options
            .base_url
            .clone()
            .or_else(|| self.address_in_environment());
        match given {
            Some(url) => host_of(&url).into_iter().collect(),
            None => HOSTS.map(str::to_owned).to_vec(),
        }
    }

    fn launch(&self, brief: &Brief) -> Launch {
        Launch {
            argv: self.argv(brief),
            env: self.env(brief),
            stdin: input::stdin(brief),
            cwd: brief.workspace.clone(),
        }
    }

    fn reader(&self, brief: &Brief) -> Box<dyn Reader> {
        Box::new(Stream::new(brief))
    }
}

/// The orchestrator's own server, as the CLI's configuration of MCP servers in JSON. It holds no secret: the server
/// finds the attempt's token in the environment that it inherits.
fn server(brief: &Brief) -> Option<String> {
    let words: Vec<_> = brief.mcp.iter().map(|word| word.to_string_lossy()).collect();
    let (program, args) = words.split_first()?;
    let server = json!({"type": "stdio", "command": program, "args": args});
    Some(json!({"mcpServers": {SERVER: server}}).to_string())
}

/// A session's name that is known before the CLI says it, and that only this attempt can have.
fn new_session(brief: &Brief) -> String {
    let seed = format!(
        "{}\0{}\0{}\0{}",
        brief.task, brief.attempt, brief.epoch, brief.token
    );
    let digest = Sha256::digest(seed.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
