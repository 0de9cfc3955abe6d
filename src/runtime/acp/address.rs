//! Which agent a command is, by its program's name, and whom it must reach, as far as that can be told beforehand: by the
//! addresses of APIs that it is handed, else by that name. Of other agents nothing is known, and the configuration's
//! `network` must say it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::runtime::{claude_code, codex, host_of};

/// How the variables end by which clients take another address of an API.
const ADDRESS: &str = "_BASE_URL";
/// Google's: the API by key, the one of Gemini's own plans, and the renewal of logins.
const GOOGLE: [&str; 3] = [
    "generativelanguage.googleapis.com",
    "cloudcode-pa.googleapis.com",
    "oauth2.googleapis.com",
];
/// The word in the names of the adapters of Claude Code.
const CLAUDE: &str = "claude";
/// Words in a program's name, and whom such an agent asks.
const KNOWN: [(&str, &[&str]); 3] = [
    (CLAUDE, &claude_code::HOSTS),
    ("codex", &codex::HOSTS),
    ("gemini", &GOOGLE),
];

/// Programs that run a script or a package, which then is the agent.
const INTERPRETERS: [&str; 8] = ["node", "npx", "bun", "bunx", "deno", "uvx", "python", "python3"];

/// The hosts of an agent with this command and these variables of the caller's, as `host` or `host:port`.
pub(super) fn hosts(command: &[String], env: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let assigned = command.iter().filter_map(|word| word.split_once('='));
    let handed_on = env
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let given: Vec<String> = assigned
        .chain(handed_on)
        .filter(|(name, _)| name.ends_with(ADDRESS))
        .filter_map(|(_, url)| host_of(url))
        .collect();
    if given.is_empty() { known(command) } else { given }
}

/// Whether the agent is an adapter of Claude Code.
pub(super) fn is_claude(command: &[String]) -> bool {
    parts(command).contains(&CLAUDE)
}

fn known(command: &[String]) -> Vec<String> {
    let parts = parts(command);
    let mut all = KNOWN.iter().filter(|(word, _)| parts.contains(word));
    all.next()
        .map(|(_, hosts)| hosts.iter().map(|&host| host.to_owned()).collect())
        .unwrap_or_default()
}

/// The words of the program's name, or of the script's that an interpreter is given, behind an `env` with its
/// assignments.
fn parts(command: &[String]) -> Vec<&str> {
    let name = command
        .iter()
        .filter(|word| !word.starts_with('-') && !word.contains('='))
        .filter_map(|word| Path::new(word).file_name()?.to_str())
        .find(|name| *name != "env" && !INTERPRETERS.contains(name));
    name.into_iter()
        .flat_map(|name| name.split(|c: char| !c.is_ascii_alphanumeric()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, env: &[(&str, &str)]) -> Vec<String> {
        let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let pairs = env.iter().map(|(name, value)| (name.into(), value.into()));
        hosts(&command, &pairs.collect())
    }

    #[test]
    fn a_known_agent_reaches_its_provider_and_another_nobody() {
        for (command, host) in [
            ("claude-agent-acp", "api.anthropic.com"),
            ("node --no-warnings /srv/claude-code-acp.js", "api.anthropic.com"),
            ("env A=b /opt/codex-acp", "api.openai.com"),
            ("gemini --acp", "generativelanguage.googleapis.com"),
        ] {
            assert_eq!(
                of(command, &[]).first().map(String::as_str),
                Some(host),
                "{command}"
            );
        }
        for command in ["opencode acp", "mine --model claude", "sh -c x claude", "geminix"] {
            assert_eq!(of(command, &[]), Vec::<String>::new(), "{command}");
        }
    }

    #[test]
    fn an_address_that_is_handed_on_is_the_one() {
        let url = [("ANTHROPIC_BASE_URL", "http://127.0.0.1:81")];
        assert_eq!(of("claude-agent-acp", &url), ["127.0.0.1:81"]);
        assert_eq!(
            of("env OPENAI_BASE_URL=https://llm.example/v1 opencode acp", &[]),
            ["llm.example:443"]
        );
        assert_eq!(
            of("opencode acp", &[("OTHER", "http://a.b")]),
            Vec::<String>::new()
        );
    }
}
