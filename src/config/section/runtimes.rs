//! `[runtimes.NAME]`: the ways in which a worker can be run.
//!
//! `claude`, `codex` and `api` exist without configuration; a table of that name changes only the keys that it gives.

mod acp;
mod codex;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};

use crate::config::fault::Origin;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::setting::words;
use crate::format::hosts::HostRule;

use super::containment::{Tier as ContainmentTier, hosts};

pub use acp::{Acp, Permission};
pub use codex::{Codex, CodexSandbox};

/// One configured runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// What it is, with the settings of its kind.
    pub kind: Kind,
    /// Names of variables that its workers see besides the usual ones.
    pub env: Vec<String>,
    /// How its workers are contained; absent where `[containment]` or its kind decides.
    pub containment: Option<ContainmentTier>,
    /// Files of the person's home that its workers may use although they hold a login, relative to the home.
    pub credentials: Vec<PathBuf>,
    /// Hosts that its workers may reach besides those of `[containment]` and its model's own.
    pub network: Vec<HostRule>,
}

/// The kinds of runtime.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A program of your own.
    Command {
        /// Its argument vector.
        command: Vec<String>,
    },
    /// The Claude Code command line tool.
    ClaudeCode(ClaudeCode),
    /// The Codex command line tool.
    Codex(Codex),
    /// The Anthropic Messages API, spoken by the orchestrator itself.
    Messages(Messages),
    /// An agent that speaks the Agent Client Protocol.
    Acp(Acp),
}

/// Settings of a `claude-code` runtime.
#[derive(Debug, Clone)]
pub struct ClaudeCode {
    /// The program.
    pub binary: String,
    /// Arguments that are added to its own.
    pub args: Vec<String>,
    /// What it may do without asking.
    pub permission_mode: PermissionMode,
    /// Turns an attempt may take; its own limit where absent.
    pub max_turns: Option<NonZeroU32>,
    /// Another API to talk to.
    pub base_url: Option<String>,
    /// A key, where the tool is not signed in by itself.
    pub api_key: Option<Secret>,
}

/// Settings of a `messages` runtime.
#[derive(Debug, Clone)]
pub struct Messages {
    /// The API.
    pub base_url: String,
    /// Its key.
    pub api_key: Option<Secret>,
    /// Turns an attempt may take.
    pub max_turns: NonZeroU32,
    /// Tokens an answer may take.
    pub max_tokens: NonZeroU32,
}

/// What Claude Code may do without asking (its `--permission-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionMode {
    /// Ask for everything: a worker alone is refused.
    Default,
    /// Edit files; ask for the rest.
    AcceptEdits,
    /// Everything. The tool refuses this mode to root outside a sandbox.
    BypassPermissions,
    /// Nothing that is not allowed by rules; never ask.
    DontAsk,
    /// Look, change nothing.
    Plan,
}

impl PermissionMode {
    /// The word that the tool knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::AcceptEdits => "acceptEdits",
            Self::BypassPermissions => "bypassPermissions",
            Self::DontAsk => "dontAsk",
            Self::Plan => "plan",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KindName {
    ClaudeCode,
    Codex,
    Messages,
    Command,
    Acp,
}

words!(KindName {
    "claude-code" => ClaudeCode,
    "codex" => Codex,
    "messages" => Messages,
    "command" => Command,
    "acp" => Acp,
});
words!(PermissionMode {
    "default" => Default,
    "acceptEdits" => AcceptEdits,
    "bypassPermissions" => BypassPermissions,
    "dontAsk" => DontAsk,
    "plan" => Plan,
});

/// The runtimes that exist without configuration.
const BUILT_IN: [(&str, KindName); 3] = [
    ("claude", KindName::ClaudeCode),
    ("codex", KindName::Codex),
    ("api", KindName::Messages),
];

/// Every key of every kind, to tell a key of another kind from a misspelt one.
const KIND_KEYS: [&str; 16] = [
    "command",
    "binary",
    "args",
    "permission_mode",
    "sandbox",
    "user_config",
    "max_turns",
    "base_url",
    "api_key",
    "max_tokens",
    "permission",
    "auth_method",
    "env",
    "containment",
    "credentials",
    "network",
];

/// Found on the PATH.
fn binary() -> String {
    "claude".to_owned()
}

/// None.
fn no_texts() -> Vec<String> {
    Vec::new()
}

/// Files may be edited; commands follow the tool's own rules.
fn permission_mode() -> PermissionMode {
    PermissionMode::AcceptEdits
}

/// Anthropic's.
fn base_url() -> String {
    "https://api.anthropic.com".to_owned()
}

/// Enough for a change with its tests, few enough to end a loop.
fn max_turns() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(99)
}

/// Within what every model of the usual ladder can answer.
fn max_tokens() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(8191)
}

impl Runtime {
    /// Reads `[runtimes.*]` and adds the built-in ones that the file does not mention.
    pub(in crate::config) fn read_all(root: &mut Section<'_, '_>) -> BTreeMap<String, Self> {
        let mut all = BTreeMap::new();
        let given = root.names("runtimes");
        for (name, at) in &given {
            check_name(root, name, at);
            if let Some(runtime) = root.named("runtimes", name, |section| Self::read(section, name)) {
                all.insert(name.clone(), runtime);
            }
        }
        for (name, _) in BUILT_IN {
            if !given.iter().any(|(other, _)| other == name) {
                let read = root.absent("runtimes", name, |section| Self::read(section, name));
                all.extend(read.map(|runtime| (name.to_owned(), runtime)));
            }
        }
        all
    }

    /// Why its workers cannot run for want of a secret, in one sentence with the cure.
    pub fn unavailable(&self) -> Option<String> {
        let secret = match &self.kind {
            Kind::Command { .. } | Kind::Acp(_) => None,
            Kind::ClaudeCode(claude) => claude.api_key.as_ref(),
            Kind::Codex(codex) => codex.api_key.as_ref(),
            Kind::Messages(messages) => messages.api_key.as_ref(),
        };
        secret
            .and_then(|secret| secret.value().err())
            .map(ToString::to_string)
    }

    fn read(section: &mut Section<'_, '_>, name: &str) -> Option<Self> {
        let Some(kind) = kind_name(section, name) else {
            section.forgive_unknown_keys();
            return None;
        };
        let kind = match kind {
            KindName::Command => command(section).map(|command| Kind::Command { command }),
            KindName::Acp => command(section).map(|command| Kind::Acp(Acp::read(section, command))),
            KindName::ClaudeCode => Some(Kind::ClaudeCode(claude_code(section))),
            KindName::Codex => Some(Kind::Codex(codex::read(section))),
            KindName::Messages => Some(Kind::Messages(messages(section))),
        };
        let env: Vec<String> = section.get("env", no_texts);
        check_variable_names(section, &env);
        let containment = section.maybe("containment");
        let credentials = credentials(section);
        let network = hosts(section);
        section.explain_unknown_keys(&KIND_KEYS, "does not belong to a runtime of this kind");
        kind.map(|kind| Self {
            kind,
            env,
            containment,
            credentials,
            network,
        })
    }

    /// How its workers are contained, where `general` is what `[containment]` says: a program of the operator's own is
    /// run as it is unless somebody asks for more, everything else that talks to a model is in the sandbox.
    pub fn contained(&self, general: Option<ContainmentTier>) -> ContainmentTier {
        let of_kind = match &self.kind {
            Kind::Command { .. } => ContainmentTier::None,
            _ => ContainmentTier::Sandbox,
        };
        self.containment.or(general).unwrap_or(of_kind)
    }
}

fn kind_name(section: &mut Section<'_, '_>, name: &str) -> Option<KindName> {
    let built_in = BUILT_IN
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, kind)| *kind);
    match built_in {
        Some(KindName::ClaudeCode) => Some(section.get("kind", || KindName::ClaudeCode)),
        Some(KindName::Codex) => Some(section.get("kind", || KindName::Codex)),
        Some(_) => Some(section.get("kind", || KindName::Messages)),
        None => section.required(
            "kind",
            "write kind = \"command\", \"acp\", \"claude-code\", \"codex\" or \"messages\"",
        ),
    }
}

fn command(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let command: Vec<String> = section.required(
        "command",
        "write the program to run, for example command = [\"sh\", \"worker.sh\"]",
    )?;
    if command.is_empty() {
        let at = section.origin_of("command");
        section.fault(at, "the command is empty", Some("name a program".to_owned()));
        return None;
    }
    Some(command)
}

fn claude_code(section: &mut Section<'_, '_>) -> ClaudeCode {
    ClaudeCode {
        binary: section.get("binary", binary),
        args: section.get("args", no_texts),
        permission_mode: section.get("permission_mode", permission_mode),
        max_turns: section.maybe("max_turns"),
        base_url: section
            .maybe::<String>("base_url")
            .filter(|url| check_url(section, url)),
        api_key: section.secret("api_key", None),
    }
}

fn messages(section: &mut Section<'_, '_>) -> Messages {
    let base_url: String = section.get("base_url", base_url);
    check_url(section, &base_url);
    Messages {
        base_url,
        api_key: section.secret("api_key", Some("${ANTHROPIC_API_KEY}")),
        max_turns: section.get("max_turns", max_turns),
        max_tokens: section.get("max_tokens", max_tokens),
    }
}

/// Paths below the home, by which a worker finds its provider's login.
fn credentials(section: &mut Section<'_, '_>) -> Vec<PathBuf> {
    let given: Vec<String> = section.get("credentials", no_texts);
    for (place, text) in given.iter().enumerate() {
        let parts = || Path::new(text).components();
        if !parts().all(|part| matches!(part, Component::Normal(_))) {
            let at = section.origin_of_item("credentials", place);
            let help =
                "write a file of the home folder, relative to it: \".claude/.credentials.json\"".to_owned();
            section.fault(
                at,
                format!("'{}' does not lie in the home folder", text.escape_debug()),
                Some(help),
            );
        }
    }
    given.into_iter().map(PathBuf::from).collect()
}

fn check_url(section: &mut Section<'_, '_>, url: &str) -> bool {
    let good = url.starts_with("https://") || url.starts_with("http://");
    if !good {
        let at = section.origin_of("base_url");
        let help = "it must begin with https:// (or http://)".to_owned();
        section.fault(
            at,
            format!("'{}' is no address of an API", url.escape_debug()),
            Some(help),
        );
    }
    good
}

fn check_variable_names(section: &mut Section<'_, '_>, names: &[String]) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (place, name) in names
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.chars().all(allowed))
    {
        let at = section.origin_of_item("env", place);
        let help = "env lists names of variables to hand on, without values".to_owned();
        section.fault(
            at,
            format!("'{}' is no variable's name", name.escape_debug()),
            Some(help),
        );
    }
}

fn check_name(root: &mut Section<'_, '_>, name: &str, at: &Origin) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(allowed) {
        let message = format!("'{}' is no name for a runtime", name.escape_debug());
        root.fault(
            at.clone(),
            message,
            Some("use letters, digits, '-' and '_'".to_owned()),
        );
    }
}
