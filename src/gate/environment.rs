//! What a check sees of the environment: five variables of the caller's, the gate's own, and what the request names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::capture::hex;
use crate::config::Environment;

/// Variables of the caller that pass (docs/GATE.md).
const INHERITED: [&str; 5] = [PATH, "HOME", "LANG", "TERM", "TMPDIR"];
const PATH: &str = "PATH";

/// All that a check gets; `scratch` lies outside of the checkout.
pub(super) fn given(scratch: &Path, extra: &BTreeMap<String, String>) -> BTreeMap<OsString, OsString> {
    let caller = Environment::capture();
    let mut all = inherited(&caller);
    if let Some(path) = all.get_mut(OsStr::new(PATH)) {
        *path = caller.program_folders();
    }
    all.extend(own(scratch).map(|(name, value)| (name.into(), value)));
    all.extend(extra.iter().map(|(name, value)| (name.into(), value.into())));
    all
}

fn inherited(all: &Environment) -> BTreeMap<OsString, OsString> {
    let present = |name: &str| {
        let value = all.variables().get(OsStr::new(name))?;
        Some((name.into(), value.clone()))
    };
    INHERITED.iter().filter_map(|name| present(name)).collect()
}

/// The gate's own variables.
fn own(scratch: &Path) -> [(&'static str, OsString); 3] {
    [
        ("CI", "true".into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        // Byte code beside the sources would make every Python checkout dirty.
        ("PYTHONPYCACHEPREFIX", scratch.join("pycache").into()),
    ]
}

/// SHA-256 over names and values, in hex. The same for every checkout: its own folder is left out.
pub(super) fn digest(env: &BTreeMap<OsString, OsString>, home: &Path) -> String {
    let home = home.display().to_string();
    let mut digest = Sha256::new();
    for (name, value) in env {
        let value = value.to_string_lossy().replace(&home, "");
        for part in [name.to_string_lossy().as_ref(), &value] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    hex(&digest.finalize())
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

    #[test]
    fn the_digest_is_of_names_and_values_and_of_no_folder() {
        let of = |pairs: &[(&str, &str)], home: &str| {
            let env = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            digest(&env, Path::new(home))
        };
        let one = of(&[("A", "1"), ("P", "/g/t-1/scratch")], "/g/t-1");
        assert_eq!(one, of(&[("A", "1"), ("P", "/g/t-2/scratch")], "/g/t-2"));
        for other in [
            of(&[("A", "2"), ("P", "/g/t-1/scratch")], "/g/t-1"),
            of(&[("B", "1"), ("P", "/g/t-1/scratch")], "/g/t-1"),
            of(&[("A", "1P"), ("", "/g/t-1/scratch")], "/g/t-1"),
        ] {
            assert_ne!(one, other);
        }
    }
}
