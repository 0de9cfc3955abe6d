//! The environment of a worker: the variables of the contract, an allow-list of the caller's, and nothing else.
//!
//! Pure: the caller's environment comes in with the [`Brief`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::Brief;
use super::process::file;

/// The caller's variables that every worker gets.
pub const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TERM", "TMPDIR"];

/// Why a worker's `git push` fails: the protocol that all its push addresses are turned into has no such program.
const NO_PUSH: &str = "url.pushing-is-for-the-orchestrator::.pushInsteadOf";

/// How many settings of git a worker's environment holds; who adds one numbers it from here.
pub const GIT_SETTINGS: usize = 1;

/// What git is told in a worker's environment: never ask for a password, and push nowhere.
const GIT: [(&str, &str); 4] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", NO_PUSH),
    ("GIT_CONFIG_VALUE_0", ""),
];

/// The environment of the brief's worker; `names` are the caller's further variables that the runtime lets through.
///
/// The contract's own variables win over equal names of the caller, and so do those for git: work leaves through the
/// orchestrator alone. It keeps honest workers from pushing; a hostile one is held by its sandbox, not by this.
pub fn of(brief: &Brief, names: &[String]) -> BTreeMap<OsString, OsString> {
    let mut env = allowed(&brief.inherited, names);
    env.extend(GIT.map(|(name, value)| (name.into(), value.into())));
    env.extend(own(brief));
    env
}

/// What of the caller's environment reaches a process that is started for it.
pub fn allowed(caller: &BTreeMap<OsString, OsString>, names: &[String]) -> BTreeMap<OsString, OsString> {
    let names = INHERITED.iter().copied().chain(names.iter().map(String::as_str));
    names
        .filter_map(|name| Some((name.into(), caller.get(OsStr::new(name))?.clone())))
        .collect()
}

fn own(brief: &Brief) -> impl Iterator<Item = (OsString, OsString)> {
    let always: [(&str, OsString); 10] = [
        ("TASK_ID", brief.task.as_str().into()),
        ("ATTEMPT", brief.attempt.to_string().into()),
        ("TIER", brief.tier.as_str().into()),
        ("MODEL", brief.model.as_str().into()),
        ("WORKSPACE", brief.workspace.clone().into()),
        ("PROMPT_FILE", brief.attempt_dir.join(file::PROMPT).into()),
        ("HEARTBEAT_FILE", brief.heartbeat_file.clone().into()),
        ("PROGRESS_FILE", brief.progress_file.clone().into()),
        ("OUTCOME_FILE", brief.outcome_file.clone().into()),
        ("TOKEN", brief.token.as_str().into()),
    ];
    let url = brief.url.as_ref().map(|url| ("URL", OsString::from(url)));
    always
        .into_iter()
        .chain(url)
        .map(|(name, value)| (format!("ORCHESTRATOR_{name}").into(), value))
}
