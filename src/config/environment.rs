//! The one place that reads the process's environment: a snapshot, taken once and passed on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The variables as they were when the program started. Its debug form shows names only: values may be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Takes the process's own.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn capture() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's text; `None` where it is unset, empty, or no text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(OsStr::new(name))
            .and_then(|value| value.to_str())
            .filter(|value| !value.is_empty())
    }

    /// The folders of PATH in which programs are looked for, those with an absolute path alone: others would be looked up
    /// in whatever folder a program is started in, and there a worker may have put a `git` or a `cargo` of its own.
    pub fn program_folders(&self) -> OsString {
        let path = self
            .variables
            .get(OsStr::new("PATH"))
            .cloned()
            .unwrap_or_default();
        let solid = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        std::env::join_paths(solid).unwrap_or_default()
    }

    /// All variables, for picking the ones that a worker may see.
    pub fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self {
            variables: variables.into_iter().collect(),
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        let own = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
        variables.into_iter().map(own).collect()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_come_from_folders_that_no_worker_writes() {
        for (path, wanted) in [
            (".:/usr/bin", "/usr/bin"),
            ("/usr/bin::/bin", "/usr/bin:/bin"),
            ("node_modules/.bin:/usr/bin", "/usr/bin"),
            ("", ""),
        ] {
            let environment: Environment = [("PATH", path)].into_iter().collect();
            assert_eq!(environment.program_folders(), wanted, "{path}");
        }
    }
}
