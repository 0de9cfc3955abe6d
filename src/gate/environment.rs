//! What a check sees of the environment: five variables of the caller's, the gate's own, and what the request names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::config::Environment;

/// Variables of the caller that pass (docs/GATE.md).
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TERM", "TMPDIR"];

/// The caller's variables that every check sees.
pub(super) fn inherited() -> Vec<(OsString, OsString)> {
    let all = Environment::capture();
    let present = |name: &str| {
        all.variables()
            .get(OsStr::new(name))
            .map(|value| (name.into(), value.clone()))
    };
    INHERITED.iter().filter_map(|name| present(name)).collect()
}

/// The gate's own variables; `scratch` lies outside of the checkout.
pub(super) fn own(scratch: &Path) -> [(&'static str, OsString); 3] {
    [
        ("CI", "true".into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        // Byte code beside the sources would make every Python checkout dirty.
        ("PYTHONPYCACHEPREFIX", scratch.join("pycache").into()),
    ]
}

/// The text without the values of variables whose names speak of secrets.
pub(super) fn redact(text: &str, env: &BTreeMap<String, String>) -> String {
    let secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["TOKEN", "SECRET", "KEY", "PASSWORD", "CREDENTIAL"]
            .iter()
            .any(|word| name.contains(word))
    };
    env.iter()
        .filter(|(name, value)| secret(name) && value.len() >= 6)
        .fold(text.to_owned(), |text, (_, value)| {
            text.replace(value.as_str(), "***")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let env = [("API_TOKEN", "hunter22"), ("MODE", "hunter22x"), ("A_KEY", "x")];
        let env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(redact("a hunter22 x", &env), "a *** x");
    }
}
