//! The real clients, in the versions that `./test` installs, against the scripted model on loopback.
//!
//! Where they are not installed, a test says so and passes, unless `CI=true`: then it fails.

mod acp;
mod claude_code;
mod codex;
mod messages;
mod whole;

use std::path::PathBuf;

/// The folder that `./test` installs into.
fn clients() -> PathBuf {
    let given = std::env::var_os("ORCHESTRATOR_TEST_CLIENTS").map(PathBuf::from);
    given.unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        cache
            .unwrap_or_else(|| home.join(".cache"))
            .join("orchestrator/clients")
    })
}

/// A client's program; `None`, said aloud, where it is not installed.
fn client(name: &str) -> Option<String> {
    let path = clients().join("node_modules/.bin").join(name);
    if path.exists() {
        return Some(path.to_str().unwrap().to_owned());
    }
    let told = format!("{} is not there; ./test installs it", path.display());
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{told}");
    eprintln!("skipped: {told}");
    None
}

/// A new version is installed and recorded in one step, or not at all.
#[test]
fn what_is_installed_is_what_was_recorded() {
    use orchestrator::runtime::{acp, claude_code, codex};
    let installed = include_str!("../../../test");
    for (package, version) in [
        ("@agentclientprotocol/claude-agent-acp", acp::RECORDED_FROM),
        ("@anthropic-ai/claude-code", claude_code::RECORDED_FROM),
        ("@openai/codex", codex::RECORDED_FROM),
    ] {
        let pin = format!("\"{package}\": \"{version}\"");
        assert!(installed.contains(&pin), "./test does not pin {pin}");
    }
}
