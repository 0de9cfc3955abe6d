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
