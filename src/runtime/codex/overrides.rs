//! The CLI's configuration, given key by key on its command line; never with a secret in it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use toml::Value;

use super::launch::{Options, SandboxMode};
use crate::runtime::Brief;
use crate::runtime::process::{KEY_VARIABLE, file};

/// The variable with the API key: the CLI looks at it by itself, and so does our provider's entry.
pub(super) const KEY: &str = "CODEX_API_KEY";
/// The variable by which the CLI writes times in UTC; its commands see the caller's, if they are let through.
pub(super) const ZONE: &str = "TZ";
/// The name of the provider at another address.
const PROVIDER: &str = "orchestrator";
/// The name of our MCP server.
const SERVER: &str = "orchestrator";

/// Keys that are the same for every worker: it is a worker, not somebody's desktop.
const ALWAYS: [&str; 5] = [
    "approval_policy=\"never\"",
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
    // A login shell sets another PATH, without the program that a worker reports by.
    "allow_login_shell=false",
    // Else a provider that cannot be reached is waited for without an end; the orchestrator backs off by itself.
    "features.unbounded_connection_retries=false",
];

/// Every `-c KEY=VALUE` of a worker, as arguments.
pub(super) fn of(options: &Options, brief: &Brief, env_names: &[OsString]) -> Vec<OsString> {
    let mut given: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    given.extend(commands_environment(options, brief));
    given.extend(options.base_url.iter().flat_map(|url| provider(options, url)));
    if !brief.contained && options.sandbox == SandboxMode::WorkspaceWrite {
        given.push(writable(brief));
    }
    given.extend(tools(brief, env_names));
    given
        .into_iter()
        .flat_map(|entry| ["-c".into(), entry.into()])
        .collect()
}

/// The commands of the model see what the worker sees, but not what only the CLI needs.
fn commands_environment(options: &Options, brief: &Brief) -> Vec<String> {
    let zone = brief
        .inherited
        .get(OsStr::new(ZONE))
        .filter(|_| options.env.iter().any(|name| name == ZONE));
    let exclude = setting("shell_environment_policy.exclude", texts([KEY, ZONE]));
    let set = zone.map(|zone| setting("shell_environment_policy.set.TZ", text(zone)));
    std::iter::once(exclude).chain(set).collect()
}

/// A provider at another address; the CLI's own login is not shown to it.
fn provider(options: &Options, url: &str) -> Vec<String> {
    let key = |name: &str| format!("model_providers.{PROVIDER}.{name}");
    let mut entries = vec![
        setting("model_provider", text(PROVIDER)),
        setting(&key("name"), text(PROVIDER)),
        setting(&key("base_url"), text(url)),
        setting(&key("wire_api"), text("responses")),
        // Its defaults keep a dead provider hidden for long; the orchestrator backs off by itself.
        setting(&key("request_max_retries"), Value::Integer(1)),
        setting(&key("stream_max_retries"), Value::Integer(1)),
    ];
    if options.api_key.is_some() {
        entries.push(setting(&key("env_key"), text(KEY)));
    }
    entries
}

/// Where a worker reports: outside of the workspace, so the CLI's own sandbox must be told.
fn writable(brief: &Brief) -> String {
    let desk = brief.attempt_dir.join(file::DESK);
    let folders = [brief.heartbeat_file.parent(), brief.progress_file.parent()];
    let folders = std::iter::once(desk.as_path()).chain(folders.into_iter().flatten());
    setting(
        "sandbox_workspace_write.writable_roots",
        texts(folders.map(Path::as_os_str)),
    )
}

/// The MCP server with the agent verbs. The CLI clears its environment, so what it needs is named.
fn tools(brief: &Brief, env_names: &[OsString]) -> Vec<String> {
    let Some((program, args)) = brief.mcp.split_first() else {
        return Vec::new();
    };
    let key = |name: &str| format!("mcp_servers.{SERVER}.{name}");
    let own = env_names
        .iter()
        .map(OsString::as_os_str)
        .filter(|name| name.as_encoded_bytes().starts_with(b"ORCHESTRATOR_"));
    vec![
        setting(&key("command"), text(program)),
        setting(&key("args"), texts(args)),
        setting(&key("env_vars"), texts(own.chain([OsStr::new(KEY_VARIABLE)]))),
        // Nobody is there to be asked.
        setting(&key("default_tools_approval_mode"), text("approve")),
    ]
}

fn setting(key: &str, value: Value) -> String {
    format!("{key}={value}")
}

fn text(value: impl AsRef<OsStr>) -> Value {
    Value::String(value.as_ref().to_string_lossy().into_owned())
}

fn texts<T: AsRef<OsStr>>(values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(values.into_iter().map(text).collect())
}
